"""Back up the state, and restore it into an empty home: both databases by pg_dump, and an index with their hashes.

The published list and the landing zone are files, and have backups of their own.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prakerja import airflow_home, atomic_files, embedded_postgres, schema, warehouse
from prakerja.errors import PrakerjaError
from prakerja.settings import Settings

CONTRACT = "prakerja.backup/1"
INDEX = "backup.json"
#: Files among the keys that are not backed up: the passwords of the home's server. A new home generates its own.
SERVER_PASSWORDS = "database_*.txt"
#: Not backed up either: what a killed writer of a key has left.
NOT_BACKED_UP = shutil.ignore_patterns(SERVER_PASSWORDS, ".*")
#: In the home while a backup is restored: the hash of that backup's index.
UNFINISHED = "restoring.txt"


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
    home = Settings.from_environment().home
    databases = [each for each in _databases() if each == "warehouse" or (home / "postgres").exists()]
    _require_readable()
    try:
        with atomic_files.make_folder_beside(folder) as aside:
            for database in databases:
                warehouse.dump_database(_url(database), aside / f"{database}.dump")
            keys = home / "keys"
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
    """Restore a backup into this home, and return it. Raise `PrakerjaError` if the home has databases or keys.

    Each database is restored whole or not at all. A restore that has failed is repeated from where it was.
    """
    backup = load_backup(folder)
    if backup.revision > schema.newest_revision():
        raise PrakerjaError(
            f"the backup is of revision {backup.revision}, this version needs {schema.newest_revision()}: restore it "
            "with the version that has written it, or a later one"
        )
    unfinished, index = Settings.from_environment().make_home() / UNFINISHED, _size_and_hash(folder / INDEX)["sha256"]
    is_repeated = unfinished.is_file() and unfinished.read_text(encoding="utf-8") == index
    _require_creatable()
    databases = [database for database in _databases() if f"{database}.dump" in backup.files]
    empty = [database for database in databases if warehouse.is_empty(database)]
    keys, has_keys = unfinished.parent / "keys", (folder / "keys").is_dir()
    if not is_repeated:
        for database in (each for each in databases if each not in empty):
            raise PrakerjaError(
                f"the database {database} at {warehouse.describe_place(_url(database))} is not empty: restore into an "
                "empty home or database"
            )
        if has_keys and set(keys.glob("[!.]*")) - set(keys.glob(SERVER_PASSWORDS)):
            raise PrakerjaError(f"{keys} already exists: restore into an empty home")
        unfinished.write_text(index, encoding="utf-8")
    for database in empty:
        warehouse.restore_database(_url(database), folder / f"{database}.dump")
    if has_keys:
        shutil.copytree(folder / "keys", keys, ignore=NOT_BACKED_UP, dirs_exist_ok=True)
    schema.upgrade()  # the backup may be of an earlier version
    unfinished.unlink()
    return backup


def _databases() -> list[str]:
    """Return the databases of this home: the warehouse, and Airflow's metadata if they are in the embedded server."""
    is_embedded = Settings.from_environment().database_url is None or airflow_home.has_embedded_metadata()
    return ["warehouse", "airflow"] if is_embedded else ["warehouse"]


def _url(database: str) -> Any:
    return warehouse.url(database, login=embedded_postgres.DATABASES[database])


def _require_readable() -> None:
    """Raise `PrakerjaError` if the login may not read all of the warehouse, which pg_dump reports at its end."""
    with warehouse.transaction(None, as_owner=True) as connection:
        found = warehouse.execute(connection, "backup/count_unreadable").mappings().one()
    if found["unreadable"]:
        raise PrakerjaError(
            f"the login {_url('warehouse').username} may not back up the warehouse: it may not read "
            f"{found['unreadable']} of the tables and sequences: use the login of their owner, {found['owner']}"
        )


def _require_creatable() -> None:
    """Raise `PrakerjaError` if the login may not create the warehouse's tables."""
    with warehouse.transaction(None, as_owner=True) as connection:
        found = warehouse.execute(connection, "backup/may_create").mappings().one()
    if not found["may_create"]:
        raise PrakerjaError(
            f"the login {_url('warehouse').username} may not restore the warehouse: it may not create tables: use the "
            f"login of the database's owner, {found['owner']}"
        )


def _size_and_hash(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
