"""A command says which warehouse it works on: on standard error, once, and always where it writes."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from prakerja import warehouse
from prakerja.acting import WarehouseLine, warehouse_line
from prakerja.calendar import Cohort
from prakerja.errors import PrakerjaError
from prakerja.revocations import approval, decision, freezes, revocation
from tests.support.small_cohort import DECIDED_ON, card, carry_out

Run = Callable[..., subprocess.CompletedProcess[str]]

WHO = ("--because", "an earthquake", "--as", "ani")
EMPTY = "; it has no roster and no delivery yet"
READING = [
    "cohorts", "feeds", "feeds quarantine", "feeds docs", "holds", "freeze", "appeal list", "reminders",
    "reminders unreachable", "report", "correct", "blacklist approve", "keys", "db states",
    "audit verify", "audit list", f"explain {card(1)}",
]  # fmt: skip
WRITING = [
    "freeze start --because flood --as ani", f"suspend start {card(1)} --because fraud --as ani",
    f"withdraw {card(1)} --because left --as ani", f"reminders opt-out {card(1)} --as ani",
    "reminders preview 12 --on 2021-03-06",  # it refreshes the evidence
    "keys create registration --scope check --as ani", "db upgrade", "db reseal",
]  # fmt: skip
CORRECTION = json.dumps({"card_number": card(1), "phone": "081200000000"})


def named(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines that name the warehouse, after the exit code was checked."""
    assert done.returncode == 0, done.stderr
    assert "warehouse: " not in done.stdout
    return [line for line in done.stderr.splitlines() if line.startswith("warehouse: ")]


def test_a_home_that_was_set_is_named_and_standard_output_stays_json(
    cohort: Cohort, session_home: Path, run: Run
) -> None:
    done = run("cohorts", "--json")
    assert {row["cohort"] for row in json.loads(done.stdout)} == {12, 13}
    assert done.stderr.splitlines()[0] == f"warehouse: embedded, in {session_home}"
    assert len(named(done)) == 1


@pytest.mark.parametrize("command", READING)
def test_the_default_warehouse_is_not_named_by_a_command_that_reads(by_default: Path, run: Run, command: str) -> None:
    assert named(run(*command.split())) == []


@pytest.mark.parametrize("command", WRITING)
def test_a_command_that_writes_names_the_default_warehouse(by_default: Path, run: Run, command: str) -> None:
    assert named(run(*command.split())) == [f"warehouse: embedded, in {by_default}"]


def test_a_command_that_shows_without_options_and_writes_with_them(cohort: Cohort, by_default: Path, run: Run) -> None:
    """What a command does depends on its options: nothing that is declared for a command could tell."""
    line = [f"warehouse: embedded, in {by_default}"]
    assert named(run("correct")) == []
    assert named(run("correct", "-", *WHO, given=CORRECTION)) == line
    assert named(run("correct", "-", *WHO, given=CORRECTION)) == [], "the correction is in force already"
    made = decision.decide(cohort, DECIDED_ON)
    with warehouse.transaction("decide") as connection:
        batch = approval.propose(connection, made, "revocation", DECIDED_ON, revocation.PROPOSER)
    assert named(run("approve", "12")) == []
    assert named(run("approve", "12", "--digest", batch.digest, "--as", "ani")) == line


def test_a_refused_command_has_written_nothing(by_default: Path, run: Run) -> None:
    refused = run("suspend", "start", card(999), *WHO)
    assert (refused.returncode, refused.stderr) == (1, "no roster has this card: check the number\n")


def test_a_server_is_named_by_what_is_connected_without_its_secrets(
    cohort: Cohort, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = warehouse.url()
    with_secret = address.set(drivername="postgresql").update_query_dict({"sslpassword": "hush"})
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", with_secret.render_as_string(hide_password=False))
    done = run("freeze", "start", *WHO)
    folder = address.query["host"]
    assert named(done) == [f"warehouse: warehouse_operator@{folder}:5432/warehouse"]
    assert done.stderr.count("\n") == 1
    assert "hush" not in done.stderr
    assert str(address.password) not in done.stderr


def test_a_warehouse_without_anything_says_so(own_server: Path, run: Run) -> None:
    line = f"warehouse: embedded, in {own_server.parent}{EMPTY}\n"
    frozen = run("freeze", "start", *WHO)
    assert (frozen.returncode, frozen.stderr) == (0, line)
    refused = run("suspend", "start", card(1), *WHO)
    assert (refused.returncode, refused.stderr) == (1, f"{line}no roster has this card: check the number\n")


def test_the_default_warehouse_is_named_while_it_has_nothing(
    own_server: Path, make_default: Callable[[Path], Path], run: Run
) -> None:
    home = make_default(own_server.parent)
    assert named(run("cohorts")) == [f"warehouse: embedded, in {home}{EMPTY}"]


def test_a_login_that_may_read_no_roster_is_told_whether_there_is_one(
    own_server: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = warehouse.url(login="warehouse_service").set(drivername="postgresql")
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", address.render_as_string(hide_password=False))
    done = run("db", "states")
    assert done.stderr.startswith(f"warehouse: warehouse_service@{address.query['host']}:5432/warehouse{EMPTY}\n")


def test_a_table_that_an_upgrade_has_locked_stops_no_command_that_does_not_read_it(own_server: Path, run: Run) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("lock table rosters in access exclusive mode")
        assert named(run("freeze")) == [f"warehouse: embedded, in {own_server.parent}"]


def test_a_command_that_opens_no_warehouse_names_none(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRAKERJA_HOME", str(tmp_path / "none"))
    for command in (["--help"], ["--version"], ["freeze", "--help"], ["settings"], ["reminders", "answers"]):
        assert named(run(*command)) == []
    assert not (tmp_path / "none" / "postgres").exists()


@pytest.mark.parametrize(
    "use",
    [
        lambda: warehouse.transaction(None),
        lambda: warehouse.transaction(one_snapshot=True),
        lambda: warehouse.transaction(as_owner=True),
        lambda: warehouse.exclusive("monitor"),
        warehouse.plain_session,
        lambda: contextlib.nullcontext(warehouse.write_in_one_snapshot("decide", lambda _: None)),
        lambda: contextlib.nullcontext(warehouse.is_empty("warehouse")),
    ],
)
def test_whatever_uses_the_warehouse_first_names_it(
    home: Path, session_home: Path, use: Callable[[], contextlib.AbstractContextManager[object]]
) -> None:
    said: list[str] = []
    token = warehouse_line.set(WarehouseLine(said.append))
    try:
        for _ in range(2):
            with use():
                assert said == [f"warehouse: embedded, in {session_home}"]
    finally:
        warehouse_line.reset(token)


def test_only_the_command_line_names_it(cohort: Cohort, capfd: pytest.CaptureFixture[str]) -> None:
    carry_out(cohort)
    freezes.freeze(None, DECIDED_ON, None, because="an earthquake", frozen_by="Ani", on=DECIDED_ON)
    with pytest.raises(PrakerjaError):
        freezes.lift(999, because="over", lifted_by="Ani", on=date(2021, 3, 16))
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
