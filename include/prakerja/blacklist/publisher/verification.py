"""Verifying a published list from its files alone: signatures, hashes, schemas, and snapshot + delta = snapshot."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from upath import UPath

from prakerja.blacklist.format.contract import DoesNotFitError, Latest, Manifest, SnapshotRow, parsed
from prakerja.blacklist.format.keyring import Trust, UntrustedError
from prakerja.blacklist.format.signing import PublicKey
from prakerja.blacklist.format.snapshot import (
    HEADER,
    Lines,
    NotCanonicalError,
    Subjects,
    parsed_delta,
    result_sha256,
    sha256,
)
from prakerja.blacklist.reader.sources import DOCUMENT_BYTES_MAX, POINTER, Folder, keyrings_of, read_if_there
from prakerja.errors import PrakerjaError

FIRST = 1
FILE_BYTES_MAX = 2**32


@dataclass(frozen=True)
class Version:
    """A version that was verified, with its list's canonical bytes and its subjects."""

    manifest: Manifest
    snapshot: bytes
    subjects: Subjects


def verified_versions(root: UPath, main: UPath | None = None) -> Iterator[Version]:
    """Every version from the first to the one pointed at, verified.

    A list under an earlier key begins where the `main` one got another. Raises `PrakerjaError` at the first thing that
    is wrong, naming version and file.
    """
    pointer = _pointer(root)
    first = FIRST if main is None else min(int(path.name[1:]) for path in root.glob("v[0-9]*"))
    before = HEADER if first == FIRST or main is None else snapshot_of(main, first - 1)
    trust = trust_beside(main or root)
    for version in range(first, pointer.version + 1):
        manifest, data = _manifest(root, main or root, version, trust)
        if version == pointer.version:
            # A list under an earlier key ends with its overlap: whoever signed its last version, it stays as it was.
            _require_pointed(pointer, manifest, data, trust if main is None else None)
        verified = _verified(root, manifest)
        delta = parsed_delta(_unzipped(_file(root, manifest, "delta.csv.gz"), version, "delta.csv.gz"))
        counts = manifest.counts
        for right, wrong in (
            (
                _result(before, delta, version) == manifest.result_sha256,
                "the version before + delta is not the snapshot",
            ),
            (
                (counts.added, counts.withdrawn) == tuple(sum(c.op == op for c in delta) for op in ("ADD", "WITHDRAW")),
                "the counts are not those of the delta",
            ),
            (counts.by_cohort == _by_cohort(verified.snapshot), "the counts are not those of the snapshot"),
            (
                {file.name: file.rows for file in manifest.files}
                == {"snapshot.csv.gz": counts.entries, "snapshot.parquet": counts.entries, "delta.csv.gz": len(delta)},
                "the files' rows are not as many as the manifest says",
            ),
            (_as_csv(_file(root, manifest, "snapshot.parquet")) == verified.snapshot, "the Parquet is another list"),
        ):
            if not right:
                raise PrakerjaError(f"v{version:06d}: {wrong}")
        before = verified.snapshot
        yield verified


def latest(root: UPath) -> Version:
    """The list that is pointed at, its own files verified (not its history)."""
    pointer = _pointer(root)
    trust = trust_beside(root)
    manifest, data = _manifest(root, root, pointer.version, trust)
    _require_pointed(pointer, manifest, data, trust)
    return _verified(root, manifest)


def snapshot_of(root: UPath, version: int) -> bytes:
    """The canonical bytes of a version's list, as they lie there. Raises `PrakerjaError`."""
    return _unzipped(_bytes(root / f"v{version:06d}" / "snapshot.csv.gz", version), version, "snapshot.csv.gz")


def _verified(root: UPath, manifest: Manifest) -> Version:
    version, name = manifest.version, "snapshot.csv.gz"
    snapshot = _unzipped(_file(root, manifest, name), version, name)
    if sha256(snapshot) != manifest.result_sha256:
        raise PrakerjaError(f"v{version:06d}: the snapshot is not the one that result_sha256 names")
    lines = Lines()
    try:
        subjects = lines.subjects_of(snapshot)
        lines.require_end()
    except NotCanonicalError as error:
        raise PrakerjaError(f"v{version:06d}/{name}: {error}") from None
    if lines.rows != manifest.counts.entries:
        raise PrakerjaError(f"v{version:06d}: the counts are not those of the snapshot")
    return Version(manifest, snapshot, Subjects(subjects))


def _pointer(root: UPath) -> Latest:
    data = read_if_there(Folder(root), POINTER, DOCUMENT_BYTES_MAX)
    if data is None:
        raise PrakerjaError(f"{POINTER} is missing in {root}")
    return parsed(Latest, data, POINTER)


def _require_pointed(pointer: Latest, manifest: Manifest, data: bytes, trust: Trust | None) -> None:
    name = f"v{pointer.version:06d}/manifest.json"
    if pointer.manifest != name or sha256(data) != pointer.sha256:
        raise PrakerjaError(f"{POINTER} points at another manifest than {name}")
    if trust and manifest.signing_key_id in trust.revoked:
        raise PrakerjaError(f"v{pointer.version:06d} is signed by {manifest.signing_key_id}, a key that was revoked")


def trust_beside(root: UPath) -> Trust:
    """The keys beside the list, as its keyrings chain them from the first version's on: whether to believe them is for
    who has pinned one."""
    first = parsed(Manifest, _bytes(root / f"v{FIRST:06d}" / "manifest.json", FIRST), f"v{FIRST:06d}/manifest.json")
    pin = PublicKey.from_pem(_bytes(root / "keys" / f"{first.signing_key_id}.pem", FIRST))
    return Trust.in_pins([pin]).followed(keyrings_of(root), at_most=None)


def _manifest(root: UPath, main: UPath, version: int, trust: Trust) -> tuple[Manifest, bytes]:
    name = f"v{version:06d}"
    data = _bytes(root / name / "manifest.json", version)
    signature = _bytes(root / name / "manifest.json.sig", version)
    manifest = parsed(Manifest, data, f"{name}/manifest.json")
    if manifest.version != version or (manifest.previous_version or 0) != version - 1:
        raise PrakerjaError(f"{name}: the manifest is of another version")
    for file in manifest.files:
        manifest.file(file.name)
    try:
        if manifest.signing_key_id in trust.revoked:  # what it signed before is history, and stays
            key = PublicKey.from_pem(_bytes(main / "keys" / f"{manifest.signing_key_id}.pem", version))
            if key.key_id != manifest.signing_key_id or not key.has_signed(data, signature):
                raise UntrustedError(f"{name}: the manifest's signature is wrong")
        else:
            trust.require_signed(manifest.signing_key_id, version, data, signature)
    except UntrustedError as error:
        raise PrakerjaError(str(error)) from None
    return manifest, data


def _file(root: UPath, manifest: Manifest, name: str) -> bytes:
    file = manifest.file(name)
    data = _bytes(root / f"v{manifest.version:06d}" / name, manifest.version)
    if len(data) != file.bytes or sha256(data) != file.sha256:
        raise PrakerjaError(f"v{manifest.version:06d}/{name}: size or SHA-256 is not the manifest's")
    return data


def _result(before: bytes, delta: list[Any], version: int) -> str:
    try:
        return result_sha256(before, delta)
    except NotCanonicalError as error:
        raise PrakerjaError(f"v{version:06d}/delta.csv.gz: {error}") from None


def _by_cohort(snapshot: bytes) -> dict[str, int]:
    from collections import Counter

    counted = Counter(line.split(b",", 2)[1].decode() for line in snapshot[len(HEADER) :].splitlines())
    return dict(counted)


def _bytes(path: UPath, version: int) -> bytes:
    data = read_if_there(Folder(path.parent), path.name, FILE_BYTES_MAX)
    if data is None:
        raise PrakerjaError(f"v{version:06d}: {path.name} is not there")
    return data


def _unzipped(data: bytes, version: int, name: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise PrakerjaError(f"v{version:06d}/{name} is no gzip file") from None


def _as_csv(data: bytes) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    from prakerja.blacklist.publisher.files import Rows

    try:
        return Rows(SnapshotRow, parquet.read_table(pa.BufferReader(data))).csv()
    except (pa.ArrowException, DoesNotFitError):
        return b""
