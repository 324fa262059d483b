"""The owner of the warehouse can create any function, view, operator and type: the verification uses none of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prakerja import schema, warehouse
from prakerja.blacklist.publisher import audit
from prakerja.cli import app
from prakerja.errors import PrakerjaError
from prakerja.revocations import freezes
from prakerja.warehouse import transactions
from tests.conftest import as_superuser
from tests.support.audit_log import as_owner, pick, problems, rewrite_log
from tests.support.small_cohort import DECIDED_ON

APPROVE_ON_THE_SLY = (
    "insert into approvals (decision_id, subject, approved_by, approved_on, is_recorded_in_advance, digest, entry)"
    " select decision_id, subject, 'victim', proposed_on, false, digest, 99 from batches"
)
NOT_THE_TABLE = "is not the table any more that the log was sealed over"


@contextlib.contextmanager
def bent(*statements: str, undo: tuple[str, ...]) -> Iterator[None]:
    """Change the warehouse as its owner, until the context ends. Earlier sessions are closed."""
    try:
        as_owner(*statements)
        warehouse.close_connections()
        yield
    finally:
        warehouse.close_connections()
        with as_superuser(database="warehouse") as server:
            server.execute("set role warehouse")
            for statement in undo:
                server.execute(statement)
        schema.upgrade()


# -- functions, operators, types ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        "convert_to(t text, e text) returns bytea language sql immutable"
        " return pg_catalog.convert_to(replace(t, 'victim', 'siti'), 'UTF8'::name)",
        "encode(d bytea, f text) returns text language sql immutable"
        " return (select value -> 'sha256' ->> 0 from jsonb_each((select facts from audit_log limit 1)))",
    ],
    ids=["convert_to", "encode"],
)
def test_functions_of_the_owners_are_not_run(told: Path, function: str) -> None:
    as_owner("update approvals set approved_by = 'victim'")
    name = function.partition("(")[0]
    with bent(f"create function public.{function}", undo=(f"drop function public.{name}",)):
        assert "approvals of position" in problems()


def test_an_operator_of_the_owners_is_not_run(told: Path) -> None:
    as_owner(APPROVE_ON_THE_SLY.replace("'victim'", "'budi'"))
    with bent(
        "alter table approvals alter entry drop default",
        "alter table approvals alter entry type numeric",
        "create function public.same(bigint, numeric) returns boolean language sql immutable return true",
        "create operator public.= (leftarg = bigint, rightarg = numeric, function = public.same)",
        undo=(
            "drop operator public.= (bigint, numeric)",
            "drop function public.same",
            "alter table approvals alter entry type bigint",
        ),
    ):
        assert f"approvals {NOT_THE_TABLE}: its column entry is numeric, not bigint" in problems()
    assert "1 rows of approvals are in no entry of the log" in problems()


def test_a_text_whose_order_or_sameness_the_owner_chose_is_not_believed(told: Path) -> None:
    with bent(
        'alter table waivers alter because type text collate "C"',
        undo=('alter table waivers alter because type text collate "default"',),
    ):
        assert f"waivers {NOT_THE_TABLE}: its column because has a collation of its own" in problems()


def test_a_column_that_is_computed_is_not_believed(told: Path) -> None:
    with bent(
        "alter table waivers rename because to because_of",
        "alter table waivers add column because text generated always as ('x') virtual",
        undo=("alter table waivers drop column because", "alter table waivers rename because_of to because"),
    ):
        assert f"waivers {NOT_THE_TABLE}: its column because is computed" in problems()


def test_what_sealing_leaves_behind_in_its_session_is_not_read(told: Path) -> None:
    """The function belongs to the owner, and may create a temporary view with the log's name."""
    with bent(
        "create table kept_log as select * from audit_log",
        "alter table kept_log rename column entry to e",
        "grant select on kept_log to prakerja_read",
        "update audit_log set actor = 'nobody' where position = 2",
        "create or replace function public.seal_entries() returns void language plpgsql security definer"
        " set search_path = public, pg_temp as $$ begin"
        " execute 'create temp view audit_log as select position, e as entry, at, actor, facts, previous, hash, login,"
        " role, xact_id from public.kept_log'; execute 'grant select on pg_temp.audit_log to public';"
        " exception when others then null; end $$",
        undo=("drop table kept_log cascade",),
    ):
        assert "position 2 of the log was edited" in problems()


def test_functions_of_the_owners_do_not_begin_a_transaction(told: Path) -> None:
    """This holds even if the owner's schema is searched first."""
    with bent(
        "create function public.set_config(text, text, boolean) returns text language plpgsql"
        " as $$ begin raise exception 'run'; end $$",
        "create function public.left(text, integer) returns text language plpgsql"
        " as $$ begin raise exception 'run'; end $$",
        "alter database warehouse set search_path = public, pg_catalog",
        undo=(
            "alter database warehouse reset search_path",
            "drop function public.set_config",
            "drop function public.left",
        ),
    ):
        assert problems() == ""


def test_a_setting_of_the_database_hides_nothing(told: Path) -> None:
    as_owner("update approvals set approved_by = 'victim'")
    before = problems()
    settings = {
        "search_path": "other, public",
        "datestyle": "'German'",
        "timezone": "'Asia/Jakarta'",
        "standard_conforming_strings": "off",
        "statement_timeout": "1",
        "client_encoding": "'LATIN1'",
        "default_transaction_isolation": "'read committed'",
    }
    with bent(
        *(f"alter database warehouse set {name} = {value}" for name, value in settings.items()),
        undo=tuple(f"alter database warehouse reset {name}" for name in settings),
    ):
        assert problems() == before
        assert before


# -- tables ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "undone", "told_as"),
    [
        (
            ["alter table reinstatements rename entry to e"],
            ["alter table reinstatements rename e to entry"],
            f"reinstatements {NOT_THE_TABLE}: it has no column entry",
        ),
        (
            ["create schema other", "alter table waivers set schema other",
             "create view waivers as select * from other.waivers"],
            ["drop view waivers", "alter table other.waivers set schema public", "drop schema other"],
            f"waivers {NOT_THE_TABLE}: it is a view",
        ),
        (
            ["alter table waivers rename to other_waivers"],
            ["alter table other_waivers rename to waivers"],
            f"waivers {NOT_THE_TABLE}: it is not there",
        ),
        (
            ["create table more () inherits (revocations)"],
            ["drop table more"],
            f"revocations {NOT_THE_TABLE}: it inherits, or is inherited from",
        ),
        (
            ["create table everything (entry bigint)",
             "alter table waivers inherit everything"],
            ["alter table waivers no inherit everything", "drop table everything"],
            f"waivers {NOT_THE_TABLE}: it inherits, or is inherited from",
        ),
        (
            ["alter table waivers enable row level security"],
            ["alter table waivers disable row level security"],
            f"waivers {NOT_THE_TABLE}: it has row-level security",
        ),
        (
            ["alter table waivers add column more integer default 7"],
            ["alter table waivers drop column more"],
            f"waivers {NOT_THE_TABLE}: it has a column more, which is not of this version",
        ),
        (
            ["alter table published_lists rename to other_lists", "create view published_lists as table other_lists"],
            ["drop view published_lists", "alter table other_lists rename to published_lists"],
            "published_lists is not the table any more that this version reads: it is a view",
        ),
        (
            ["alter table audit_log rename to other_log", "create view audit_log as table other_log",
             "grant select on audit_log to prakerja_read"],
            ["drop view audit_log", "alter table other_log rename to audit_log"],
            "audit_log is not the table any more that this version reads: it is a view",
        ),
    ],
    ids=["a column lacks", "a view", "not there", "a child", "a parent", "row-level security", "one column more",
         "published_lists", "audit_log"],
)  # fmt: skip
def test_an_unexpected_table_is_reported(told: Path, made: list[str], undone: list[str], told_as: str) -> None:
    with bent(*made, undo=tuple(undone)):
        assert told_as in problems().splitlines()


def test_the_expected_tables_are_those_of_the_schema(home: Path) -> None:
    """A migration that changes a table of facts must change what the verification expects."""
    from prakerja.blacklist.publisher import audited_tables

    expected = audited_tables.expected_tables()
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in pick(
        "select c.relname, a.attname, replace(format_type(a.atttypid, a.atttypmod), 'outcome', 'public.outcome')"
        " from pg_class as c join pg_attribute as a on a.attrelid = c.oid"
        " where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped"
        " order by c.relname, a.attnum"
    ):
        found.setdefault(table, {})[column] = kind
    facts = {table: columns for table, columns in found.items() if "entry" in columns and not table.startswith("audit")}
    assert {name: dict(table.columns) for name, table in expected.items() if table.is_fact} == facts
    assert {name: list(table.ordered_by) for name, table in expected.items() if table.is_fact} == dict(
        pick("select fact, ordered_by from audited")
    )
    for name, table in expected.items():
        assert dict(table.columns).items() <= found[name].items()
    for name, values in audited_tables.expected_types().items():
        assert [value for (value,) in pick(f"select unnest(enum_range(null::{name}))::text")] == list(values)


def test_the_table_of_audited_tables_is_not_needed_to_verify(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_owner(APPROVE_ON_THE_SLY.replace("'victim'", "'budi'"))
    monkeypatch.setattr(transactions, "_seal", lambda _: None)
    freezes.freeze(12, DECIDED_ON, None, because="an earthquake", frozen_by="siti", on=DECIDED_ON)
    with bent("alter table audited rename to other", undo=("alter table other rename to audited",)):
        found = problems()
    assert "what was committed last cannot be sealed" in found
    assert "1 rows of approvals are in no entry of the log" in found


@pytest.mark.parametrize("table", ["audit_baseline", "warehouse_identity"])
def test_an_emptied_table_of_one_row_is_reported(told: Path, table: str) -> None:
    columns = [column for (column,) in pick(
        f"select attname from pg_attribute where attrelid = '{table}'::regclass and attnum > 0 order by attnum"
    )]  # fmt: skip
    ((kept,),) = pick(f"select '(' || string_agg(quote_literal(v), ', ') || ')' from {table} as t,"
                      f" jsonb_each_text(to_jsonb(t)) as e (k, v)")  # fmt: skip
    as_owner(f"delete from {table}")
    try:
        assert f"{table} has 0 rows, and must have one: restore it from a backup" in problems().splitlines()
        done = CliRunner().invoke(app, ["audit", "verify"])
        assert done.exit_code == 1, done.exception
    finally:
        as_owner(f"insert into {table} ({', '.join(columns)}) values {kept}")
    assert problems() == ""


def test_without_an_id_nothing_is_signed_or_published(told: Path) -> None:
    ((kept,),) = pick("select warehouse_id from warehouse_identity")
    as_owner("delete from warehouse_identity")
    try:
        with (
            pytest.raises(PrakerjaError, match="warehouse_identity has no row: restore it from a backup"),
            warehouse.transaction() as connection,
        ):
            warehouse.warehouse_id(connection)
    finally:
        as_owner(f"insert into warehouse_identity values ('{kept}')")


# -- the log -----------------------------------------------------------------------------------------------------------


def test_an_entry_that_is_in_the_log_twice_is_found(told: Path) -> None:
    """The second entry is over edited facts."""
    ((entry,),) = pick("select entry from approvals")
    as_owner("update approvals set approved_by = 'victim'", "alter table audit_log drop constraint audit_log_entry_key")
    ((digest,),) = pick(
        "select encode(d.sha256, 'hex') from audit_log as l cross join lateral"
        f" digest_of('approvals', {entry},"
        " array(select jsonb_array_elements_text(l.facts -> 'approvals' -> 'columns'))) as d"
        f" where l.entry = {entry}"
    )

    def seal_again(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        sealed = next(row for row in rows if row["entry"] == entry)
        again = sealed | {"facts": {"approvals": sealed["facts"]["approvals"] | {"sha256": digest}}}
        return [*rows, again]

    rewrite_log(seal_again)
    try:
        last = pick("select max(position) from audit_log")[0][0]
        assert f"position {last} of the log has entry {entry}, which an earlier position has" in problems()
    finally:
        as_owner(
            f"delete from audit_log where position = {last}",
            "alter table audit_log add constraint audit_log_entry_key unique (entry)",
        )


@pytest.mark.parametrize(
    "facts",
    [
        [], {"approvals": {}}, {"approvals": None}, {"approvals": {"rows": "x", "columns": [], "sha256": ""}},
        {"approvals": {"rows": 1, "columns": ["entry", 1], "sha256": ""}},
    ],
    ids=str,
)  # fmt: skip
def test_facts_of_another_shape_are_reported(told: Path, facts: Any) -> None:
    rewrite_log(lambda rows: [*rows[:-1], rows[-1] | {"facts": facts}])
    last = pick("select max(position) from audit_log")[0][0]
    assert f"position {last} of the log does not say its facts as entries do" in problems()


def test_a_column_that_an_entry_was_not_sealed_over_is_empty_in_its_rows(told: Path) -> None:
    """Otherwise it could be removed during the sealing, and restored with other contents."""

    def leave_out(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for row in rows:
            for fact, value in row["facts"].items():
                if fact == "appeals":
                    value["columns"] = [name for name in value["columns"] if name != "text"]
                    ((value["sha256"],),) = pick(
                        f"select encode(sha256, 'hex') from digest_of('appeals', {row['entry']},"
                        f" array{value['columns']})"
                    )
        return rows

    rewrite_log(leave_out)
    assert "was sealed without its column text, which has contents now" in problems()


# -- who may verify ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["warehouse_service", "warehouse_reader", "warehouse_monitor", "warehouse_receipts"])
def test_a_login_without_the_rights_to_read_everything_is_referred_to_one_that_has_them(
    told: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    address = warehouse.url(login=login).render_as_string(hide_password=False)
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", address)
    with pytest.raises(PrakerjaError, match=f"^{login} may not read .*: verify as warehouse_operator, or as"):
        audit.verify()


@pytest.mark.parametrize("login", ["warehouse", "warehouse_operator", "warehouse_worker"])
def test_logins_that_read_everything_verify(told: Path, monkeypatch: pytest.MonkeyPatch, login: str) -> None:
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", warehouse.url(login=login).render_as_string(hide_password=False))
    assert problems() == ""


def test_an_unreachable_server_of_copies_is_reported(told: Path) -> None:
    with pytest.raises(PrakerjaError, match=r"https://127\.0\.0\.1:1/ cannot be read"):
        audit.verify(copies="https://127.0.0.1:1/")
    with pytest.raises(PrakerjaError, match="has no anchors"):
        audit.verify(copies=str(told / "nowhere"))
