# make setup | packages | check | test | fuzz | chaos | demo | demo-small | bench | load | manners | docs | screenshots
#      vendor | clean
#
# Everything happens in a virtual environment, .venv, that is made when first needed and kept.
# PYTHON=python3.12 chooses the interpreter it is made from, VENV=folder another place for it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# make demo
JOBS ?= 2
# make bench
SUITE ?=
SIZE ?=
BENCH_VENV ?= .venv-bench
# make test: how many processes (tests mostly wait), and further arguments of pytest, such as TESTS="tests/model -x"
WORKERS ?= 4
TESTS ?=
# make chaos: disturbed runs from a seed on, and where: local, sandbox or ssh; further options, such as CHAOS="--keep --workers 1"
PLACE ?= local
CHAOS ?=
# make chaos and make fuzz: how many runs (20), or cases of each fuzzer (1000), from which seed
N ?=
SEED ?= 1

# Debian's packages for tests with real hosts, GNU Parallel, MPI, Slurm, dot and a browser; tests that lack theirs are left out
PACKAGES := chromium graphviz iproute2 mpich munge openssh-server parallel slurm-wlm tini

.PHONY: help setup packages check test fuzz chaos demo demo-small bench load manners docs screenshots vendor clean

help:
	@sed -n '1,5s/^# \{0,1\}//p' Makefile

setup: $(VENV)/.test

# Debian's python3 comes without venv; root can mend that
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	    || { echo "$(PYTHON) is not Python 3.10 or newer: choose one by make PYTHON=…"; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	    || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get install -y -qq python3-venv >/dev/null; } \
	    || { echo "$(PYTHON) has no module venv: install the package python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.test: pyproject.toml | $(BIN)/python
	@echo "installing flowrules and what its tests need"
	@$(PIP) install -e '.[test]'
	@touch $@

$(VENV)/.check: pyproject.toml | $(BIN)/python
	@echo "installing flowrules and what checks it"
	@$(PIP) install -e '.[check]'
	@touch $@

$(VENV)/.demo: pyproject.toml examples/molecules/requirements.txt | $(BIN)/python
	@echo "installing flowrules and the chemistry of examples/molecules"
	@$(PIP) install -e . -r examples/molecules/requirements.txt
	@touch $@

# the programs that flowrules is measured beside, apart from ours; what cannot be installed is named, and left out
$(BENCH_VENV)/.peers: benchmarks/requirements.txt | $(BIN)/python
	@$(PYTHON) -m venv $(BENCH_VENV)
	@echo "installing what flowrules is measured beside"
	@grep -v '^#' $< | while read -r package; do \
	    $(BENCH_VENV)/bin/python -m pip --disable-pip-version-check --quiet install "$$package" \
	        || echo "$$package cannot be installed here and is left out"; done
	@touch $@

$(VENV)/.browser: pyproject.toml | $(BIN)/python
	@echo "installing flowrules and what drives a browser"
	@$(PIP) install -e '.[browser]'
	@touch $@

# Only where root has apt-get; it is no error where they cannot be had.
packages:
	@missing=(); for name in $(PACKAGES); do \
	    dpkg-query -W -f '$${db:Status-Status}' "$$name" 2>/dev/null | grep -qx installed || missing+=("$$name"); done; \
	if [ $${#missing[@]} = 0 ]; then exit; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo "not installed, so tests that need them are left out: $${missing[*]}"; exit; fi; \
	echo "installing $${missing[*]}"; export DEBIAN_FRONTEND=noninteractive; apt="apt-get -o DPkg::Lock::Timeout=300 -qq"; \
	{ $$apt update && $$apt install -y --no-install-recommends "$${missing[@]}"; } >/dev/null 2>&1 </dev/null \
	    || echo "they could not be installed: tests that need them are left out"

check: $(VENV)/.check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# -rs says which tests were left out, and why. Without the packages of the demo, or a browser, their tests are left out too.
test: $(VENV)/.test
	@$(MAKE) --no-print-directory $(VENV)/.demo || echo "no packages for the chemistry here: its tests are left out"
	@! command -v chromium >/dev/null || $(MAKE) --no-print-directory $(VENV)/.browser \
	    || echo "no Playwright here: tests in a browser are left out"
	$(BIN)/python -m pytest -q -rs -n $(WORKERS) $(TESTS)

# Many cases of what `make test` tries a few of: the same seed gives the same cases. Figures are told at the end.
fuzz: $(VENV)/.test
	@mkdir -p build && rm -f build/fuzz-figures
	FUZZ_N=$(or $(N),1000) FUZZ_SEED=$(SEED) FUZZ_FIGURES=$(abspath build/fuzz-figures) $(BIN)/python -m pytest -q -rs -n 2 \
	    --hypothesis-seed=$(SEED) tests/fuzz tests/syntax/test_syntax_fuzz.py tests/expr/test_expr_fuzz.py $(TESTS)
	@sort build/fuzz-figures

# Faults strike small workflows at random; figures of many runs go into docs/trust.md.
chaos: $(VENV)/.test
	$(BIN)/python tests/chaos/chaos.py -n $(or $(N),20) --place $(PLACE) --seed $(SEED) $(CHAOS)

demo: $(VENV)/.demo
	@PATH=$(BIN):$$PATH examples/molecules/demo.sh results -j $(JOBS)

demo-small: $(VENV)/.demo
	@PATH=$(BIN):$$PATH examples/molecules/demo.sh results-small -j $(JOBS) --configfile small.yaml

bench: $(VENV)/.test $(BENCH_VENV)/.peers
	@BENCH_VENV=$(abspath $(BENCH_VENV)) PATH=$(BIN):$$PATH \
	    $(BIN)/python benchmarks/run.py $(SUITE) $(if $(SIZE),--size $(SIZE))

# SIZE is that of the part `jobs`, the others go with it; ten minutes on two cores
load: $(VENV)/.test
	$(BIN)/python benchmarks/load.py $(if $(SIZE),--size $(SIZE))

# 10,000 jobs in a block: ends with an error where the driver takes more of a login node than it may
manners: $(VENV)/.test
	$(BIN)/python benchmarks/load.py --parts manners

docs: $(VENV)/.test
	$(BIN)/python docs/reference/make_codes.py

# Pictures of README and docs, by a browser: the pages of examples/molecules, not run.
screenshots: $(VENV)/.browser
	$(BIN)/python docs/pictures/make_pictures.py

# The JavaScript of pages, from the npm registry, checked.
vendor:
	$(PYTHON) tools/vendor.py

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf examples/*/.flowrules examples/molecules/results examples/molecules/results-small
	find flowrules tests examples benchmarks docs -name __pycache__ -prune -exec rm -rf {} +
