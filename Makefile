# `make demo` and `make test` do their own set-up: Python >= 3.11, git and make suffice.
#
#   make test ARGS="-k ledger -x"      arguments for pytest (or for the demo)
#   make test PYTHON=python3.12        another interpreter; .venv is made anew for it
#   make test WORKERS=0                all in one process, for a debugger
#
# Plain POSIX sh and GNU make 3.81 or later; safe under `make -j`.

# Processes that the tests are shared by: one more than most machines of a CI have cores, since
# many tests wait for other processes.
WORKERS := 3

VENV := .venv
PY := $(VENV)/bin/python
PYTHONS := $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)
PIP := PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 $(PY) -m pip install --quiet

# The environment is kept while it belongs to this very folder (links and scripts hold
# absolute paths, so a copied checkout starts anew), its interpreter still runs, and no
# other one is asked for.
ENVIRONMENT := $(shell test -x $(PY) && test -f $(VENV)/made \
	&& { read -r folder; read -r python; } <$(VENV)/made && test "$$folder" = '$(CURDIR)' \
	&& case '$(PYTHON)' in (''|"$$python") echo kept ;; esac)

.PHONY: help demo test slow bench bench-peers bench-record check lint types layering wheel-test format docs install dev clean FORCE
.DELETE_ON_ERROR:

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 22

demo: install ## run the main job on a real git repository and show its audit trail
	@$(VENV)/bin/minutebook demo $(ARGS)

test: dev ## run the tests, without the slow ones
	$(PY) -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

slow: dev ## run the slow tests
	$(PY) -m pytest -m slow $(ARGS)

bench: bench-peers ## compare with every peer, quickly; ARGS as for python -m benchmarks
	$(PY) -m benchmarks $(or $(ARGS),--quick)

bench-record: bench-peers ## the results of record, the report and the README's table; half an hour
	$(PY) -m benchmarks --output benchmarks/results
	$(PY) -m benchmarks report

bench-peers: dev ## install what the benchmarks compare with
	$(PIP) --group bench
	@test -d benchmarks/.peers/signledger-2.0b0 || \
	  $(PIP) --no-deps --target benchmarks/.peers/signledger-2.0b0 signledger==2.0b0

check: lint types layering ## lint, format, types and layering

lint: dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: dev
	$(PY) -m mypy -p minutebook.domain -p minutebook.actors
	$(PY) -m mypy tests benchmarks
	$(PY) -m basedpyright

layering: dev
	$(VENV)/bin/lint-imports --no-logo

wheel-test: dev ## build the wheel and test it in a clean environment outside the checkout
	$(PY) -m pytest -m wheel tests/packaging $(ARGS)

format: dev ## format the code and fix what ruff can fix
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

docs: install ## write docs/events.md anew
	$(VENV)/bin/minutebook events >docs/events.md.new
	mv docs/events.md.new docs/events.md

install: $(VENV)/installed ## make .venv with Minutebook and what it needs to run

dev: $(VENV)/installed-dev ## the same with the tools for tests and checks

clean: ## remove .venv, builds and caches
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -rf *.egg-info
	find actors domain tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# -- set-up ---------------------------------------------------------------------

# Each candidate is run, not only looked up: `python3` may be older, or a stub that fails.
$(VENV)/made: $(if $(ENVIRONMENT),,FORCE)
	@found=; unfit=; \
	for python in $(PYTHONS); do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
	  if "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then found=$$python; break; fi; \
	  unfit=$${unfit:-$$python}; \
	done; \
	if [ -z "$$found" ] && [ -n "$$unfit" ]; then \
	  echo "make: $$unfit has no venv or ensurepip: install them (on Debian and Ubuntu the package python3-venv)." >&2; exit 1; \
	elif [ -z "$$found" ]; then \
	  echo "make: no Python >= 3.11 among '$(PYTHONS)': install one, or name it, as in: make test PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$found ($$("$$found" -c 'import platform; print(platform.python_version())')) ..."; \
	rm -rf $(VENV) && "$$found" -m venv $(VENV) && \
	$(PIP) --upgrade 'pip>=25.1' && \
	printf '%s\n' '$(CURDIR)' "$$found" >$@

# The names of the source files: an editable install links each one, so a new file, or one
# that is gone, needs a re-install; a changed one does not.
$(VENV)/sources: FORCE | $(VENV)/made
	@find actors domain -name __pycache__ -prune -o -type f -print | LC_ALL=C sort >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# Strict editable mode: type checkers cannot resolve the mapped folders in the default one.
# Its links lie in build/. The second --quiet drops setuptools' note about just that.
$(VENV)/installed: pyproject.toml $(VENV)/made $(VENV)/sources $(if $(wildcard build/__editable__*),,FORCE)
	@echo "Installing Minutebook into $(VENV) ..."
	@$(PIP) --quiet --editable . --config-settings editable_mode=strict
	@touch $@

$(VENV)/installed-dev: pyproject.toml $(VENV)/made | $(VENV)/installed
	@echo "Installing the tools for tests and checks into $(VENV) ..."
	@$(PIP) --group dev
	@touch $@

FORCE:
