"""A running system on a reminder day, whose roster comes after the day's run."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

import pytest

from tests.e2e.calendar.conftest import ANNOUNCED_ON, DEADLINE_ON, H7
from tests.support import machine_faults
from tests.support.landing_zone import deliver_roster, roster_line
from tests.support.running_machine import Machine

OWN = f"gelombang-12__H-7__{H7}"
REPAIR = f"{OWN}__audit-{H7}"
PEOPLE = 20

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(machine_faults.COMPILER is None, reason="a clock is set by a library that is compiled"),
]


def test_the_recipients_of_a_late_roster_are_reminded_once_and_the_same_day(
    reminder_day: Machine, clock: machine_faults.Clock
) -> None:
    reminder_day.unpause("cohort_deadline")
    own = reminder_day.await_run("cohort_deadline", OWN)
    assert (own["state"], received(reminder_day)) == ("success", [])
    assert "gelombang-12 has no roster" in own["note"]

    lines = [roster_line(n) for n in range(1, PEOPLE + 1)]
    deliver_roster(reminder_day.instance.landing, 12, lines, f"{ANNOUNCED_ON}", f"{DEADLINE_ON}")
    reminder_day.unpause("late_deliveries")
    look(reminder_day)
    reminder_day.until(lambda: len(received(reminder_day)) == PEOPLE, "a message to each")
    clock.set(clock.now() + timedelta(minutes=6))  # the task looks for receipts every five
    assert reminder_day.await_run("cohort_deadline", REPAIR)["state"] == "success"

    look(reminder_day)
    assert {run["dag_run_id"] for run in reminder_day.runs("cohort_deadline")} == {OWN, REPAIR}
    assert len({*received(reminder_day)}) == len(received(reminder_day)) == PEOPLE
    reminder_day.unpause("daily_audit")
    audit = reminder_day.trigger("daily_audit")
    assert "every run that was due has been" in reminder_day.await_run("daily_audit", audit)["note"]


def look(machine: Machine) -> None:
    """Let `late_deliveries` look once more, whatever its schedule has begun."""
    run_id = machine.trigger("late_deliveries")
    assert machine.await_run("late_deliveries", run_id)["state"] == "success"


def received(machine: Machine) -> list[str]:
    """Who has got messages, each as often as they have."""
    with sqlite3.connect(machine.instance.home / "inbox.sqlite") as inbox:
        query = "select recipient from messages where recipient <> 'operators@sandbox.invalid' order by 1"
        return [row[0] for row in inbox.execute(query)]
