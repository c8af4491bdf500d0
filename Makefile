# make demo and make test do all of their own set-up on a Debian machine with Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test venv lint types check bench evaluate fuzz clean

.venv/demo: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e .
	@touch $@

.venv/test: .venv/demo
	$(BIN)/pip install --quiet -e ".[test,serve]"
	@touch $@

venv: .venv/test

demo: .venv/demo
	$(BIN)/upright correct testdata/demo -o out --report out/report.html

lint: venv
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

types: venv
	$(BIN)/mypy

test: lint types
	$(BIN)/pytest
