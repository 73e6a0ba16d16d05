"""Reads what source objects describe: items one by one, or splits that workers read themselves."""
