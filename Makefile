# make up        install what is needed, then start everything (Ctrl-C stops it)
# make test      every test, in parallel, with coverage
# make check     format, lint, types, import direction, locks
# make bench     the measurements, each with both sides in one run
# make soak      the tests that take minutes
# make fmt       format and mend what can be mended by machine
# make help      these lines
# make lock      write the locks anew from pyproject.toml (UPGRADE=1 takes the newest versions)

.DEFAULT_GOAL := up
.PHONY: up install test check bench soak fmt lock help
SHELL := /bin/sh
BIN := .venv/bin
WORKERS ?= auto
export UV_PYTHON_DOWNLOADS := never

up: install
	@exec $(BIN)/kijko up

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

install: .venv/.installed

.venv/.installed: requirements-dev.lock pyproject.toml .ci/install
	@.ci/install
	@touch $@

test: install
	$(BIN)/python -m pytest -n $(WORKERS) -m "not soak" --cov --cov-report=term

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict src
	$(BIN)/lint-imports
	.ci/lock --check

bench: install
	$(BIN)/python -m bench

soak: install
	$(BIN)/python -m pytest -m soak

fmt: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: install
	.ci/lock $(if $(UPGRADE),--upgrade)
