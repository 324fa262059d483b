"""A version of the list under one key of the subjects, and its list and delta, built from the warehouse's rows."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import signed_changes
from prakerja.blacklist.publisher.list_keys import Keys
from prakerja.blacklist.publisher.verification import snapshot_of
from prakerja.blacklist.publisher.version_files import Rows, VersionFiles
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.contract import DeltaRow, SnapshotRow, version_folder
from prakerja_blacklist.format.snapshot import HEADER, NotCanonicalError, sha256
from prakerja_blacklist.reader.sources import NotThereError, TooLargeError
from prakerja_blacklist.reader.verification import RefusedListError

if TYPE_CHECKING:
    import pyarrow as pa


NOT_OWN = (
    "the list that is published is not what this warehouse has published: `prakerja blacklist restore` writes what "
    "was. Otherwise restore the warehouse that the list belongs to, or publish into another folder"
)


@dataclass(frozen=True)
class Edition:
    """A version of the list under one key of the subjects, which lies in `root`; `main` is the list under the newest.

    The version before it lies in `base`, under the key `key_id_before`.
    """

    main: UPath
    root: UPath
    base: UPath
    row: Any
    key_id: str
    key_id_before: str

    @classmethod
    def of_list(cls, root: UPath, versions: Sequence[Any], position: int, keys: Keys) -> Edition:
        """Return a version of the list itself, by its position among the warehouse's versions."""
        key_id = keys.subject_key_id(versions[position])
        before = keys.subject_key_id(versions[position - 1]) if position else key_id
        return cls(root, root, root, versions[position], key_id, before)

    @property
    def version(self) -> int:
        """The version's number."""
        return int(self.row["version"])


def build_files(edition: Edition, keys: Keys) -> VersionFiles:
    """Return a version's list and delta: the list before, and what the warehouse has changed since.

    The list before must be the very one that this warehouse has published, whose digest it keeps, or `PrakerjaError` is
    raised. Only the changes add people, and they are verified as they are read, also if everybody is issued anew.
    """
    for each in (edition.key_id, edition.key_id_before):
        if each not in keys.subjects:
            raise PrakerjaError(
                f"{version_folder(edition.version)} has subjects of the key {each}, which is not here: "
                "set PRAKERJA_SUBJECT_KEY_PREVIOUS to it"
            )
    version, key = edition.version, keys.subjects[edition.key_id]
    with warehouse.transaction("publish", one_snapshot=True) as connection:
        rows = warehouse.execute(connection, "blacklist/count_listed", version=version - 1).scalar_one()
        try:
            before = snapshot_of(edition.base, version - 1, rows) if version > 1 else HEADER
        except (NotThereError, RefusedListError, TooLargeError):
            raise PrakerjaError(NOT_OWN) from None
        digest = warehouse.execute(
            connection, "blacklist/digest_of_list", version=version - 1, key_id=edition.key_id_before
        ).scalar_one_or_none()
        entries = warehouse.execute(connection, "blacklist/count_listed", version=version).scalar_one()
        changes = signed_changes.list_changes(connection, version)
        files = None
        if version == 1 or edition.key_id != edition.key_id_before:
            people = _list_people(connection, version - 1)
            was = Rows.from_people(SnapshotRow, people, keys.subjects[edition.key_id_before])
            now = Rows.from_people(SnapshotRow, _apply_changes(people, changes), key)
            if was.csv() == before:
                files = VersionFiles.build(now.csv(), Rows.build_reissue(was, now).csv())
        else:
            changed = Rows.from_people(DeltaRow, changes, key)
            with contextlib.suppress(NotCanonicalError):
                files = VersionFiles.build_following(before, changed)
            # Digests of the earliest lists are not kept: such a list is compared with everybody who is listed.
            if files and digest is None and files.snapshot != _build_list(connection, version, key):
                files = None
    if files is None or files.entries != entries or digest not in (None, sha256(before)):
        raise PrakerjaError(NOT_OWN)
    return files


def hash_listed(version: int, key_id: str, keys: Keys, *, computes: bool) -> str | None:
    """Return the SHA-256 of a version's list as the warehouse keeps it, or None if it does not.

    The digests of the earliest lists are not kept: they are computed from everybody who is listed, if asked for.
    """
    with warehouse.transaction("publish", one_snapshot=True) as connection:
        digest: str | None = warehouse.execute(
            connection, "blacklist/digest_of_list", version=version, key_id=key_id
        ).scalar_one_or_none()
        if digest is None and computes:
            digest = sha256(_build_list(connection, version, keys.subjects[key_id]))
    return digest


def _build_list(connection: warehouse.Connection, version: int, key: Any) -> bytes:
    return Rows.from_people(SnapshotRow, _list_people(connection, version), key).csv()


def _list_people(connection: warehouse.Connection, version: int) -> pa.Table:
    return warehouse.table(connection, "blacklist/list_entries", signed_changes.ENTRY, version=version)


def _apply_changes(people: pa.Table, changes: pa.Table) -> pa.Table:
    """Return who is listed after changes of a list of people."""
    import pyarrow as pa
    import pyarrow.compute as pc

    withdrawn = changes.filter(pc.equal(changes["op"], "WITHDRAW"))["nik"].combine_chunks()
    kept = people.filter(pc.invert(pc.is_in(people["nik"], value_set=withdrawn)))
    return pa.concat_tables([kept, changes.filter(pc.equal(changes["op"], "ADD")).select(people.column_names)])
