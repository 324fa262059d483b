"""Writing the versions that the warehouse has: an immutable folder per version, then one pointer, replaced atomically.

A version's files follow, byte for byte, from what the warehouse has recorded of it and from the keys, so the next
publisher finishes what a killed one began.
Readers see the old list or the new one, never a mixture. Nothing is written before it is known that the list follows
from the one that lies there.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.format.contract import (
    CONTRACT,
    POINTER,
    Counts,
    DeltaRow,
    Latest,
    Manifest,
    PublishedFile,
    SnapshotRow,
    format_instant,
    manifest_name,
    version_folder,
)
from prakerja.blacklist.format.documents import canonical_json
from prakerja.blacklist.format.signatures import SigningKey
from prakerja.blacklist.format.snapshot import HEADER, NotCanonicalError, sha256
from prakerja.blacklist.publisher import anchors, signed_changes, storage
from prakerja.blacklist.publisher.list_keys import Keys, key_overlap, write_keyring
from prakerja.blacklist.publisher.published_folder import list_versions, pointed_version
from prakerja.blacklist.publisher.storage import folder_under_key
from prakerja.blacklist.publisher.verification import snapshot_of
from prakerja.blacklist.publisher.version_files import Rows, VersionFiles
from prakerja.errors import PrakerjaError
from prakerja.programme import programme

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)


def write_unfinished_versions(root: UPath, keys: Keys) -> None:
    """Write every version that the warehouse has and the pointer does not reach yet, in order.

    It looks again until the pointer reaches them all: a publisher that has lost the lock meanwhile may have turned the
    pointer back.
    """
    versions = list_versions()
    while unfinished := range(pointed_version(root), len(versions)):
        for folder in (root, anchors.folder()):
            storage.remove_leftovers(folder)
        for position in unfinished:
            _write_version(root, versions, position, keys)
        versions = list_versions()


@dataclass(frozen=True)
class _Edition:
    """A version of the list under one key of the subjects.

    The version before it lies in `base`, under the key `key_id_before`.
    """

    root: UPath
    base: UPath
    row: Any
    key_id: str
    key_id_before: str

    @property
    def version(self) -> int:
        return int(self.row["version"])


@dataclass(frozen=True)
class _PreparedVersion:
    """A version of the list, ready to be written."""

    root: UPath
    files: VersionFiles
    manifest: Manifest
    signer: SigningKey

    def write(self) -> None:
        """Write the files, then the pointer at them."""
        version, data = self.manifest.version, canonical_json(self.manifest)
        pointer = Latest(version=version, manifest=manifest_name(version), sha256=sha256(data))
        folder = self.root / version_folder(version)
        for name, (content, _) in self.files.files.items():
            storage.write_whole(folder / name, content)
        storage.write_whole(folder / "manifest.json", data)
        storage.write_whole(folder / "manifest.json.sig", self.signer.sign(data))
        self._record_digest()
        if pointed_version(self.root) < version:  # a publisher that has lost the lock must not turn the pointer back
            storage.write_whole(self.root / POINTER, canonical_json(pointer))
        log.info("published version %d: %d entries, %d changes", version, self.files.entries, self.files.changes)

    def _record_digest(self) -> None:
        """Record the digest of the published list. Raise `PrakerjaError` if this version had another one."""
        published = {"version": self.manifest.version, "key_id": self.manifest.key_id}
        with warehouse.transaction("publish") as connection:
            digest = self.manifest.result_sha256
            warehouse.execute(connection, "blacklist/insert_published_list", **published, result_sha256=digest)
            if warehouse.execute(connection, "blacklist/digest_of_list", **published).scalar_one() != digest:
                raise PrakerjaError(
                    f"this is another list than this warehouse has published as version {self.manifest.version}: "
                    "restore the warehouse"
                )


def _write_version(root: UPath, versions: Sequence[Any], position: int, keys: Keys) -> None:
    """Write the keyring, the anchor, the list under an earlier key while that overlaps, and the list."""
    row, key_id = versions[position], keys.subject_key_id(versions[position])
    key_id_before = keys.subject_key_id(versions[position - 1]) if position else key_id
    edition = _Edition(root, root, row, key_id, key_id_before)
    prepared = _prepare_version(edition, keys)
    write_keyring(root, keys, edition.version, row["created_at"])
    for name, data in anchors.build_anchor(edition.version, keys.signer).items():
        storage.write_whole(anchors.folder() / name, data)
    _write_earlier_list(root, versions, position, keys)
    prepared.write()


def _write_earlier_list(root: UPath, versions: Sequence[Any], position: int, keys: Keys) -> None:
    """Bring the list under an earlier key up to a version while that key overlaps. A failure delays no other list."""
    first = position
    while first and keys.subject_key_id(versions[first - 1]) == keys.subject_key_id(versions[position]):
        first -= 1
    if not first or versions[position]["created_at"] >= versions[first]["created_at"] + key_overlap():
        return
    key_id = keys.subject_key_id(versions[first - 1])
    if key_id not in keys.subjects:
        log.warning("the list is no longer published under the key %s, which is not here any more", key_id)
        return
    earlier = folder_under_key(root, key_id)
    try:
        pointed = pointed_version(earlier)
        for row in versions[first : position + 1]:
            if row["version"] > pointed:
                base = earlier if row["version"] > versions[first]["version"] else root
                _prepare_version(_Edition(earlier, base, row, key_id, key_id), keys).write()
    except PrakerjaError as error:
        log.warning("the list under the key %s stays behind: %s", key_id, error)


def _prepare_version(edition: _Edition, keys: Keys) -> _PreparedVersion:
    """Return a version's files and manifest. Raise `PrakerjaError` unless it follows from the version before."""
    version, created_at = edition.version, edition.row["created_at"]
    for each in (edition.key_id, edition.key_id_before):
        if each not in keys.subjects:
            raise PrakerjaError(
                f"{version_folder(version)} has subjects of the key {each}, which is not here: "
                "set PRAKERJA_SUBJECT_KEY_PREVIOUS to it"
            )
    files = _build_files(edition, keys)
    manifest = Manifest(
        contract=CONTRACT,
        version=version,
        previous_version=version - 1 or None,
        created_at=format_instant(created_at),
        checked_at=format_instant(created_at),
        changed_at=format_instant(edition.row["changed_at"]),
        expires_at=format_instant(created_at + timedelta(days=programme().blacklist.expires_after_days)),
        data_as_of=edition.row["data_as_of"],
        key_id=edition.key_id,
        signing_key_id=keys.signer.public.key_id,
        counts=Counts(**files.counts),
        result_sha256=files.result_sha256,
        files=[
            PublishedFile(name=name, bytes=len(data), sha256=sha256(data), rows=rows)  # type: ignore[arg-type]
            for name, (data, rows) in files.files.items()
        ],
    )
    return _PreparedVersion(edition.root, files, manifest, keys.signer)


def _build_files(edition: _Edition, keys: Keys) -> VersionFiles:
    """Return a version's list and delta: the list before, and what the warehouse has changed since.

    The list before must be the very one that this warehouse has published, whose digest it keeps, or `PrakerjaError` is
    raised. Only the changes add people, and they are verified as they are read, also if everybody is issued anew.
    """
    version, key = edition.version, keys.subjects[edition.key_id]
    before = snapshot_of(edition.base, version - 1) if version > 1 else HEADER
    with warehouse.transaction("publish", one_snapshot=True) as connection:
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
        raise PrakerjaError(
            "the list that is published is not what this warehouse has published: restore the warehouse it belongs "
            "to, or publish into another folder"
        )
    return files


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
