"""Back up the state, and restore it into an empty home: both databases by pg_dump, and an index with their hashes.

The published list and the landing zone are files, and have backups of their own.
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

from prakerja import atomic_files, embedded_postgres, schema, warehouse
from prakerja.errors import PrakerjaError
from prakerja.settings import Settings

CONTRACT = "prakerja.backup/1"
INDEX = "backup.json"
#: Files among the keys that are not backed up: the passwords of the home's server. A new home generates its own.
SERVER_PASSWORDS = "database_*.txt"
#: Not backed up either: what a killed writer of a key has left.
NOT_BACKED_UP = shutil.ignore_patterns(SERVER_PASSWORDS, ".*")


@dataclass(frozen=True)
class Backup:
    """A backup: its folder, when it was made, the warehouse's revision, and the size and hash of each file by name."""

    folder: Path
    at: str
    revision: str
    files: dict[str, dict[str, Any]]

    @property
    def size(self) -> int:
        """The size in bytes."""
        return sum(int(file["bytes"]) for file in self.files.values())


def back_up(folder: Path, *, with_keys: bool) -> Backup:
    """Write a complete backup into a new folder, or nothing. Raise `PrakerjaError` if that fails.

    Each database is one snapshot, taken while the system runs. `with_keys` includes the home's keys, which sign and
    identify: keep such a backup as you keep keys.
    """
    if folder.exists():
        raise PrakerjaError(f"{folder} already exists: name a new folder")
    try:
        with atomic_files.make_folder_beside(folder) as aside:
            for database in _databases():
                # The system keeps no large objects; one that another login has created would fail the backup.
                exclusions = ("--no-owner", "--no-large-objects")
                _run("pg_dump", database, "--format=custom", *exclusions, f"--file={aside / database}.dump")
            keys = Settings.from_environment().home / "keys"
            if with_keys and keys.is_dir():
                shutil.copytree(keys, aside / "keys", ignore=NOT_BACKED_UP)
            paths = [path for path in sorted(aside.rglob("*")) if path.is_file()]
            files = {str(path.relative_to(aside)): _size_and_hash(path) for path in paths}
            index = {
                "contract": CONTRACT,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "revision": schema.revision(),
                "files": files,
            }
            (aside / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
            aside.rename(folder)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise PrakerjaError(f"{folder} cannot be written ({why}): nothing was backed up") from None
    return load_backup(folder)


def load_backup(folder: Path) -> Backup:
    """Return the backup in a folder, with each file verified. Raise `PrakerjaError` if it is not a complete backup."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        backup = Backup(folder, str(index["at"]), str(index["revision"]), dict(index["files"]))
        is_backup = index["contract"] == CONTRACT and "warehouse.dump" in backup.files
    except (OSError, ValueError, KeyError, TypeError):
        is_backup = False
    if not is_backup:
        raise PrakerjaError(f"{folder} is not a backup: give a folder that `prakerja backup` has written")
    for name, file in backup.files.items():
        path = folder / name
        if not path.is_file() or _size_and_hash(path) != file:
            raise PrakerjaError(f"{path} was changed after the backup: use another backup")
    return backup


def restore(folder: Path) -> Backup:
    """Restore a backup into this home, and return it. Raise `PrakerjaError` if the home has databases or keys."""
    backup = load_backup(folder)
    settings = Settings.from_environment()
    databases = [database for database in _databases() if f"{database}.dump" in backup.files]
    for database in databases:
        if not warehouse.is_empty(database):
            raise PrakerjaError(f"the database {database} of {settings.home} is not empty: restore into an empty home")
    keys, has_keys = settings.make_home() / "keys", (folder / "keys").is_dir()
    if has_keys and set(keys.glob("[!.]*")) - set(keys.glob(SERVER_PASSWORDS)):
        raise PrakerjaError(f"{keys} already exists: restore into an empty home")
    for database in databases:
        dump = f"{folder / database}.dump"
        _run("pg_restore", database, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", dump)
    if has_keys:  # last, so that a failed restore can be repeated
        shutil.copytree(folder / "keys", keys, ignore=NOT_BACKED_UP, dirs_exist_ok=True)
    schema.upgrade()  # the backup may be of an earlier version
    return backup


def _databases() -> list[str]:
    """Return both databases of the embedded server; for your own server the warehouse only, without the metadata."""
    return ["warehouse", "airflow"] if Settings.from_environment().database_url is None else ["warehouse"]


def _run(program: str, database: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs as the database's owner, with its output in the log.

    The password is in the environment, not among the arguments, which other processes can read.
    """
    url = warehouse.url(database, login=embedded_postgres.DATABASES[database])
    address = url._replace(drivername="postgresql", password=None).render_as_string()  # `set` would keep the password
    environment = os.environ | ({"PGPASSWORD": str(url.password)} if url.password else {})
    log = Settings.from_environment().make_home() / "logs" / "backup.log"
    with log.open("a", encoding="utf-8") as out:
        done = subprocess.run(  # noqa: S603 - PostgreSQL's own
            [str(warehouse.program_of_server(program)), f"--dbname={address}", *arguments],
            env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False,
        )  # fmt: skip
    if done.returncode:
        raise PrakerjaError(f"{program} of {database} failed ({done.returncode}): see {log}")


def _size_and_hash(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
