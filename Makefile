# `make quickstart` and `make test` need Python >= 3.11 with pip, make and git; everything else goes into .venv.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
UV_VERSION := 0.13.8
BIN := .venv/bin
UV := $(BIN)/uv
# Installed anew when the content of the lock changes, not when git touches its time.
INSTALLED := .venv/installed-$(firstword $(shell cksum requirements.lock))

# The folder of real data that some tests read; they are skipped without it.
DATA ?= $(wildcard ../shared/data)
ifneq ($(strip $(DATA)),)
pytest: export LIT_MEDSEG_DATA ?= $(abspath $(DATA))
endif


.PHONY: help install quickstart test test-kill test-slurm lint types pytest ui doctor lock clean

help: ## what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

install: $(INSTALLED) ## make .venv and install requirements.lock, where it is not done already

quickstart: $(INSTALLED) ## fit and test on phantoms that are made on the spot (about a minute)
	$(BIN)/python -m lit_medseg fit --config experiments/quickstart.yaml
	$(BIN)/python -m lit_medseg test --config experiments/quickstart.yaml

test: lint types pytest ## ruff, mypy and pytest

lint: $(INSTALLED) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED) ## mypy --strict
	$(BIN)/mypy

pytest: $(INSTALLED) ## the tests alone; choose with ARGS="-k name"
	$(BIN)/python -m pytest $(ARGS)

test-kill: $(INSTALLED) ## twenty kills at random moments, of runs and of sweeps (about half an hour)
	KILLS=20 $(BIN)/python -m pytest tests/commands/test_kill.py tests/sweep/test_kills.py $(ARGS)

test-slurm: $(INSTALLED) ## the tests on a Slurm cluster of this machine alone (root; Debian's slurm-wlm and munge)
	$(BIN)/python -m pytest tests/slurm $(ARGS)

ui: $(INSTALLED) ## open the MLflow user interface on the recorded runs
	$(BIN)/python -m lit_medseg ui

doctor: $(INSTALLED) ## what is wrong with this machine and how to mend it
	$(BIN)/python -m lit_medseg doctor

lock: $(INSTALLED) ## write requirements.lock from pyproject.toml, keeping pins that still fit (ARGS=--upgrade: newest)
	$(UV) pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	    --no-annotate --no-header --no-emit-index-url --output-file requirements.lock $(ARGS)

clean: ## remove .venv and the tools' caches; runs, data and the MLflow store stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
	find lit_medseg data_modules tests -name __pycache__ -type d -prune -exec rm -rf {} +

# pip puts uv into the environment and uv the rest: without pip in it, the environment needs no ensurepip, which Debian
# keeps in a package of its own. uv heeds its own settings for package sources, as pip does: none stand here. Byte code is
# written at once: where PYTHONDONTWRITEBYTECODE is set, as in many containers, every start would compile everything anew.
$(INSTALLED): | $(UV)
	$(UV) pip install --compile-bytecode --python $(BIN)/python --requirement requirements.lock
	@rm -f .venv/installed-*
	@touch $@

$(UV):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("$(PYTHON): too old, expected Python 3.11 or newer, got " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv --without-pip .venv
	$(PYTHON) -m pip --python $(BIN)/python install --quiet uv==$(UV_VERSION)
