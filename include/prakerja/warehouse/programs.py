"""Dumps of whole databases, by PostgreSQL's own programs: `pg_dump`, `pg_restore` and `psql`."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from prakerja import embedded_postgres
from prakerja.errors import PrakerjaError
from prakerja.warehouse.addresses import libpq_parameters, secret_names
from prakerja.warehouse.connections import engine_of

#: What pg_restore sets whatever the server is, and the first version that has it.
UNKNOWN_BEFORE_17 = b"SET transaction_timeout = 0;\n"
VERSION_17 = (17,)


def dump_database(address: sa.URL, file: Path) -> None:
    """Write one snapshot of a database into a file. Raise `PrakerjaError` with the reason if that fails."""
    # The system keeps no large objects; one that another login has created would fail the dump.
    how = ("--format=custom", "--no-owner", "--no-large-objects", f"--file={file}")
    with _started("pg_dump", address, *how):
        pass


def restore_database(address: sa.URL, file: Path) -> None:
    """Restore a dump into an empty database: all of it or nothing. Raise `PrakerjaError` with the reason."""
    how = ("--no-owner", "--no-privileges")
    if engine_of(address).dialect.server_version_info >= VERSION_17:  # type: ignore[operator]
        with _started("pg_restore", address, *how, "--exit-on-error", "--single-transaction", str(file)):
            pass
        return
    quietly = ("--no-psqlrc", "--quiet", "--output=/dev/null", "--set=VERBOSITY=terse", "--set=SHOW_CONTEXT=never")
    whole = ("--set=ON_ERROR_STOP=1", "--single-transaction", "--file=-")
    with (  # if the script is not whole, psql is killed before it could commit
        _started("psql", address, *quietly, *whole) as psql,
        _started("pg_restore", None, *how, "--file=-", str(file)) as script,
    ):
        _copy_script(script.stdout, psql.stdin)


def find_libpq() -> Path | None:
    """Return the library by which the driver connects, or None if it has none of its own.

    The programs that come with the embedded server have one that was built without TLS. Loaded before it, the driver's
    takes its place: a backup encrypts as every other command does.
    """
    import psycopg_binary

    package = Path(str(psycopg_binary.__file__)).parent
    return next(package.with_name("psycopg_binary.libs").glob("libpq-*.so*"), None)


def find_reason(name: str, said: str) -> str:
    """Return why a program failed: its last error with the details, in one line.

    Statements are left out, and whatever the server says about rows that it refuses: a row is a person.
    """
    reason = list[str]()
    for line in re.sub(
        r"^psql:<stdin>:\d+: (?:ERROR|FATAL): +", "psql: error: ", said, flags=re.MULTILINE
    ).splitlines():
        kind, _, text = line.removeprefix(f"{name}: ").partition(": ")
        if not line.startswith(f"{name}: "):  # it belongs to the line before, as a detail or context of the server's
            continue
        if kind == "error":
            reason = [re.sub(r'(?<=^COPY failed for table )("\w+").*|(?<=invalid input syntax).*', r"\1", text)]
        elif reason and kind in ("detail", "hint") and not re.match(r"(Query|Command) was", text):
            reason.append(text)
    return "; ".join(reason)


@contextlib.contextmanager
def _started(name: str, address: sa.URL | None, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until its end, and kill it if the context fails. Raise `PrakerjaError` with its reason if it fails.

    The password is in its environment, not among its arguments, which other users can read. Without one in the URL,
    the program looks it up as the driver does (PGPASSWORD, PGPASSFILE).
    """
    from psycopg.conninfo import make_conninfo

    command, environment = [str(embedded_postgres.program_of_server(name)), *arguments], os.environ | {"LC_ALL": "C"}
    if address is not None:
        parameters = libpq_parameters(address)
        if password := parameters.pop("password", None):
            environment["PGPASSWORD"] = password
        for secret in secret_names() & parameters.keys():
            raise PrakerjaError(f"{name} would show PRAKERJA_DATABASE_URL's {secret} to others: use a key without one")
        command[1:1] = [f"--dbname={make_conninfo(**parameters)}", "--no-password"]
    if (library := find_libpq()) is not None:
        environment["LD_PRELOAD"] = ":".join(filter(None, [str(library), os.environ.get("LD_PRELOAD")]))
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 - PostgreSQL's own
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said
        )
        try:
            yield process
            process.communicate()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode:
            said.seek(0)
            reason = find_reason(name, said.read().decode("utf-8", "replace")) or f"it ended with {process.returncode}"
            place = f" of the database {address.database}" if address is not None else ""
            raise PrakerjaError(f"{name}{place} failed: {reason}")


def _copy_script(script: Any, target: Any) -> None:
    """Copy pg_restore's script to psql, without the setting that an earlier server does not know."""
    try:
        for line in script:
            if line == UNKNOWN_BEFORE_17:
                break
            target.write(line)
        shutil.copyfileobj(script, target, 1 << 20)
    except BrokenPipeError:  # psql has ended, and says why
        while script.read(1 << 20):
            pass
