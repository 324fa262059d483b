"""Which role executed each statement that writes, in the whole run: what no test runs as its duty does not work."""

from __future__ import annotations

import fcntl
import re
from functools import cache
from pathlib import Path
from typing import Any

from prakerja import warehouse

WRITES = re.compile(r"\b(insert into|delete from|merge into|update\s+\w+(\s+as\s+\w+)?\s+set)\b")
DUTY = re.compile(r"^-- Role: ([a-z, ]+)\.$", re.MULTILINE)
#: A replay works as one role for two duties.
STANDS_FOR = {"replay": {"decide", "publish"}}


@cache
def duties_of(name: str) -> frozenset[str]:
    """Return the duties that may execute a statement by its header; none where it does not write."""
    text = (warehouse.SQL / f"{name}.sql").read_text(encoding="utf-8")
    if not WRITES.search(re.sub(r"--.*", "", text)):
        return frozenset()
    found = DUTY.search(text)
    return frozenset(found[1].split(", ")) if found else frozenset({"none is named"})


def writing_statements() -> list[str]:
    """Return the names of all statements that write."""
    paths = (path for path in warehouse.SQL.glob("*/*.sql") if path.parent.name not in ("migrations", "definitions"))
    names = sorted(f"{path.parent.name}/{path.stem}" for path in paths)
    return [name for name in names if duties_of(name)]


class Recorder:
    """Writes down by which role each writing statement is executed, and refuses one by a role of another duty."""

    def __init__(self, file: Path) -> None:
        self.file, self.execute = file, warehouse.execute
        self.seen = set[tuple[str, str]]()

    def __call__(self, connection: Any, name: str, **parameters: Any) -> Any:
        if duties := duties_of(name):
            role = str(connection.exec_driver_sql("select current_user").scalar_one()).removeprefix("prakerja_")
            self.note(name, role if role in ROLES else "owner")
            assert role not in ROLES or STANDS_FOR.get(role, {role}) & duties, f"{name} is executed as {role}"
        return self.execute(connection, name, **parameters)

    def note(self, name: str, role: str) -> None:
        """Append it to the run's file, once for this process."""
        if (name, role) in self.seen:
            return
        self.seen.add((name, role))
        with self.file.open("a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(f"{name} {role}\n")


ROLES = {"ingest", "decide", "recheck", "replay", "remind", "receive", "publish", "serve", "show", "read"}


def missing(file: Path) -> list[str]:
    """Return the statements that write and that no test executed as each of their duties, a line each."""
    seen: dict[str, set[str]] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        name, role = line.split()
        seen.setdefault(name, set()).update(STANDS_FOR.get(role, {role}))
    return [
        f"include/sql/{name}.sql was never executed as {duty}"
        for name in writing_statements()
        for duty in sorted(duties_of(name) - seen.get(name, set()))
    ]
