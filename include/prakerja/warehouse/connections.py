"""Where the warehouse is, and the pooled connections to it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from prakerja import embedded_postgres
from prakerja.errors import PrakerjaError
from prakerja.settings import Settings
from prakerja.warehouse import poolers, session_settings
from prakerja.warehouse.addresses import describe_place, parse_url
from prakerja.warehouse.errors import connection_error, translate_database_errors
from prakerja.warehouse.naming import name_at_opening

if TYPE_CHECKING:
    import psycopg

_engines: list[sa.Engine] = []


def url(database: str = "warehouse", driver: str = "psycopg", login: str | None = None) -> sa.URL:
    """Return the SQLAlchemy URL of a database.

    For the warehouse this is `PRAKERJA_DATABASE_URL` where it is set, with the login that it names. Otherwise the
    embedded server is started and the URL is the server's, with the given login ("" for none), by default the one that
    commands use.
    """
    settings = Settings.from_environment()
    if settings.database_url and database == "warehouse":
        try:
            given = parse_url(settings.database_url)
        except ValueError as error:
            raise PrakerjaError(f"PRAKERJA_DATABASE_URL {error}") from None
        if given.password is None and settings.database_password:
            given = given.set(password=settings.database_password)
        return given.set(drivername=f"postgresql+{driver}")
    folder = embedded_postgres.start(settings)
    usual = embedded_postgres.OPERATOR if database == "warehouse" else embedded_postgres.METADATA
    name = usual if login is None else login
    address = sa.URL.create(f"postgresql+{driver}", database=database, query={"host": str(folder)})
    return address.set(username=name, password=embedded_postgres.password(name)) if name else address


def open_warehouse(login: str | None = None) -> sa.Engine:
    """Return this process's connection pool for the warehouse. A command says which warehouse it is."""
    engine = engine_of(url(login=login))
    name_at_opening(engine)
    return engine


@cache
def engine_of(address: sa.URL) -> sa.Engine:
    """Return this process's connection pool for a URL. Raise `UnavailableError` or `RefusedError` if none connects."""
    engine = build_engine(address, session_settings.SESSION, pool_pre_ping=True, pool_size=2)
    with translate_database_errors(), engine.connect():
        pass
    _engines.append(engine)
    return engine


def build_engine(address: sa.URL, settings: Mapping[str, str], **how: Any) -> sa.Engine:
    """Return an engine whose sessions start with the given settings, directly or behind a connection pooler.

    `options` of the URL come before ours. Connecting raises `UnavailableError` or `RefusedError` with the reason; it is
    refused behind a pooler that shares sessions.
    """
    import psycopg

    own = str(address.query.get("options", ""))
    parameters = {
        **session_settings.DRIVER,
        "application_name": address.query.get("application_name", session_settings.APPLICATION),
        "options": f"{own} {session_settings.as_options(settings)}".strip(),
    }
    engine = sa.create_engine(address, hide_parameters=True, connect_args=parameters, **how)

    @sa.event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: Any, arguments: Any, parameters: dict[str, Any]) -> psycopg.Connection[Any]:
        def open_connection(**other: Any) -> psycopg.Connection[Any]:
            opened: psycopg.Connection[Any] = dialect.connect(*arguments, **parameters | other)
            return opened

        try:
            connection, pid = poolers.connect(open_connection, settings, may_drop_options=not own)
        except psycopg.OperationalError as error:
            place = f"{describe_place(address)}{f', database {address.database}' if address.database else ''}"
            raise connection_error(str(error), place, address.username) from None
        record.info["backend_pid"] = pid
        return connection

    return engine


def is_empty(database: str) -> bool:
    """Whether a database has no table yet: the warehouse, or Airflow's metadata of the embedded server."""
    owner = embedded_postgres.DATABASES[database]
    with translate_database_errors():
        engine = open_warehouse(owner) if database == "warehouse" else engine_of(url(database, login=owner))
        with engine.connect() as connection:
            return not connection.scalar(sa.text("select exists (select from pg_tables where schemaname = 'public')"))


def close_connections() -> None:
    """Close this process's idle connections. New ones are opened when they are needed."""
    for engine in _engines:
        engine.dispose()
    _engines.clear()
    engine_of.cache_clear()


def stop_embedded_server() -> bool:
    """Stop this home's embedded PostgreSQL and close this process's connections; return whether it was running."""
    is_stopped = embedded_postgres.stop(Settings.from_environment())
    close_connections()
    return is_stopped
