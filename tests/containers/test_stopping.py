"""Health checks red and green, containers that are killed at work, and all of it stopped and started again."""

from __future__ import annotations

import signal
import time

import pytest

from tests.containers.conftest import BACKFILLED, publish_anew, rotate_subject_key
from tests.support.containers.airflow import Airflow
from tests.support.containers.composition import Composition

pytestmark = pytest.mark.soak

#: Their health checks ask the process; those of the others, for the age of its heartbeat.
ASKED = ("airflow-apiserver", "airflow-scheduler", "sandbox", "receipts", "blacklist", "redis", "postgres")
#: A large file leaves some blocks free, and this list is small.
FILL = (
    "cat /dev/zero > /srv/publish/.filled 2> /dev/null; number=0;"
    " while head -c 1024 /dev/zero > /srv/publish/.filled$number 2> /dev/null; do number=$((number + 1)); done"
)
BY_HEARTBEAT = ("airflow-dag-processor", "airflow-triggerer", "airflow-worker")


def test_a_health_check_is_red_while_its_process_hangs(decided: Composition) -> None:
    try:
        for service in BY_HEARTBEAT:
            decided.await_health(service, 180)
            decided.signal_all(service, signal.SIGSTOP)
        stopped_at = time.monotonic()
        for service in ASKED:
            decided.await_health(service, 120)
            decided.signal_all(service, signal.SIGSTOP)
            try:
                assert not decided.run_health(service), service
            finally:
                decided.signal_all(service, signal.SIGCONT)
            decided.await_health(service, 120)
        time.sleep(max(0.0, 65 - (time.monotonic() - stopped_at)))
        assert [service for service in BY_HEARTBEAT if decided.run_health(service)] == []
    finally:
        for service in BY_HEARTBEAT:
            decided.signal_all(service, signal.SIGCONT)
    for service in BY_HEARTBEAT:
        decided.await_health(service, 180)


@pytest.mark.parametrize(
    "service",
    ["airflow-worker", "postgres", "redis", "airflow-scheduler", "airflow-apiserver", "airflow-dag-processor",
     "airflow-triggerer", "sandbox", "receipts", "blacklist"],
)  # fmt: skip
def test_a_container_is_killed_with_tasks_at_work(decided: Composition, airflow: Airflow, service: str) -> None:
    """Its restart policy starts it again, and the run ends well."""
    run = airflow.trigger("platform_feeds", on=f"{BACKFILLED}")
    decided.until(
        lambda: (
            "running" in airflow.tasks("platform_feeds", run).values()
            or airflow.call("GET", f"/dags/platform_feeds/dagRuns/{run}")["state"] == "success"
        ),
        "a task that runs",
    )
    decided.kill(service)
    decided.await_health(service, 300)
    decided.await_health("airflow-apiserver", 300)
    assert airflow.await_run("platform_feeds", run) == "success", airflow.tasks("platform_feeds", run)
    verified = decided.exec("console", "prakerja", "blacklist", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_full_volume_is_reported_and_loses_nothing(decided: Composition, airflow: Airflow) -> None:
    """The published folder is a file system of its own, and full: the run is red, and green once there is room."""
    rotate_subject_key(decided)
    pointer = ("cat", "/srv/publish/blacklist/latest.json")
    before = decided.exec("console", *pointer).stdout
    decided.exec("airflow-worker", "sh", "-c", FILL)
    try:
        run = airflow.trigger("cohort_deadline", cohort=12, kind="deadline")
        decided.until(
            lambda: airflow.tasks("cohort_deadline", run).get("publish_blacklist") in ("up_for_retry", "failed"),
            "a run that cannot publish",
        )
        assert decided.exec("console", *pointer).stdout == before
    finally:
        decided.exec("airflow-worker", "sh", "-c", "rm -f /srv/publish/.filled*")
    assert publish_anew(airflow) == "success"
    assert decided.exec("console", *pointer).stdout != before
    verified = decided.exec("console", "prakerja", "blacklist", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_all_is_stopped_and_started_again_and_volumes_stay(decided: Composition) -> None:
    before = decided.exec("console", "prakerja", "cohorts", "--json").stdout
    pointer = decided.exec("console", "cat", "/srv/publish/blacklist/latest.json").stdout
    decided.stop()
    decided.start()
    assert decided.exec("console", "prakerja", "cohorts", "--json").stdout == before
    decided.down()
    decided.up()
    assert decided.exec("console", "prakerja", "cohorts", "--json").stdout == before
    assert decided.exec("console", "cat", "/srv/publish/blacklist/latest.json").stdout == pointer
    for command in (("blacklist", "verify"), ("audit", "verify")):
        done = decided.exec("console", "prakerja", *command)
        assert done.returncode == 0, done.stdout + done.stderr
