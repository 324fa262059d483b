"""The whole system on one machine: started, used, backfilled, killed part by part, and stopped."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from prakerja.settings import PROJECT
from tests.collector import Collector, collecting
from tests.e2e.conftest import Instance
from tests.running_machine import BIN, Machine, processes_of, running

PROCESSES = {
    "postgres", "api-server", "scheduler", "dag-processor", "triggerer", "sandbox", "receipts", "blacklist",
}  # fmt: skip
#: Days that are backfilled: the first takes in whatever lies in the landing zone.
DAYS = int(os.environ.get("BACKFILLED_DAYS", "3"))  # 31 by `make soak`
FIRST_DAY, LAST_DAY = "2021-03-05", f"{date(2021, 3, 4) + timedelta(days=DAYS)}T23:59"
EVENTS = 8  # three reminders and a deadline, of two cohorts
BACKFILLS = {
    "platform_feeds": ("--from-date", FIRST_DAY, "--to-date", LAST_DAY, "--max-active-runs", "2"),
    "cohort_deadline": ("--from-date", "2021-03-01", "--to-date", "2021-03-31T23:59"),
}


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory, world: Path) -> Instance:
    """An empty home before the nasty world's landing zone."""
    return Instance(tmp_path_factory.mktemp("machine") / "home", world / "landing", world / "calendar.yaml")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as started:
        yield started


@pytest.fixture(scope="module")
def machine(instance: Instance, collector: Collector) -> Iterator[Machine]:
    with running(instance, **collector.environment) as started:
        yield started
    assert processes_of(instance) == [], "something is left behind"


def test_it_is_healthy_and_says_where(machine: Machine) -> None:
    machine.await_health()  # a busy machine's scheduler may be late with a heartbeat
    # A process that answers may be starting still, to its supervisor.
    machine.until(lambda: {each["state"] for each in machine.status()} == {"RUNNING"}, "all running", 60)
    status = {each["process"]: each for each in machine.status()}
    assert set(status) == PROCESSES
    assert {name for name, each in status.items() if not each["memory_bytes"]} == set()


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


def test_the_trigger_form_gives_a_choice_of_cohorts(machine: Machine) -> None:
    params = machine.call("GET", "/dags/cohort_deadline/details")["params"]
    assert params["cohort"]["schema"]["enum"] == [None, 12, 13]
    assert params["rehearsal"] == params["rehearsal"] | {"value": False}
    answer = machine.http.post(
        "/api/v2/dags/cohort_deadline/dagRuns", json={"logical_date": None, "conf": {"cohort": 99}}
    )
    assert answer.status_code == 400


def backfill(machine: Machine, dag_id: str, *more: str) -> None:
    """As an operator says it, and until it is done."""
    machine.until(lambda: machine.has_dag(dag_id), f"DAG {dag_id}")
    done = machine.airflow("backfill", "create", "--dag-id", dag_id, *BACKFILLS[dag_id], *more)
    assert done.returncode == 0, done.stderr[-2000:]
    machine.unpause(dag_id)

    def is_done() -> bool:
        found = machine.call("GET", "/backfills", params={"dag_id": dag_id})["backfills"]
        return all(each["completed_at"] for each in found)

    machine.until(is_done, f"the backfill of {dag_id}", 600 + 60 * DAYS)


def test_days_of_feeds_are_backfilled(machine: Machine) -> None:
    machine.unpause("blacklist_readers")  # which hears of what is published from here on
    backfill(machine, "platform_feeds")
    runs = [run for run in machine.runs("platform_feeds") if run["run_type"] == "backfill"]
    assert len(runs) == DAYS
    for run in runs:
        tasks = machine.tasks("platform_feeds", run["dag_run_id"])
        assert {"take_in_rosters", "take_in", "refresh_standing"} <= {task["task_id"] for task in tasks}
    counted = machine.instance.state()
    assert counted["ledger"]
    assert counted["standings"]


def test_operators_are_told_what_failed_and_nothing_personal(machine: Machine) -> None:
    """The world has rejected deliveries: their run is red, and the inbox of the configured connection says so."""
    failed = [run["dag_run_id"] for run in machine.runs("platform_feeds") if run["state"] == "failed"]
    assert failed

    def told() -> list[str]:
        with sqlite3.connect(machine.instance.home / "inbox.sqlite") as inbox:
            query = "select subject from messages where recipient = 'operators@sandbox.invalid'"
            return [row[0] for row in inbox.execute(query)]

    machine.until(lambda: any(failed[0] in subject for subject in told()), "an alert", 60)
    people = [value for person in machine.instance.people() for value in person.values() if len(value) > 6]
    text = "\n".join(told())
    assert not [value for value in people if value in text]


def test_cohorts_are_backfilled_and_come_to_what_the_world_was_made_to_give(
    machine: Machine, expected: dict[str, Any]
) -> None:
    backfill(machine, "cohort_deadline", "--dag-run-conf", '{"approve_as": "Siti"}')
    runs = {run["dag_run_id"]: run["state"] for run in machine.runs("cohort_deadline")}
    assert len(runs) == EVENTS, runs
    table = machine.instance.cohorts()
    assert {table[truth["cohort"]]["status"] for truth in expected["cohorts"]} == {"decided"}
    cards = {
        kind: {card for truth in expected["cohorts"] for card in truth["cards"][kind]} for kind in ("overdue", "case")
    }
    overdue, gone = cards["overdue"], cards["case"]
    listed = {*machine.instance.list_of_cards()}
    assert listed
    # A backfill decides by the rows that are in force by now. So those whose purchase was restated away since have
    # none (on the day they had, and got a case), and for some of the overdue something has come since.
    assert listed <= overdue | gone
    with machine.instance.database("warehouse") as connection:
        spared = connection.execute(
            "select distinct o.outcome::text from outcomes o join recipients r using (recipient_id)"
            " where lpad(r.card_number::text, 16, '0') = any(%s)", (sorted(overdue - listed),),
        ).fetchall()  # fmt: skip
    assert {outcome for (outcome,) in spared} <= {"purchased", "held"}


def test_metrics_and_lineage_tell_of_data_and_of_nobody(machine: Machine, collector: Collector) -> None:
    ours = {name.partition("prakerja.")[2] for name in collector.points if "prakerja." in name}
    wanted = {
        *(f"feed.{name}" for name in ("rows", "quarantined", "rejected", "missing")),
        *(f"cohort.{name}" for name in ("selected", "purchased", "held", "overdue", "revoked")),
        "blacklist.version", "blacklist.age_seconds",
    }  # fmt: skip
    assert wanted <= ours, ours
    rows = next(points for name, points in collector.points.items() if name.endswith("prakerja.feed.rows"))
    assert {attributes["platform"] for attributes, _ in rows} >= {"tokopedia", "sisnaker"}
    with machine.instance.database("warehouse") as connection:
        (loaded,) = connection.execute("select sum(loaded) from deliveries").fetchone() or (0,)
    assert sum(value for _, value in rows) == loaded

    told = (machine.instance.home / "logs" / "lineage.jsonl").read_text()
    edges = {
        (source["name"].rpartition(".")[2], target["name"].rpartition(".")[2])
        for event in map(json.loads, told.splitlines())
        for source in event["inputs"]
        for target in event["outputs"]
    }
    assert edges >= {
        ("feeds/tokopedia", "transactions"), ("transactions", "outcomes"), ("recipients", "outcomes"),
        ("outcomes", "revocations"), ("revocations", "blacklist"),
    }  # fmt: skip
    text = told + "\n".join(collector.text)
    people = [value for person in machine.instance.people() for value in person.values() if len(value) > 9]
    assert not [value for value in people if value in text]


def test_a_published_version_wakes_its_readers(machine: Machine) -> None:
    """The example reader syncs the list, and shows how a registration reacts."""
    with machine.instance.database("warehouse") as connection:
        (newest,) = connection.execute("select max(version) from blacklist_versions").fetchone() or (0,)
    run_id = machine.trigger("blacklist_readers")
    assert machine.await_run("blacklist_readers", run_id)["state"] == "success"
    assert machine.xcom("blacklist_readers", run_id, "sync_list")["version"] == newest
    woken = [run for run in machine.await_runs("blacklist_readers", 2) if run["run_type"] == "asset_triggered"]
    assert woken, "versions that were published have woken it"
    assert {run["state"] for run in woken} == {"success"}


def has_revoked(machine: Machine, run_id: str) -> bool:
    """Whether this run of a deadline has gone all the way."""
    return machine.states("cohort_deadline", run_id)["revoke"] == "success"


def test_backfilled_again_cleared_and_rerun_nothing_changes(machine: Machine) -> None:
    state, published = machine.instance.state(), machine.instance.published()
    backfill(machine, "cohort_deadline", "--reprocess-behavior", "completed", "--dag-run-conf", '{"approve_as": "S"}')
    assert machine.instance.state() == state

    day = next(run["dag_run_id"] for run in machine.runs("platform_feeds") if run["run_type"] == "backfill")
    one = {"dry_run": False, "dag_run_id": day, "task_ids": [["take_in", 2]], "only_failed": False,
           "include_downstream": True, "reset_dag_runs": True}  # fmt: skip
    cleared = machine.call("POST", "/dags/platform_feeds/clearTaskInstances", json=one)
    assert "take_in" in {task["task_id"] for task in cleared["task_instances"]}
    machine.await_run("platform_feeds", day)

    deadline = next(
        run["dag_run_id"] for run in machine.runs("cohort_deadline") if has_revoked(machine, run["dag_run_id"])
    )
    machine.call("POST", f"/dags/cohort_deadline/dagRuns/{deadline}/clear", json={"dry_run": False})
    assert machine.await_run("cohort_deadline", deadline)["state"] == "success"
    assert machine.instance.state() == state
    assert machine.instance.published() == published


def test_a_rehearsal_reports_and_changes_nothing(machine: Machine) -> None:
    state = machine.instance.state()
    run_id = machine.trigger("cohort_deadline", cohort=12, rehearsal=True)
    assert machine.await_run("cohort_deadline", run_id)["state"] == "success"
    assert machine.states("cohort_deadline", run_id)["rehearsal_is_over"] == "success"
    assert machine.xcom("cohort_deadline", run_id, "reconcile")["is_decided"] is True
    assert machine.instance.state() == state


def test_the_daily_audit_finds_nothing_to_mend(machine: Machine) -> None:
    machine.unpause("daily_audit")
    run_id = machine.trigger("daily_audit")
    assert machine.await_run("daily_audit", run_id)["state"] == "success"
    assert machine.xcom("daily_audit", run_id, "find") == []


GUIDE = (PROJECT / "docs" / "operators-guide.md").read_text()


@pytest.fixture(scope="module")
def people(machine: Machine) -> dict[str, str]:
    """A card for whoever a chapter of the guide is about."""
    with machine.instance.database("warehouse") as connection:
        card = "select lpad(r.card_number::text, 16, '0') from recipients r"
        held = f"{card} join outcomes o using (recipient_id) where o.outcome = 'held' and o.cohort = 12 limit 1"
        listed = f"{card} join revocations v using (recipient_id) limit 1"
        found = {kind: connection.execute(query).fetchone() for kind, query in (("held", held), ("listed", listed))}
    return {kind: row[0] for kind, row in found.items() if row}


@pytest.mark.parametrize("chapter", re.findall(r"^## (.+)$", GUIDE, re.MULTILINE))
def test_the_operators_guide_is_as_it_says(
    machine: Machine, people: dict[str, str], chapter: str, tmp_path: Path
) -> None:
    """Each of its commands, as it stands there: exit code 0, no traceback."""
    script = tmp_path / "prakerja"  # which is not in BIN where the package is not installed
    script.write_text(f'#!/bin/sh\nexec {shlex.join(machine.instance.command)} "$@"\n')
    script.chmod(0o700)
    text = GUIDE.partition(f"## {chapter}\n")[2].partition("\n## ")[0]
    environment = psutil.Process(machine.pid("scheduler")).environ() | {
        "NAME": "Siti", "OTHER": "Budi", "COHORT": "12", "PLATFORM": "tokopedia", "DAY": "2021-03-06",
        "CARD": people["held" if "held" in chapter else "listed"],
        "PATH": f"{tmp_path}:{BIN}:{os.environ['PATH']}",
    }  # fmt: skip
    for block in re.findall(r"```sh\n(.+?)```", text, re.DOTALL):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block], env=environment, text=True, capture_output=True, check=False,
            timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
        assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_what_is_killed_is_started_again_and_leaves_nobody_behind(machine: Machine, name: str) -> None:
    pid = machine.pid(name)
    below = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    machine.until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, "its end")
    machine.until(lambda: not [each for each in below if each.is_running()], "the end of what it had started", 30)
    machine.await_health()
    assert machine.pid(name) != pid


@pytest.mark.soak
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
