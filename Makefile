# Needs Python 3.11 or newer, make and git. Everything else comes into .venv, from the lock files and with their hashes.
#
#   make up      the gateway with its example services, on 127.0.0.1:8080
#   make mesh    two services with their sidecars, a shared control plane and an edge gateway, as processes
#   make test    the whole test suite; make test-fast leaves out what takes long
#   make check   format, lint, types, layers
#   make bench   what a request costs
#
# `make up ARGS="--listen 127.0.0.1:9090"` and `make test ARGS="-k policy"` pass arguments on.

UV_VERSION := 0.13.9
PYTHON ?= $(shell command -v python3 || command -v python3.13 || command -v python3.12 || command -v python3.11)
BIN := .venv/bin
ARGS ?=

.PHONY: up mesh test test-fast check format bench lock clean

up: .venv/.run
	@exec $(BIN)/sidegate up $(ARGS)

mesh: .venv/.dev
	@exec $(BIN)/python -m examples.mesh

test: .venv/.dev
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "slow or not slow" $(ARGS)

test-fast: .venv/.dev
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.dev
	$(BIN)/python -m tests.bench $(ARGS)

lock: .venv/.uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  pyproject.toml --group dev -o requirements-dev.lock

clean:
	rm -rf .venv .sidegate build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# --- the environment: a stamp a step, so that the second time costs nothing ----------------------------------------------

.venv/.uv:
	@test -n "$(PYTHON)" || { echo "Sidegate needs Python 3.11 or newer. Next: install it, or make PYTHON=/path/to/python"; exit 3; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Sidegate needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Next: make PYTHON=/path/to/python3.11"; exit 3; }
	@echo "making .venv"
	@# With a pip at hand there is no need for a second one, which takes longer to make than the rest of .venv.
	@$(PYTHON) -m venv --without-pip .venv && \
	  $(PYTHON) -m pip --disable-pip-version-check --python .venv install -q uv==$(UV_VERSION) 2>/dev/null || \
	  { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION); } || \
	  { echo "Python's venv or the network is missing. Next: apt-get install python3-venv, then make again"; exit 3; }
	@touch $@

.venv/.run: .venv/.uv requirements.lock pyproject.toml
	@echo "installing what requirements.lock names"
	@$(BIN)/uv pip install -q --require-hashes -r requirements.lock
	@$(BIN)/uv pip install -q --no-deps -e .
	@touch $@

.venv/.dev: .venv/.run requirements-dev.lock
	@echo "installing what requirements-dev.lock names"
	@$(BIN)/uv pip install -q --require-hashes -r requirements-dev.lock
	@touch $@
