"""Two weeks of the programme under a running system: a date moves, one is frozen, and a NIK was typed wrong."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from prakerja.people import RIGHTS, os_login
from tests.e2e.conftest import Instance
from tests.e2e.programme.conftest import Programme
from tests.support.running_machine import PATIENCE, Machine, running

pytestmark = pytest.mark.soak
FIRST, LAST = date(2021, 4, 1), date(2021, 4, 14)
NOBODYS_NIK = f"{99 * 10**14}"
WHO = ("--because", "a drill", "--as")
DEADLINE_12, DEADLINE_13 = "gelombang-12__deadline__2021-04-03", "gelombang-13__deadline__2021-04-10"


def test_two_weeks_in_which_a_deadline_moves(programme: Programme, tmp_path: Path) -> None:
    """In one test: the weeks before are played, and a system takes half a minute to start."""
    keep_only(programme, "2021-03-04", f"{LAST}", [12, 13])
    programme.extend(13, date(2021, 4, 6), date(2021, 4, 10))
    programme.buy(programme.overdue(13)[:3], date(2021, 4, 9))
    later = tmp_path / "later"
    for day in sorted((programme.landing / "feeds").glob("*/2021-04-*")):
        (later / day.parent.name).mkdir(parents=True, exist_ok=True)
        day.rename(later / day.parent.name / day.name)
    done = programme.run("replay", "--from", "2021-03-05", "--to", "2021-03-31", "--approve-as", "Siti")
    assert done.returncode == 0, done.stderr
    for day in later.glob("*/*"):
        day.rename(programme.landing / "feeds" / day.parent.name / day.name)

    with running(programme) as machine:
        machine.unpause("blacklist_readers")
        weeks = machine.begin_backfill("platform_feeds", f"{FIRST}", f"{LAST}", max_active_runs=2)
        end_own_run(machine)
        machine.await_backfill(weeks, 3 * PATIENCE)
        ran(machine.instance, "freeze", "start", "--cohort", "12", *WHO, "admin")
        machine.unpause("cohort_deadline")

        # Frozen: nobody is asked, or revoked; once it is lifted, the run goes on from there.
        assert machine.await_run("cohort_deadline", DEADLINE_12)["state"] == "failed"
        assert machine.states("cohort_deadline", DEADLINE_12)["choose"] == "failed"
        assert programme.cohorts()[12]["revoked"] == 0
        people = {person["card_number"]: person["nik"] for person in programme.people()}
        card = programme.overdue(12)[0]
        ran(machine.instance, "correct", "-", *WHO, "admin", given={"card_number": card, "nik": NOBODYS_NIK})
        approve_correction(machine.instance, tmp_path)
        ran(machine.instance, "freeze", "lift", "1", *WHO, "admin")
        cleared = {"dry_run": False, "dag_run_id": DEADLINE_12, "task_ids": ["choose"], "include_downstream": True}
        machine.call("POST", "/dags/cohort_deadline/clearTaskInstances", json=cleared)
        machine.answer(DEADLINE_12, "Approve", "operator")
        assert machine.await_run("cohort_deadline", DEADLINE_12)["state"] == "success"

        # The deadline that was moved has no run: the later one has.
        machine.answer(DEADLINE_13, "Approve", "operator")
        assert machine.await_run("cohort_deadline", DEADLINE_13)["state"] == "success"
        deadlines = {
            run["dag_run_id"] for run in machine.runs("cohort_deadline") if "__deadline__" in run["dag_run_id"]
        }
        assert {run for run in deadlines if run.startswith("gelombang-13")} == {DEADLINE_13}

        found = programme.cohorts()
        assert found[12]["revoked"] == len(programme.overdue(12))
        assert found[13]["revoked"] == len(programme.overdue(13)) - 3
        assert {*programme.list_of_cards()} == {*programme.overdue(12)[1:], *programme.overdue(13)[3:]}
        asked = programme.run("blacklist", "check", given=f"{people[card]}\n{NOBODYS_NIK}").stdout.split("\n")[:-1]
        assert asked == ["not listed", "listed"]


def keep_only(programme: Programme, first: str, last: str, cohorts: list[int]) -> None:
    """Take away what lies in the landing zone of other days, and of other cohorts."""
    for day in (programme.landing / "feeds").glob("*/*"):
        if not first <= day.name <= last:
            shutil.rmtree(day)
    for roster in (programme.landing / "rosters").iterdir():
        if int(roster.name.removeprefix("gelombang-")) not in cohorts:
            shutil.rmtree(roster)
    programme.write_calendar(cohorts)


def end_own_run(machine: Machine) -> None:
    """The day's own run has nothing to do with these weeks, and would wait for its feeds until the morning."""
    own = "select run_id from dag_run where dag_id = 'platform_feeds' and run_type = 'scheduled'"
    machine.until(lambda: bool(machine.metadata(own)), "the day's own run")
    for (run_id,) in machine.metadata(own):
        machine.call("PATCH", f"/dags/platform_feeds/dagRuns/{run_id}", json={"state": "failed"})


def ran(instance: Instance, *arguments: str, given: object = None) -> str:
    done = instance.run(*arguments, given="" if given is None else json.dumps(given))
    assert done.returncode == 0, done.stderr
    return done.stdout


def approve_correction(instance: Instance, folder: Path) -> None:
    """Another person approves the NIK that waits, in whose shell the command is run."""
    others = folder / "people.yaml"
    others.write_text(f"people: [{{id: operator, name: Operator, logins: {{os: [{os_login()}]}}, may: {[*RIGHTS]}}}]")
    told = ran(instance, "correct")
    digest = told.partition("--digest ")[2].split()[0]
    instance.more["PRAKERJA_PEOPLE"] = f"{others}"
    try:
        ran(instance, "correct", "--digest", digest, "--as", "operator")
    finally:
        del instance.more["PRAKERJA_PEOPLE"]
