"""The statements of `include/sql`, by name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from prakerja.settings import INCLUDE

SQL = INCLUDE / "sql"


@cache
def statement(name: str) -> sa.TextClause:
    """Return the statement of `include/sql/<name>.sql`, e.g. `feeds/insert_delivery`."""
    return sa.text((SQL / f"{name}.sql").read_text(encoding="utf-8"))


def execute(connection: sa.Connection, name: str, **parameters: Any) -> sa.CursorResult[Any]:
    """Run the named statement with bound parameters."""
    return connection.execute(statement(name), parameters)


def rows(connection: sa.Connection, name: str, **parameters: Any) -> Sequence[sa.RowMapping]:
    """Run the named statement and return its rows as mappings."""
    return execute(connection, name, **parameters).mappings().all()
