"""Measures of amr on this machine: ``python -m benchmarks`` (see benchmarks/README.md)."""
