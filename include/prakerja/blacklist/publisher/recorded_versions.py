"""Versions that were recorded: what is missing of them is written again, and what lies there is never written over."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from typing import Any

from upath import UPath

from prakerja.blacklist.publisher import anchors, storage
from prakerja.blacklist.publisher.editions import Edition, build_files, hash_listed
from prakerja.blacklist.publisher.list_keys import Keys, load_trust
from prakerja.blacklist.publisher.published_folder import contract_in, known_pointed_version
from prakerja.blacklist.publisher.recorded_documents import Record
from prakerja.blacklist.publisher.storage import document_reader_in, folder_under_key, read_document
from prakerja.blacklist.publisher.verification import require_signed
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format import keyring
from prakerja_blacklist.format.contract import (
    FIRST_CONTRACT,
    Latest,
    PublishedFile,
    format_instant,
    manifest_name,
    parse_manifest,
    version_folder,
)
from prakerja_blacklist.format.documents import DoesNotFitError, canonical_json
from prakerja_blacklist.format.keyring import Trust
from prakerja_blacklist.format.snapshot import sha256


class Writer:
    """Writes what is missing below a place. It raises `OtherFileError` where something else lies."""

    def create(self, place: UPath, name: str, data: bytes) -> None:
        """Write a file, unless it is there."""
        storage.create(place, name, data)

    def has(self, place: UPath, name: str, file: PublishedFile) -> bool:
        """Return whether the file that a manifest names is there."""
        return storage.has(place, name, file)


WRITER = Writer()


def build_pointer(record: Record, root: UPath, version: int) -> bytes:
    """Return the pointer at a version whose manifest is recorded."""
    sha = sha256(record.documents[f"{root.name}/{manifest_name(version)}"])
    return canonical_json(Latest(version=version, manifest=manifest_name(version), sha256=sha))


def count_recorded(record: Record, root: UPath, versions: Sequence[Any]) -> int:
    """Return how many of the warehouse's versions there are up to the newest one that is recorded in a folder."""
    positions = range(len(versions), 0, -1)
    return next((each for each in positions if record.find(root, manifest_name(versions[each - 1]["version"]))), 0)


def complete(edition: Edition, keys: Keys, record: Record, trust: Trust, writer: Writer = WRITER) -> None:
    """Write what is missing of a recorded version. Raise `PrakerjaError` if it cannot be written as it was.

    `trust` are the keys that readers believe: a manifest that none of them has signed is nobody's.
    """
    place, folder, version = edition.root.parent, version_folder(edition.version), edition.version
    name = f"{edition.root.name}/{manifest_name(version)}"
    manifest = parse_manifest(record.documents[name], name)
    read_key = record.reader_in(edition.main)
    require_signed(trust, manifest, record.documents[name], record.documents.get(f"{name}.sig", b""), read_key)
    paths = {file: f"{edition.root.name}/{folder}/{file.name}" for file in manifest.files}
    missing = [file for file in manifest.files if not writer.has(place, paths[file], file)]
    if missing:
        built = build_files(edition, keys)
        if built.result_sha256 != manifest.result_sha256:
            raise PrakerjaError(
                f"this is another list than this warehouse has published as version {version}: restore the warehouse"
            )
        for file in missing:
            content, _ = built.files[file.name]
            if sha256(content) != file.sha256:
                raise PrakerjaError(
                    f"{paths[file]} is missing, and today's libraries pack it into other bytes than were signed: copy "
                    f"it from a backup of the folder (its SHA-256 begins with {file.sha256[:16]})"
                )
            writer.create(place, paths[file], content)
    for each in documents_of(record, edition.root, version):
        writer.create(place, each, record.documents[each])


def documents_of(record: Record, root: UPath, version: int) -> list[str]:
    """Return the names of the recorded documents of a version: its manifest, the signature, and its anchor."""
    anchor = f"{anchors.FOLDER}/{anchors.file_name(version)}"
    names = record.names_in(root, f"{version_folder(version)}/")
    return [*names, *(name for name in (anchor, f"{anchor}.sig") if name in record.documents)]


def record_earlier_versions(root: UPath, versions: Sequence[Any], keys: Keys, record: Record) -> None:
    """Record the documents of versions that were published before documents were recorded.

    A manifest counts if it is of this very version, its list is the warehouse's, and a key of the list has signed it.
    Documents of later contracts were recorded from the beginning.
    """
    if contract_in(root) != FIRST_CONTRACT:
        return
    rows = [row for row in versions if record.find(root, manifest_name(row["version"])) is None]
    if not rows or record.series > 1:
        return
    trust, pointed = load_trust(root, keys, record), known_pointed_version(root)
    for row, key_id in itertools.product(rows, keys.subjects):
        folder = root if key_id == keys.subject_key_id(row) else folder_under_key(root, key_id)
        name = manifest_name(row["version"])
        data, signature = read_document(folder, name), read_document(folder, f"{name}.sig")
        is_pointed = row["version"] <= pointed
        if data is None or signature is None or not _is_own(data, row, key_id, keys, is_pointed=is_pointed):
            continue
        with contextlib.suppress(keyring.UntrustedError):
            require_signed(trust, parse_manifest(data, name), data, signature, document_reader_in(root))
            record.keep(folder, {name: data, f"{name}.sig": signature})
    if count_recorded(record, root, versions):
        names = [keyring.file_name(number) for number in range(1, trust.number + 1)]
        names += [f"keys/{key_id}.pem" for key_id in (*trust.keys, *trust.revoked)]
        record.keep(root, {name: data for name in names if (data := read_document(root, name)) is not None})


def _is_own(data: bytes, row: Any, key_id: str, keys: Keys, *, is_pointed: bool) -> bool:
    """Return whether a manifest that lies there is of this version of the warehouse's, and of the list that it has."""
    try:
        manifest = parse_manifest(data, "a manifest")
    except DoesNotFitError:
        return False
    listed = hash_listed(row["version"], key_id, keys, computes=is_pointed)
    return (manifest.version, manifest.key_id, manifest.created_at, manifest.result_sha256) == (
        row["version"], key_id, format_instant(row["created_at"]), listed
    )  # fmt: skip
