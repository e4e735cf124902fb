# Everything a clone needs, on a machine with Python 3.11 or newer and make. `make` alone lists the targets.
#
# Stamp files in the virtual environment remember what was installed, so a second run starts at once.

PYTHON ?= python3
PORT ?= 8501
# Where another computer may reach the app from: 0.0.0.0 for everywhere, after reading README.md about it.
ADDRESS ?= 127.0.0.1
# A package index with another build of torch than the registry's own, such as the one for CPUs; see README.md.
TORCH_INDEX_URL ?=

# Processes that share the tests; each starts a browser. `auto` is what this machine has cores and memory for.
WORKERS ?= auto

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
READY := $(VENV)/.runtime-installed
DEV_READY := $(VENV)/.development-installed
# The tools that check how the app is put on servers have an environment of their own.
DEPLOY_BIN := .venv-deploy/bin
DEPLOY_READY := .venv-deploy/.installed
CHECKED := app.py setup.py pages attnviz training benchmarks deploy docs tests

.DEFAULT_GOAL := help
.PHONY: help run test pytest bench pictures lint format browser manifests sbom audit clean
# What a test starts would compile the whole package anew, where an environment forbids to keep what was compiled.
unexport PYTHONDONTWRITEBYTECODE
# A recipe that fails half-way must not leave a stamp that says it succeeded.
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(READY) ## start the app with the bundled model and open it in the browser (PORT=8501)
	@exec $(BIN)/python -m streamlit run app.py --server.address "$(ADDRESS)" --server.port "$(PORT)"

test: $(DEV_READY) browser ## check style and types, and run all tests
	@# Beside each other: checking types keeps one core busy for half a minute.
	@$(MAKE) --no-print-directory --jobs 2 lint pytest

pytest: $(DEV_READY) browser ## run all tests, and no checks of style and types
	$(BIN)/python -m pytest --numprocesses $(WORKERS)

bench: $(DEV_READY) browser ## measure recording, the app in a browser, and a step of the training
	$(BIN)/python benchmarks/recording.py
	$(BIN)/python benchmarks/app.py
	$(BIN)/python benchmarks/overview.py
	$(BIN)/python benchmarks/translate.py
	$(BIN)/python benchmarks/pages.py
	$(BIN)/python benchmarks/story.py
	$(BIN)/python benchmarks/story_frames.py
	$(BIN)/python benchmarks/training_step.py

pictures: $(DEV_READY) browser ## take the pictures in docs/ from the running app
	$(BIN)/python docs/pictures.py

lint: $(DEV_READY) ## check style and types
	$(BIN)/python -m ruff check $(wildcard $(CHECKED))
	$(BIN)/python -m mypy

format: $(DEV_READY) ## rewrite the code in the project's style
	$(BIN)/python -m ruff format $(wildcard $(CHECKED))
	$(BIN)/python -m ruff check --fix $(wildcard $(CHECKED))

browser: $(DEV_READY) ## make sure of a browser for the tests
	@$(BIN)/python tests/support/browser.py

manifests: $(DEPLOY_READY) ## check the Dockerfile and the manifests for Kubernetes
	$(DEPLOY_BIN)/hadolint Dockerfile
	$(DEPLOY_BIN)/kubernetes-validate --strict $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*.yaml))

sbom: $(READY) $(DEPLOY_READY) ## list everything that the app runs on, in build/sbom.json
	@mkdir -p build
	$(DEPLOY_BIN)/cyclonedx-py environment --output-format JSON --output-file build/sbom.json $(VENV)

audit: $(DEPLOY_READY) ## ask for known weaknesses of what is pinned (OFFLINE=1: what was answered last time)
	$(DEPLOY_BIN)/python deploy/audit.py $(if $(OFFLINE),--offline)

clean: ## remove the virtual environment, caches and build folders
	rm -rf $(VENV) .venv-deploy build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment -----------------------------------------------------------------------------------------------------

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no '$(PYTHON)' here. Install Python 3.11 or newer," \
		"or name one: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "attnviz needs Python 3.11 or newer;" \
		"'$(PYTHON)' is $$("$(PYTHON)" --version 2>&1). Name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "'$(PYTHON)' cannot make virtual environments." \
		"On Debian and Ubuntu the package python3-venv adds that: sudo apt install python3-venv" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

$(READY): requirements.txt $(BIN)/python
	@echo "Installing what attnviz needs into $(VENV); only the first time, and it may take some minutes."
# Only torch comes from that index, without what it depends on: the second command takes that from the usual place.
	$(if $(TORCH_INDEX_URL),$(PIP) install --no-deps --index-url "$(TORCH_INDEX_URL)" "$$(grep '^torch==' requirements.txt)")
	$(PIP) install --requirement requirements.txt
	@touch $@

$(DEV_READY): requirements-dev.txt $(READY)
	$(PIP) install --requirement requirements-dev.txt
	@touch $@

$(DEPLOY_READY): requirements-deploy.txt $(BIN)/python
	$(BIN)/python -m venv .venv-deploy
	$(DEPLOY_BIN)/python -m pip --disable-pip-version-check --no-input install --requirement requirements-deploy.txt
	@touch $@
