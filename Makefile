# Thin targets: each one's command stands here, nothing is hidden.

# The environment's own; PYTHON=… on the command line chooses what `setup` makes it from.
VENV_PYTHON = .venv/bin/python
STAMP = .venv/.installed
PEERS = build/peers
PEERS_STAMP = $(PEERS)/.venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test faults soak check bench bench-peers

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 13

setup: $(STAMP) ## a virtual environment in .venv with everything that the other targets need

$(STAMP): pyproject.toml .ci/setup
	@sh .ci/setup
	@touch $@

demo: $(STAMP) ## Monte Carlo Pi, on a Redis of its own
	.venv/bin/amr run jobs/pi.json

test: $(STAMP) ## every test, in two processes: most of a test's time is waiting
	$(VENV_PYTHON) -m pytest -n 2 --dist loadfile

faults: $(STAMP) ## every fault, crash point and guard, whole; takes half an hour
	$(VENV_PYTHON) -m pytest -m "long or not long" tests/faults

soak: $(STAMP) ## random faults from one seed; SOAK_MINUTES (5), SOAK_SEED
	$(VENV_PYTHON) -m tests.soak

check: $(STAMP) ## format, lint and types
	$(VENV_PYTHON) -m ruff format --check
	$(VENV_PYTHON) -m ruff check
	$(VENV_PYTHON) -m mypy

bench: $(STAMP) ## the speed figures; takes some minutes
	$(VENV_PYTHON) -m benchmarks

bench-peers: $(PEERS_STAMP) ## amr beside its peers, in an environment of their own; takes hours
	$(PEERS)/.venv/bin/python -m benchmarks.peers --json $(PEERS)/figures.jsonl

$(PEERS_STAMP): pyproject.toml .ci/setup benchmarks/peers/requirements.txt
	@sh .ci/setup $(PEERS)/.venv -r benchmarks/peers/requirements.txt -e '.[embedded,http]'
	@touch $@
