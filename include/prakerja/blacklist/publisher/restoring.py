"""Restoring the published folder to what the warehouse has recorded, and publishing the list anew in an empty one.

Only a person does either. Publishing goes on by itself as long as nothing has to be taken away for it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import list_keys, storage
from prakerja.blacklist.publisher.contracts_in_force import list_root
from prakerja.blacklist.publisher.editions import Edition
from prakerja.blacklist.publisher.list_keys import Keys, load_trust
from prakerja.blacklist.publisher.local_files import LinkError, OtherFileError
from prakerja.blacklist.publisher.own_list import require_own_list
from prakerja.blacklist.publisher.published_folder import contract_in, list_versions, sibling_roots, versions_in
from prakerja.blacklist.publisher.recorded_documents import Record
from prakerja.blacklist.publisher.recorded_versions import Writer, build_pointer, complete, record_earlier_versions
from prakerja.blacklist.publisher.storage import read_document
from prakerja.blacklist.publisher.writing import write_sibling_lists, write_unfinished_versions
from prakerja.errors import NotReadyError, PrakerjaError, TransientError
from prakerja_blacklist.format import keyring
from prakerja_blacklist.format.contract import CONTRACTS, POINTER, PublishedFile, manifest_name, version_folder

FILES = (
    "snapshot.csv.gz", "snapshot.parquet", "delta.csv.gz", "chain.json", "chain.json.sig", "manifest.json",
    "manifest.json.sig",
)  # fmt: skip
DISPLACED = "displaced"  # the folder beside the list for what lay in the place of published files


@dataclass
class Restored:
    """What a restore has written and moved into the folder `aside`, by names below the published folder.

    `problems` has a line for what could not be restored. The pointer names `version`, 0 if nothing was published yet.
    """

    aside: str
    version: int = 0
    written: list[str] = field(default_factory=list)
    displaced: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _DisplacingWriter(Writer):
    """Moves aside what lies in a file's place, and writes the file there."""

    def __init__(self, restored: Restored) -> None:
        self._restored = restored

    def create(self, place: UPath, name: str, data: bytes) -> None:
        while True:
            try:
                if storage.create(place, name, data):
                    self._restored.written.append(name)
                return
            except (OtherFileError, LinkError):
                self.set_aside(place, name)

    def has(self, place: UPath, name: str, file: PublishedFile) -> bool:
        try:
            return storage.has(place, name, file)
        except (OtherFileError, LinkError):
            self.set_aside(place, name)
            return False

    def set_aside(self, place: UPath, name: str) -> None:
        """Move what lies under a name, if anything does."""
        if moved := storage.set_aside(place, name, self._restored.aside):
            self._restored.displaced.append(moved)


def restore() -> Restored:
    """Write what is recorded into the published folder, and move aside what lies in its place.

    Raise `PrakerjaError` if the folder has versions that this warehouse does not know, or another system's list.
    """
    with warehouse.exclusive("publish"):
        keys, root, versions = Keys.from_settings(), list_root(), list_versions()
        require_own_list(root, keys)
        record = Record.load(root)
        record_earlier_versions(root, versions, keys, record)
        _require_ours(root, record)
        restored = Restored(f"{DISPLACED}/{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}")
        writer = _DisplacingWriter(restored)
        for name, data in record.documents.items():
            writer.create(root.parent, name, data)
        trust, newest = load_trust(root, keys, record), dict[UPath, int]()
        for edition in _recorded_editions(root, keys, record):
            newest[edition.root] = edition.version
            try:
                complete(edition, keys, record, trust, writer)
            except TransientError:
                raise
            except PrakerjaError as error:
                restored.problems.append(str(error))
        for folder in (root, *sibling_roots(root)):
            for row in versions[newest.get(folder, 0) :]:  # a publisher began it and died: the next one begins again
                for name in FILES:
                    writer.set_aside(folder.parent, f"{folder.name}/{version_folder(row['version'])}/{name}")
        for folder, version in newest.items():
            pointer = build_pointer(record, folder, version)
            if read_document(folder, POINTER) != pointer:
                storage.replace(root.parent, f"{folder.name}/{POINTER}", pointer)
                restored.written.append(f"{folder.name}/{POINTER}")
        restored.version = newest.get(root, 0)
    return restored


def republish(*, because: str, answered_by: str, without_root: bool = False) -> int:
    """Publish every version anew under the present keys, in an empty folder, and return the newest version.

    Readers know none of it: each must be told to read there and to pin the key. Root keys go on, unless they are to be
    left behind: they are not lost with the signing key. Raise `PrakerjaError` if the folder has
    a list, and `NotReadyError` if the warehouse has none.
    """
    with warehouse.exclusive("publish"):
        keys, root, versions = Keys.from_settings(), list_root(), list_versions()
        if not versions:
            raise NotReadyError("nothing was published yet: a cohort_deadline run publishes a list")
        names = (POINTER, keyring.file_name(1))
        if versions_in(root) or any(read_document(root, name) is not None for name in names):
            raise PrakerjaError(f"{root} has a list: set PRAKERJA_PUBLISH to an empty folder, of every process")
        list_keys.record_rotation(
            "list_republished", keys.signer.public.key_id, because=because, answered_by=answered_by
        )
        documents = {f"keys/{keys.signer.public.key_id}.pem": keys.signer.public.pem}
        if not without_root:
            record = Record.load(root)
            roots = (name.partition("/")[2] for name in record.names_in(root, "keys/root-"))
            documents |= {name: record.documents[f"{root.name}/{name}"] for name in roots}
        Record.begin_series(root).write(root, documents)
        write_unfinished_versions(keys)
        write_sibling_lists(keys)
    return len(versions)


def _require_ours(root: UPath, record: Record) -> None:
    """Raise `PrakerjaError` if a folder has versions, and nothing of what this warehouse has published there."""
    if versions_in(root) and not any(
        read_document(record.place, name) == data
        for name, data in record.documents.items()
        if not name.endswith((".pem", ".sig"))  # other lists of these keys have the PEM too
    ):
        raise PrakerjaError(
            f"{root} has nothing of what this warehouse has published: set PRAKERJA_PUBLISH to this one's folder"
        )


def _recorded_editions(root: UPath, keys: Keys, record: Record) -> Iterator[Edition]:
    """Yield every recorded version, in order: of the list by each contract, then of those under earlier keys."""
    versions = list_versions()
    mains = [root.parent / contract.folder for contract in CONTRACTS.values()]
    for main in mains:
        for position, row in enumerate(versions):
            if record.find(main, manifest_name(row["version"])):
                yield Edition.of_list(main, versions, position, keys, record)
    names = re.compile(r"(blacklist(?:-format-\d+)?-[0-9a-f]{16})/")
    for name in sorted({found[1] for each in record.documents if (found := names.match(each))}):
        folder = root.parent / name
        main, first = root.parent / contract_in(folder).folder, True
        for row in versions:
            if manifest := record.find_manifest(folder, row["version"]):
                yield Edition(main, folder, main if first else folder, row, manifest.key_id, manifest.key_id)
                first = False
