"""Writing the versions that the warehouse has: an immutable folder per version, then one pointer, replaced atomically.

A version's files follow, byte for byte, from what the warehouse has recorded of it and from the keys, so the next
publisher finishes what a killed one began. Its manifest and signature are recorded before they are written. From then
on nothing of the version is made anew, whatever the pointer says, and nothing that lies there is written over.
Readers see the old list or the new one, never a mixture. Nothing is written before it is known that the list follows
from the one that lies there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import anchors, chains, storage
from prakerja.blacklist.publisher.contracts_in_force import ContractsInForce, list_root
from prakerja.blacklist.publisher.editions import Edition, build_files, has_begun
from prakerja.blacklist.publisher.list_keys import Keys, key_overlap, load_trust, write_keyring
from prakerja.blacklist.publisher.local_files import OtherFileError, not_ours
from prakerja.blacklist.publisher.published_folder import known_pointed_version, list_versions
from prakerja.blacklist.publisher.recorded_documents import Record
from prakerja.blacklist.publisher.recorded_versions import (
    build_pointer,
    complete,
    count_recorded,
    documents_of,
    record_earlier_versions,
)
from prakerja.blacklist.publisher.storage import document_reader_in, folder_under_key, read_document
from prakerja.blacklist.publisher.version_files import VersionFiles
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja_blacklist.format.contract import (
    POINTER,
    Counts,
    Manifest,
    PublishedFile,
    format_instant,
    manifest_name,
    version_folder,
)
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.signatures import SigningKey
from prakerja_blacklist.format.snapshot import sha256
from prakerja_blacklist.reader.verification import require_plausible_sizes

log = logging.getLogger(__name__)


def write_unfinished_versions(keys: Keys) -> None:
    """Write every version that the warehouse has and that is not recorded as published yet, in order.

    It looks again until the pointer reaches them all: a publisher that has lost the lock meanwhile may have turned the
    pointer back.
    """
    while True:
        root = list_root()  # the newest version may be the first after a contract's end
        record, versions = Record.load(root), list_versions()
        record_earlier_versions(root, versions, keys, record)
        chains.write_earlier_chains(root, versions, keys, record)
        recorded = count_recorded(record, root, versions)
        if recorded:
            _point_at_recorded(root, versions[:recorded], keys, record)
        if recorded == len(versions):
            return
        storage.remove_leftovers(root, anchors.FOLDER)
        for position in range(recorded, len(versions)):
            _write_version(root, versions, position, keys, record)


def write_sibling_lists(keys: Keys) -> None:
    """Bring the list by each other contract up to the newest version. A failure delays no other list.

    One that was not published yet begins with the newest version. Its keys are those of the list.
    """
    root = list_root()
    record, versions = Record.load(root), list_versions()
    if not versions:
        return
    shared = {name.partition("/")[2]: record.documents[name] for name in record.names_in(root, "keys/")}
    for contract in ContractsInForce.load().at(versions[-1]["created_at"]):
        sibling = root.parent / contract.folder
        if sibling.name == root.name:
            continue
        try:
            record.write(sibling, shared)
            recorded = count_recorded(record, sibling, versions)
            if recorded:
                _point_at_recorded(sibling, versions[:recorded], keys, record)
            if recorded < len(versions):
                storage.remove_leftovers(sibling)
            for position in range(recorded or len(versions) - 1, len(versions)):
                prepared = _prepare_version(Edition.of_list(sibling, versions, position, keys, record), keys)
                _write_earlier_list(sibling, versions, position, keys, record)
                prepared.write(record)
        except PrakerjaError as error:
            log.warning("the list by %s stays behind: %s", contract.name, error)


def _point_at_recorded(root: UPath, versions: Sequence[Any], keys: Keys, record: Record) -> None:
    """Let the pointer name the newest of the recorded versions, whatever it names now.

    What is missing up to there is written again. Raise `PrakerjaError` if something else lies in a file's place.
    """
    newest, pointed = int(versions[-1]["version"]), known_pointed_version(root)
    for version in {1, pointed or newest, newest}:  # before anything is written: this may be another system's folder
        lying, recorded = (read(manifest_name(version)) for read in (document_reader_in(root), record.reader_in(root)))
        if lying not in (None, recorded):
            raise OtherFileError(not_ours(root / manifest_name(version)))
    for name in [*record.names_in(root, "keys/"), *documents_of(record, root, newest)]:
        storage.create(root.parent, name, record.documents[name])
    pointer = build_pointer(record, root, newest)
    if read_document(root, POINTER) == pointer or pointed > newest:  # another publisher is further: this lost the lock
        return
    log.warning("%s does not name version %d, which was published: going on from there", root / POINTER, newest)
    storage.remove_leftovers(root, anchors.FOLDER)
    trust = load_trust(root, keys, record)
    for position in range(min(pointed, newest - 1), newest):
        edition = Edition.of_list(root, versions, position, keys, record)
        if record.find(root, manifest_name(edition.version)):
            if record.reader_in(anchors.folder())(anchors.file_name(edition.version)) is None:
                record.write(anchors.folder(), anchors.build_anchor(edition.version, keys.signer))
            _write_earlier_list(root, versions, position, keys, record)
            complete(edition, keys, record, trust)
    if known_pointed_version(root) <= newest:
        storage.replace(root.parent, f"{root.name}/{POINTER}", pointer)


@dataclass(frozen=True)
class _PreparedVersion:
    """A version of the list, ready to be written."""

    edition: Edition
    files: VersionFiles
    manifest: Manifest
    signer: SigningKey

    @property
    def root(self) -> UPath:
        """The folder of the list."""
        return self.edition.root

    def write(self, record: Record) -> None:
        """Write the files, then the chain file and the manifest as they are recorded, then the pointer at it."""
        version, data, name = self.manifest.version, canonical_json(self.manifest), manifest_name(self.manifest.version)
        place, folder = self.root.parent, f"{self.root.name}/{version_folder(version)}"
        for file, (content, _) in self.files.files.items():
            storage.create(place, f"{folder}/{file}", content)
        chain = chains.build_chain(self.edition, self.manifest, self.signer, record)
        self._record(record, {name: data, f"{name}.sig": self.signer.sign(data), **chain})
        for document in record.names_in(self.root, f"{version_folder(version)}/"):
            storage.create(place, document, record.documents[document])
        if known_pointed_version(self.root) < version:  # who has lost the lock must not turn the pointer back
            storage.replace(place, f"{self.root.name}/{POINTER}", build_pointer(record, self.root, version))
        log.info("published version %d: %d entries, %d changes", version, self.files.entries, self.files.changes)

    def _record(self, record: Record, documents: dict[str, bytes]) -> None:
        """Record the digest and the documents of the list. Raise `PrakerjaError` if this version had another list."""
        manifest = self.manifest
        published = {"version": manifest.version, "key_id": manifest.key_id, "contract": manifest.contract}
        with warehouse.transaction("publish") as connection:
            digest = manifest.result_sha256
            warehouse.execute(connection, "blacklist/insert_published_list", **published, result_sha256=digest)
            if warehouse.execute(connection, "blacklist/digest_of_list", **published).scalar_one() != digest:
                raise PrakerjaError(
                    f"this is another list than this warehouse has published as version {manifest.version}: "
                    "restore the warehouse"
                )
            record.keep(self.root, documents, connection)


def _write_version(root: UPath, versions: Sequence[Any], position: int, keys: Keys, record: Record) -> None:
    """Write the keyring, the anchor, the list under an earlier key while that overlaps, and the list."""
    edition = Edition.of_list(root, versions, position, keys, record)
    prepared = _prepare_version(edition, keys)
    write_keyring(root, keys, record, edition.version, edition.row["created_at"])
    record.write(anchors.folder(), anchors.build_anchor(edition.version, keys.signer))
    _write_earlier_list(root, versions, position, keys, record)
    prepared.write(record)


def _write_earlier_list(root: UPath, versions: Sequence[Any], position: int, keys: Keys, record: Record) -> None:
    """Bring the list under an earlier key up to a version while that key overlaps. A failure delays no other list."""
    first = position
    while first and keys.subject_key_id(versions[first - 1]) == keys.subject_key_id(versions[position]):
        first -= 1
    if not first or versions[position]["created_at"] >= versions[first]["created_at"] + key_overlap():
        return
    if not has_begun(root, versions, first, record):  # who comes to it has today's key
        return
    key_id = keys.subject_key_id(versions[first - 1])
    if key_id not in keys.subjects:
        log.warning("the list is no longer published under the key %s, which is not here any more", key_id)
        return
    earlier = folder_under_key(root, key_id)
    try:
        pointed = known_pointed_version(earlier)
        for row in versions[first : position + 1]:
            if row["version"] > pointed:
                base = earlier if row["version"] > versions[first]["version"] else root
                _write_edition(Edition(root, earlier, base, row, key_id, key_id), keys, record)
    except PrakerjaError as error:
        log.warning("the list under the key %s stays behind: %s", key_id, error)


def _write_edition(edition: Edition, keys: Keys, record: Record) -> None:
    """Write a version of the list under an earlier key, or what is missing of it, and the pointer at it."""
    root, version = edition.root, edition.version
    if record.find(root, manifest_name(version)) is None:
        _prepare_version(edition, keys).write(record)
        return
    complete(edition, keys, record, load_trust(edition.main, keys, record))
    storage.replace(root.parent, f"{root.name}/{POINTER}", build_pointer(record, root, version))


def _prepare_version(edition: Edition, keys: Keys) -> _PreparedVersion:
    """Return a version's files and manifest. Raise `PrakerjaError` unless it follows from the version before."""
    version, created_at = edition.version, edition.row["created_at"]
    files = build_files(edition, keys)
    manifest = edition.contract.manifest(
        contract=edition.contract.name,
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
    require_plausible_sizes(manifest)
    return _PreparedVersion(edition, files, manifest, keys.signer)
