"""A machine with two Celery workers, PostgreSQL and Redis as servers of their own, on the day of a deadline."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from prakerja.settings import WIB
from tests.e2e import conftest as e2e
from tests.e2e.conftest import Instance
from tests.support import machine_faults
from tests.support.postgres_and_redis import Postgres, postgres, redis
from tests.support.running_machine import Machine, processes_of, running

calendar_file, plain_world = e2e.calendar_file, e2e.plain_world

TODAY = datetime(2021, 3, 15, 9, 30, tzinfo=WIB)
CONTACT_KEY = base64.b64encode(b"from the vault of the tests").decode()


@pytest.fixture(scope="module")
def plain(plain_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world's landing zone as it was on that day."""
    landing = tmp_path_factory.mktemp("zone") / "landing"
    shutil.copytree(plain_world / "landing", landing)
    for delivery in landing.glob("feeds/*/*"):
        if delivery.name >= f"{TODAY:%Y-%m-%d}":
            shutil.rmtree(delivery)
    return landing


@pytest.fixture(scope="module")
def clock() -> Iterator[machine_faults.Clock]:
    made = machine_faults.Clock(TODAY)
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(clock: machine_faults.Clock) -> Iterator[Postgres]:
    with postgres(clock.environment) as started:
        yield started


@pytest.fixture(scope="module")
def machine(
    tmp_path_factory: pytest.TempPathFactory,
    plain_world: Path,
    plain: Path,
    clock: machine_faults.Clock,
    server: Postgres,
    request: pytest.FixtureRequest,
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("scaled-out")
    instance = Instance(folder / "home", plain, plain_world / "calendar.yaml")
    with redis(folder) as broker:
        vault = folder / "variables.json"
        vault.write_text(json.dumps({"prakerja_contact_key": CONTACT_KEY}))
        settings = clock.environment | {
            "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
            "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"variables_file_path": str(vault)}),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__RESULT_BACKEND": broker.removesuffix("0") + "1",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "3",
            # What was given to a worker that died before it began is given to another, in seconds.
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "15",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "3",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": server.url("airflow", "airflow", "psycopg2"),
            "PRAKERJA_DATABASE_URL": server.url("warehouse", "warehouse"),
        }
        settings |= getattr(request.module, "SETTINGS", {})
        with running(instance, **settings) as started:
            yield started
    assert processes_of(instance) == [], "something is left behind"
