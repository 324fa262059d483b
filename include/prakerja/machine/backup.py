"""Backing up the state, and restoring it into an empty home: both databases by pg_dump, and what vouches for them.

The published list and the landing zone are files already, and have backups of their own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prakerja import embedded_postgres, schema, warehouse
from prakerja.errors import PrakerjaError
from prakerja.settings import Settings

CONTRACT = "prakerja.backup/1"
INDEX = "backup.json"
#: The keys that stay behind: passwords of the home's server. A new home generates its own.
SERVERS_OWN = "database_*.txt"


@dataclass(frozen=True)
class Backup:
    """A backup: its folder, when it was made, the warehouse's revision, and its files' sizes and hashes by name."""

    folder: Path
    at: str
    revision: str
    files: dict[str, dict[str, Any]]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(int(file["bytes"]) for file in self.files.values())


def back_up(folder: Path, *, with_keys: bool) -> Backup:
    """Write a backup into a new folder: whole, or not at all. Raises `PrakerjaError`.

    Each database is one snapshot, whatever goes on meanwhile. `with_keys` takes the home's keys along, which sign and
    identify: keep such a backup as you keep keys.
    """
    if folder.exists():
        raise PrakerjaError(f"{folder} is there already: name a new folder")
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    try:
        aside.mkdir(mode=0o700, parents=True)
        for database in _databases():
            # Nothing here keeps large objects: one that somebody else has made would stop the backup.
            leave_out = ("--no-owner", "--no-large-objects")
            _run("pg_dump", database, "--format=custom", *leave_out, f"--file={aside / database}.dump")
        keys = Settings.from_environment().home / "keys"
        if with_keys and keys.is_dir():
            shutil.copytree(keys, aside / "keys", ignore=shutil.ignore_patterns(SERVERS_OWN))
        files = {str(path.relative_to(aside)): _described(path) for path in sorted(aside.rglob("*")) if path.is_file()}
        made = {
            "contract": CONTRACT,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "revision": schema.revision(),
            "files": files,
        }
        (aside / INDEX).write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
        aside.rename(folder)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise PrakerjaError(f"{folder} cannot be written ({why}): nothing was backed up") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return read(folder)


def read(folder: Path) -> Backup:
    """A backup, each of its files as it was written. Raises `PrakerjaError`."""
    try:
        told = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        found = Backup(folder, str(told["at"]), str(told["revision"]), dict(told["files"]))
        is_ours = told["contract"] == CONTRACT and "warehouse.dump" in found.files
    except (OSError, ValueError, KeyError, TypeError):
        is_ours = False
    if not is_ours:
        raise PrakerjaError(f"{folder} is no backup: give a folder that `prakerja backup` has written")
    for name, file in found.files.items():
        path = folder / name
        if not path.is_file() or _described(path) != file:
            raise PrakerjaError(f"{path} is not as it was backed up: take another backup")
    return found


def restore(folder: Path) -> Backup:
    """Restore a backup into this home, whose databases must be empty. Raises `PrakerjaError`."""
    backup = read(folder)
    settings = Settings.from_environment()
    databases = [database for database in _databases() if f"{database}.dump" in backup.files]
    for database in databases:
        if not warehouse.is_empty(database):
            raise PrakerjaError(f"the database {database} of {settings.home} is not empty: restore into an empty home")
    keys, has_keys = settings.make_home() / "keys", (folder / "keys").is_dir()
    if has_keys and set(keys.glob("*")) - set(keys.glob(SERVERS_OWN)):
        raise PrakerjaError(f"{keys} is there already: restore into an empty home")
    for database in databases:
        dump = f"{folder / database}.dump"
        _run("pg_restore", database, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", dump)
    if has_keys:  # last: a restore that failed may be tried again
        left_behind = shutil.ignore_patterns(SERVERS_OWN)
        shutil.copytree(folder / "keys", keys, ignore=left_behind, dirs_exist_ok=True)
    schema.upgrade()  # a backup of an earlier version is brought up to this one
    return backup


def _databases() -> list[str]:
    """The embedded server's, both; of a server of yours the warehouse: Airflow's metadata is yours to back up."""
    return ["warehouse", "airflow"] if Settings.from_environment().database_url is None else ["warehouse"]


def _run(program: str, database: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs as the database's owner; what it says goes into the log.

    A password goes by the environment.
    """
    url = warehouse.url(database, login=embedded_postgres.DATABASES[database])
    place = url._replace(drivername="postgresql", password=None).render_as_string()  # `set` would keep the password
    environment = os.environ | ({"PGPASSWORD": str(url.password)} if url.password else {})
    log = Settings.from_environment().make_home() / "logs" / "backup.log"
    with log.open("a", encoding="utf-8") as out:
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own
            [str(warehouse.program_of_server(program)), f"--dbname={place}", *arguments],
            env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False,
        )  # fmt: skip
    if done.returncode:
        raise PrakerjaError(f"{program} of {database} failed ({done.returncode}): see {log}")


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
