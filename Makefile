# The front door: `make` lists what there is. Everything happens in .venv, with the versions locked in requirements/.
PYTHON ?= python3
SCENARIO ?= large-post-deadlock
ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
COMPILE := .venv-lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --all-build-deps \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

.PHONY: help install demo serve test check lint format bench docs image lock clean venv
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: .venv/.run ## make .venv, in which .venv/bin/tlslab works
demo: .venv/.run ## show a documented failure and its cure, then end
	@$(BIN)/tlslab demo
serve: .venv/.run ## serve a scenario: make serve SCENARIO=large-post-deadlock ARGS="--speed 24"
	@$(BIN)/tlslab serve --scenario $(SCENARIO) $(ARGS)
test: .venv/.dev ## run every test; a test whose client program is missing is skipped and listed
	@$(BIN)/python -m pytest $(ARGS)
check: lint ## what must be green before a commit: format, lint, types, and the tests that start no program and no thousands of peers
	@$(BIN)/python -m pytest -n 2 -m "not client and not program and not soak" $(ARGS)
lint: .venv/.dev ## format, lint and types only
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 tlslab docs # bench and some tests are POSIX
format: .venv/.dev ## rewrite the code in the house format
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format
bench: .venv/.run ## compare with Apache, Hypercorn and uvicorn, and write docs/benchmarks.md; some seven minutes
	@$(BIN)/python -m bench $(ARGS)
docs: .venv/.run ## write the generated pages of docs/ anew; the frames of reading-a-trace.md need tshark
	@$(BIN)/tlslab schema > docs/scenario.schema.json
	@$(BIN)/tlslab profiles --markdown > docs/profiles.md
	@$(BIN)/python -m tlslab.control.schema > docs/control-api.json
	@$(BIN)/python docs/tables.py
	@$(BIN)/python docs/knobs.py
	@$(BIN)/python docs/completions.py
	@$(BIN)/python docs/symptoms.py
	@$(BIN)/python docs/events.py
	@$(BIN)/python docs/clients.py
	@$(BIN)/python docs/kinds.py
	@$(BIN)/python docs/second_opinion.py
	@$(BIN)/python docs/quotes.py
	@$(BIN)/python docs/frames.py
image: .venv/.run ## build an OCI image in dist/, of this checkout and Debian's packages alone: docs/container.md
	@deploy/image/build.sh
lock: ## refresh requirements/*.txt: make lock PYTHON=python3.11 ARGS=--upgrade
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	 { echo "The lock is made with the oldest Python there is a promise for: make lock PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip --quiet install pip-tools==7.6.2
	@CUSTOM_COMPILE_COMMAND="make lock" $(COMPILE) $(ARGS) -o requirements/run.txt pyproject.toml
	@CUSTOM_COMPILE_COMMAND="make lock" $(COMPILE) $(ARGS) --extra dev -c requirements/run.txt -o requirements/dev.txt pyproject.toml
clean: ## remove .venv and whatever the tools left behind
	rm -rf .venv .venv-bench .venv-lock .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

# The stamps: the environment is brought up to date when a lock or pyproject.toml changed, and left alone otherwise.
.venv/.run: requirements/run.txt pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(MAKE) --no-print-directory venv
	@echo "Installing tlslab and what it needs into .venv"
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
.venv/.dev: .venv/.run requirements/dev.txt
	@echo "Installing the test and lint tools into .venv"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	 { echo "tlslab needs Python 3.11 or newer, and '$(PYTHON)' is not. Name another: make PYTHON=python3.13 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	 { echo "'$(PYTHON)' cannot make a virtual environment. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear .venv
