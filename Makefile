# Everything starts here: `make help` lists the targets. Needs only make, git and Python 3.11 with venv.

PYTHON ?= python3
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
SITE := .venv-site
INSTALLED := $(VENV)/.installed
EXPERIMENT ?= experiments/quick/point_goal.py
ARGS ?=
JOBS ?= 2
export JAX_COMPILATION_CACHE_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/cvpo_jax/jax

.DEFAULT_GOAL := help
.PHONY: help install run gpu bench bench-peers test lint types docs docs-site gl browser lock

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

install: $(INSTALLED) ## make .venv with the locked packages and this project (does nothing when up to date)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is older than Python 3.11: run make install PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# --no-deps: the lock is complete, and pip's resolver refuses safety-gymnasium's pins.
# --no-compile: Python compiles what is imported, a fraction of it, when it is.
$(INSTALLED): requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

run: install ## train, within minutes unless EXPERIMENT=experiments/point_goal.py; ARGS="--section.option value"
	$(BIN)/python -m cvpo_jax.run $(EXPERIMENT) $(ARGS)

gpu: install ## add what JAX needs on an NVIDIA GPU to .venv
	$(BIN)/python -m pip install --quiet "jax[cuda13]==$$($(BIN)/python -c 'import jax; print(jax.__version__)')"

bench: EXPERIMENT = experiments/point_goal.py
bench: install ## measure steps per second of EXPERIMENT
	$(BIN)/python -m cvpo_jax.bench $(EXPERIMENT) $(ARGS)

bench-peers: install ## measure ours against FSRL, Safety-Gymnasium and Brax's SAC: benchmarks/peers/README.md
	PYTHON="$(PYTHON)" benchmarks/peers/setup.sh
	$(BIN)/python benchmarks/peers/compare.py $(ARGS)

lint: install ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## mypy
	$(BIN)/mypy

docs: install ## write the generated pages of docs/reference
	$(BIN)/python docs/generate.py $(ARGS)

$(SITE)/.installed: docs/requirements.txt
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --quiet -r docs/requirements.txt
	@touch $@

docs-site: $(SITE)/.installed ## build the documentation as a site, in site/; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --strict $(ARGS)

# mypy fills one core for a minute: what else comes before the tests runs beside it.
test: ## lint, types and tests; ARGS="-m slow" for the long ones
	@$(MAKE) --no-print-directory -j2 --output-sync=target install gl browser lint types
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

# Pictures of the genuine environment need an offscreen GL library; without one those tests skip.
gl:
	@ldconfig -p 2>/dev/null | grep -qE 'libEGL_mesa|libOSMesa' || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
	    libegl1 libegl-mesa0 libgl1-mesa-dri) >/dev/null || echo "No GL library could be installed: rendering tests skip."; \
	else echo "No offscreen GL library: rendering tests skip. Remedy: apt-get install libegl1 libgl1-mesa-dri"; fi

# Pages are tried in a headless browser, which takes less than a minute to install; without one those tests skip.
browser: | gl
	@command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium) \
	    >/dev/null 2>&1 || echo "No browser could be installed: tests of pages skip."; \
	else echo "No browser: tests of pages skip. Remedy: apt-get install chromium"; fi

# Dependency resolution as [tool.uv] in pyproject.toml overrides it; names, versions and hashes only.
lock: ## write requirements.lock anew (needs uv)
	$(UV) pip compile pyproject.toml --group dev --group genuine --group playground \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url \
	  --python-version 3.11 --python-platform x86_64-manylinux_2_28 --quiet -o requirements.lock
