"""The errors of the warehouse. None of them quotes a row: a database's own message may."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from prakerja.errors import PrakerjaError, TransientError
from prakerja.warehouse import session_settings

#: The SQLSTATE classes of temporary errors: connection, conflict, resources, operator, system. A value that is too long
#: or too large has another class, though the driver calls that error operational as well.
TEMPORARY_CLASSES = ("08", "40", "53", "55", "57", "58")
#: Why a running server refuses a connection: a phrase of its message, whether the refusal is temporary, what to do.
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
    ("is not permitted to log in", False, "the role {login} is not a login: correct PRAKERJA_DATABASE_URL"),
    ('role "', False, "the server has no login {login}: correct PRAKERJA_DATABASE_URL"),
    ('database "', False, "the server has no such database: correct PRAKERJA_DATABASE_URL, or create the database"),
    # A connection pooler's.
    ("unsupported startup parameter", False, "its connection pooler takes no `options`: leave them out of the URL"),
    ("SASL authentication failed", False, "the login {login} has another password: correct PRAKERJA_DATABASE_URL"),
    ("no such user", False, "the connection pooler has no login {login}: add it to its users"),
    ("no such database", False, "the connection pooler has no such database: add it to its databases"),
    ("statement pooling", False, "its connection pooler pools statements: let it pool sessions"),
    ("query_wait_timeout", True, "its connection pooler has no connection left: raise its pool size, or wait"),
    ("no more connections allowed", True, "its connection pooler has no connection left: raise its limit, or wait"),
    ("server login", True, "its connection pooler does not reach the server: see the pooler's log"),
)


class UnavailableError(TransientError):
    """The warehouse cannot be reached, or failed in the middle of the work: it is safe to retry."""


class ConflictError(UnavailableError):
    """Another transaction changed the same rows: nothing was kept, and a retry sees the other's changes."""


class RefusedError(PrakerjaError):
    """The warehouse refused a statement: nothing was kept, and a retry does not help."""


@contextlib.contextmanager
def translate_database_errors(
    blockers: Sequence[str] = (), *, has_snapshot: bool = False, login: str | None = None, as_owner: bool = False
) -> Iterator[None]:
    """Raise `UnavailableError`, `ConflictError` or `RefusedError` for what the database or its driver raises."""
    import psycopg

    conflicts: list[type[psycopg.Error]] = [psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected]
    if has_snapshot:  # another transaction has added the row since the snapshot was taken
        conflicts += [psycopg.errors.UniqueViolation, psycopg.errors.ExclusionViolation]

    try:
        yield
    except (sa.exc.DBAPIError, psycopg.Error) as error:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        kind = type(cause).__name__
        constraint = getattr(getattr(cause, "diag", None), "constraint_name", None)
        description = f"{kind}, {constraint}" if constraint else kind
        if isinstance(cause, psycopg.errors.LockNotAvailable):
            holder = ", ".join(blockers) or "another session"
            raise UnavailableError(
                f"the warehouse gave up after {session_settings.LOCK_SECONDS} s: it waited for a lock that {holder} "
                "holds: end that session, then try again"
            ) from None
        if isinstance(cause, tuple(conflicts)):
            raise ConflictError(
                f"the warehouse refused a statement ({description}) because another transaction changed the same rows: "
                "try again"
            ) from None
        if isinstance(cause, psycopg.errors.InsufficientPrivilege):
            named = re.match(r"(?:permission denied|must be owner) .*", cause.diag.message_primary or "")  # no row
            needed = "the login of its owner" if as_owner else "a login with this duty, e.g. warehouse_operator"
            raise RefusedError(
                f"the login {login or 'of this command'} may not do this in the warehouse"
                f"{f' ({named[0]})' if named else ''}: use {needed} (docs/runbooks/machine.md)"
            ) from None
        if isinstance(cause, psycopg.OperationalError):
            refusal = refusal_error(str(cause), "its server", None)
            if refusal:
                raise refusal from None
            if (cause.sqlstate or "08")[:2] in TEMPORARY_CLASSES:
                raise UnavailableError(
                    f"the warehouse failed ({kind}): check that its server is running, then try again"
                ) from None
        raise RefusedError(f"the warehouse refused a statement ({description})") from None


def connection_error(message: str, place: str, username: str | None) -> PrakerjaError:
    """Return the error for a driver's message that a connection failed with."""
    reason = message.strip().partition("\n")[0].rpartition(" failed: ")[2].removeprefix("connection is bad: ")
    return refusal_error(message, place, username) or UnavailableError(
        f"the warehouse cannot be reached at {place} ({reason.removeprefix('FATAL:').strip()}): start it, or correct "
        "PRAKERJA_DATABASE_URL"
    )


def refusal_error(message: str, place: str, username: str | None) -> PrakerjaError | None:
    """Return the error for a server's message that refuses a connection, or None if no server answered."""
    named = re.search(r'(?:role|user) "([^"]*)"', message)
    login = username or (named[1] if named else "that it was given")
    for phrase, is_temporary, advice in REFUSALS:
        if phrase in message:
            kind = UnavailableError if is_temporary else RefusedError
            return kind(f"the warehouse at {place} refuses the connection: {advice.format(login=login)}")
    return None
