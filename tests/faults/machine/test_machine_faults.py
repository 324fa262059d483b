"""Faults of a running machine: a full disk, a killed database, a missing landing zone, a clock that jumps.

The machine lives in the night in which the feeds of 14 March 2021 are due. Each fault ends as if it had not been.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from prakerja.settings import WIB
from tests.e2e.conftest import Instance
from tests.support import machine_faults
from tests.support.faulty_night import DAY, DAY_BEFORE, DUE
from tests.support.running_machine import BIN, Machine, free_ports, operators_are_told

pytestmark = [pytest.mark.soak, pytest.mark.skipif(machine_faults.COMPILER is None, reason="needs cc")]


def taken_in(machine: Machine) -> tuple[int, int, int]:
    """Return the number of deliveries, of the rows that they report as loaded, and of the loaded rows."""
    query = (
        "select count(*), sum(loaded), (select count(*) from transactions) from deliveries where status = 'accepted'"
    )
    with machine.instance.database("warehouse") as connection:
        found = connection.execute(query).fetchone()
    assert found is not None
    return found[0], found[1] or 0, found[2]


def run_of(machine: Machine, day: str) -> str:
    """Return the scheduled run of a business date, and wait until there is one."""

    def found() -> list[str]:
        starts = {run["dag_run_id"]: run["data_interval_start"] for run in machine.runs("platform_feeds")}
        days = {run_id: f"{datetime.fromisoformat(at).astimezone(WIB):%Y-%m-%d}" for run_id, at in starts.items()}
        return [run_id for run_id, of_day in days.items() if of_day == day]

    machine.until(lambda: bool(found()), f"the run of {day}", 120)
    return found()[0]


def clear_failed(machine: Machine, dag_id: str, run_id: str) -> None:
    """Clear the run, as an operator does once the fault is repaired."""
    which = {"dry_run": False, "only_failed": True}
    machine.call("POST", f"/dags/{dag_id}/dagRuns/{run_id}/clear", json=which)


def is_tried_again(machine: Machine, run_id: str) -> bool:
    return any(
        task["state"] == "up_for_retry" or (task["try_number"] or 0) > 1
        for task in machine.tasks("platform_feeds", run_id)
    )


def test_the_warehouses_disk_is_full_and_then_the_database_dies_while_a_day_is_loaded(
    machine: Machine, disk: machine_faults.Disk, plain: Path
) -> None:
    home = machine.instance.home
    with machine.instance.database("warehouse") as connection:
        (base,) = connection.execute("select 'base/' || oid from pg_database where datname = 'warehouse'").fetchone()
    disk.fill(home / "postgres" / base)
    machine.unpause("platform_feeds")
    run_id = run_of(machine, DAY_BEFORE)
    machine.until(lambda: is_tried_again(machine, run_id), "a task that is tried again", 120)
    assert taken_in(machine)[2] == 0
    with machine.instance.database("warehouse") as connection:
        # The task waits here, and dies with the database in the middle of its work.
        disk.empty()
        connection.execute("lock table transactions in share row exclusive mode")
        waits = "select 1 from pg_locks where not granted and relation = 'transactions'::regclass"
        with machine.instance.database("warehouse") as other:
            other.autocommit = True
            machine.until(lambda: other.execute(waits).fetchone() is not None, "somebody who loads", 120)
        postmaster = int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGKILL)  # its own processes end by themselves, in the middle of what they do
        connection.close()
    assert machine.await_run("platform_feeds", run_id, 300)["state"] == "success"
    deliveries, said, loaded = taken_in(machine)
    assert deliveries == sum(1 for _ in plain.glob("feeds/*/*"))
    assert said == loaded > 0


def test_the_landing_zone_goes_and_comes_back_and_the_intake_is_late(
    machine: Machine, clock: machine_faults.Clock, plain: Path
) -> None:
    clock.set(DUE)
    run_id = run_of(machine, DAY)

    def waiting() -> bool:
        states = [task["state"] for task in machine.tasks("platform_feeds", run_id) if task["task_id"] == "take_in"]
        return states.count("up_for_reschedule") == 7

    machine.until(waiting, "tasks that wait for their feeds", 180)
    away = plain.with_name("away")
    plain.rename(away)
    clock.set(clock.now() + timedelta(minutes=6))  # they look every five
    machine.until(lambda: is_tried_again(machine, run_id), "a task that is tried again", 120)
    away.rename(plain)
    clock.set(DUE.replace(hour=5))  # from here on it is late
    machine.until(lambda: operators_are_told(machine, "late"), "that operators are told", 120)
    for delivery in plain.with_name("later").glob("*"):
        shutil.copytree(delivery / DAY, plain / "feeds" / delivery.name / DAY)
    clock.set(clock.now() + timedelta(minutes=6))
    if machine.await_run("platform_feeds", run_id, 300)["state"] == "failed":  # whose retries the outage used up
        clear_failed(machine, "platform_feeds", run_id)
        assert machine.await_run("platform_feeds", run_id, 300)["state"] == "success"
    deliveries, said, loaded = taken_in(machine)
    assert deliveries == sum(1 for _ in plain.glob("feeds/*/*"))
    assert said == loaded


def test_the_clock_jumps_by_a_day_and_back(machine: Machine, clock: machine_faults.Clock) -> None:
    """Each day has one run, whatever the clock shows in between."""
    before, now = machine.instance.state(), clock.now()
    clock.set(now + timedelta(days=1))
    later = run_of(machine, "2021-03-15")
    clock.set(now)  # Airflow's scheduler sleeps until its last heartbeat is over, which is tomorrow
    machine.until(lambda: not_running(machine, later), "the end of what was begun", 180)
    time.sleep(20)  # so long its last heartbeat counts as fresh, and it as well
    machine.await_health(300)
    clock.set(DUE + timedelta(days=1, hours=6, minutes=10))  # its feeds are not waited for any more, and owed
    machine.await_health()
    assert machine.await_run("platform_feeds", later, 180)["state"] == "failed"
    starts = [run["data_interval_start"] for run in machine.runs("platform_feeds")]
    assert len(starts) == len(set(starts))
    after = machine.instance.state()
    for table in ("ledger", "deliveries", "outcomes", "revocations"):
        assert after[table] == before[table], table


def not_running(machine: Machine, run_id: str) -> bool:
    """Return whether no task of a run is at work: the run has ended, or waits for feeds."""
    states = {task["state"] for task in machine.tasks("platform_feeds", run_id)}
    return not states & {"running", "queued"} and bool(states)


def test_two_schedulers_at_once_do_nothing_twice(machine: Machine) -> None:
    environment = psutil.Process(machine.pid("scheduler")).environ()
    environment["AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT"] = str(free_ports())
    before = machine.instance.state()
    second = subprocess.Popen(
        [BIN / "airflow", "scheduler", "--skip-serve-logs"], env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        jobs = {"job_type": "SchedulerJob", "is_alive": True}
        machine.until(lambda: len(machine.call("GET", "/jobs", params=jobs)["jobs"]) == 2, "two schedulers", 120)
        runs = [machine.trigger("platform_feeds", on=day) for day in ("2021-03-10", "2021-03-11", "2021-03-12")]
        for run_id in runs:
            assert machine.await_run("platform_feeds", run_id, 300)["state"] == "success"
            tasks = machine.tasks("platform_feeds", run_id)
            assert {task["try_number"] for task in tasks if task["state"] == "success"} == {1}
    finally:
        for each in [*psutil.Process(second.pid).children(recursive=True), psutil.Process(second.pid)]:
            each.kill()
        second.wait()
    after = machine.instance.state()
    assert after["ledger"] == before["ledger"]
    assert after["deliveries"] == before["deliveries"]


def test_the_published_folders_disk_is_full(machine: Machine, disk: machine_faults.Disk, plain_world: Path) -> None:
    """The run fails with a reason and the previous list stays in force. With space again, the cleared run succeeds."""
    home = machine.instance.home
    published = sorted(path.name for path in (home / "publish" / "blacklist").glob("v*"))
    machine.unpause("cohort_deadline")
    run_id = "gelombang-12__deadline__2021-03-13"
    machine.await_question(run_id)
    disk.fill(home / "publish")
    machine.answer(run_id, "Approve", "admin")
    assert machine.await_run("cohort_deadline", run_id, 300)["state"] == "failed"
    assert machine.states("cohort_deadline", run_id)["revoke"] == "success"
    assert sorted(path.name for path in (home / "publish" / "blacklist").glob("v*.json")) == []
    if published:
        assert machine.instance.run("blacklist", "verify").returncode == 0
    disk.empty()
    clear_failed(machine, "cohort_deadline", run_id)
    assert machine.await_run("cohort_deadline", run_id, 300)["state"] == "success"
    assert machine.instance.run("blacklist", "verify").returncode == 0
    expected = json.loads((plain_world / "expected.json").read_text())["cohorts"]
    overdue = next(each["cards"]["overdue"] for each in expected if each["cohort"] == 12)
    assert machine.instance.list_of_cards() == sorted(overdue)


def test_a_migration_that_is_killed_leaves_the_schema_before_it(machine: Machine, tmp_path: Path) -> None:
    fresh = Instance(tmp_path / "home", machine.instance.landing, machine.instance.calendar)
    earlier = (
        "from alembic import command; from prakerja import schema as s, warehouse as w; c = s._config(s.HISTORY);"
        "t = w.transaction(as_owner=True); c.attributes['connection'] = t.__enter__(); command.upgrade(c, '0009');"
        "t.__exit__(None, None, None)"
    )
    subprocess.run([BIN / "python", "-c", earlier], env=fresh.environment, check=True, capture_output=True)
    try:
        with fresh.database("warehouse") as connection, fresh.database("warehouse") as other:
            other.autocommit = True
            other.execute(
                "insert into rosters (cohort, fingerprint, status, announced_on, deadline_on, arrived_on)"
                " values (12, '', 'accepted', '2021-03-05', '2021-03-13', '2021-03-05')"
            )
            other.execute(
                "insert into recipients (roster_id, cohort, card_number, nik, full_name, phone, email, region_code)"
                " values (1, 12, 7, 9, 'Siti Aminah', '0812', 'siti@example.id', '31')"
            )
            connection.execute("lock table reminders in share mode")
            process = fresh.start("db", "upgrade")
            waits = "select 1 from pg_locks where not granted and relation = 'reminders'::regclass"
            until = time.monotonic() + 60
            while other.execute(waits).fetchone() is None:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.05)
            process.kill()
            process.wait()
            connection.rollback()
            assert other.execute("select version_num from alembic_version").fetchone() == ("0009",)
        assert fresh.run("db", "upgrade").returncode == 0
        with fresh.database("warehouse") as connection:
            (sealed,) = connection.execute("select contact from recipients").fetchone() or (b"",)
        opened = f"from prakerja.cohorts.contacts import Contacts as c; print(c.configured().open(7, {sealed!r}))"
        told = subprocess.run(
            [BIN / "python", "-c", opened], env=fresh.environment, text=True, capture_output=True, check=True
        )
        assert "full_name='Siti Aminah', phone='0812'" in told.stdout
        assert fresh.run("cohorts").returncode == 0
    finally:
        fresh.run("db", "stop")
