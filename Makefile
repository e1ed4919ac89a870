# Each target is sufficient on a machine with Python 3.11 or later and git: it sets up what it needs first.
# Which build of PyTorch pip takes is yours to choose: docs/install.md.
PYTHON ?= python3
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test slow lint docs clean

$(VENV)/core: pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and \
	  'qkvae needs Python 3.11 or later, this is %d.%d: make demo PYTHON=python3.12' % sys.version_info[:2])"
	@echo "setting up $(VENV) (PyTorch is the large part)"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -e .
	@touch $@

$(VENV)/dev: $(VENV)/core
	$(INSTALL) -e '.[dev]'
	@touch $@

$(VENV)/docs: $(VENV)/core
	$(INSTALL) -e '.[docs]'
	@touch $@

demo: $(VENV)/core
	$(BIN)/qkvae train translation --config recipes/dates-en-de.toml --out runs/demo --overwrite
	$(BIN)/qkvae use runs/demo "the third of May 2024"
	$(BIN)/qkvae look runs/demo "the third of May 2024" --out runs/look.html
	@echo "the training: runs/demo/report.html   the attention: runs/look.html"

test: $(VENV)/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

slow: $(VENV)/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/codespell

docs: $(VENV)/docs
	$(BIN)/zensical build

clean:
	rm -rf $(VENV) site
