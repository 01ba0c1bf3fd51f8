# Cambrian. `make run` and `make test` each work alone, on a machine with Python 3.11 or newer, git
# and make; what they install goes into .venv, and (as root on Debian or Ubuntu) a Docker engine.
#
# Variables:
#   PYTHON=python3.12          which Python makes .venv (default: the first of 3.11 or newer)
#   RUN_ARGS="--hours 1"       handed to the main job            PYTEST_ARGS="-k archive"  to pytest
#   PYTEST_JOBS=0              test processes side by side (default 2; 0: pytest's own process)
#   CAMBRIAN_ARCHIVE=folder    where the archive is              TORCH_INDEX=...  a package index to
#   CAMBRIAN_BASE_IMAGE=name   base of the sandbox image         take torch from (PyTorch's own CPU
#                                                                index keeps gigabytes of CUDA away)

VENV := .venv
PY := $(VENV)/bin/python
PYTHON ?=
RUN_ARGS ?=
PYTEST_ARGS ?=
PYTEST_JOBS ?= 2
BENCH_ARGS ?=
TORCH_INDEX ?=

export PYTHON TORCH_INDEX
export CAMBRIAN_TORCH_INDEX ?= $(TORCH_INDEX)
# A folder of this name in the environment must not shadow what .venv holds.
unexport PYTHONPATH PYTHONHOME

RECIPE := pyproject.toml constraints.txt scripts/venv

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test test-hostile lint types docs bench image setup dist clean plan-run plan-test

help: ## what can be made, and how
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@sed -n '/^# Variables:/,/^$$/s/^# \{0,1\}//p' Makefile

run: plan-run $(VENV)/.installed ## set up what is missing, then grow an archive (the main job, about 15 minutes)
	@PYTHON=$(PY) scripts/sandbox-ready --or-bubblewrap
	@PYTHON=$(PY) scripts/main-job $(RUN_ARGS)

test: plan-test $(VENV)/.installed-dev ## set up what is missing, then run the tests (about 20 minutes)
	@scripts/bubblewrap
	@scripts/fashion-mnist
	@scripts/chromium
	@PYTHON=$(PY) scripts/sandbox-ready
	@[ "$$(id -u)" -ne 0 ] || scripts/gvisor || [ $$? -eq 3 ]
	$(PY) -m pytest -n $(PYTEST_JOBS) --dist loadfile --budget $(PYTEST_ARGS)

test-hostile: $(VENV)/.installed-dev ## every hostile learner against every sandbox this machine has (about 20 minutes)
	@scripts/bubblewrap
	@PYTHON=$(PY) scripts/sandbox-ready
	@[ "$$(id -u)" -ne 0 ] || scripts/gvisor || [ $$? -eq 3 ]
	$(PY) -m pytest -n $(PYTEST_JOBS) --dist loadfile -m "exhaustive or not exhaustive" tests/sandbox/attack/test_hostile.py tests/sandbox/attack/test_ordinary.py $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev ## ruff (lint and format), mypy --strict, import-linter, tools/count.py
	@code=0; for check in "ruff check ." "ruff format --check ." "mypy" "lint-imports" "python tools/count.py"; do \
		echo "== $$check"; $(VENV)/bin/$$check || code=1; \
	done; exit $$code

types: $(VENV)/.installed-dev ## mypy --strict alone
	$(PY) -m mypy

docs: $(VENV)/.installed-dev ## the documentation as a site, in site/ (seconds); fails on a broken link
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet
	@echo "in site/; to look at it: $(PY) -m http.server --bind 127.0.0.1 --directory site"

bench: $(VENV)/.installed-dev ## every benchmark (hours; BENCH_ARGS=--quick: shorter runs); fails if one misses its target
	@PYTHON=$(PY) scripts/sandbox-ready
	@PYTHON=$(PY) scripts/bench $(BENCH_ARGS)

image: $(VENV)/.installed ## a Docker engine and the sandbox image (1 to 3 minutes, then seconds)
	@PYTHON=$(PY) scripts/sandbox-ready

setup: $(VENV)/.installed-dev ## .venv with all tools, the engine and the image: all of the above needs
	@PYTHON=$(PY) scripts/sandbox-ready

dist: $(VENV)/.installed-dev ## an sdist, and the wheel made from that sdist, in dist/
	$(PY) -m build --outdir dist .

clean: ## remove .venv, built packages and caches; never an archive, an image or an engine
	rm -rf $(VENV) build dist site htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks examples -depth -type d -name __pycache__ -exec rm -rf {} +

plan-run:
	@scripts/plan run

plan-test:
	@scripts/plan test

$(VENV)/.installed: $(RECIPE)
	@scripts/venv $(VENV)

$(VENV)/.installed-dev: $(RECIPE)
	@scripts/venv $(VENV) --group dev
