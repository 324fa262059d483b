"""A number or an address that is none needs a person: counted under what does, until it is corrected or too late."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta

import pytest
from typer.testing import CliRunner

from prakerja.cli import app
from prakerja.monitor import figures, overview
from prakerja.settings import WIB
from tests.support.corrections import correct
from tests.support.leaks import leaked
from tests.support.reminder_desk import NINE, Desk, person, phone

NUMBER, OTHER, ADDRESS = f"{phone(678)}a", "08l234567890", "siti@x@example"
CARD = f"{10**15 + 1}"
TOLD = (
    "gelombang 12: 2 phone numbers and 1 e-mail address are invalid and cannot be written to: see "
    "`prakerja reminders unreachable 12`, then `prakerja correct`"
)


def needs(now: datetime = NINE) -> list[overview.ActionItem]:
    """What needs a person because of contacts, as the first page tells it after a run has counted."""
    figures.refresh(now)
    return [need for need in overview.page(now)["needs"] if "cannot be written to" in need.what]


def asked(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["reminders", "unreachable", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def send(desk: Desk) -> None:
    """Two numbers and an address that are none, of whom one is reached by e-mail, and somebody who is well."""
    desk.roster(
        [
            person(1, NUMBER),
            person(2, OTHER, "b@x.example"),
            person(3, email=ADDRESS),
            person(4, phone(4)),
        ]
    )
    desk.until_done()


def test_they_are_counted_until_they_are_corrected_or_the_deadline_has_passed(desk: Desk) -> None:
    send(desk)
    assert [(need.what, need.path, need.is_urgent) for need in needs()] == [(TOLD, "cohorts/12", True)]
    correct({"card_number": CARD, "phone": phone(9)})
    (need,) = needs()
    assert need.what.startswith("gelombang 12: 1 phone number and 1 e-mail address are invalid")
    correct({"card_number": f"{10**15 + 3}", "email": "siti@x.example"})
    (need,) = needs()
    assert need.what.startswith("gelombang 12: 1 phone number is invalid")
    last = datetime(2021, 3, 13, 23, 59, tzinfo=WIB)
    assert needs(last)
    assert not needs(last + timedelta(minutes=1))


def test_they_are_listed_for_correction(desk: Desk) -> None:
    send(desk)
    shown = asked("12")
    assert "3 contacts are invalid" in shown
    assert CARD not in shown
    rows = json.loads(asked("--json", "--unmask"))
    assert [(row["cohort"], row["card"], row["what"]) for row in rows] == [
        (12, CARD, "phone"),
        (12, f"{10**15 + 2}", "phone"),
        (12, f"{10**15 + 3}", "email"),
    ]
    for number in (1, 2):
        correct({"card_number": f"{10**15 + number}", "phone": phone(number)})
    assert [row["what"] for row in json.loads(asked("--json"))] == ["email"]


def test_nothing_shows_the_number(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    from prakerja import tasks
    from prakerja.run_context import RunContext

    with caplog.at_level(logging.DEBUG):
        send(desk)
        about = RunContext.from_cohort_run("gelombang-12__H-7__2021-03-06", {}, NINE)
        desk.send(NINE + timedelta(minutes=5))
        outputs = [need.what for need in needs()]
        outputs += [tasks.summaries.summarize_cohort(about), asked(), asked("--json", "--unmask"), caplog.text]
        outputs.append(json.dumps(figures.load_figures()[12].counts))
    people = [NUMBER, OTHER, ADDRESS, NUMBER.rstrip("a"), phone(4), "Putri Nama1"]
    assert leaked(people, "\n".join(outputs)) == []
