# `make demo` and `make test` are all that a newcomer needs; `make help` lists the rest.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3.11
BIN := .venv/bin
# The demo has a home of its own, whatever the environment says: it approves, and `make clean` deletes it.
DEMO := env -u PRAKERJA_DATABASE_URL -u PRAKERJA_LANDING -u PRAKERJA_PUBLISH -u PRAKERJA_CALENDAR \
	-u PRAKERJA_SUBJECT_KEY -u PRAKERJA_SIGNING_KEY -u PRAKERJA_CONTACT_KEY -u PRAKERJA_RECEIPTS_SECRET -u AIRFLOW__DATABASE__SQL_ALCHEMY_CONN \
	PRAKERJA_HOME="$(CURDIR)/.prakerja" $(BIN)/prakerja

.PHONY: help install demo up down status logs test soak bench check lint audit clean requirements schemas bundle screenshots secrets

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

install: .venv/installed ## make .venv, with the pinned requirements and the package

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check "$$(grep '^uv==' requirements.txt)"
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --compile-bytecode --requirement requirements.txt --editable .
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

test: install ## the tests, on a real embedded PostgreSQL and the real DAGs
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: install ## ruff, mypy strict, sqlfluff, import-linter, the compose schema
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 include/sql
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yaml

soak: install ## what takes too long for every change: a month of feeds, workers killed, faults of the machine (an hour)
	BACKFILLED_DAYS=31 $(BIN)/pytest -m "soak or not soak" tests/e2e/test_machine.py tests/e2e/test_scaled_out.py tests/e2e/test_replay.py tests/faults/machine tests/faults/replay

bench: install ## what taking in and deciding cost, as ratios against references of the same run (half an hour)
	$(BIN)/python -m tests.benchmarks

audit: install ## secrets in the files; known vulnerabilities of the requirements, where pypi.org's API is reachable
	@cp .secrets.baseline .venv/secrets.baseline # which it updates, where lines have moved, and then gives 3
	@$(BIN)/detect-secrets-hook --baseline .venv/secrets.baseline $$(git ls-files ':!.secrets.baseline') || test $$? -eq 3
	@if $(BIN)/python -c "import urllib.request as web; web.urlopen('https://pypi.org/pypi/pip/26.0/json', timeout=10)" 2> /dev/null; \
	then $(BIN)/uv tool run --system-certs pip-audit==2.10.1 --requirement requirements.txt --no-deps --disable-pip; \
	else echo "pypi.org's API is not reachable from here: known vulnerabilities were not looked up"; fi

check: lint audit test ## what CI runs

requirements: install ## pin requirements.in anew into requirements.txt
	$(BIN)/uv pip compile --quiet --upgrade --no-header --python-version 3.11 requirements.in --output-file requirements.txt

schemas: install ## write the contract's JSON Schemas and the service's OpenAPI anew
	$(BIN)/python -m prakerja.blacklist.contract
	$(BIN)/python -c "import json; from prakerja.blacklist.service.app import described; print(json.dumps(described(), indent=2))" > docs/openapi.json

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
