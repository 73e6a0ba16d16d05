"""The systems that are compared: one module each, with its set-up in the docstring."""
