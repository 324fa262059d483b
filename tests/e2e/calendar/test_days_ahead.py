"""A running system and its calendar: the runs, their notes, the alerts, and a cohort that continues."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest

from prakerja.cli import common
from tests.support.landing_zone import deliver, deliver_roster, roster_line
from tests.support.running_machine import Machine

pytestmark = pytest.mark.soak


def test_the_calendars_runs_and_a_cohort_that_goes_on(machine: Machine) -> None:
    """In one test: each step needs the one before, and the system takes half a minute to start."""
    today = common.today()
    machine.unpause("platform_feeds")
    machine.await_runs("platform_feeds", 1)
    machine.unpause("cohort_deadline")
    deadline_on = today - timedelta(days=3)
    deadline = f"gelombang-12__deadline__{deadline_on}"
    assert machine.await_run("cohort_deadline", deadline)["state"] == "failed", "a delivery is missing"

    # The extension is in the calendar, and not announced yet: the first deadline's reminder has had its run.
    reminder = f"gelombang-13__H-7__{today - timedelta(days=1)}"
    run = machine.await_run("cohort_deadline", reminder)
    assert run["state"] == "success"
    assert "gelombang-13 has no roster, and its deadline" in run["note"]

    # The entry that cannot be read is an import error, and stops nobody.
    (error,) = machine.call("GET", "/importErrors")["import_errors"]
    assert error["filename"].endswith("cohort_calendar.py")
    assert 'entry 3 (cohort 14): `deadline_on` is "2021-02-30"' in error["stack_trace"]

    # The audit is red for both, and its alert says which.
    machine.unpause("daily_audit")
    assert machine.await_runs("daily_audit", 1)[0]["state"] == "failed"
    for cohort in ("(cohort 14): `deadline_on`", "gelombang-13 has no roster"):
        machine.until(lambda told=cohort: told in alerts(machine), f"an alert of {cohort}")

    # What was missing arrives: the cohort goes on by itself. So does a roster, after its first reminder's day.
    deliver(machine.instance.landing, "sisnaker", f"{deadline_on}", [])
    announced_on, last = today - timedelta(days=20), today + timedelta(days=6)
    deliver_roster(machine.instance.landing, 13, [roster_line(2)], f"{announced_on}", f"{last}")
    machine.unpause("late_deliveries")
    look = machine.trigger("late_deliveries")
    assert machine.await_run("late_deliveries", look)["state"] == "success"
    after = f"{deadline}__after-"
    machine.until(
        lambda: any(run["dag_run_id"].startswith(after) for run in machine.runs("cohort_deadline")), "it goes on"
    )
    (resumed,) = [run["dag_run_id"] for run in machine.runs("cohort_deadline") if run["dag_run_id"].startswith(after)]
    assert machine.await_run("cohort_deadline", resumed)["state"] == "success"
    assert machine.instance.cohorts()[12]["status"] == "decided"

    # The day of that reminder is over: the audit says so, and makes no run of it.
    audit = machine.trigger("daily_audit")
    run = machine.await_run("daily_audit", audit)
    missed = f"gelombang-13: 1 of its recipients got no reminder on {today - timedelta(days=1)}"
    assert run["state"] == "failed"
    assert missed in run["note"].replace("\\", "")
    assert missed in alerts(machine)
    assert not [run for run in machine.runs("cohort_deadline") if run["dag_run_id"].startswith(f"{reminder}__")]


def alerts(machine: Machine) -> str:
    """The subjects of the alerts, which begin with their texts."""
    with sqlite3.connect(machine.instance.home / "inbox.sqlite") as inbox:
        query = "select subject from messages where recipient = 'operators@sandbox.invalid'"
        return "\n".join(row[0] for row in inbox.execute(query))
