# The verbs of this project; `make` alone lists them. Everything is installed into .venv, from pinned requirements.
PYTHON ?= python3
STACK ?= dev
FILE ?=
EVENTS ?= 2000
SEED ?= 1

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
LOCK := .cache/lock
PACK := policy/.venv
PACK_READY := $(PACK)/ready
# What the product has in pipelines/. The rest is yours, and nobody judges its style.
SAMPLES := $(addprefix pipelines/,__init__.py echo.py images.py validate_csv.py)

.DEFAULT_GOAL := help
.PHONY: help install rehearse chaos test check verify policy up preview destroy lock golden picture iam clean

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## Install everything into .venv

rehearse: $(READY) ## Stand the environment up on this machine and watch an event start a run [STACK=dev FILE=...]
	@$(BIN)/pipeline-trigger rehearse --stack "$(STACK)" $(if $(FILE),--file "$(FILE)")

chaos: $(READY) ## Send events through the launcher while all goes wrong, and count [STACK=dev EVENTS=2000 SEED=1]
	@$(BIN)/pipeline-trigger chaos --stack "$(STACK)" --events "$(EVENTS)" --seed "$(SEED)"

test: check $(PACK_READY) ## Check style and types, and run every test
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile
	$(PACK)/bin/python -m pytest policy/tests

check: $(READY)
	$(BIN)/ruff check . $(SAMPLES)
	$(BIN)/ruff format --check . $(SAMPLES)
	$(BIN)/mypy connect infra ops policy rehearsal tests $(SAMPLES)
	cd function_src && ../$(BIN)/mypy --config-file ../pyproject.toml main.py

verify: $(READY) ## Look at what is yours: stack files, their pipelines and mappings, rules, iam/ [STACK=, or all]
	@$(BIN)/pipeline-trigger verify $(if $(filter file,$(origin STACK)),,--stack "$(STACK)")

policy: $(READY) $(PACK_READY) ## Install what `pulumi preview --policy-pack policy` needs

up: $(READY) ## Stand the environment up on Google Cloud [STACK=dev]
	@$(BIN)/pipeline-trigger up --stack "$(STACK)"

preview: $(READY) ## Show what `make up` would change [STACK=dev]
	@$(BIN)/pipeline-trigger preview --stack "$(STACK)"

destroy: $(READY) ## Take the environment down [STACK=dev]
	@$(BIN)/pipeline-trigger destroy --stack "$(STACK)"

golden: $(READY) ## Write plans of the product's stacks, tables of keys and their schema anew, after a change that means it
	@$(BIN)/python -m tests.plans
	@$(BIN)/python -m tests.ops.iam.previews
	@$(BIN)/python -m ops.reference

picture: $(READY) ## Draw the README's picture of a rehearsal anew
	@$(BIN)/python -m tests.ops.rehearse.picture

iam: $(READY) ## Write iam/ anew: the permissions that stacks give, and those that deploying them takes
	@$(BIN)/pipeline-trigger iam update

lock: ## Compile the requirements.in files into pinned requirements with hashes
	@test -x $(LOCK)/bin/uv || ($(PYTHON) -m venv $(LOCK) && $(LOCK)/bin/pip install --quiet uv)
	@for name in infra/requirements function_src/requirements policy/requirements policy/requirements-dev \
	    requirements-dev; do \
	  $(LOCK)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" $$name.in --output-file $$name.txt || exit 1; \
	done

clean: ## Remove everything that was installed or cached
	rm -rf $(VENV) $(PACK) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info connect/build connect/*.egg-info

$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  (echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version). Try: make PYTHON=python3.12" && exit 1)
	@echo "Installing into $(VENV) (about a minute, the first time only)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(PACK_READY): policy/requirements-dev.txt
	@echo "Installing the policy pack's environment into $(PACK)"
	@$(PYTHON) -m venv $(PACK)
	@$(PACK)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r policy/requirements-dev.txt
	@touch $@
