"""amr beside its peers, each in its best documented set-up: ``python -m benchmarks.peers``."""
