"""The warehouse: one PostgreSQL, yours by `PRAKERJA_DATABASE_URL` or an embedded one. Only this module connects."""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import sqlalchemy as sa

from prakerja import embedded_postgres
from prakerja.acting import acting, is_replaying
from prakerja.embedded_postgres import program_of_server as program_of_server
from prakerja.errors import PrakerjaError, TransientError
from prakerja.settings import INCLUDE, Settings

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

#: The longest wait for a row or table: twice the longest transaction, which loads a roster of 800,000.
LOCK_SECONDS = 120
#: The longest wait for a lock of `exclusive`: longer than publishing or deciding takes. Sending may take longer: a
#: task that waits for it is retried.
EXCLUSIVE_SECONDS = 900
#: The longest wait to seal. It delays a writer that has committed already, so the rest is left to the next transaction.
SEAL_SECONDS = 10
#: How often work over one snapshot begins anew where others changed the same meanwhile. It waits for each of them.
SNAPSHOT_ATTEMPTS = 5
#: Classes of PostgreSQL's errors that pass: the connection, conflicts, resources, operators, the system. What a value
#: is too long or too large for, which the driver calls operational as well, does not.
PASSING = ("08", "40", "53", "55", "57", "58")
NOTICE_SECONDS = 3.0  # a longer wait is logged, with the session that is waited for
#: Each statement is planned for what it is asked: one plan for all cohorts is three times slower for a large one. A
#: year's ledger lies in memory, and a million rows are sorted there.
SESSION = {
    "prepare_threshold": None,
    "application_name": "prakerja",
    "options": f"-c work_mem=256MB -c random_page_cost=1.1 -c jit=off -c lock_timeout={LOCK_SECONDS}s"
    " -c search_path=public,pg_temp",
}
#: A session that only reads, and in which each name that is not qualified is PostgreSQL's own. What a client asks for
#: at its start has precedence over what the owner of the database has set for it, or for its logins.
PLAIN_SETTINGS = {
    "search_path": "pg_catalog,pg_temp", "row_security": "off", "timezone": "UTC", "datestyle": "ISO",
    "intervalstyle": "postgres", "bytea_output": "hex", "extra_float_digits": "1", "quote_all_identifiers": "off",
    "standard_conforming_strings": "on", "transform_null_equals": "off", "array_nulls": "on", "statement_timeout": "0",
    "default_transaction_read_only": "on",
}  # fmt: skip
PLAIN_SESSION = SESSION | {
    "client_encoding": "UTF8",
    "options": " ".join(
        [
            str(SESSION["options"]).rpartition(" -c ")[0],
            *(f"-c {name}={value}" for name, value in PLAIN_SETTINGS.items()),
        ]
    ),
}
#: Who acts; and the role of the duty, where the schema has made it and we may take it.
BEGIN = sa.text(
    "select pg_catalog.set_config('prakerja.actor', :actor, true),"
    " pg_catalog.set_config('prakerja.is_replaying', :is_replaying, true),"
    " pg_catalog.set_config('application_name', pg_catalog.left(:actor, 63), true),"
    " (select pg_catalog.set_config('role', rolname, true) from pg_catalog.pg_roles"
    " where rolname = cast(:role as text) and pg_catalog.pg_has_role(session_user, oid, 'member'))"
)
#: Whether a transaction has written anything, to a warehouse that keeps a log, by a login that may seal: those that are
#: reached from outside may not.
MAY_HAVE_FACTS = sa.text(
    "select pg_catalog.pg_current_xact_id_if_assigned() is not null"
    " and pg_catalog.to_regprocedure('public.has_open_entry()') is not null"
    " and pg_catalog.has_function_privilege("
    "session_user, pg_catalog.to_regprocedure('public.seal_entries()'), 'execute')"
)
#: Nothing where the lock is taken now, else who holds it (definitions/locks/take_lock.sql).
TAKE_LOCK = sa.text("select * from take_lock(:duty, :name, :sign_of_life, :actor)")
#: Whom a session waits for. Since when is shown of one's own login, and to who may see everybody's statistics.
BLOCKERS = sa.text(
    "select pid, usename as login, application_name as application, xact_start as since from pg_stat_activity"
    " where pid = any(pg_blocking_pids(:pid))"
)
#: The duty whose role may hold a lock of `exclusive`, by the first word of the lock's name.
LOCKS = {
    "rosters": "ingest", "intake": "ingest", "monitor": "ingest", "replay": "ingest", "reseal": "ingest",
    "corrections": "decide", "decide": "decide", "revoke": "decide", "reminders": "remind", "publish": "publish",
}  # fmt: skip
#: What a transaction is for: a role of the database that may add the facts of its area, and of no other.
DatabaseRole = Literal["ingest", "decide", "recheck", "remind", "receive", "publish", "serve", "show", "read"]
SQL = INCLUDE / "sql"
Connection = sa.Connection
Row = sa.RowMapping
Result = TypeVar("Result")


class UnavailableError(TransientError):
    """The warehouse cannot be reached, or broke off in the middle: trying again may do, and does nothing twice."""


class ConflictError(UnavailableError):
    """Another transaction changed the same at the same time: nothing was kept, and trying again sees what it did."""


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
def transaction(
    duty: DatabaseRole | None = "read", *, one_snapshot: bool = False, as_owner: bool = False
) -> Iterator[Connection]:
    """One transaction on the warehouse: all of it, or nothing.

    With `one_snapshot` every statement sees the same rows, and none may write: `write_in_one_snapshot` does.

    Its facts are an entry of the audit log. It may add the facts of its duty and change none; without a duty it may do
    what its login may. `as_owner` is for what changes the schema or seals contacts anew: it takes the owner's login of
    an embedded server, and elsewhere the one that is given.
    A database's own message may quote the row that it refuses. So what leaves here names the kind of error only:
    `UnavailableError` (it may be tried again) or `RefusedError`.
    """
    with _transaction(duty, one_snapshot=one_snapshot, is_read_only=one_snapshot, as_owner=as_owner) as connection:
        yield connection


def write_in_one_snapshot(duty: DatabaseRole, work: Callable[[Connection], Result]) -> Result:
    """Do work that writes by what one snapshot showed, in a transaction; return what it returns.

    The snapshot is older than whatever the work waits for: where somebody else has changed the same meanwhile, the
    database refuses what would contradict it. The work then begins anew, with a snapshot that has their changes. So it
    changes nothing but by its connection. Raises `ConflictError` where others were first `SNAPSHOT_ATTEMPTS` times.
    """
    for _ in range(SNAPSHOT_ATTEMPTS - 1):
        with contextlib.suppress(ConflictError), _transaction(duty, one_snapshot=True) as connection:
            return work(connection)
        log.info("began anew: another transaction changed the same at the same time")
    with _transaction(duty, one_snapshot=True) as connection:
        return work(connection)


@contextlib.contextmanager
def _transaction(
    duty: DatabaseRole | None, *, one_snapshot: bool = False, is_read_only: bool = False, as_owner: bool = False
) -> Iterator[Connection]:
    blockers: list[str] = []
    # A replay decides and publishes as a role of its own, so that the database knows history from what is live.
    works_as = "replay" if duty in ("decide", "publish") and is_replaying.get() else duty
    role = f"prakerja_{works_as}" if duty and not as_owner else None
    with translate_database_errors(blockers, has_snapshot=one_snapshot):
        engine = _engine(url(login=embedded_postgres.OWNER if as_owner else None))
        chosen = engine.execution_options(isolation_level="REPEATABLE READ") if one_snapshot else engine
        with chosen.begin() as connection, _watched(engine, connection, blockers):
            connection.execute(
                BEGIN,
                {"actor": acting.get(), "is_replaying": "yes" if is_replaying.get() else "", "role": role},
            )
            if is_read_only:
                connection.execute(sa.text("set transaction read only"))
            yield connection
            has_facts = connection.scalar(MAY_HAVE_FACTS) and connection.scalar(
                sa.text("select public.has_open_entry()")
            )
        if has_facts:
            _seal(engine)


def _seal(engine: sa.Engine) -> None:
    """Seal the log's open entries. The facts are kept already: whatever fails here is left to the next transaction."""
    blockers: list[str] = []
    try:
        with engine.begin() as connection, _watched(engine, connection, blockers):
            connection.execute(sa.text(f"set local lock_timeout = '{SEAL_SECONDS}s'"))
            connection.execute(sa.text("select public.seal_entries()"))
    except sa.exc.DBAPIError as error:
        whom = f"; waited for {', '.join(blockers)}" if blockers else ""
        log.warning("the audit log's last entries are not sealed yet (%s%s)", type(error.orig).__name__, whom)


def warehouse_id(connection: Connection) -> str:
    """Return the id of this warehouse. Signed documents carry it. Raises `RefusedError` where it has none."""
    ids = execute(connection, "audit/find_warehouse_id").scalars().all()
    if len(ids) != 1:
        raise RefusedError(
            f"warehouse_identity has {len(ids) or 'no'} row{'s' * (len(ids) > 1)}: restore it from a backup"
        )
    return str(ids[0])


# -- sessions that trust nobody ----------------------------------------------------------------------------------------


def seal_apart() -> None:
    """Seal the log's open entries over a session that is thrown away.

    The function is the warehouse's owner's, who could have it leave something behind. Raises `RefusedError`.
    """
    with translate_database_errors(), _thrown_away(SESSION) as connection, connection.begin():
        connection.execute(BEGIN, {"actor": acting.get(), "is_replaying": "", "role": "prakerja_publish"})
        connection.exec_driver_sql(f"set local lock_timeout = '{LOCK_SECONDS}s'")
        execute(connection, "blacklist/seal_entries")


@contextlib.contextmanager
def plain_session() -> Iterator[Connection]:
    """Open a session of its own that only reads, whatever the warehouse's owner has made or set; outside a transaction.

    It looks into no schema but PostgreSQL's own: a table is `public.x`, and no function, operator or cast of the
    owner's is found by its name. It works as the role that reads, where the login may.
    """
    with translate_database_errors(), _thrown_away(PLAIN_SESSION) as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        execute(connection, "audit/fix_settings")
        may_read = "select pg_catalog.pg_has_role(session_user, oid, 'member') from pg_catalog.pg_roles"
        if connection.exec_driver_sql(f"{may_read} where rolname = 'prakerja_read'::name").scalar():
            connection.exec_driver_sql("set role prakerja_read")
        yield connection


@contextlib.contextmanager
def plain_snapshot(session: Connection, tables: Sequence[str]) -> Iterator[None]:
    """Let a plain session see one snapshot, in which nobody changes what kind of tables these are."""
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
def _thrown_away(arguments: Mapping[str, Any]) -> Iterator[Connection]:
    """Open a session that nobody has used before, and nobody will."""
    address = url()
    _engine(address)  # says what is wrong where there is no connection
    engine = sa.create_engine(address, poolclass=sa.NullPool, hide_parameters=True, connect_args={**arguments})
    with engine.connect() as connection:
        yield connection


# -- locks -------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def exclusive(name: str, patience_seconds: int = EXCLUSIVE_SECONDS) -> Iterator[None]:
    """Hold the lock `name` of the whole warehouse, waiting for it if need be. Raises `UnavailableError`.

    A lock is a row, which says who holds it; the role of one duty may take it (`LOCKS`). It is held as long as the
    session lives that has taken it, so that a killed process lets go of it at once: the session holds an advisory lock
    as a sign of life, whose number is drawn anew each time, so that nobody can have taken it before. The row itself is
    locked while it is looked at only. To keep it locked would take a transaction that is open for as long; locking a
    row gives that a transaction id, and VACUUM removes nothing that has died since the oldest of these began.
    """
    with contextlib.ExitStack() as held:
        with translate_database_errors():
            # AUTOCOMMIT: the session is idle, and not in a transaction.
            engine = _engine(url()).execution_options(isolation_level="AUTOCOMMIT")
            session = held.enter_context(engine.connect())
            sign_of_life = _take_new_advisory_lock(session)
            held.callback(_unlock, session, sign_of_life)
            _take_lock(session, name, sign_of_life, patience_seconds)
        yield


def _take_lock(session: Connection, name: str, sign_of_life: int, patience_seconds: int) -> None:
    """Note in the lock's row that the session holds it, once nobody else does."""
    began, is_readable, pause = time.monotonic(), False, 0.02
    asked = {"duty": LOCKS[name.partition(" ")[0]], "name": name, "sign_of_life": sign_of_life, "actor": acting.get()}
    while (holder := session.execute(TAKE_LOCK, asked).mappings().first()) is not None:
        waited = time.monotonic() - began
        if waited >= patience_seconds:
            raise UnavailableError(
                f"the lock `{name}` was not free within {patience_seconds} s: {_described(holder)} holds it: wait for "
                "that to end, or end it"
            )
        if waited >= NOTICE_SECONDS and not is_readable:
            log.warning("waiting for the lock `%s`, which %s holds", name, _described(holder))
            is_readable = True
        time.sleep(pause)
        pause = min(2 * pause, 0.5)


def _take_new_advisory_lock(session: Connection) -> int:
    while True:
        number = secrets.randbits(63)
        if session.scalar(sa.text("select pg_try_advisory_lock(:number)"), {"number": number}):
            return number


def _unlock(session: Connection, number: int) -> None:
    with contextlib.suppress(sa.exc.DBAPIError):  # a connection that is gone has let go already
        session.execute(sa.text("select pg_advisory_unlock(:number)"), {"number": number})


def _described(found: Row) -> str:
    """Return who holds a lock: the login, which is certain, what it says that it does, its process, and since when."""
    since = f", since {found['since'].astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" if found["since"] else ""
    return f"{found['login']} ({found['application'] or 'no name'}, session {found['pid']}{since})"


@contextlib.contextmanager
def _watched(engine: sa.Engine, connection: Connection, blockers: list[str]) -> Iterator[None]:
    """While a transaction goes on, keep in `blockers` whom it last waited for, and say so in the log.

    It is asked from another connection: this one waits. What is quick has ended before anybody looks.
    """
    pid: int = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            with contextlib.suppress(sa.exc.SQLAlchemyError), engine.connect() as other:
                found = [_described(row) for row in other.execute(BLOCKERS, {"pid": pid}).mappings()]
                if found and found != blockers:
                    log.warning("waiting for a lock that %s holds", ", ".join(found))
                    blockers[:] = found
            is_over.wait(NOTICE_SECONDS)

    timer = threading.Timer(NOTICE_SECONDS, watch)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        is_over.set()
        timer.cancel()


@contextlib.contextmanager
def translate_database_errors(blockers: Sequence[str] = (), *, has_snapshot: bool = False) -> Iterator[None]:
    import psycopg

    conflicts: list[type[psycopg.Error]] = [psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected]
    if has_snapshot:  # which did not show the row that is there: another transaction has added it since
        conflicts += [psycopg.errors.UniqueViolation, psycopg.errors.ExclusionViolation]

    try:
        yield
    except (sa.exc.DBAPIError, psycopg.Error) as error:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        kind = type(cause).__name__
        constraint = getattr(getattr(cause, "diag", None), "constraint_name", None)
        told = f"{kind}, {constraint}" if constraint else kind
        if isinstance(cause, psycopg.errors.LockNotAvailable):
            whom = ", ".join(blockers) or "another session"
            raise UnavailableError(
                f"the warehouse broke off: a lock was not free within {LOCK_SECONDS} s, which {whom} holds: end that "
                "session, then try again"
            ) from None
        if isinstance(cause, tuple(conflicts)):
            raise ConflictError(
                f"the warehouse refused a statement ({told}), since another transaction changed the same at the same "
                "time: try again"
            ) from None
        if isinstance(cause, psycopg.OperationalError) and (
            refused := _connection_error(str(cause), "its server", None)
        ):
            raise refused from None
        if isinstance(cause, psycopg.OperationalError) and (cause.sqlstate or "08")[:2] in PASSING:
            raise UnavailableError(f"the warehouse broke off ({kind}): check that it runs, then try again") from None
        raise RefusedError(f"the warehouse refused a statement ({told})") from None


@dataclass(frozen=True)
class CopyData:
    """Rows as COPY takes them: made by one thread while another sends the ones before."""

    table: str
    columns: list[str]
    rows: int
    csv: memoryview

    @classmethod
    def from_records(cls, table: str, records: pa.Table) -> CopyData:
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
    address = url(database, login=embedded_postgres.DATABASES[database])
    with translate_database_errors(), _engine(address).connect() as connection:
        return not connection.scalar(sa.text("select exists (select from pg_tables where schemaname = 'public')"))


# -- connections -------------------------------------------------------------------------------------------------------


def url(database: str = "warehouse", driver: str = "psycopg", login: str | None = None) -> sa.URL:
    """Return the SQLAlchemy URL of a database: yours for the warehouse where one is configured, with your login.

    Else the embedded server's, which is started: with the given login ("" for none), or as a command has it.
    """
    settings = Settings.from_environment()
    if settings.database_url and database == "warehouse":
        try:
            given = sa.make_url(settings.database_url)
        except (sa.exc.ArgumentError, ValueError):
            given = None
        if given is None or given.get_backend_name() not in {"postgresql", "postgres"}:
            raise PrakerjaError("PRAKERJA_DATABASE_URL is no postgresql:// URL: give postgresql://user@host/database")
        return given.set(drivername=f"postgresql+{driver}")
    folder = embedded_postgres.start(settings)
    usual = embedded_postgres.OPERATOR if database == "warehouse" else embedded_postgres.METADATA
    name = usual if login is None else login
    place = sa.URL.create(f"postgresql+{driver}", database=database, query={"host": str(folder)})
    return place.set(username=name, password=embedded_postgres.password(name)) if name else place


@cache
def _engine(address: sa.URL) -> sa.Engine:
    engine = sa.create_engine(address, pool_pre_ping=True, pool_size=2, hide_parameters=True, connect_args=SESSION)
    try:
        with engine.connect():
            pass
    except sa.exc.OperationalError as error:
        place = f"{address.host or address.query.get('host')}, database {address.database}"
        raise _connection_error(str(error.orig), place, address.username) or UnavailableError(
            f"the warehouse cannot be reached at {place}: start it, or correct PRAKERJA_DATABASE_URL"
        ) from None
    _engines.append(engine)
    return engine


#: Why a server that answers lets nobody in, by what it says; whether that passes; and what to do.
REFUSALS = (
    ("too many connections for role", True, "the login {login} has all its connections in use: wait for some to end"),
    ("too many connections for database", True, "the database has all its connections in use: wait for some to end"),
    ("too many clients", True, "the server has all its connections in use: wait for some to end"),
    ("remaining connection slots", True, "the server has all its connections in use: wait for some to end"),
    ("starting up", True, "the server is starting: try again"),
    ("shutting down", True, "the server is shutting down: start it again"),
    ("recovery", True, "the server is recovering: try again"),
    ("password authentication failed", False, "the login {login} has another password: correct PRAKERJA_DATABASE_URL"),
    ("no password supplied", False, "the login {login} needs a password: correct PRAKERJA_DATABASE_URL"),
    ("no pg_hba.conf entry", False, "the login {login} may not connect from here: see the server's pg_hba.conf"),
    ("permission denied for database", False, "the login {login} may not connect to this database: use another login"),
    ("is not permitted to log in", False, "the role {login} is no login: correct PRAKERJA_DATABASE_URL"),
    ('role "', False, "the server has no login {login}: correct PRAKERJA_DATABASE_URL"),
    ('database "', False, "the server has no such database: correct PRAKERJA_DATABASE_URL, or make it"),
)


def _connection_error(said: str, place: str, username: str | None) -> PrakerjaError | None:
    """Return the error for what a server said when it let nobody in; None where no server answered."""
    named = re.search(r'(?:role|user) "([^"]*)"', said)
    login = username or (named[1] if named else "that it was given")
    for words, passes, told in REFUSALS:
        if words in said:
            kind = UnavailableError if passes else RefusedError
            return kind(f"the warehouse at {place} refuses the connection: {told.format(login=login)}")
    return None


_engines: list[sa.Engine] = []


def close_connections() -> None:
    """Close every connection of this process that nobody uses, and open new ones when they are needed."""
    for engine in _engines:
        engine.dispose()
    _engines.clear()
    _engine.cache_clear()


def stop_embedded_server() -> bool:
    """Stop this home's embedded PostgreSQL; return whether one was running."""
    is_stopped = embedded_postgres.stop(Settings.from_environment())
    close_connections()
    return is_stopped
