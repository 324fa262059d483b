"""The commands with which people intervene: what they print, and what they never repeat."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from prakerja import warehouse
from prakerja.calendar import Cohort
from prakerja.cli import app
from prakerja.errors import PrakerjaError
from prakerja.revocations import decision
from prakerja.revocations.decision import BlockedError
from tests.support.small_cohort import DECIDED_ON, card, carry_out, revoked

WHO = ["--because", "flood in NTT", "--as", "Ani"]


def run(*arguments: str, given: str | None = None) -> Any:
    return CliRunner().invoke(app, list(arguments), input=given)


def said(*arguments: str, given: str | None = None) -> str:
    result = run(*arguments, given=given)
    assert result.exit_code == 0, (result.output, result.exception)
    assert card(1) not in result.output
    return str(result.output)


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code != 0
    told = str(result.exception) if isinstance(result.exception, PrakerjaError) else str(result.output)
    assert "Traceback" not in told
    assert card(1) not in told
    return told


def test_a_freeze_from_start_to_lift(cohort: Cohort) -> None:
    told = said("freeze", "start", "--cohort", "12", "--from", "2021-03-15", "--to", "2021-03-20", *WHO)
    assert told == "freeze 1: nobody of gelombang-12 is revoked from 2021-03-15 to 2021-03-20\n"
    assert "flood in NTT" in said("freeze")
    assert said("freeze", "lift", "1", *WHO) == "freeze 1 is lifted\n"
    (freeze,) = json.loads(said("freeze", "list", "--json"))
    assert (freeze["frozen_by"], freeze["lifted_by"]) == ("ani", "ani")
    assert "before it starts" in refused("freeze", "start", "--from", "2021-03-15", "--to", "2021-03-10", *WHO)
    assert "cohort 99 is not in the calendar" in refused("freeze", "start", "--cohort", "99", *WHO)


def test_a_card_comes_by_standard_input_where_no_list_of_processes_has_it(cohort: Cohort) -> None:
    for arguments in (
        ["suspend", "start", "-", "--on", "2021-03-10", *WHO],
        ["suspend", "lift", "-", "--on", "2021-03-12", *WHO],
        ["withdraw", "-", "--on", "2021-03-17", *WHO],
        ["reminders", "opt-out", "-", "--as", "ani"],
    ):
        said(*arguments, given=f"{card(1)}\n")
    carry_out(cohort)
    assert "appeal 1 is open" in said(
        "appeal", "open", "-", "--text-file", "-", "--as", "ani", given=f"{card(1)}\nSaya sudah\nmembeli.\n"
    )
    (appeal,) = json.loads(said("appeal", "list", "--json"))
    assert appeal["text"].split() == ["Saya", "sudah", "membeli."]
    assert "standard input is empty" in refused("holds", "resolve", "-", "--purchased", *WHO)


def test_suspending_lifting_withdrawing(cohort: Cohort) -> None:
    assert said("suspend", "start", card(1), "--on", "2021-03-10", *WHO) == "suspended from 2021-03-10 on\n"
    assert "already suspended" in refused("suspend", "start", card(1), "--on", "2021-03-11", *WHO)
    assert said("suspend", "lift", card(1), "--on", "2021-03-12", *WHO) == "the suspension ends on 2021-03-12\n"
    assert said("withdraw", card(1), "--on", "2021-03-12", *WHO) == "withdrawn from 2021-03-12 on\n"
    assert "already withdrawn" in refused("withdraw", card(1), *WHO)
    assert decision.decide(cohort, DECIDED_ON).excluded == 1


def test_an_override_names_what_stops_it_and_is_written_down(cohort: Cohort) -> None:
    assert "no breaker stops it" in refused("override", "12")
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "delete from deliveries where platform = 'sisnaker' and business_date = '2021-03-10'"
        )
    with pytest.raises(BlockedError):
        decision.decide(cohort, DECIDED_ON)
    told = said("override", "12")
    assert "gelombang-12 is stopped: feeds_missing: sisnaker 2021-03-10" in told
    attempt = told.split("--attempt ")[1].split()[0]
    assert "an override needs attempt, reason and person" in refused("override", "12", "--attempt", attempt)
    assert "ani overrides the breaker of gelombang-12" in said("override", "12", "--attempt", attempt, *WHO)
    assert "overridden by ani" in said("override", "12")


def test_what_is_said_of_people_carries_no_number(cohort: Cohort) -> None:
    for because in ("card 1000000000000001 bought", "called 081234567890"):
        told = refused("suspend", "start", card(2), "--because", because, "--as", "Ani")
        assert told == "--because and --as are shown to others: leave out cards, NIKs and phone numbers"
    assert "give a reason and a person" in refused("withdraw", card(2), "--because", " ", "--as", "Ani")


def test_the_log_is_verified_and_shown(cohort: Cohort) -> None:
    carry_out(cohort)
    assert "entries are whole and in order" in said("audit", "verify")
    assert "2 revocations" in said("audit", "list")
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql("delete from revocations where recipient_id = 1")
    result = run("audit", "verify")
    assert result.exit_code == 1
    assert "sealed 2 rows, found 1" in result.stderr
    assert revoked() == [2]


def test_the_states_are_drawn(home: object) -> None:
    assert "overdue --> revoked" in said("db", "states")
