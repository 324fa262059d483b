"""PostgreSQL's own programs, `pg_dump` and `pg_restore`, run over a database with its parameters of the connection."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import sqlalchemy as sa

from prakerja import embedded_postgres
from prakerja.errors import PrakerjaError
from prakerja.warehouse.addresses import libpq_parameters, secret_names


def run_program(name: str, address: sa.URL, *arguments: str) -> None:
    """Run one of PostgreSQL's programs over a database. Raise `PrakerjaError` with its reason if it fails.

    The password is in its environment, not among its arguments, which other users can read. Without one in the URL,
    the program looks it up as the driver does (PGPASSWORD, PGPASSFILE).
    """
    from psycopg.conninfo import make_conninfo

    parameters = libpq_parameters(address)
    password = parameters.pop("password", None)
    for secret in secret_names() & parameters.keys():
        raise PrakerjaError(f"{name} would show PRAKERJA_DATABASE_URL's {secret} to other users: use a key without one")
    environment = os.environ | {"LC_ALL": "C"} | ({"PGPASSWORD": password} if password else {})
    if (library := find_libpq()) is not None:
        environment["LD_PRELOAD"] = ":".join(filter(None, [str(library), os.environ.get("LD_PRELOAD")]))
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own
        [str(embedded_postgres.program_of_server(name)), f"--dbname={make_conninfo(**parameters)}", *arguments],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
        encoding="utf-8", errors="replace",
    )  # fmt: skip
    if done.returncode:
        reason = find_reason(name, done.stderr) or f"it ended with {done.returncode}"
        raise PrakerjaError(f"{name} of the database {address.database} failed: {reason}")


def find_libpq() -> Path | None:
    """Return the library by which the driver connects, or None if it cannot be told.

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
    for line in said.splitlines():
        kind, _, text = line.removeprefix(f"{name}: ").partition(": ")
        if not line.startswith(f"{name}: "):  # it belongs to the line before, as a detail or context of the server's
            continue
        if kind == "error":
            reason = [re.sub(r'^(COPY failed for table "\w+").*', r"\1", text)]
        elif reason and kind in ("detail", "hint") and not re.match(r"(Query|Command) was", text):
            reason.append(text)
    return "; ".join(reason)
