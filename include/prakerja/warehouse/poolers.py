"""Connection poolers between this process and the server, such as PgBouncer.

A pooler that keeps a server's session for each client (session pooling) is as good as the server. One that shares
sessions between clients is refused: a lock of `warehouse.exclusive` lives as long as its session, and a setting would
reach other clients.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from prakerja.warehouse import session_settings
from prakerja.warehouse.errors import RefusedError

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

#: What PgBouncer says of `options` among the parameters of a connection, unless it is told to ignore them.
UNSUPPORTED = "unsupported startup parameter"
TRIES = 3
_checking = threading.Lock()
_checked: set[tuple[str, int, str, str]] = set()


def connect(
    open_connection: Callable[..., Connection], settings: Mapping[str, str], *, may_drop_options: bool
) -> tuple[Connection, int]:
    """Return a connection whose session has the settings, and the process of the server that works for it.

    `open_connection` takes parameters that replace its own. Raise `RefusedError` behind a pooler that shares sessions.
    """
    import psycopg

    try:
        connection = open_connection()
    except psycopg.OperationalError as error:
        if UNSUPPORTED not in str(error) or not may_drop_options:
            raise
        connection = open_connection(options="")
    try:
        connection.autocommit = True
        pid = _backend_pid(connection)
        if pid != connection.info.backend_pid:  # a pooler answers with a number of its own
            _require_own_sessions(connection, open_connection)
            connection.execute(session_settings.as_statement(settings))
        connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection, pid


def _require_own_sessions(connection: Connection, open_connection: Callable[..., Connection]) -> None:
    """Raise `RefusedError` if a pooler shares sessions. Each is asked once, by one thread: that takes a connection."""
    info = connection.info
    pooler = info.host, info.port, info.dbname, info.user
    with _checking:
        if pooler not in _checked:
            with open_connection(options="") as other:
                if _is_shared(connection, other):
                    raise RefusedError(
                        "PRAKERJA_DATABASE_URL leads to a connection pooler that shares sessions between clients: use "
                        "session pooling (PgBouncer: pool_mode=session), or the server itself "
                        "(docs/runbooks/machine.md)"
                    )
            _checked.add(pooler)


def _is_shared(connection: Connection, other: Connection) -> bool:
    """Whether a pooler gives the transactions of one session to different processes of the server.

    While one session is in a transaction, the other must find its own process again, which nobody else may have had.
    """
    other.autocommit = True
    for _ in range(TRIES):
        own = _backend_pid(connection)
        other.execute("begin")
        is_shared = _backend_pid(other) == own or _backend_pid(connection) != own
        other.execute("rollback")
        if is_shared:
            return True
    return False


def _backend_pid(connection: Connection) -> int:
    row = connection.execute("select pg_catalog.pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0
