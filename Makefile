# make book   build the book into _build/html           make test   everything that a change has to pass
# make serve  look at it on http://localhost:8000       make help   all targets
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The first Python that starts (a version manager's stub may not) and is new enough. CompressAI, which the
# tests compare against, exists for 3.11 and 3.12.
PYTHON ?= $(shell for name in python3.12 python3.11 python3; do \
	$$name -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		&& { echo $$name; break; }; done)
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/.installed
NOTEBOOKS := $(sort $(wildcard book/*.ipynb))
CELL_TIMEOUT := 900
TEST_STEPS := lint test-unit lint-notebooks test-notebooks test-docstrings book check-site test-browser

# One thread a process: two processes run side by side, and sums do not depend on the core count.
export OMP_NUM_THREADS ?= 1
export PYTHONHASHSEED ?= 0

.PHONY: help setup book pdf serve web execute format benchmark linkcheck clean browsers test test-long $(TEST_STEPS)

help:
	@echo "make book        build the book into _build/html, warnings are errors"
	@echo "make serve       build it, then serve it on http://localhost:8000"
	@echo "make pdf         print the built book into _build/book.pdf"
	@echo "make test        $(TEST_STEPS)"
	@echo "make test-long   the tests that take minutes each"
	@echo "make browsers    install the browsers of test-browser, on Debian as root"
	@echo "make web         compile the page's codec, web/src, into web/codec.wasm"
	@echo "make execute     run the notebooks top to bottom and store their outputs"
	@echo "make benchmark   measure everything in results/ again: hours, resumable"
	@echo "make linkcheck   ask the network whether the book's links still lead somewhere"
	@echo "make format      let ruff format the code"
	@echo "make clean       remove the built book"

setup: $(STAMP)

$(STAMP): requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 (with its venv module) is needed."; exit 1; }
	test -x "$(BIN)/python" || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

book: $(STAMP)
	$(BIN)/python -m tools.build_book

pdf: book
	$(BIN)/python -m tools.print_book

serve: book
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

web: $(STAMP)
	$(BIN)/python -m tools.web

execute: $(STAMP)
	$(BIN)/python -m tools.execute

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m tools.check_protocol
	$(BIN)/pyright

test-unit: $(STAMP)
	$(BIN)/python -m pytest tests -q -n 2 --dist loadfile

lint-notebooks: $(STAMP)
	$(BIN)/python -m tools.notebooks lint

# --dist loadfile keeps the cells of one notebook in one process and in order.
test-notebooks: $(STAMP)
	@test -n "$(NOTEBOOKS)" || { echo "no notebook in book/"; exit 1; }
	$(BIN)/python -m pytest -q --nbval-lax --nbval-current-env --nbval-cell-timeout $(CELL_TIMEOUT) \
		-p no:cacheprovider -n 2 --dist loadfile $(NOTEBOOKS)

test-docstrings: $(STAMP)
	$(BIN)/python -m pytest -q --doctest-modules codec_lib tools

# Hours; it goes on where it was interrupted. Nothing else should run beside it: seconds are measured too.
benchmark: $(STAMP)
	$(BIN)/python -m benchmarks.renew

linkcheck: $(STAMP)
	$(BIN)/python -m tools.build_book --builder linkcheck

check-site: $(STAMP)
	$(BIN)/python -m tools.check_site _build/html

# Debian's own browsers, as packages of the system: no other target calls this.
BROWSERS := chromium firefox-esr webkit2gtk-driver xvfb
browsers:
	@if [[ $$EUID -eq 0 ]] && grep -qx ID=debian /etc/os-release && ! dpkg -s $(BROWSERS) &> /dev/null; then \
		apt-get update -qq || :; \
		for name in $(BROWSERS); do apt-get install -y -qq $$name || echo "$$name could not be installed."; done; \
	fi

# Without a browser its tests skip, but not where CI is set.
test-browser: $(STAMP)
	$(BIN)/python -m pytest tests/browser -q -m browser -rs -n 2 --dist loadgroup

test-long: $(STAMP)
	$(BIN)/python -m pytest tests -q -m long

# Every step runs even when one before it failed, so that one run shows all that is wrong.
test: $(STAMP)
	@failed=(); summary=(); \
	for step in $(TEST_STEPS); do \
		echo; echo "=== $$step"; start=$$SECONDS; verdict=passed; \
		$(MAKE) --no-print-directory $$step || { verdict=FAILED; failed+=("$$step"); }; \
		summary+=("$$(printf '%-16s %s in %d s' $$step $$verdict $$((SECONDS - start)))"); \
	done; \
	echo; printf '%s\n' "$${summary[@]}"; echo; \
	if (( $${#failed[@]} )); then echo "make test: FAILED ($${failed[*]}) after $$SECONDS s"; exit 1; fi; \
	echo "make test: all $(words $(TEST_STEPS)) steps passed in $$SECONDS s"

clean:
	rm -rf _build book/api
