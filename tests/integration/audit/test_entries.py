"""An entry names the login, whatever the caller claims. Nobody can join or spoil the entry of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from prakerja import warehouse
from prakerja.blacklist.publisher import audit
from prakerja.calendar import Cohort
from prakerja.cli import app
from tests.support.audit_log import as_owner, pick, problems

Login = Callable[[str], psycopg.Connection]

OPT_OUT = (
    "insert into opt_outs (recipient_id, channel, is_opted_out, chosen_on, recorded_by{})"
    " values (1, 'sms', true, '2021-03-10', 'x'{})"
)
ADD = OPT_OUT.format("", "")


def add_into(entry: int) -> str:
    """Return the statement that adds a fact to a chosen entry."""
    return OPT_OUT.format(", entry", f", {entry}")


def act_as(connection: psycopg.Connection, actor: str) -> None:
    connection.execute("select set_config('prakerja.actor', %s, false)", [actor])


def last_entry() -> Any:
    with warehouse.transaction("publish") as connection:
        warehouse.execute(connection, "blacklist/seal_entries")
    return audit.list_entries(1)[0]


def test_a_login_that_says_it_is_somebody_else_is_shown_with_its_own_login(cohort: Cohort, login: Login) -> None:
    receipts = login("receive")
    act_as(receipts, "Siti Rahma")
    receipts.execute("set role prakerja_receive")
    receipts.execute(ADD)
    (number,) = receipts.execute("select pg_current_xact_id()::text").fetchone() or ()
    receipts.commit()
    entry = last_entry()
    assert (entry["actor"], entry["login"], entry["role"]) == ("Siti Rahma", "login_receive", "prakerja_receive")
    assert entry["xact_id"] == number
    assert problems() == ""
    shown = CliRunner().invoke(app, ["audit", "list", "--last", "1"]).stdout.splitlines()[-2]
    assert "login_receive" in shown
    assert shown.index("login_receive") < shown.index("Siti Rahma")


def test_a_login_without_a_role_is_shown_as_itself(cohort: Cohort, login: Login) -> None:
    receipts = login("receive")
    receipts.execute(ADD)
    receipts.commit()
    entry = last_entry()
    assert [entry["actor"], entry["login"], entry["role"]] == ["login_receive"] * 3


@pytest.mark.parametrize("column", ["actor", "login", "role", "xact_id"])
def test_who_wrote_an_entry_is_under_its_hash(cohort: Cohort, login: Login, column: str) -> None:
    receipts = login("receive")
    receipts.execute(ADD)
    receipts.commit()
    position = last_entry()["position"]
    as_owner(f"update audit_log set {column} = '77' where position = {position}")
    assert problems() == f"position {position} of the log was edited"


@pytest.mark.parametrize("duty", ["receive", "decide"])
def test_nobody_joins_an_open_entry(cohort: Cohort, login: Login, duty: str) -> None:
    siti, other = login("remind"), login(duty)
    act_as(siti, "Siti Rahma")
    siti.execute(ADD)
    siti.commit()
    ((hers,),) = pick("select entry from audit_pending where actor = 'Siti Rahma'")
    withdraw = (
        "insert into withdrawals (recipient_id, because, recorded_by, withdrawn_on, entry)"
        f" values (2, 'x', 'x', '2021-03-10', {hers})"
    )
    with pytest.raises(psycopg.errors.CheckViolation, match="in the entry of its own transaction"):
        other.execute(add_into(hers) if duty == "receive" else withdraw)
    other.rollback()
    assert [value["rows"] for value in last_entry()["facts"].values()] == [1]
    assert problems() == ""


def test_a_sealed_entry_cannot_be_named(cohort: Cohort, login: Login) -> None:
    receipts = login("receive")
    for (entry,) in pick("select entry from audit_log"):
        with pytest.raises(psycopg.errors.CheckViolation, match="in the entry of its own transaction"):
            receipts.execute(add_into(entry))
        receipts.rollback()
    assert problems() == ""


@pytest.mark.parametrize("which", ["open", "sealed"])
def test_the_setting_prakerja_entry_has_no_effect(cohort: Cohort, login: Login, which: str) -> None:
    siti, receipts = login("remind"), login("receive")
    siti.execute(ADD)
    siti.commit()
    table = {"open": "audit_pending", "sealed": "audit_log"}[which]
    ((entry,),) = pick(f"select max(entry) from {table}")
    receipts.execute(f"set prakerja.entry = {entry}")
    receipts.execute(ADD)
    receipts.commit()
    assert last_entry()["login"] == "login_receive"
    assert [row["facts"]["opt_outs"]["rows"] for row in audit.list_entries(2)] == [1, 1]
    assert problems() == ""


def test_a_statement_cannot_mix_entries(cohort: Cohort, login: Login) -> None:
    receipts = login("receive")
    mixed = (
        "insert into opt_outs (recipient_id, channel, is_opted_out, chosen_on, recorded_by, entry)"
        " select 1, 'sms', true, '2021-03-10', 'x', case n when 1 then current_entry() else 1 end"
        " from generate_series(1, 2) as n"
    )
    with pytest.raises(psycopg.errors.CheckViolation):
        receipts.execute(mixed)


def test_what_is_sealed_in_its_own_transaction_gets_nothing_more(cohort: Cohort, login: Login) -> None:
    sender = login("remind")
    sender.execute(ADD)
    sender.execute("select seal_entries()")
    sender.execute(ADD)
    sender.commit()
    last_entry()
    assert [row["facts"]["opt_outs"]["rows"] for row in audit.list_entries(2)] == [1, 1]
    assert problems() == ""


@pytest.mark.parametrize(
    "statement",
    [
        f"{ADD} returning seal_entries()",
        "insert into opt_outs (recipient_id, channel, is_opted_out, chosen_on, recorded_by)"
        " select 1, 'sms', true, '2021-03-10', case n when 1 then 'x' else 'x' || seal_entries()::text end"
        " from generate_series(1, 2) as n",
    ],
    ids=["after its row", "between two rows"],
)
def test_a_statement_that_seals_its_own_entry_is_refused(cohort: Cohort, login: Login, statement: str) -> None:
    sender = login("remind")
    sender.execute(ADD)
    with pytest.raises(psycopg.errors.CheckViolation, match="in the entry of its own transaction"):
        sender.execute(statement)
    sender.rollback()
    assert problems() == ""


def test_each_role_of_a_transaction_has_an_entry_of_its_own(cohort: Cohort) -> None:
    with warehouse.transaction("remind") as connection:
        connection.exec_driver_sql(ADD)
        connection.exec_driver_sql("set local role prakerja_receive")
        connection.exec_driver_sql(ADD)
    roles = [(row["role"], row["facts"]["opt_outs"]["rows"]) for row in audit.list_entries(2)]
    assert sorted(roles) == [("prakerja_receive", 1), ("prakerja_remind", 1)]
    assert problems() == ""


def test_a_savepoint_that_is_rolled_back_takes_its_entry_along(cohort: Cohort, login: Login) -> None:
    receipts = login("receive")
    receipts.execute("savepoint s")
    receipts.execute(ADD)
    receipts.execute("rollback to s")
    receipts.execute(ADD)
    receipts.execute(ADD)
    receipts.commit()
    assert last_entry()["facts"]["opt_outs"]["rows"] == 2
    assert problems() == ""


def test_settings_of_the_sealing_session_change_no_digest(cohort: Cohort, login: Login) -> None:
    sender = login("remind")
    for setting in (
        "timezone = 'Asia/Jakarta'", "datestyle = 'German'", "intervalstyle = 'sql_standard'",
        "bytea_output = 'escape'", "standard_conforming_strings = off", "extra_float_digits = -15",
        "quote_all_identifiers = on", "transform_null_equals = on", "work_mem = '64kB'",
    ):  # fmt: skip
        sender.execute(f"set {setting}")
    as_owner("delete from audit_log", *(f"delete from {fact}" for (fact,) in pick("select fact from audited")))
    sender.execute(ADD)
    sender.execute("select seal_entries()")
    sender.commit()
    assert pick("select count(*) from audit_log") == [(1,)]
    assert problems() == ""


def test_a_row_that_is_too_large_for_a_digest_is_refused(cohort: Cohort, login: Login) -> None:
    receipts = login("receive")
    with pytest.raises(psycopg.errors.CheckViolation, match="at most a megabyte"):
        receipts.execute(ADD.replace("'x'", "repeat('x', 1000000)"))


def test_an_actor_that_would_command_a_terminal_is_shown_without_it(cohort: Cohort, login: Login) -> None:
    receipts = login("receive")
    act_as(receipts, "\x1b[2Ka[red]b")
    receipts.execute(ADD)
    receipts.commit()
    last_entry()
    shown = CliRunner().invoke(app, ["audit", "list", "--last", "1"]).stdout
    assert r"\x1b[2Ka[red]b" in shown
    assert "\x1b" not in shown


def test_a_long_actor_is_cut(cohort: Cohort, login: Login) -> None:
    receipts = login("receive")
    act_as(receipts, "x" * 100_000)
    receipts.execute(ADD)
    receipts.commit()
    assert last_entry()["actor"] == "x" * 500


def test_a_temporary_table_cannot_add_facts_to_the_log(cohort: Cohort, login: Login) -> None:
    """Otherwise sealing would look for its rows for ever, and fail for everybody."""
    intake = login("ingest")
    intake.execute("create temporary table invented (entry bigint)")
    intake.execute(
        "create trigger note_fact after insert on invented referencing new table as added"
        " for each statement execute function note_fact()"
    )
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not a table of the audit log"):
        intake.execute("insert into invented values (current_entry())")
    intake.rollback()
    assert problems() == ""


def test_an_entry_that_was_restored_is_not_that_of_the_transaction_with_its_number(cohort: Cohort) -> None:
    """A restored warehouse counts transactions from the start, and may have unsealed entries of a backup."""
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "insert into audit_pending (entry, actor, login, role, xact_id, began_at)"
            " values (-7, 'Siti Rahma', 'x', 'prakerja_remind', pg_current_xact_id(), '2021-03-01')"
        )
        connection.exec_driver_sql("set local role prakerja_remind")
        connection.exec_driver_sql(ADD)
    assert (last_entry()["actor"], last_entry()["login"]) != ("Siti Rahma", "x")
    assert problems() == ""
