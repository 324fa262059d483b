"""Where the warehouse is, and the pooled connections to it."""

from __future__ import annotations

from functools import cache

import sqlalchemy as sa

from prakerja import embedded_postgres
from prakerja.errors import PrakerjaError
from prakerja.settings import Settings
from prakerja.warehouse.errors import UnavailableError, refusal_error, translate_database_errors
from prakerja.warehouse.naming import name_at_opening
from prakerja.warehouse.session_settings import SESSION

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
            given = sa.make_url(settings.database_url)
        except (sa.exc.ArgumentError, ValueError):
            given = None
        if given is None or given.get_backend_name() not in {"postgresql", "postgres"}:
            raise PrakerjaError(
                "PRAKERJA_DATABASE_URL is not a postgresql:// URL: give postgresql://user@host/database"
            )
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
    engine = sa.create_engine(address, pool_pre_ping=True, pool_size=2, hide_parameters=True, connect_args=SESSION)
    try:
        with engine.connect():
            pass
    except sa.exc.OperationalError as error:
        place = f"{address.host or address.query.get('host')}, database {address.database}"
        raise refusal_error(str(error.orig), place, address.username) or UnavailableError(
            f"the warehouse cannot be reached at {place}: start it, or correct PRAKERJA_DATABASE_URL"
        ) from None
    _engines.append(engine)
    return engine


def is_empty(database: str) -> bool:
    """Whether a database of the embedded server has no table yet: the warehouse, or Airflow's metadata."""
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
