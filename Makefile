# Each target is sufficient on a machine with Python 3.11 or later and git: it sets everything up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint

$(VENV)/core: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/dev: $(VENV)/core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/core
	$(BIN)/qkvae train translation --minutes 3 --out runs/demo --overwrite
	$(BIN)/qkvae use runs/demo "the third of May 2024"

test: $(VENV)/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest

lint: $(VENV)/dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/pyright && $(BIN)/lint-imports && $(BIN)/codespell
