"""The schema: the same from nothing and from an older warehouse; every upgrade applies what is defined."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from prakerja import schema, warehouse
from prakerja.schema import Definition

RULES = ("transitions", "message_transitions", "audited")


def dump(*arguments: str) -> list[str]:
    """Return what pg_dump says of the configured warehouse, line by line."""
    url = warehouse.url().set(drivername="postgresql").render_as_string(hide_password=False)
    command = [str(warehouse.program_of_server("pg_dump")), f"--dbname={url}", "--no-owner", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if not line.startswith("\\")]


def as_owner(statement: str) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(statement)


def body_of(function: str) -> str:
    with warehouse.transaction() as connection:
        return str(connection.exec_driver_sql("select prosrc from pg_proc where proname = %s", (function,)).scalar())


def to_history(revision: str) -> None:
    """Bring the empty warehouse to a revision of before the baseline."""
    from alembic import command

    history = schema._config(schema.HISTORY)
    with warehouse.transaction(as_owner=True) as connection:
        history.attributes["connection"] = connection
        command.upgrade(history, revision)


@pytest.mark.parametrize("earlier", ["0001", "0012", "0015"])
def test_a_new_warehouse_and_an_older_one_come_to_the_same_schema(
    new_database: Callable[[str], None], earlier: str
) -> None:
    new_database("made_new")
    schema.upgrade()
    new = [dump("--schema-only"), *(sorted(dump("--data-only", "--inserts", f"--table={table}")) for table in RULES)]
    new_database("made_older")
    to_history(earlier)
    assert schema.revision() == earlier
    assert schema.upgrade() == schema.revision() == schema.newest_revision()
    older = [dump("--schema-only"), *(sorted(dump("--data-only", "--inserts", f"--table={table}")) for table in RULES)]
    assert older == new
    assert len(new[0]) > 1000


def test_an_upgrade_again_changes_nothing(new_database: Callable[[str], None]) -> None:
    new_database("twice")
    schema.upgrade()
    before = dump()
    with warehouse.transaction() as connection:
        numbers = "select proname, oid from pg_proc where pronamespace = 'public'::regnamespace order by 1"
        functions = connection.exec_driver_sql(numbers).all()
    schema.upgrade()
    assert dump() == before
    with warehouse.transaction() as connection:
        assert connection.exec_driver_sql(numbers).all() == functions, "whoever calls one meanwhile is not disturbed"


def test_a_change_by_hand_is_undone_by_an_upgrade(new_database: Callable[[str], None]) -> None:
    new_database("by_hand")
    schema.upgrade()
    before = dump()
    as_owner(
        "create or replace function outcome_of(because text) returns outcome language sql return 'overdue'::outcome"
    )
    as_owner("drop trigger refuse_unknown_batch on revocations")
    as_owner("alter table revocations alter column entry drop default")
    assert dump() != before
    schema.upgrade()
    assert dump() == before


def test_changed_and_removed_definitions_replace_what_was(
    new_database: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where PostgreSQL would refuse to replace it: other arguments, another result, others that depend on it."""
    new_database("changed")
    today = schema.load_definitions()

    def apply(*more: tuple[str, str, str]) -> None:
        monkeypatch.setattr(schema, "load_definitions", lambda: [*today, *(Definition(*each) for each in more)])
        schema.upgrade()

    apply(
        ("first", "function", "create or replace function first(a integer) returns integer language sql return a"),
        ("second", "function", "create or replace function second() returns integer language sql return first(1)"),
        ("seen", "view", "create or replace view seen as select second() as number"),
    )
    apply(
        ("first", "function", "create or replace function first(b text) returns text language sql return b"),
        ("seen", "view", "create or replace view seen as select first('x') as letter"),
    )
    with warehouse.transaction() as connection:
        assert connection.exec_driver_sql("select letter from seen").scalar() == "x"
        found = "select oid::regprocedure::text from pg_proc where proname in ('first', 'second')"
        assert connection.exec_driver_sql(found).scalars().all() == ["first(text)"]
    apply()
    with warehouse.transaction() as connection:
        assert connection.exec_driver_sql("select to_regclass('seen'), to_regproc('first')").one() == (None, None)


def test_a_function_of_another_owner_stays(new_database: Callable[[str], None]) -> None:
    new_database("not_ours")
    schema.upgrade()
    as_owner("create function reported_weekly() returns integer language sql as 'select 7'")
    schema.upgrade()
    assert body_of("reported_weekly") == "select 7"


def test_a_migration_meets_no_function_that_pins_its_columns(new_database: Callable[[str], None]) -> None:
    new_database("migrating")
    schema.upgrade()
    with warehouse.transaction(as_owner=True) as connection:
        schema._drop_outdated(connection, [])
        left = connection.exec_driver_sql(
            "select proname from pg_proc where pronamespace = 'public'::regnamespace order by 1"
        ).scalars()
        assert [*left] == [
            "current_entry", "note_fact", "note_live", "refuse_approval", "refuse_illegal_message_transition",
            "refuse_illegal_transition", "refuse_own_correction", "refuse_suspended", "refuse_taken_nik",
            "refuse_unapproved", "refuse_unknown_batch", "refuse_unread",
        ], "what tables hang on"  # fmt: skip
        connection.exec_driver_sql("alter table quarantine drop column might_be")
    with pytest.raises(warehouse.RefusedError):
        schema.upgrade()  # that a function needs what was dropped is told at once, not when it is called
