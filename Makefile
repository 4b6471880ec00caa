# What can be done with a checkout. `make` alone lists it.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PACKAGES = actors loader plugins

.DEFAULT_GOAL := help
.PHONY: help run demo-failover test lint types unit layers test-faults bench clean

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## a load-balanced service on loopback: needs neither root nor a kernel module
	PATH="$(abspath $(BIN)):$$PATH" examples/quickstart.sh

demo-failover: $(VENV)/.run ## two routers, a client, and what it loses when one of them dies: as root, with iproute2
	$(BIN)/python examples/failover/demo.py

test: lint types layers unit ## everything below, and all tests

lint: $(VENV)/.dev ## style
	$(BIN)/ruff check $(PACKAGES) tests examples

types: $(VENV)/.dev ## types
	$(BIN)/mypy $(PACKAGES)

layers: $(VENV)/.dev ## who may import whom
	$(BIN)/python -m pytest -q tests/test_layers.py

unit: $(VENV)/.dev ## all tests
	$(BIN)/python -m pytest -q tests

test-faults: $(VENV)/.dev ## faults at random, as root: SECONDS=600 and SEED=... of your choice
	$(BIN)/python -m tests.system.faults --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.dev ## how fast it is, on this machine, now
	@for file in bench/[a-z]*.py; do echo "== $$file"; $(BIN)/python -m bench.$$(basename $$file .py) || exit 1; done

clean: ## remove what can be made again
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment: what is needed to run it, then what is needed to work on it.

$(VENV)/.run: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@PYTHON="$(BIN)/python" .ci/system-packages tests
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -r requirements-dev.txt
	@touch $@

$(BIN)/python:
	@PYTHON="$(PYTHON)" .ci/system-packages
	$(PYTHON) -m venv $(VENV)
