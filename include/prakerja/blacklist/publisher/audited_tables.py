"""The tables that a verification reads: what it expects of each, and what the warehouse has instead.

The expectation is a file of the program. The warehouse's catalog and tables belong to its owner: a view, a child table,
a policy or a type of the owner's own would return something else than what is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from prakerja import warehouse
from prakerja.embedded_postgres import OPERATOR, OWNER
from prakerja.errors import PrakerjaError

FILE = Path(__file__).with_name("audited_tables.yaml")
KINDS = {
    "v": "a view", "m": "a materialized view", "f": "a foreign table", "p": "a partitioned table",
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table by name: the types of its columns, and the columns that a fact's rows are ordered by."""

    name: str
    columns: Mapping[str, str]
    ordered_by: tuple[str, ...] = ()

    @property
    def is_fact(self) -> bool:
        """Whether each of its rows is in an entry of the log."""
        return bool(self.ordered_by)


def expected_tables() -> dict[str, Table]:
    """Return every table that is read, by name."""
    read = _read()
    facts = {name: Table(name, each["columns"], tuple(each["ordered_by"])) for name, each in read["facts"].items()}
    return facts | {name: Table(name, columns) for name, columns in read["read"].items()}


def expected_types() -> dict[str, list[str]]:
    """Return the values of each type that is not PostgreSQL's own."""
    types: dict[str, list[str]] = _read()["types"]
    return types


def list_problems(session: warehouse.Connection) -> dict[str, str]:
    """Return what is wrong with tables, by name. Those are not read.

    Raise `PrakerjaError` if the login may not read one.
    """
    tables = expected_tables()
    found: dict[str, list[Any]] = {name: [] for name in tables}
    for row in warehouse.rows(session, "audit/list_columns", names=list(tables)):
        found[row["table_name"]].append(row)
    hidden = [name for name, rows in found.items() if rows and rows[0]["kind"] == "r" and not rows[0]["may_read"]]
    if hidden:
        login = session.exec_driver_sql("select session_user").scalar_one()
        raise PrakerjaError(
            f"{login} may not read {hidden[0]}: verify as {OPERATOR}, or as the warehouse's owner ({OWNER}), by "
            "PRAKERJA_DATABASE_URL; `prakerja db upgrade` grants them anew what is theirs"
        )
    values: dict[str, list[str]] = {}
    for row in warehouse.rows(session, "audit/list_type_values"):
        values.setdefault(row["type_name"], []).append(row["value"])
    problems = {}
    for name, table in tables.items():
        if problem := _problem(table, found[name], values):
            by_whom = "the log was sealed over" if table.is_fact else "this version reads"
            problems[name] = f"{name} is not the table any more that {by_whom}: {problem}"
    return problems


def _problem(table: Table, rows: list[Any], values: Mapping[str, list[str]]) -> str | None:
    if not rows:
        return "it is not there"
    if rows[0]["kind"] != "r":
        return f"it is {KINDS.get(rows[0]['kind'], 'no table')}"
    if rows[0]["has_row_security"]:
        return "it has row-level security"
    if rows[0]["inherits"]:
        return "it inherits, or is inherited from"
    there = {row["column_name"]: row for row in rows if row["column_name"] is not None}
    for column, type_name in table.columns.items():
        if column not in there:
            return f"it has no column {column}"
        row = there[column]
        if row["type_name"] != type_name:
            return f"its column {column} is {row['type_name']}, not {type_name}"
        if row["is_computed"]:
            return f"its column {column} is computed"
        if row["is_own_collation"]:
            return f"its column {column} has a collation of its own"
        expected = expected_types().get(type_name)
        if expected and values.get(type_name) != expected:
            return f"its column {column} has other values than {', '.join(expected)}"
    more = sorted({*there} - {*table.columns})
    return f"it has a column {more[0]}, which is not of this version" if more and table.is_fact else None


@cache
def _read() -> dict[str, Any]:
    import yaml

    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return loaded
