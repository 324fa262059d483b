"""Days of feeds and deadlines of cohorts are backfilled: the results, and the alerts."""

from __future__ import annotations

import sqlite3
from typing import Any

from tests.e2e.machine.conftest import DAYS, DEADLINE_12, DEADLINE_13
from tests.support.leaks import leaked
from tests.support.running_machine import Machine

EVENTS = 8  # three reminders and a deadline, of two cohorts


def test_days_of_feeds_are_backfilled(fed: Machine) -> None:
    runs = [run for run in fed.runs("platform_feeds") if run["run_type"] == "backfill"]
    assert len(runs) == DAYS
    for run in runs:
        tasks = fed.tasks("platform_feeds", run["dag_run_id"])
        assert {"take_in_rosters", "take_in", "refresh_standing"} <= {task["task_id"] for task in tasks}
    counted = fed.instance.state()
    assert counted["ledger"]
    assert counted["standings"]


def test_alerts_name_what_failed_and_nothing_personal(fed: Machine) -> None:
    """The world has rejected deliveries: their run is red, and the inbox of the configured connection says so."""
    failed = [run["dag_run_id"] for run in fed.runs("platform_feeds") if run["state"] == "failed"]
    assert failed
    assert failed[0].startswith("backfill__")

    def told() -> list[str]:
        with sqlite3.connect(fed.instance.home / "inbox.sqlite") as inbox:
            query = "select subject from messages where recipient = 'operators@sandbox.invalid'"
            return [row[0] for row in inbox.execute(query)]

    fed.until(lambda: any(failed[0] in subject for subject in told()), "an alert")
    people = [value for person in fed.instance.people() for value in person.values() if len(value) > 6]
    text = "\n".join(told())
    assert leaked(people, text) == []


def test_cohorts_are_backfilled_and_come_to_what_the_world_was_made_to_give(
    decided: Machine, expected: dict[str, Any]
) -> None:
    """One deadline is the scheduler's and the admin's, the other a backfill's that two people have approved."""
    runs = {run["dag_run_id"]: run for run in decided.runs("cohort_deadline")}
    assert len(runs) == EVENTS, runs
    assert {run["state"] for run in runs.values()} == {"success"}
    assert (runs[DEADLINE_12]["run_type"], runs[DEADLINE_13]["run_type"]) == ("scheduled", "backfill")
    assert len([run_id for run_id in runs if run_id.startswith("backfill__")]) >= 4
    table = decided.instance.cohorts()
    assert {table[truth["cohort"]]["status"] for truth in expected["cohorts"]} == {"decided"}
    cards = {
        kind: {card for truth in expected["cohorts"] for card in truth["cards"][kind]} for kind in ("overdue", "case")
    }
    overdue, gone = cards["overdue"], cards["case"]
    listed = {*decided.instance.list_of_cards()}
    assert listed
    # A backfill decides by the rows that are in force by now. So those whose purchase was restated away since have
    # none (on the day they had, and got a case), and for some of the overdue something has come since.
    assert listed <= overdue | gone
    with decided.instance.database("warehouse") as connection:
        spared = connection.execute(
            "select distinct o.outcome::text from outcomes o join recipients r using (recipient_id)"
            " where lpad(r.card_number::text, 16, '0') = any(%s)", (sorted(overdue - listed),),
        ).fetchall()  # fmt: skip
        approved = connection.execute(
            "select distinct r.cohort, v.approvers from revocations v join recipients r using (recipient_id)"
        ).fetchall()
    assert {outcome for (outcome,) in spared} <= {"purchased", "held"}
    assert sorted(approved) == [(12, ["admin"]), (13, ["admin", "operator"])]
