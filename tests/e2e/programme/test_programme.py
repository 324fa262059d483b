"""All cohorts of 2020 and 2021 are played: two dates move, one is frozen, and somebody's NIK is corrected."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from prakerja.cohorts import corrections
from prakerja.revocations import freezes
from tests.e2e.programme.conftest import Programme
from tests.support.leaks import leaked

pytestmark = pytest.mark.soak
NOBODYS_NIK = f"{99 * 10**14}"
WHO = {"because": "a drill"}


def test_two_years_of_which_two_deadlines_move(programme: Programme) -> None:
    """In one test: each step needs the days before it."""
    overdue = {cohort: len(truth["cards"]["overdue"]) for cohort, truth in programme.world.truths.items()}

    # Revocations of gelombang 8 are frozen on the day of its decision, and go on when that day is played again.
    with programme.acting():
        freeze = freezes.freeze(8, date(2020, 10, 16), None, frozen_by="ani", on=date(2020, 10, 16), **WHO)
    played(programme, "2020-09-03", "2020-10-18", fails="nobody is revoked until it is lifted")
    assert revoked(programme, 6, 8) == [overdue[6], 0]
    assert len(programme.list_of_cards()) == overdue[6]
    with programme.acting():
        freezes.lift(freeze, lifted_by="siti", on=date(2020, 10, 17), **WHO)
    played(programme, "2020-10-17", "2020-10-18")
    assert revoked(programme, 6, 8) == [overdue[6], overdue[8]]

    # Gelombang 9 gets a week more before its deadline, and three of those who would not have bought buy in it.
    programme.extend(9, date(2020, 10, 20), date(2020, 10, 30))
    programme.buy(programme.overdue(9)[:3], date(2020, 10, 28))
    played(programme, "2020-10-19", "2020-11-04")
    assert revoked(programme, 9, 10) == [overdue[9] - 3, overdue[10]]
    listed = sum(overdue[cohort] for cohort in (6, 8, 9, 10)) - 3
    assert len(programme.list_of_cards()) == listed

    # Gelombang 10 gets it when its people are revoked: all are reinstated, and nobody is revoked a second time.
    programme.extend(10, date(2020, 11, 5), date(2020, 11, 12))
    programme.buy(programme.overdue(10)[:3], date(2020, 11, 9))
    played(programme, "2020-11-05", "2020-11-30")
    assert not {*programme.list_of_cards()} & {*programme.overdue(10)}
    assert len(programme.list_of_cards()) == listed - overdue[10]

    # The NIK of one who is listed was typed wrong: the next day's version exchanges it.
    people = {person["card_number"]: person["nik"] for person in programme.people()}
    card = programme.overdue(8)[0]
    assert listed_niks(programme, people[card], NOBODYS_NIK) == ["listed", "not listed"]
    with programme.acting():
        on = date(2020, 12, 1)
        _, request = corrections.correct(
            [{"card_number": card, "nik": NOBODYS_NIK}], corrected_by="ani", on=on, show=lambda _: None, **WHO
        )
        assert request
        corrections.decide(request, "siti", on, is_approved=True, because="the document says so")
    played(programme, "2020-12-01", "2021-01-31")
    assert listed_niks(programme, people[card], NOBODYS_NIK) == ["not listed", "listed"]

    # The rest, as it was.
    played(programme, "2021-02-01", "2021-12-05")
    found = programme.cohorts()
    assert {row["status"] for row in found.values()} == {"decided"}
    bought = {9: 3}  # gelombang 10 stays as it was decided: nobody is decided anew once somebody was revoked
    for cohort, truth in programme.world.truths.items():
        row = found[cohort]
        assert (row["selected"], row["held"], row["excluded"]) == (truth["selected"], 0, 0)
        assert row["purchased"] == truth["purchased"] + bought.get(cohort, 0)
        assert row["overdue"] == overdue[cohort] - bought.get(cohort, 0)
        assert (row["missing_feeds"], row["reinstatements_proposed"], row["cases"]) == ([], 0, 0)
    # The corrected one is found by the NIK in force, and so not by the roster's.
    stay = {each for cohort in overdue for each in programme.overdue(cohort)[bought.get(cohort, 0) :]}
    assert {*programme.list_of_cards()} == stay - {card, *programme.overdue(10)}
    assert programme.run("blacklist", "verify").returncode == 0
    assert programme.run("audit", "verify").returncode == 0

    # Their stories are those that were played.
    revoked_and_listed = ["selected", "decided", "approved", "revoked", "listed"]
    assert told(programme, card) == [
        *revoked_and_listed, "correction_proposed", "corrected", "listed", "withdrawn_from_list",
    ]  # fmt: skip
    spared, reinstated = programme.overdue(9)[0], programme.overdue(10)[3]
    assert told(programme, spared) == ["selected", "deadline_extended", "paid", "decided"]
    assert told(programme, reinstated) == [
        *revoked_and_listed, "deadline_extended", "reinstatement_proposed", "approved", "reinstated",
        "withdrawn_from_list",
    ]  # fmt: skip
    logs = "\n".join(
        path.read_text(errors="replace") for path in (programme.home / "logs").rglob("*") if path.is_file()
    )
    assert leaked([card, NOBODYS_NIK, people[card]], logs) == []


def played(programme: Programme, first: str, last: str, fails: str | None = None) -> None:
    """Play days, at most thirty at once: a command is waited for no longer than ten minutes."""
    day, end = date.fromisoformat(first), date.fromisoformat(last)
    said = ""
    while day <= end:
        until = min(end, day + timedelta(days=29))
        done = programme.run("replay", "--from", f"{day}", "--to", f"{until}", "--approve-as", "Siti")
        assert fails or done.returncode == 0, done.stderr
        said, day = said + done.stderr, until + timedelta(days=1)
    assert (fails or "") in said


def revoked(programme: Programme, *cohorts: int) -> list[int]:
    found = programme.cohorts()
    return [found[cohort]["revoked"] for cohort in cohorts]


def listed_niks(programme: Programme, *niks: str) -> list[str]:
    return programme.run("blacklist", "check", given="\n".join(niks)).stdout.split("\n")[:-1]


def told(programme: Programme, card: str) -> list[str]:
    """The events of a person's story in order, without reminders."""
    answer = json.loads(programme.run("explain", "-", "--json", given=card).stdout)
    return [event["what"] for event in answer["events"] if event["what"] != "reminded"]
