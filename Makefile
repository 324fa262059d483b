# `make demo` and `make test` are all that a newcomer needs; `make help` lists the rest.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

BIN := .venv/bin
# The requirements are pinned for 3.11 to 3.13. The newest of these that runs and can make a venv is taken; PYTHON=... takes another.
PYTHONS := python3.13 python3.12 python3.11 python3
FITS := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
FIND := for each in $(or $(PYTHON),$(PYTHONS)); do $$each -c "$(FITS)" 2> /dev/null && echo $$each && exit; done; \
	echo "$(or $(PYTHON),$(PYTHONS)): none is Python 3.11, 3.12 or 3.13, runs, and can make a venv. Install one (Debian, Ubuntu: apt install python3-venv), or name it: make PYTHON=..." >&2; exit 1
# The demo has a home of its own, whatever the environment says: it approves, and `make clean` deletes it.
DEMO := env -u PRAKERJA_DATABASE_URL -u PRAKERJA_LANDING -u PRAKERJA_PUBLISH -u PRAKERJA_CALENDAR -u PRAKERJA_PROGRAMME \
	-u PRAKERJA_SUBJECT_KEY -u PRAKERJA_SIGNING_KEY -u PRAKERJA_CONTACT_KEY -u PRAKERJA_RECEIPTS_SECRET -u PRAKERJA_MESSAGE_HOSTS -u AIRFLOW__DATABASE__SQL_ALCHEMY_CONN \
	PRAKERJA_HOME="$(CURDIR)/.prakerja" $(BIN)/prakerja

.PHONY: help python install demo up down status logs test test-fast soak bench check lint audit clean requirements schemas docs bundle screenshots secrets

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

python: ## say which Python .venv is made with
	@$(FIND)

install: .venv/installed ## make .venv, with the pinned requirements and the package

# It is missing, too, when the Python behind it is gone; and it is made anew for a PYTHON other than the one behind it.
.venv/bin/python:
	@python=$$($(FIND)) && echo "making .venv with $$($$python --version) ($$python)" && $$python -m venv --clear .venv

BEHIND := -c "import sys; print(sys.version, sys.base_prefix)"
ifneq ($(PYTHON),)
ifneq ($(shell $(PYTHON) $(BEHIND) 2> /dev/null),$(shell $(BIN)/python $(BEHIND) 2> /dev/null))
.PHONY: .venv/bin/python
endif
endif

# What is imported is compiled once, here or when it is first imported, though the environment may say otherwise.
# Here: not what no running system imports (tests, tools of ours) and what takes as long as all the rest together.
unexport PYTHONDONTWRITEBYTECODE
SELDOM := /(tests?|testing|example_dags|geodata|carrierdata|lexers|distutils|pip|setuptools|pkg_resources|mypyc?|moto|playwright|schemathesis|sqlfluff|hypothesis|duckdb|graphql)/

.venv/installed: requirements.txt pyproject.toml .venv/bin/python
	@sed -n '/^uv==/,/#/p' requirements.txt | $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement /dev/stdin
	@$(BIN)/uv pip sync --quiet --system-certs --require-hashes --python $(BIN)/python requirements.txt
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@$(BIN)/python -m compileall -qq -j 0 -x '$(SELDOM)' .venv/lib || true
	@touch $@

demo: install ## a simulated world of gelombang 12 and 13 through the real DAGs
	@$(DEMO) simulate --cohorts 12,13 --scale 0.01 --seed 7 --out .prakerja
	@$(DEMO) replay --from 2021-03-05 --to 2021-04-12 --cohorts 12,13 --approve-as "Demo Operator"
	@$(DEMO) blacklist verify
	@echo
	@echo "Three things to try next:"
	@echo
	@echo "  what each platform delivered, day by day"
	@echo "    $(BIN)/prakerja feeds"
	@echo "  five recipients' stories, in order of time"
	@echo "    gunzip -c .prakerja/landing/rosters/gelombang-12/roster.csv.gz | cut -d, -f1 | sed -n 2,6p | $(BIN)/prakerja explain -"
	@echo "  a world of damaged, late and restated feeds, in a home of its own"
	@echo "    export PRAKERJA_HOME=/tmp/nasty; $(BIN)/prakerja simulate --nasty --scale 0.002 --out /tmp/nasty"
	@echo "    $(BIN)/prakerja replay --from 2021-03-05 --to 2021-04-12 --cohorts 12,13 --approve-as \"Your Name\""

up: install ## the whole system on this machine, in .prakerja or PRAKERJA_HOME, until Ctrl-C
	@$(BIN)/prakerja up

down: install ## stop it from elsewhere
	@$(BIN)/prakerja down

status: install ## how each of its processes is
	@$(BIN)/prakerja status

logs: install ## what they write, as they write it
	@$(BIN)/prakerja logs

test: install ## the tests, on a real embedded PostgreSQL, the real DAGs and a running system (eleven minutes)
	$(BIN)/pytest --numprocesses 2 $(PYTEST)

test-fast: install ## the tests that need no database and no process (half a minute)
	$(BIN)/pytest --numprocesses 2 tests/unit

lint: install ## ruff, mypy strict, sqlfluff, import-linter, the compose schema
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 include/sql
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yaml

# What is tried with examples that nobody thought of: with many more.
PROPERTIES := tests/integration/feeds/test_fuzz.py tests/integration/feeds/test_two_ways.py tests/unit/recheck/test_recheck_odd_files.py \
	tests/integration/standing/test_due_process.py tests/integration/standing/test_standing_properties.py tests/unit/reader/test_reader_fuzz.py tests/unit/test_snapshot.py

soak: install ## what takes too long for every change: a month of feeds, many examples, two years of cohorts, workers killed, faults of the machine (two hours)
	$(BIN)/pytest -m "soak or not soak" --hypothesis-profile soak $(PROPERTIES) tests/integration/worlds
	BACKFILLED_DAYS=31 $(BIN)/pytest -m "soak or not soak" tests/e2e/machine tests/e2e/calendar tests/e2e/programme tests/faults/scaled_out tests/e2e/test_replay.py tests/faults/machine tests/faults/replay

bench: install ## what taking in and deciding cost, as ratios against references of the same run (half an hour)
	$(BIN)/python -m tests.benchmarks

# The requirements are left out: each of their hashes looks like a secret, and to look at all takes minutes.
audit: install ## secrets in the files; known vulnerabilities of the requirements, where pypi.org's API is reachable
	@cp .secrets.baseline .venv/secrets.baseline # which it updates, where lines have moved, and then gives 3
	@$(BIN)/detect-secrets-hook --baseline .venv/secrets.baseline $$(git ls-files ':!.secrets.baseline' ':!requirements*.txt') || test $$? -eq 3
	@if $(BIN)/python -c "import urllib.request as web; web.urlopen('https://pypi.org/pypi/pip/26.0/json', timeout=10)" 2> /dev/null; \
	then $(BIN)/uv tool run --system-certs pip-audit==2.10.1 --requirement requirements.txt --no-deps --disable-pip; \
	else echo "pypi.org's API is not reachable from here: known vulnerabilities were not looked up"; fi

check: lint audit test ## what CI runs

PIN := $(BIN)/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes --no-header

# pip takes the hashes of what is asked for with an extra only from a line that names the extra.
requirements: install ## pin requirements.in and its part requirements-runtime.in anew, for every Python that fits
	$(PIN) --upgrade --output-file requirements.txt requirements.in
	$(PIN) --no-annotate --constraint requirements.txt --output-file requirements-runtime.txt requirements-runtime.in
	for each in requirements requirements-runtime; do $(PIN) --no-strip-extras --no-annotate --constraint requirements.txt $$each.in \
	| sed -n '/^[a-z0-9-]*\[/,/[^\]$$/p' >> $$each.txt || exit; done

schemas: install ## write the contract's JSON Schemas and the service's OpenAPI anew
	$(BIN)/python -m prakerja.blacklist.contract
	$(BIN)/python -c "import json; from prakerja.blacklist.service.app import described; print(json.dumps(described(), indent=2))" > docs/openapi.json

docs: install ## write docs/cli.md and docs/configuration.md anew, from the commands' help and the settings
	$(BIN)/typer prakerja.cli utils docs --name prakerja --output docs/cli.md
	$(BIN)/prakerja settings --markdown > docs/configuration.md

bundle: install ## build what draws the monitor's charts in browsers, from the wheel
	$(BIN)/python -c "import vl_convert; from prakerja.monitor.drawing import VEGA_LITE; print(vl_convert.javascript_bundle(vl_version=VEGA_LITE), end='')" > include/prakerja/monitor/static/vega.js

screenshots: install ## the README's pictures of the monitor, in docs/screenshots
	$(BIN)/python -m tests.support.screenshots

secrets: ## make ./secrets for docker compose; an existing one is never replaced
	sh docker/make-secrets.sh secrets

clean: ## stop the embedded PostgreSQL and forget everything: .venv, the home, caches
	@test ! -x $(BIN)/prakerja || $(DEMO) db stop
	rm -rf .venv .prakerja include/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
