# make run: from a fresh machine to two finished dances.  make test: the tests.  Both make the environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test soak lint bench bench-short prior docs clean

# A run whose recipe has changed since the last time gets a number after its name.
newest = $$(ls -t workspace/runs/demo-$(1)*/dance.mp4 | head -n 1)

run: $(VENV)/.installed
	$(BIN)/dd run --codec conv-ae --seq lstm4
	$(BIN)/dd run
	@echo
	@echo "In $(call newest,conv-ae-lstm4) the demo dancer dances on as the paper's models have learned it."
	@echo "In $(call newest,sdf-ae-motion-field) it does so with the default models."

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

# Thousands of files broken on purpose, hundreds of kills, a million frames (tests/soak): an hour. SEED=2 breaks others.
SEED ?= 1
COUNT ?= 5000
KILLS ?= 200
soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.soak.mutations --seed $(SEED) --count $(COUNT)
	$(BIN)/python -m tests.soak.kills --seed $(SEED) --count $(KILLS)
	$(BIN)/python -m tests.soak.lengths

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev
	$(BIN)/python -m pytest benchmarks -s -n 0 --benchmark-json=benchmarks/latest.json

bench-short: $(VENV)/.installed-dev
	$(BIN)/python -m pytest benchmarks -m short -n 0

# The body prior of sdf-ae, from the silhouettes in DATA (docs/body-prior.md): minutes on a GPU with JAX, hours without.
DATA ?= ../shared/data
prior: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.body_prior.train --data $(DATA) --out plugins/deepdance_plugins/codecs/sdf_ae/prior.npz

docs: $(VENV)/.installed-docs
	$(BIN)/mkdocs build --strict

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "expected Python 3.11, 3.12 or 3.13, got $$($(PYTHON) --version); try: make PYTHON=python3.12 run"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev $(VENV)/.installed-docs: $(VENV)/.installed-%: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$*]'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache site
