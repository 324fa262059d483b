"""The name of the warehouse that a command works on, which the command says once.

A command may have opened another warehouse than its user means: a shell without `PRAKERJA_DATABASE_URL`, or with
another `PRAKERJA_HOME`, has one of its own. Whether a command writes is not declared: its transactions tell.
"""

from __future__ import annotations

import sqlalchemy as sa

from prakerja.acting import warehouse_line
from prakerja.settings import Settings

#: Whether these tables have no row. Every login may read their size, not every one their rows; a table that an upgrade
#: has locked is waited for.
IS_EMPTY = sa.text(
    "select coalesce(pg_catalog.sum(pg_catalog.pg_relation_size(pg_catalog.to_regclass(name))), 0) = 0"
    " from pg_catalog.unnest(array['public.rosters', 'public.deliveries']) as t (name)"
)


def name_at_opening(engine: sa.Engine) -> None:
    """Say which warehouse a command has opened, unless it is the default one and has data."""
    line = warehouse_line.get()
    if line is None or line.text is not None:
        return
    settings = Settings.from_environment()
    with engine.connect() as connection:
        is_empty = _is_empty(connection)
        place = f"embedded, in {settings.home}" if settings.database_url is None else _server(connection)
    line.text = f"warehouse: {place}{'; it has no roster and no delivery yet' if is_empty else ''}"
    is_default = settings.database_url is None and settings.home == Settings({}).home
    if is_empty or not is_default:
        line.say_once()


def name_before_commit() -> None:
    """Say which warehouse a command writes to, unless it has said so."""
    line = warehouse_line.get()
    if line is not None:
        line.say_once()


def _is_empty(connection: sa.Connection) -> bool:
    """Return whether the warehouse has neither rosters nor deliveries; false if that cannot be known in a second."""
    connection.exec_driver_sql("set local lock_timeout = '1s'")
    try:
        return bool(connection.scalar(IS_EMPTY))
    except sa.exc.OperationalError:
        return False


def _server(connection: sa.Connection) -> str:
    """Return the login, server and database that a connection has, wherever they were given, without a password."""
    info = connection.connection.driver_connection.info  # type: ignore[union-attr]
    host = f"[{info.host}]" if ":" in info.host else info.host
    return f"{info.user}@{host}:{info.port}/{info.dbname}"
