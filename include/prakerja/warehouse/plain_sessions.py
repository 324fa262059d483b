"""Sessions that trust nothing that the warehouse's owner has made or set. Each is opened for one use."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from prakerja.acting import acting
from prakerja.warehouse import session_settings, statements
from prakerja.warehouse.connections import build_engine, open_warehouse
from prakerja.warehouse.errors import translate_database_errors
from prakerja.warehouse.transactions import BEGIN


def seal_apart() -> None:
    """Seal the audit log's open entries in a session that is discarded. Raise `RefusedError` if that fails.

    The function belongs to the warehouse's owner, who could have it leave something behind in the session.
    """
    with (
        translate_database_errors(),
        _open_unpooled_session(session_settings.SESSION) as connection,
        connection.begin(),
    ):
        connection.execute(BEGIN, {"actor": acting.get(), "is_replaying": "", "role": "prakerja_publish"})
        connection.exec_driver_sql(f"set local lock_timeout = '{session_settings.LOCK_SECONDS}s'")
        statements.execute(connection, "blacklist/seal_entries")


@contextlib.contextmanager
def plain_session() -> Iterator[sa.Connection]:
    """Open a read-only session that nothing the warehouse's owner has made or set affects, outside a transaction.

    Its search path is PostgreSQL's own schema alone: a table is `public.x`, and no function, operator or cast of the
    owner's is found by its name. It works under the role that reads, if the login is a member.
    """
    with translate_database_errors(), _open_unpooled_session(session_settings.PLAIN_SESSION) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        statements.execute(connection, "audit/fix_settings")
        may_read = "select pg_catalog.pg_has_role(session_user, oid, 'member') from pg_catalog.pg_roles"
        if connection.exec_driver_sql(f"{may_read} where rolname = 'prakerja_read'::name").scalar():
            connection.exec_driver_sql("set role prakerja_read")
        yield connection


@contextlib.contextmanager
def plain_snapshot(session: sa.Connection, tables: Sequence[str]) -> Iterator[None]:
    """Give a plain session one snapshot, and lock these tables so that none is replaced by another kind of relation."""
    with translate_database_errors():
        session.exec_driver_sql("begin isolation level repeatable read, read only")
        try:
            if tables:  # a lock takes no snapshot: what the catalog says from here on is what is read
                names = ", ".join(f'only public."{name}"' for name in tables)
                session.exec_driver_sql(f"lock table {names} in access share mode")
            yield
        finally:
            with contextlib.suppress(sa.exc.DBAPIError):
                session.exec_driver_sql("rollback")


@contextlib.contextmanager
def _open_unpooled_session(settings: Mapping[str, str]) -> Iterator[sa.Connection]:
    address = open_warehouse().url  # raises the plain error if the server refuses
    with build_engine(address, settings, poolclass=sa.NullPool).connect() as connection:
        yield connection
