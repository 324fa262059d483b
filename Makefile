# Start with `make demo` and `make test`; `make help` lists all targets.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

BIN := .venv/bin
# The requirements are pinned for Python 3.11 to 3.13. The newest of these that runs and can create a venv is used; PYTHON=... names another.
PYTHONS := python3.13 python3.12 python3.11 python3
FITS := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
FIND := for each in $(or $(PYTHON),$(PYTHONS)); do $$each -c "$(FITS)" 2> /dev/null && echo $$each && exit; done; \
	echo "$(or $(PYTHON),$(PYTHONS)): none is a Python 3.11, 3.12 or 3.13 that can create a venv. Install one (Debian, Ubuntu: apt install python3-venv), or name it: make PYTHON=..." >&2; exit 1
# The demo always uses its own home, because it approves batches, and `make clean` deletes it.
DEMO := env -u PRAKERJA_DATABASE_URL -u PRAKERJA_LANDING -u PRAKERJA_PUBLISH -u PRAKERJA_CALENDAR -u PRAKERJA_PROGRAMME \
	-u PRAKERJA_SUBJECT_KEY -u PRAKERJA_SIGNING_KEY -u PRAKERJA_CONTACT_KEY -u PRAKERJA_RECEIPTS_SECRET -u PRAKERJA_MESSAGE_HOSTS -u AIRFLOW__DATABASE__SQL_ALCHEMY_CONN \
	PRAKERJA_HOME="$(CURDIR)/.prakerja" $(BIN)/prakerja

.PHONY: help python install demo up down status logs test test-fast soak soak-containers bench check lint audit clean requirements schemas docs kit wheel bundle screenshots secrets

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

python: ## print the Python that .venv is created with
	@$(FIND)

install: .venv/installed ## create .venv with the pinned requirements and the package

# The link is also broken if its Python was removed. .venv is created again if PYTHON names another Python than its own.
.venv/bin/python:
	@python=$$($(FIND)) && echo "creating .venv with $$($$python --version) ($$python)" && $$python -m venv --clear .venv

BEHIND := -c "import sys; print(sys.version, sys.base_prefix)"
ifneq ($(PYTHON),)
ifneq ($(shell $(PYTHON) $(BEHIND) 2> /dev/null),$(shell $(BIN)/python $(BEHIND) 2> /dev/null))
.PHONY: .venv/bin/python
endif
endif

# Modules are compiled once, here or at their first import, even if the environment forbids it. Not compiled here are
# modules that no running system imports (tests, development tools), which take as long as all others together.
unexport PYTHONDONTWRITEBYTECODE
SELDOM := /(tests?|testing|example_dags|geodata|carrierdata|lexers|distutils|pip|setuptools|pkg_resources|mypyc?|moto|playwright|schemathesis|sqlfluff|hypothesis|duckdb|graphql)/

.venv/installed: requirements.txt pyproject.toml .venv/bin/python
	@sed -n '/^uv==/,/#/p' requirements.txt | $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement /dev/stdin
	@$(BIN)/uv pip sync --quiet --system-certs --require-hashes --python $(BIN)/python requirements.txt
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@$(BIN)/python -m compileall -qq -j 0 -x '$(SELDOM)' .venv/lib || true
	@touch $@

demo: install ## run a simulated world of gelombang 12 and 13 through the real DAGs
	@$(DEMO) simulate --cohorts 12,13 --scale 0.01 --seed 7 --out .prakerja
	@$(DEMO) replay --from 2021-03-05 --to 2021-04-12 --cohorts 12,13 --approve-as "Demo Operator"
	@$(DEMO) blacklist verify
	@echo
	@echo "Three things to try next:"
	@echo
	@echo "  the deliveries of each platform, day by day"
	@echo "    $(BIN)/prakerja feeds"
	@echo "  the stories of five recipients, in order of time"
	@echo "    gunzip -c .prakerja/landing/rosters/gelombang-12/roster.csv.gz | cut -d, -f1 | sed -n 2,6p | $(BIN)/prakerja explain -"
	@echo "  a world with damaged, late and restated feeds, in its own home"
	@echo "    export PRAKERJA_HOME=/tmp/nasty; $(BIN)/prakerja simulate --nasty --scale 0.002 --out /tmp/nasty"
	@echo "    $(BIN)/prakerja replay --from 2021-03-05 --to 2021-04-12 --cohorts 12,13 --approve-as \"Your Name\""

up: install ## start the whole system on this machine, in .prakerja or PRAKERJA_HOME, until Ctrl-C
	@$(BIN)/prakerja up

down: install ## stop the running system, from another terminal
	@$(BIN)/prakerja down

status: install ## show the state of each process
	@$(BIN)/prakerja status

logs: install ## follow the logs of the processes
	@$(BIN)/prakerja logs

test: install ## run the tests, with a real embedded PostgreSQL, the real DAGs and a running system (thirteen minutes)
	$(BIN)/pytest --numprocesses 2 $(PYTEST)

test-fast: install ## run the tests that need no database and no process (half a minute)
	$(BIN)/pytest --numprocesses 2 tests/unit

lint: install ## run ruff, mypy, sqlfluff and import-linter, and check the compose file against its schema
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 include/sql
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yaml

# Property-based tests: the soak runs them with many more examples.
PROPERTIES := tests/integration/feeds/test_fuzz.py tests/integration/feeds/test_two_ways.py tests/unit/recheck/test_recheck_odd_files.py \
	tests/integration/standing/test_due_process.py tests/integration/standing/test_standing_properties.py tests/unit/reader/test_reader_fuzz.py tests/unit/test_snapshot.py

soak: install ## run the long tests: a month of feeds, many examples, two years of cohorts, killed workers, machine faults (two hours)
	$(BIN)/pytest -m "soak or not soak" --hypothesis-profile soak $(PROPERTIES) tests/integration/worlds
	BACKFILLED_DAYS=31 $(BIN)/pytest -m "soak or not soak" tests/e2e/machine tests/e2e/calendar tests/e2e/programme tests/e2e/reading_the_list tests/faults/scaled_out tests/e2e/test_replay.py tests/faults/machine tests/faults/replay

soak-containers: install ## build the image, start docker-compose.yaml under podman, and break it (an hour; needs root)
	$(BIN)/pytest -m soak -p no:cacheprovider tests/containers

bench: install ## measure intake and decision, as ratios to references of the same run (half an hour)
	$(BIN)/python -m tests.benchmarks

# The requirements and the conformance kit's data are left out: each of their hashes and signatures looks like a secret.
audit: install ## search the files for secrets; look up known vulnerabilities of the requirements, if pypi.org is reachable
	@cp .secrets.baseline .venv/secrets.baseline # the hook updates it if lines have moved, and then exits with 3
	@$(BIN)/detect-secrets-hook --baseline .venv/secrets.baseline $$(git ls-files ':!.secrets.baseline' ':!requirements*.txt' ':!conformance/data') || test $$? -eq 3
	@if $(BIN)/python -c "import urllib.request as web; web.urlopen('https://pypi.org/pypi/pip/26.0/json', timeout=10)" 2> /dev/null; \
	then $(BIN)/uv tool run --system-certs pip-audit==2.10.1 --requirement requirements.txt --no-deps --disable-pip; \
	else echo "pypi.org's API is not reachable from here: known vulnerabilities were not looked up"; fi

check: lint audit test ## run everything that CI runs

PIN := $(BIN)/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes --no-header

# pip takes the hashes of a requirement with an extra only from a line that names the extra.
requirements: install ## pin requirements.in and requirements-runtime.in again, for every supported Python
	$(PIN) --upgrade --output-file requirements.txt requirements.in
	$(PIN) --no-annotate --constraint requirements.txt --output-file requirements-runtime.txt requirements-runtime.in
	for each in requirements requirements-runtime; do $(PIN) --no-strip-extras --no-annotate --constraint requirements.txt $$each.in \
	| sed -n '/^[a-z0-9-]*\[/,/[^\]$$/p' >> $$each.txt || exit; done

schemas: install ## write the JSON Schemas of the contract and the OpenAPI document of the service
	$(BIN)/python -m prakerja.blacklist.publisher.json_schemas
	$(BIN)/python -c "import json; from prakerja.blacklist.service.app import describe_service; print(json.dumps(describe_service(), indent=2))" > docs/openapi.json

docs: install ## write docs/cli.md and docs/configuration.md from the commands' help and the settings
	$(BIN)/typer prakerja.cli utils docs --name prakerja --output docs/cli.md
	$(BIN)/prakerja settings --markdown > docs/configuration.md

kit: install ## write the data of the conformance kit from its cases
	$(BIN)/python -m tests.support.conformance

# Built from a copy: setuptools writes beside its sources. The fixed instant gives the same bytes from the same sources.
wheel: install ## build the readers' distribution, prakerja-blacklist, in dist/
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && cp -R include/prakerja_blacklist "$$copy" && SOURCE_DATE_EPOCH=1600000000 \
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist "$$copy/prakerja_blacklist"

bundle: install ## build the script that draws the monitor's charts in browsers, from the vl_convert wheel
	$(BIN)/python -c "import vl_convert; from prakerja.monitor.drawing import VEGA_LITE; print(vl_convert.javascript_bundle(vl_version=VEGA_LITE), end='')" > include/prakerja/monitor/static/vega.js

screenshots: install ## take the README's pictures of the monitor, in docs/screenshots
	$(BIN)/python -m tests.support.screenshots

secrets: ## create ./secrets for docker compose; an existing secret is never replaced
	sh docker/make-secrets.sh secrets

clean: ## stop the embedded PostgreSQL and delete everything: .venv, the home, caches
	@test ! -x $(BIN)/prakerja || $(DEMO) db stop
	rm -rf .venv .prakerja dist include/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
