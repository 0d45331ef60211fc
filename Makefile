# The verbs of this project; `make` alone lists them. Everything is installed into .venv, from pinned requirements.
PYTHON ?= python3
STACK ?= dev
FILE ?=
HOST ?=
WORKFLOWS ?=
EVENTS ?= 2000
SEED ?= 1
ROUNDS ?= 7
JSON ?=
PAGE ?=
ENGINE ?=
HAPPY ?=
WATCH ?=

# For `verify`, which looks at every stack unless one is given.
ONE_STACK := $(if $(filter file,$(origin STACK)),,--stack="$$STACK")

# What a person gives reaches a command in its environment, as it was typed. Within the text of a recipe make and the
# shell would evaluate it: a file may be called `date`, $(HOME) or "a b".
override PYTHON := $(value PYTHON)
override STACK := $(value STACK)
override FILE := $(value FILE)
override HOST := $(value HOST)
override WORKFLOWS := $(value WORKFLOWS)
override EVENTS := $(value EVENTS)
override SEED := $(value SEED)
override ROUNDS := $(value ROUNDS)
override JSON := $(value JSON)
override PAGE := $(value PAGE)
override ENGINE := $(value ENGINE)
override HAPPY := $(value HAPPY)
override WATCH := $(value WATCH)
export PYTHON STACK FILE HOST WORKFLOWS EVENTS SEED ROUNDS JSON PAGE ENGINE HAPPY WATCH

VENV := .venv
BIN := $(VENV)/bin
# `exec` leaves no shell between make and the command: a signal to make reaches it. By its module, not by a script of
# pip's: those name their interpreter by its path, and not every path can stand there.
COMMAND := exec $(BIN)/python -m ops
READY := $(VENV)/ready
LOCK := .cache/lock
PACK := policy/.venv
PACK_READY := $(PACK)/ready
# The Pulumi CLI, which is Pulumi's engine, as tools/engine/go.mod pins it. PATH's is as good; see rehearsal/engine/cli.py.
PULUMI := .cache/engine/pulumi
GO_MODULE := github.com/pulumi/pulumi
# What the product has in pipelines/. The rest is yours, and nobody judges its style.
SAMPLES := $(addprefix pipelines/,__init__.py echo.py images.py validate_csv.py)

.DEFAULT_GOAL := help
.PHONY: help install engine rehearse chaos rush test check verify policy up preview destroy recover lock golden \
	picture iam compare-kfp bench clean

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## Install everything into .venv

engine: $(PULUMI) ## Build the Pulumi CLI from source, for the tests that run the program on it [takes Go]

rehearse: $(READY) ## Stand the environment up on this machine and watch an event start a run [STACK=dev FILE=... HAPPY=1 WATCH=1 ENGINE=1]
	@$(COMMAND) rehearse --stack="$$STACK" $${FILE:+"--file=$$FILE"} $${ENGINE:+--engine} $${HAPPY:+--happy} \
	  $${WATCH:+--watch}

chaos: $(READY) ## Send events through the launcher while all goes wrong, and count [STACK=dev EVENTS=2000 SEED=1]
	@$(COMMAND) chaos --stack="$$STACK" --events="$$EVENTS" --seed="$$SEED"

rush: $(READY) ## Let nothing go wrong, but all events come at once, and count [STACK=dev EVENTS=2000 SEED=1]
	@$(COMMAND) chaos --rush --stack="$$STACK" --events="$$EVENTS" --seed="$$SEED"

test: check $(PACK_READY) ## Check style and types, and run every test
	exec $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder
	exec $(PACK)/bin/python -m pytest policy/tests

check: $(READY)
	exec $(BIN)/ruff check . $(SAMPLES)
	exec $(BIN)/ruff format --check . $(SAMPLES)
	exec $(BIN)/python -m mypy benchmarks connect infra ops policy rehearsal tests $(SAMPLES)
	cd function_src && exec ../$(BIN)/python -m mypy --config-file ../pyproject.toml main.py

verify: $(READY) ## Look at what is yours: stack files, their pipelines and mappings, rules, iam/ [STACK=, or all]
	@$(COMMAND) verify $(ONE_STACK)

policy: $(READY) $(PACK_READY) ## Install what `pulumi preview --policy-pack policy` needs

up: $(READY) ## Stand the environment up on Google Cloud [STACK=dev]
	@$(COMMAND) up --stack="$$STACK"

preview: $(READY) ## Show what `make up` would change [STACK=dev]
	@$(COMMAND) preview --stack="$$STACK"

destroy: $(READY) ## Take the environment down [STACK=dev]
	@$(COMMAND) destroy --stack="$$STACK"

golden: $(READY) ## Write plans of the product's stacks, tables of keys and their schema anew, after a change that means it
	@exec $(BIN)/python -m tests.plans
	@exec $(BIN)/python -m tests.ops.iam.previews
	@exec $(BIN)/python -m ops.reference

picture: $(READY) ## Draw the README's picture of a rehearsal anew
	@exec $(BIN)/python -m tests.ops.rehearse.picture

iam: $(READY) ## Write iam/ anew: the permissions that stacks give, and those that deploying them takes
	@$(COMMAND) iam update

compare-kfp: $(READY) ## Show where a real KFP server answers otherwise than the rehearsal's [HOST=... WORKFLOWS=...]
	@exec $(BIN)/python -m tests.kfp_requests "$$HOST" "$$WORKFLOWS"

bench: $(READY) ## Measure the launcher beside a function that does nothing, and others [ROUNDS=7 JSON=FILE PAGE=1]
	@exec $(BIN)/python -m benchmarks --rounds="$$ROUNDS" $${JSON:+"--json=$$JSON"} $${PAGE:+--page}

recover: $(READY) ## Put a stack right whose update was killed, after showing what that takes [STACK=dev]
	@$(COMMAND) recover --stack="$$STACK"

lock: ## Compile the requirements.in files into pinned requirements with hashes
	@test -x $(LOCK)/bin/uv || ("$$PYTHON" -m venv $(LOCK) && $(LOCK)/bin/python -m pip install --quiet uv)
	@for name in infra/requirements function_src/requirements policy/requirements policy/requirements-dev \
	    requirements-dev $(patsubst %.in,%,$(wildcard benchmarks/functions/*/requirements.in)); do \
	  $(LOCK)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" $$name.in --output-file $$name.txt || exit 1; \
	done

clean: ## Remove everything that was installed or cached
	rm -rf $(VENV) $(PACK) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info connect/build connect/*.egg-info

# Fails unless PYTHON is one that can install: older ones could not even read the program that says what is missing.
NEW_ENOUGH := import sys; print(sys.version_info >= (3, 11) or "Python %d.%d" % sys.version_info[:2])
define CHECK_PYTHON
@found=$$("$$PYTHON" -c '$(NEW_ENOUGH)' 2>/dev/null); test "$$found" = True || { printf >&2 '%s\n' \
  "error: PYTHON=$$PYTHON is $${found:-no Python that runs here}; Python 3.11 or newer is needed: make PYTHON=python3.12"; \
  exit 1; }
endef

$(READY): requirements-dev.txt pyproject.toml
	$(CHECK_PYTHON)
	@echo "Installing into $(VENV) (about a minute, the first time only)"
	@exec "$$PYTHON" -m rehearsal.installing $(VENV) requirements-dev.txt .
	@touch $@

# Go puts no version into a program that it builds by itself. The tags are those of the release.
$(PULUMI): tools/engine/go.mod tools/engine/go.sum
	@command -v go >/dev/null || { echo >&2 "error: there is no Go here to build the Pulumi CLI with: install Go 1.26 or" \
	  "newer (https://go.dev/doc/install), or the CLI itself (https://www.pulumi.com/docs/install/)"; exit 1; }
	@echo "Building the Pulumi CLI into .cache/engine (about five minutes, the first time only)"
	@version=$$(cd tools/engine && go list -m -f '{{.Version}}' $(GO_MODULE)/pkg/v3) && cd tools/engine && \
	  go build -trimpath -tags osusergo,grpcnotrace -o ../../$@ \
	  -ldflags "-s -w -X $(GO_MODULE)/sdk/v3/go/common/version.Version=$$version" $(GO_MODULE)/pkg/v3/cmd/pulumi
	@touch $@

$(PACK_READY): policy/requirements-dev.txt
	$(CHECK_PYTHON)
	@echo "Installing the policy pack's environment into $(PACK)"
	@exec "$$PYTHON" -m rehearsal.installing $(PACK) policy/requirements-dev.txt
	@touch $@
