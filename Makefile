# The commands of this project; `make help` lists them. Needs make and Python >= 3.11, nothing else.
# One virtual environment in two steps: what runs the product, then what tests it. Every download is checked against
# the hashes in requirements/*.lock.

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -qq --require-hashes
JOBS ?= 2
UV := 0.13.9
COMPILE := $(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-strip-extras

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test soak check bench fuzz docs screenshots lock clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## 500 erasure requests from callback to report, against made-up systems on this machine
	@$(BIN)/connector demo

test: $(VENV)/.dev ## the whole test suite (ARGS="-k name" for a part of it)
	@$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

soak: $(VENV)/.dev ## the longer tests: real processes killed at every point, every fault of the sandbox, several workers
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m soak $(ARGS)

check: $(VENV)/.dev ## style, types, and the whole suite (with layers and documents) under coverage
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term

bench: $(VENV)/.dev ## measure the accept path and the pipeline on this machine
	@$(BIN)/python -m bench $(ARGS)

fuzz: $(VENV)/.fuzz ## look for input that breaks a check, guided by coverage (ARGS="-max_total_time=600")
	@$(BIN)/python -m tests.fuzz.fuzz_verify $(ARGS)

docs: $(VENV)/.dev ## write the generated pages again
	@$(BIN)/python -m tests.docs.errors_page docs/errors.md
	@$(BIN)/python -m tests.docs.configuration_page docs/configuration.md config/schema.json
	@$(BIN)/python -m tests.docs.logs_page docs/logs.md
	@$(BIN)/python -m tests.docs.metrics_page docs/metrics.md
	@$(BIN)/python -m tests.docs.doctor_page docs/doctor.md
	@$(BIN)/python -m tests.docs.onetrust_files docs/examples/onetrust
	@$(BIN)/python -m tests.unit.verify.schemes.schemes_page docs/schemes.md

screenshots: $(VENV)/.dev ## take the pictures of the dashboard again (it needs Debian's chromium, or any on the PATH)
	@$(BIN)/python -m tests.browser.screenshots docs/screenshots

lock: | $(BIN)/python ## pin pyproject.toml's dependencies (UPGRADE=--upgrade for the newest versions)
	@test -x $(VENV)/lock/bin/uv || { $(BIN)/python -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install -qq uv==$(UV); }
	$(COMPILE) $(UPGRADE) pyproject.toml -o requirements/run.lock
	$(COMPILE) $(UPGRADE) pyproject.toml --extra dev -o requirements/dev.lock
	$(COMPILE) $(UPGRADE) pyproject.toml --extra fuzz -c requirements/dev.lock -o requirements/fuzz.lock
	$(COMPILE) $(UPGRADE) requirements/build.in -c requirements/dev.lock -o requirements/build.lock

clean: ## remove the virtual environment and all caches, never data
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@python="$(PYTHON)"; [ -n "$$python" ] || python=$$(.ci/find-python) || { \
	  echo "No Python 3.11 or newer with its venv module was found (Debian, Ubuntu: apt install python3-venv)." >&2; \
	  echo "If it has another name: make PYTHON=/path/to/python3.12 …" >&2; exit 1; }; \
	echo "· creating $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV)

$(VENV)/.run: requirements/run.lock requirements/build.lock pyproject.toml | $(BIN)/python
	@echo "· installing what the connector needs to run"
	@$(INSTALL) -r requirements/run.lock -r requirements/build.lock
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	@echo "· installing what tests it"
	@$(INSTALL) -r requirements/dev.lock
	@touch $@

$(VENV)/.fuzz: requirements/fuzz.lock $(VENV)/.dev
	@echo "· installing what searches it"
	@$(INSTALL) -r requirements/fuzz.lock
	@touch $@
