"""A real scheduler: a published version wakes whoever reads the list."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prakerja.settings import PROJECT
from tests.e2e.conftest import Instance
from tests.running_airflow import running

PUBLISHED_YESTERDAY = """
from datetime import datetime, timedelta
from prakerja import warehouse
from prakerja.blacklist import publishing, signing
from prakerja.blacklist.registration import Registration
from prakerja.settings import WIB, Settings
from tests.unit.test_blacklist import write_people
warehouse.upgrade()
write_people()
yesterday = datetime.now(WIB) - timedelta(days=1)
publishing.publish("first", yesterday, yesterday.date())
applications = Registration(Settings.from_environment().home / "readers" / "registration" / "applications.sqlite")
for number in (1, 9):
    applications.apply(signing.subject_key().subject(f"{3100000000000000 + number}"))
"""


@pytest.fixture
def instance(tmp_path: Path, calendar_file: Path) -> Instance:
    (tmp_path / "landing").mkdir()
    made = Instance(tmp_path / "home", tmp_path / "landing", calendar_file)
    environment = made.environment | {"PYTHONPATH": str(PROJECT)}
    subprocess.run([sys.executable, "-c", PUBLISHED_YESTERDAY], env=environment, check=True, cwd=PROJECT)
    return made


def test_a_published_version_wakes_its_readers(instance: Instance, tmp_path: Path) -> None:
    """The daily run publishes the day's version; the example reader syncs it and refuses whom it lists."""
    try:
        with running(instance.environment, tmp_path / "logs") as airflow:
            for dag_id in ("blacklist_readers", "platform_feeds"):
                airflow.await_dag(dag_id)
                airflow.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
            airflow.await_runs("platform_feeds", 1, 180)
            (run,) = airflow.await_runs("blacklist_readers", 1, 120)
            assert airflow.states("blacklist_readers", run["dag_run_id"]) == {
                "await_list": "success", "sync_list": "success", "react": "success",
            }  # fmt: skip
            assert run["run_type"] == "asset_triggered"
            synced = airflow.xcom("blacklist_readers", run["dag_run_id"], "sync_list")
            assert (synced["version"], synced["entries"], synced["how"]) == (2, 5, "full")
            reacted = airflow.xcom("blacklist_readers", run["dag_run_id"], "react")
            assert reacted == {"refused": 1, "taken_up_again": 0}
    finally:
        instance.run("db", "stop")
