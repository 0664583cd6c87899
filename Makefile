# The commands of oO; `make help` lists them. What a target needs first is scripts/setup.sh's business.
.PHONY: help run test test-fast bench check
.NOTPARALLEL:
.DEFAULT_GOAL := help

# Where Python is told to keep no bytecode, every start would compile all of it anew, for some five seconds.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# The node that Playwright brings needs libatomic, which a bare Debian lacks; the environment's own does not.
export PLAYWRIGHT_NODEJS_PATH := $(CURDIR)/.venv/bin/node
setup := @sh scripts/setup.sh

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

# exec, so that Ctrl-C and SIGTERM reach the server itself.
run: ## install what is missing, build, migrate and serve on http://localhost:8000 (PORT=9000 make run moves it)
	$(setup) run
	@exec .venv/bin/oo run

test: ## the whole test suite, with browser and servers, installing what it needs
	$(setup) test
	@.venv/bin/python -m pytest -n 2

test-fast: ## the tests without browser and servers, and without those that take seconds each
	$(setup) dev
	@.venv/bin/python -m pytest -n 2 -m "not browser and not server and not long"

bench: ## print the benchmarks
	$(setup) test
	@.venv/bin/python -m bench

check: ## format, lint, types, scripts, import contracts, dead code, events' schema, migrations in step with models
	$(setup) dev
	@ruff format --check .
	@ruff check .
	@pyright
	@for script in assets/*.js; do node --check $$script || exit 1; done
	@lint-imports
	@.venv/bin/python scripts/dead_code.py
	@.venv/bin/python -m scripts.events check
	@oo migrate --check
