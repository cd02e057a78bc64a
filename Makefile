# make demo    sweep the reference model over all levels on the CPU; prints the table and the report's path
# make test    run every test that needs no GPU
# make check   format, lint, types
# make all     both, as CI does: one word before every commit
# make nano    train the reference model anew; it resumes where it was stopped
# make readme  run the commands whose output the README quotes, and quote it
#
# The first use makes a virtual environment in .venv with the versions of constraints.txt. On Linux PyPI's torch brings
# CUDA along; make demo PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu downloads the small one.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt
# A fresh page costs some virtual machines more than what is written to it.
HUGE_PAGES := GLIBC_TUNABLES=glibc.malloc.hugetlb=1
TOO_OLD := qbench needs Python 3.11 or newer; name one with make PYTHON=python3.12

.PHONY: all check demo nano readme test

all: check test

demo: $(VENV)/installed
	$(HUGE_PAGES) $(BIN)/qbench sweep --items 1 --run runs/demo

# One thread for each of the workers.
test: $(VENV)/installed-dev
	OMP_NUM_THREADS=1 $(HUGE_PAGES) $(BIN)/pytest -m "not gpu" -n logical --dist loadfile

check: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

nano: $(VENV)/installed
	$(HUGE_PAGES) $(BIN)/python -m qbench.nano.recipe

readme: $(VENV)/installed-dev
	$(HUGE_PAGES) $(BIN)/python benchmarks/readme.py

# Empty files that remember an installation, so that it is repeated only when what it depends on has changed.
$(VENV)/installed: pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("$(TOO_OLD)" if sys.version_info < (3, 11) else 0)'
	@echo "Installing into $(VENV); the first time downloads torch and takes some minutes."
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(INSTALL) --editable '.[dev]'
	@touch $@
