"""Locks of the whole warehouse, and who blocks a session that waits."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Iterator
from datetime import UTC

import sqlalchemy as sa

from prakerja.acting import acting
from prakerja.warehouse.connections import open_warehouse, url
from prakerja.warehouse.errors import UnavailableError, translate_database_errors

log = logging.getLogger(__name__)

#: The longest wait for a lock of `exclusive`: longer than publishing or deciding takes. Sending may take longer; a task
#: that waits for it is retried.
EXCLUSIVE_SECONDS = 900
NOTICE_SECONDS = 3.0  # a longer wait is logged, with the session that blocks it
#: The role that may hold a lock of `exclusive`, by the first word of the lock's name.
ROLES = {
    "rosters": "ingest", "intake": "ingest", "monitor": "ingest", "replay": "ingest", "reseal": "ingest",
    "corrections": "decide", "decide": "decide", "revoke": "decide", "reminders": "remind", "publish": "publish",
}  # fmt: skip
#: Returns no row if it took the lock, otherwise who holds it (definitions/locks/take_lock.sql).
TAKE_LOCK = sa.text("select * from take_lock(:role, :name, :sign_of_life, :actor)")
#: The sessions that block a session. A login sees `since` of its own sessions only, unless it may read all statistics.
BLOCKERS = sa.text(
    "select pid, usename as login, application_name as application, xact_start as since from pg_stat_activity"
    " where pid = any(pg_blocking_pids(:pid))"
)


@contextlib.contextmanager
def exclusive(name: str, patience_seconds: int = EXCLUSIVE_SECONDS) -> Iterator[None]:
    """Hold the lock `name` of the whole warehouse. Raise `UnavailableError` if it is not free in time.

    A lock is a row that names its holder; one role may take it (`ROLES`). It is held as long as the session that took
    it lives, so that a killed process releases it at once: the session holds an advisory lock as a sign of life, with a
    number drawn at random each time, so that nobody can have taken it before.

    The row itself is locked only while it is read and written. Keeping it locked would take a transaction that stays
    open, with a transaction id; VACUUM removes nothing that has died since the oldest of these began.
    """
    with contextlib.ExitStack() as held:
        address = url()
        with translate_database_errors(login=address.username):
            # AUTOCOMMIT: the session is idle, and not in a transaction.
            engine = open_warehouse().execution_options(isolation_level="AUTOCOMMIT")
            session = held.enter_context(engine.connect())
            sign_of_life = _take_new_advisory_lock(session)
            held.callback(_unlock, session, sign_of_life)
            _take_lock(session, name, sign_of_life, patience_seconds)
        yield


def _take_lock(session: sa.Connection, name: str, sign_of_life: int, patience_seconds: int) -> None:
    """Wait until nobody holds the lock, and write into its row that the session does."""
    began, is_logged, pause = time.monotonic(), False, 0.02
    role = ROLES[name.partition(" ")[0]]
    parameters = {"role": role, "name": name, "sign_of_life": sign_of_life, "actor": acting.get()}
    while (holder := session.execute(TAKE_LOCK, parameters).mappings().first()) is not None:
        waited = time.monotonic() - began
        if waited >= patience_seconds:
            raise UnavailableError(
                f"the lock `{name}` was not free within {patience_seconds} s: {_describe(holder)} holds it: wait for "
                "that to end, or end it"
            )
        if waited >= NOTICE_SECONDS and not is_logged:
            log.warning("waiting for the lock `%s`, which %s holds", name, _describe(holder))
            is_logged = True
        time.sleep(pause)
        pause = min(2 * pause, 0.5)


def _take_new_advisory_lock(session: sa.Connection) -> int:
    while True:
        number = secrets.randbits(63)
        if session.scalar(sa.text("select pg_try_advisory_lock(:number)"), {"number": number}):
            return number


def _unlock(session: sa.Connection, number: int) -> None:
    with contextlib.suppress(sa.exc.DBAPIError):  # a lost connection has released it already
        session.execute(sa.text("select pg_advisory_unlock(:number)"), {"number": number})


def _describe(session: sa.RowMapping) -> str:
    """Name a session: its login, which is certain, the name that it calls itself, its process, and since when."""
    since = f", since {session['since'].astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" if session["since"] else ""
    return f"{session['login']} ({session['application'] or 'no name'}, session {session['pid']}{since})"


@contextlib.contextmanager
def watch_blockers(engine: sa.Engine, connection: sa.Connection, blockers: list[str]) -> Iterator[None]:
    """While a transaction runs, keep in `blockers` the sessions that blocked it last, and log them.

    Another connection asks for them: this one waits. A transaction that ends within `NOTICE_SECONDS` is not watched.
    """
    pid = connection.info["backend_pid"]
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            with contextlib.suppress(sa.exc.SQLAlchemyError), engine.connect() as other:
                blocking = [_describe(row) for row in other.execute(BLOCKERS, {"pid": pid}).mappings()]
                if blocking and blocking != blockers:
                    log.warning("waiting for a lock that %s holds", ", ".join(blocking))
                    blockers[:] = blocking
            is_over.wait(NOTICE_SECONDS)

    timer = threading.Timer(NOTICE_SECONDS, watch)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        is_over.set()
        timer.cancel()
