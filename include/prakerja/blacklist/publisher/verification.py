"""Verify a published list by its files alone: signatures, hashes, schemas, and snapshot + delta = snapshot."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from upath import UPath

from prakerja.blacklist.format.contract import POINTER, Latest, Manifest, SnapshotRow, manifest_name, version_folder
from prakerja.blacklist.format.documents import DoesNotFitError, parse_document
from prakerja.blacklist.format.keyring import Trust, UntrustedError
from prakerja.blacklist.format.signatures import PublicKey
from prakerja.blacklist.format.snapshot import (
    HEADER,
    Change,
    Lines,
    NotCanonicalError,
    Subjects,
    hash_list,
    parse_delta,
    sha256,
)
from prakerja.blacklist.publisher.storage import document_reader_in, read_document, source_in
from prakerja.blacklist.reader.sources import read_if_there
from prakerja.errors import PrakerjaError

FIRST = 1
FILE_BYTES_MAX = 2**32


@dataclass(frozen=True)
class Version:
    """A version that was verified, with its list's canonical bytes and its subjects."""

    manifest: Manifest
    snapshot: bytes
    subjects: Subjects


def verify_versions(root: UPath, main: UPath | None = None) -> Iterator[Version]:
    """Yield every version from the first to the one pointed at, verified.

    A list under an earlier key begins where the `main` one got another. Raise `PrakerjaError` at the first fault, which
    names version and file.
    """
    pointer = _read_pointer(root)
    first = FIRST if main is None else min(int(path.name[1:]) for path in root.glob("v[0-9]*"))
    before = HEADER if first == FIRST or main is None else snapshot_of(main, first - 1)
    trust = trust_beside(main or root)
    for number in range(first, pointer.version + 1):
        manifest, data = _read_manifest(root, main or root, number, trust)
        if number == pointer.version:
            # A list under an earlier key ends with its overlap: whoever signed its last version, it stays as it was.
            _require_pointed(pointer, manifest, data, trust if main is None else None)
        version = _verify_snapshot(root, manifest)
        delta = parse_delta(_unzip(_read_file(root, manifest, "delta.csv.gz"), number, "delta.csv.gz"))
        if _hash_list(before, delta, number) != manifest.result_sha256:
            raise PrakerjaError(f"{version_folder(number)}: the version before + delta is not the snapshot")
        _require_counts(version, delta)
        if _parquet_as_csv(_read_file(root, manifest, "snapshot.parquet")) != version.snapshot:
            raise PrakerjaError(f"{version_folder(number)}: the Parquet is another list")
        before = version.snapshot
        yield version


def latest_version(root: UPath) -> Version:
    """Return the list that is pointed at. Its own files are verified, and its history is not."""
    pointer = _read_pointer(root)
    trust = trust_beside(root)
    manifest, data = _read_manifest(root, root, pointer.version, trust)
    _require_pointed(pointer, manifest, data, trust)
    return _verify_snapshot(root, manifest)


def snapshot_of(root: UPath, version: int) -> bytes:
    """Return the canonical bytes of a version's list, as they lie there. Raise `PrakerjaError`."""
    name = "snapshot.csv.gz"
    return _unzip(_read_bytes(root / version_folder(version) / name, version), version, name)


def trust_beside(root: UPath) -> Trust:
    """Return the keys beside the list, as its keyrings chain them from the first version's on.

    Only a reader that has pinned a key can tell whether to believe them.
    """
    first = parse_document(
        Manifest, _read_bytes(root / version_folder(FIRST) / "manifest.json", FIRST), manifest_name(FIRST)
    )
    pin = PublicKey.from_pem(_read_bytes(root / "keys" / f"{first.signing_key_id}.pem", FIRST))
    return Trust.from_pins([pin]).follow(document_reader_in(root), at_most=None)


def _verify_snapshot(root: UPath, manifest: Manifest) -> Version:
    version, name = manifest.version, "snapshot.csv.gz"
    snapshot = _unzip(_read_file(root, manifest, name), version, name)
    if sha256(snapshot) != manifest.result_sha256:
        raise PrakerjaError(f"{version_folder(version)}: the snapshot is not the one that result_sha256 names")
    lines = Lines()
    try:
        subjects = lines.read_chunk(snapshot)
        lines.require_end()
    except NotCanonicalError as error:
        raise PrakerjaError(f"{version_folder(version)}/{name}: {error}") from None
    if lines.rows != manifest.counts.entries:
        raise PrakerjaError(f"{version_folder(version)}: the counts are not those of the snapshot")
    return Version(manifest, snapshot, Subjects(subjects))


def _require_counts(version: Version, delta: list[Change]) -> None:
    """Raise `PrakerjaError` unless the manifest counts what its files have."""
    counts, name = version.manifest.counts, version_folder(version.manifest.version)
    if (counts.added, counts.withdrawn) != tuple(sum(c.op == op for c in delta) for op in ("ADD", "WITHDRAW")):
        raise PrakerjaError(f"{name}: the counts are not those of the delta")
    if counts.by_cohort != _count_by_cohort(version.snapshot):
        raise PrakerjaError(f"{name}: the counts are not those of the snapshot")
    rows = {"snapshot.csv.gz": counts.entries, "snapshot.parquet": counts.entries, "delta.csv.gz": len(delta)}
    if {file.name: file.rows for file in version.manifest.files} != rows:
        raise PrakerjaError(f"{name}: the files' rows are not as many as the manifest says")


def _read_pointer(root: UPath) -> Latest:
    data = read_document(root, POINTER)
    if data is None:
        raise PrakerjaError(f"{POINTER} is missing in {root}")
    return parse_document(Latest, data, POINTER)


def _require_pointed(pointer: Latest, manifest: Manifest, data: bytes, trust: Trust | None) -> None:
    name = manifest_name(pointer.version)
    if pointer.manifest != name or sha256(data) != pointer.sha256:
        raise PrakerjaError(f"{POINTER} points at another manifest than {name}")
    if trust and manifest.signing_key_id in trust.revoked:
        raise PrakerjaError(
            f"{version_folder(pointer.version)} is signed by {manifest.signing_key_id}, a key that was revoked"
        )


def _read_manifest(root: UPath, main: UPath, version: int, trust: Trust) -> tuple[Manifest, bytes]:
    name = version_folder(version)
    data = _read_bytes(root / name / "manifest.json", version)
    signature = _read_bytes(root / name / "manifest.json.sig", version)
    manifest = parse_document(Manifest, data, f"{name}/manifest.json")
    if manifest.version != version or (manifest.previous_version or 0) != version - 1:
        raise PrakerjaError(f"{name}: the manifest is of another version")
    for file in manifest.files:
        manifest.file(file.name)
    try:
        if manifest.signing_key_id in trust.revoked:  # what it signed before is history, and stays
            key = PublicKey.from_pem(_read_bytes(main / "keys" / f"{manifest.signing_key_id}.pem", version))
            if key.key_id != manifest.signing_key_id or not key.has_signed(data, signature):
                raise UntrustedError(f"{name}: the manifest's signature is wrong")
        else:
            trust.require_signed(manifest.signing_key_id, version, data, signature)
    except UntrustedError as error:
        raise PrakerjaError(str(error)) from None
    return manifest, data


def _read_file(root: UPath, manifest: Manifest, name: str) -> bytes:
    file, folder = manifest.file(name), version_folder(manifest.version)
    data = _read_bytes(root / folder / name, manifest.version)
    if len(data) != file.bytes or sha256(data) != file.sha256:
        raise PrakerjaError(f"{folder}/{name}: size or SHA-256 is not the manifest's")
    return data


def _hash_list(before: bytes, delta: list[Change], version: int) -> str:
    try:
        return hash_list(before, delta)
    except NotCanonicalError as error:
        raise PrakerjaError(f"{version_folder(version)}/delta.csv.gz: {error}") from None


def _count_by_cohort(snapshot: bytes) -> dict[str, int]:
    return dict(Counter(line.split(b",", 2)[1].decode() for line in snapshot[len(HEADER) :].splitlines()))


def _read_bytes(path: UPath, version: int) -> bytes:
    data = read_if_there(source_in(path.parent), path.name, FILE_BYTES_MAX)
    if data is None:
        raise PrakerjaError(f"{version_folder(version)}: {path.name} is not there")
    return data


def _unzip(data: bytes, version: int, name: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise PrakerjaError(f"{version_folder(version)}/{name} is not a gzip file") from None


def _parquet_as_csv(data: bytes) -> bytes:
    """Return the canonical CSV of a Parquet file, or nothing if it holds no list."""
    import pyarrow as pa
    from pyarrow import parquet

    from prakerja.blacklist.publisher.version_files import Rows

    try:
        return Rows(SnapshotRow, parquet.read_table(pa.BufferReader(data))).csv()
    except (pa.ArrowException, DoesNotFitError):
        return b""
