"""The whole system on one machine: started, used, backfilled, killed part by part, and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from prakerja.settings import PROJECT
from tests.e2e.conftest import Instance
from tests.running_machine import Machine, processes_of, running

PROCESSES = {
    "postgres", "api-server", "scheduler", "dag-processor", "triggerer", "sandbox", "receipts", "blacklist",
}  # fmt: skip
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


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory, calendar_file: Path) -> Instance:
    """A home with a list of yesterday."""
    folder = tmp_path_factory.mktemp("machine")
    (folder / "landing").mkdir()
    made = Instance(folder / "home", folder / "landing", calendar_file)
    environment = made.environment | {"PYTHONPATH": str(PROJECT)}
    subprocess.run([sys.executable, "-c", PUBLISHED_YESTERDAY], env=environment, check=True, cwd=PROJECT)
    return made


@pytest.fixture(scope="module")
def machine(instance: Instance) -> Iterator[Machine]:
    with running(instance) as started:
        yield started
    assert processes_of(instance) == [], "something is left behind"


def test_it_is_healthy_and_says_where(machine: Machine) -> None:
    status = {each["process"]: each for each in machine.status()}
    assert set(status) == PROCESSES
    assert all(each["is_well"] and each["state"] == "RUNNING" and each["memory_bytes"] for each in status.values())


def test_three_users_may_do_what_their_roles_say(machine: Machine) -> None:
    def asked(user: str, method: str, path: str, **how: Any) -> int:
        machine.login(user)
        return machine.http.request(method, f"/api/v2{path}", **how).status_code

    machine.until(lambda: machine.has_dag("cohort_deadline"), "DAG")
    pausing = {"json": {"is_paused": True}}
    try:
        assert [asked(user, "GET", "/dags") for user in ("viewer", "operator", "admin")] == [200] * 3
        assert asked("viewer", "PATCH", "/dags/cohort_deadline", **pausing) == 403
        assert asked("operator", "PATCH", "/dags/cohort_deadline", **pausing) == 200
        variable = {"json": {"key": "a", "value": "b"}}
        assert [asked(user, "POST", "/variables", **variable) for user in ("viewer", "operator")] == [403, 201]
        with httpx.Client(base_url=machine.http.base_url) as nobody:
            assert nobody.get("/api/v2/dags").status_code == 401
            wrong = {"username": "admin", "password": "guess"}
            assert nobody.post("/auth/token", json=wrong).status_code == 401
    finally:
        machine.login()


def test_a_second_one_is_refused_in_one_line(machine: Machine, tmp_path: Path) -> None:
    again = machine.instance.run("up")
    assert (again.returncode, again.stderr.strip()) == (
        1, "it runs already: `make status` tells how it is, `make down` stops it",
    )  # fmt: skip
    other = Instance(tmp_path / "home", tmp_path, machine.instance.calendar, more=dict(machine.instance.more))
    elsewhere = other.run("up")
    assert elsewhere.returncode == 1
    assert f"port {machine.port} (airflow) cannot be listened on" in elsewhere.stderr
    assert processes_of(other) == []


def test_a_published_version_wakes_its_readers(machine: Machine) -> None:
    """The daily run publishes the day's version; the example reader syncs it and refuses whom it lists."""
    machine.unpause("blacklist_readers", "platform_feeds")
    machine.await_runs("platform_feeds", 1)
    (run,) = machine.await_runs("blacklist_readers", 1)
    assert machine.states("blacklist_readers", run["dag_run_id"]) == {
        "await_list": "success", "sync_list": "success", "react": "success",
    }  # fmt: skip
    assert run["run_type"] == "asset_triggered"
    synced = machine.xcom("blacklist_readers", run["dag_run_id"], "sync_list")
    assert (synced["version"], synced["entries"], synced["how"]) == (2, 5, "full")
    assert machine.xcom("blacklist_readers", run["dag_run_id"], "react") == {"refused": 1, "taken_up_again": 0}


def test_the_trigger_form_gives_a_choice_of_cohorts(machine: Machine) -> None:
    params = machine.call("GET", "/dags/cohort_deadline/details")["params"]
    assert params["cohort"]["schema"]["enum"] == [None, 12, 13]
    assert params["rehearsal"] == params["rehearsal"] | {"value": False}
    answer = machine.http.post(
        "/api/v2/dags/cohort_deadline/dagRuns", json={"logical_date": None, "conf": {"cohort": 99}}
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_what_is_killed_is_started_again_and_leaves_nobody_behind(machine: Machine, name: str) -> None:
    pid = machine.pid(name)
    below = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    machine.until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, "its end")
    machine.until(lambda: not [each for each in below if each.is_running()], "the end of what it had started", 30)
    machine.await_health()
    assert machine.pid(name) != pid


def test_two_side_by_side_and_whoever_is_killed_takes_everybody_along(machine: Machine, tmp_path: Path) -> None:
    """The command itself dies by -9: its supervisor, and all that this had started, end by themselves."""
    (tmp_path / "landing").mkdir()
    other = Instance(tmp_path / "home", tmp_path / "landing", machine.instance.calendar)
    with running(other) as second:
        assert second.port != machine.port
        second.process.kill()
        until = time.monotonic() + 90
        while processes_of(other) and time.monotonic() < until:
            time.sleep(0.5)
        assert processes_of(other) == []
    machine.await_health()


def test_down_stops_it_from_elsewhere(machine: Machine, tmp_path: Path) -> None:
    done = machine.instance.run("down")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "everything is stopped")
    _, said = machine.process.communicate(timeout=60)
    assert machine.process.returncode == 0, said
    assert "healthy after" in said
    assert processes_of(machine.instance) == []
    again = machine.instance.run("down")
    assert (again.returncode, again.stderr.strip()) == (
        1, f"nothing runs in {machine.instance.home}: `make up` starts it",
    )  # fmt: skip
