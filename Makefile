# One word each. Every verb sets up what it needs first, on a machine that has only Python 3.11+ and pip.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# One more than there are cores: some tests wait, for a daemon or a lock.
TEST_PROCESSES := $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1) + 1)
DATA := $(abspath $(or $(PAYMENT_SIM_DATA),data))

.DEFAULT_GOAL := help
.PHONY: help setup run test lint bench ui docs clean

help:            ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 10

setup: $(READY)  ## install everything into .venv, and compile the engine

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "payment-sim needs Python 3.11 or newer; say which with: make $(MAKECMDGOALS) PYTHON=/path/to/python3"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m sim_engine.compilation
	@touch $@

run: $(READY)    ## simulate research_day, build the marts, print what the LSM did
	@$(BIN)/payment-sim pipeline scenarios/research_day.yaml

test: lint       ## every check that a change must pass
	@PYTEST_XDIST_AUTO_NUM_WORKERS=$(TEST_PROCESSES) $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

lint: $(READY)   ## form, types, direction of imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(READY)  ## how fast it is, beside others; writes docs/performance.md
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '.[dev,bench]'
	@$(BIN)/python -m benchmarks

ui: $(READY)     ## the Dagster UI on http://127.0.0.1:3000
	@$(BIN)/payment-sim ui

docs: $(READY)   ## the reference pages of docs/, and the marts' documentation as one static page
	@$(BIN)/python -m pipelines.reference
	@mkdir -p $(DATA)
	@PAYMENT_SIM_RAW=$(DATA)/raw PAYMENT_SIM_WAREHOUSE=$(DATA)/warehouse.duckdb $(BIN)/dbt --quiet docs generate --static \
		--project-dir dbt_project --profiles-dir dbt_project --target-path $(DATA)/dbt_docs
	@mv $(DATA)/dbt_docs/static_index.html $(DATA)/marts.html && rm -r $(DATA)/dbt_docs
	@echo "Open $(DATA)/marts.html"

clean:           ## remove what set-up, runs and tests made; keeps the data folder
	rm -rf .venv dbt_project/target dbt_project/logs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
