"""Transactions of the warehouse, each under the role of its task, and the sealing of the facts that they add."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

import sqlalchemy as sa

from prakerja import embedded_postgres
from prakerja.acting import acting, is_replaying
from prakerja.warehouse import statements
from prakerja.warehouse.connections import open_warehouse, url
from prakerja.warehouse.errors import ConflictError, RefusedError, translate_database_errors
from prakerja.warehouse.locks import watch_blockers
from prakerja.warehouse.naming import name_before_commit

log = logging.getLogger(__name__)

#: The longest wait to seal. It delays a writer that has committed already; what is left, the next transaction seals.
SEAL_SECONDS = 10
#: How many times work over one snapshot is tried when others change the same rows. Each try waits for the others.
SNAPSHOT_ATTEMPTS = 5
#: Set the actor, and the role where the schema has created it and the login is a member.
BEGIN = sa.text(
    "select pg_catalog.set_config('prakerja.actor', :actor, true),"
    " pg_catalog.set_config('prakerja.is_replaying', :is_replaying, true),"
    " pg_catalog.set_config('application_name', pg_catalog.left(:actor, 63), true),"
    " (select pg_catalog.set_config('role', rolname, true) from pg_catalog.pg_roles"
    " where rolname = cast(:role as text) and pg_catalog.pg_has_role(session_user, oid, 'member'))"
)
#: Whether a transaction has written; and whether it may have done so to a warehouse that keeps an audit log, by a login
#: that may seal. Logins that are reached from outside may not.
HAS_WRITTEN = sa.text(
    "select has_written, has_written"
    " and pg_catalog.to_regprocedure('public.has_open_entry()') is not null"
    " and pg_catalog.has_function_privilege("
    "session_user, pg_catalog.to_regprocedure('public.seal_entries()'), 'execute')"
    " from (select pg_catalog.pg_current_xact_id_if_assigned() is not null as has_written) as t"
)
#: The database role of a transaction, without its prefix `prakerja_`. It may add the facts of its area and of no other.
DatabaseRole = Literal["ingest", "decide", "recheck", "remind", "receive", "publish", "serve", "show", "read"]
Result = TypeVar("Result")


@contextlib.contextmanager
def transaction(
    role: DatabaseRole | None = "read", *, one_snapshot: bool = False, as_owner: bool = False
) -> Iterator[sa.Connection]:
    """Open a transaction on the warehouse: all of it is kept, or nothing.

    The facts that it adds are an entry of the audit log. It may add the facts of its role, and change none; without a
    role it may do what its login may. With `one_snapshot` every statement sees the same rows, and none may write
    (`write_in_one_snapshot` may). `as_owner` is for changes of the schema and for sealing contacts anew: it uses the
    owner's login of the embedded server, and on another server the configured login.

    Raise `UnavailableError` if a retry is worthwhile, `RefusedError` otherwise. The message names the kind of error
    only: the database's own message may quote the row that it refuses.
    """
    with _transaction(role, one_snapshot=one_snapshot, is_read_only=one_snapshot, as_owner=as_owner) as connection:
        yield connection


def require_duties(*duties: DatabaseRole) -> None:
    """Raise `RefusedError` if the login of this process lacks one of these roles, where the schema has created them.

    For processes that run on: without their duty they would start, and then refuse what they are asked for.
    """
    lacking = sa.text(
        "select pg_catalog.substr(rolname, 10) from pg_catalog.pg_roles where rolname = any(:names)"
        " and not pg_catalog.pg_has_role(session_user, oid, 'member') order by 1"
    )
    with transaction(None) as connection:
        found = connection.execute(lacking, {"names": [f"prakerja_{duty}" for duty in duties]}).scalars().all()
    if found:
        raise RefusedError(
            f"the login {url().username} may not do this in the warehouse (it lacks the duty {', '.join(found)}): use "
            "a login with this duty (docs/runbooks/machine.md)"
        )


def write_in_one_snapshot(role: DatabaseRole, work: Callable[[sa.Connection], Result]) -> Result:
    """Run `work`, which writes what it derives from one snapshot, in a transaction; return its result.

    The database refuses writes that contradict what another transaction committed after the snapshot was taken. `work`
    is then called again, with a snapshot that includes those changes. It may therefore change nothing except through
    its connection. Raise `ConflictError` if others came first `SNAPSHOT_ATTEMPTS` times.
    """
    for _ in range(SNAPSHOT_ATTEMPTS - 1):
        with contextlib.suppress(ConflictError), _transaction(role, one_snapshot=True) as connection:
            return work(connection)
        log.info("started again: another transaction changed the same rows")
    with _transaction(role, one_snapshot=True) as connection:
        return work(connection)


@contextlib.contextmanager
def _transaction(
    role: DatabaseRole | None, *, one_snapshot: bool = False, is_read_only: bool = False, as_owner: bool = False
) -> Iterator[sa.Connection]:
    blockers: list[str] = []
    # A replay decides and publishes under a role of its own, by which the database tells history from live work.
    effective = "replay" if role in ("decide", "publish") and is_replaying.get() else role
    role_name = f"prakerja_{effective}" if role and not as_owner else None
    login = embedded_postgres.OWNER if as_owner else None
    name = url(login=login).username
    with translate_database_errors(blockers, has_snapshot=one_snapshot, login=name, as_owner=as_owner):
        engine = open_warehouse(login)
        chosen = engine.execution_options(isolation_level="REPEATABLE READ") if one_snapshot else engine
        with chosen.begin() as connection, watch_blockers(engine, connection, blockers):
            connection.execute(
                BEGIN,
                {"actor": acting.get(), "is_replaying": "yes" if is_replaying.get() else "", "role": role_name},
            )
            if is_read_only:
                connection.execute(sa.text("set transaction read only"))
            yield connection
            has_written, may_have_facts = connection.execute(HAS_WRITTEN).one()
            if has_written:
                name_before_commit()
            has_facts = may_have_facts and connection.scalar(sa.text("select public.has_open_entry()"))
        if has_facts:
            _seal(engine)


def _seal(engine: sa.Engine) -> None:
    """Seal the audit log's open entries. A failure raises nothing: the facts are committed, and a later seal works."""
    blockers: list[str] = []
    try:
        with engine.begin() as connection, watch_blockers(engine, connection, blockers):
            connection.execute(sa.text(f"set local lock_timeout = '{SEAL_SECONDS}s'"))
            connection.execute(sa.text("select public.seal_entries()"))
    except sa.exc.DBAPIError as error:
        cause = f"; waited for {', '.join(blockers)}" if blockers else ""
        log.warning("the audit log's last entries are not sealed yet (%s%s)", type(error.orig).__name__, cause)


def warehouse_id(connection: sa.Connection) -> str:
    """Return the id of this warehouse, which signed documents carry. Raise `RefusedError` unless it has exactly one."""
    ids = statements.execute(connection, "audit/find_warehouse_id").scalars().all()
    if len(ids) != 1:
        raise RefusedError(
            f"warehouse_identity has {len(ids) or 'no'} row{'s' * (len(ids) > 1)}: restore it from a backup"
        )
    return str(ids[0])
