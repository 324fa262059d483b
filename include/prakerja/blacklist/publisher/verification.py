"""Verify a published list by its files alone: signatures, hashes, schemas, and snapshot + delta = snapshot.

The folder may be anybody's. Lists and deltas are streamed, and no file is read further than its manifest says, or than
any list needs.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from upath import UPath

from prakerja.blacklist.publisher import parquet_lists
from prakerja.blacklist.publisher.published_folder import versions_in
from prakerja.blacklist.publisher.storage import document_reader_in, read_document, source_in
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format import contract
from prakerja_blacklist.format.chain import Chain, chain_name
from prakerja_blacklist.format.contract import (
    POINTER,
    Latest,
    Manifest,
    find_contract,
    manifest_name,
    parse_manifest,
    version_folder,
)
from prakerja_blacklist.format.documents import parse_document
from prakerja_blacklist.format.keyring import Trust, UntrustedError
from prakerja_blacklist.format.signatures import PublicKey
from prakerja_blacklist.format.snapshot import (
    LINE_BYTES_MAX,
    ROWS_MAX,
    Delta,
    Lines,
    NotCanonicalError,
    Subjects,
    apply_to_blocks,
    sha256,
)
from prakerja_blacklist.reader.sources import NotThereError, TooLargeError
from prakerja_blacklist.reader.verification import (
    FILE_BYTES_SPARE,
    RefusedListError,
    inflate,
    require_plausible_sizes,
    unpacked_bytes_max,
)

FIRST = 1
COHORT = re.compile(rb"^[0-9a-f]{64},([0-9]+),", re.MULTILINE)


@dataclass(frozen=True)
class Version:
    """A version whose own files were verified, with its list's subjects."""

    manifest: Manifest
    subjects: Subjects


def verify_versions(root: UPath, main: UPath | None = None) -> Iterator[Manifest]:
    """Yield the manifest of every version from the first to the one pointed at, verified.

    A list under an earlier key begins where the `main` one got another. Where a list has another contract than before,
    its delta adds everybody. Raise `PrakerjaError` at the first fault, which names version and file.
    """
    pointer = _read_pointer(root)
    first = _first_version(root) if main is None else min(versions_in(root), default=FIRST)
    trust = trust_beside(main or root)
    before: tuple[UPath, Manifest] | None = None
    chain: bytes | None = None
    if main is not None and first > FIRST:
        before = main, _read_manifest(main, main, first - 1, trust)[0]
        chain = read_document(main, chain_name(first - 1))
    for number in range(first, pointer.version + 1):
        manifest, data = _read_manifest(root, main or root, number, trust)
        if number == pointer.version:
            # A list under an earlier key ends with its overlap: whoever signed its last version, it stays as it was.
            _require_pointed(pointer, manifest, data, trust if main is None else None)
        by_cohort = Counter(cohort for _, block in _read_list(root, manifest) for cohort in COHORT.findall(block))
        if before and before[1].contract != manifest.contract:
            before = None
        delta = _verify_delta(before, root, manifest)
        _require_counts(manifest, delta, by_cohort)
        _verify_parquet(root, manifest)
        chain = _verify_chain(root, main or root, manifest, data, trust, chain)
        before = root, manifest
        yield manifest


def latest_version(root: UPath) -> Version:
    """Return the list that is pointed at. Its own files are verified, and its history is not."""
    pointer = _read_pointer(root)
    trust = trust_beside(root)
    manifest, data = _read_manifest(root, root, pointer.version, trust)
    _require_pointed(pointer, manifest, data, trust)
    return Version(manifest, Subjects(b"".join(subjects for subjects, _ in _read_list(root, manifest))))


def snapshot_of(root: UPath, version: int, rows_max: int = ROWS_MAX) -> bytes:
    """Return the canonical bytes of a version's list of at most so many rows, as it lies there.

    Raise `NotThereError`, `RefusedListError`, `TooLargeError` or `UnreachableError`.
    """
    name, bytes_max = f"{version_folder(version)}/snapshot.csv.gz", (1 + rows_max) * LINE_BYTES_MAX
    return b"".join(inflate(source_in(root).chunks(name, FILE_BYTES_SPARE + bytes_max), bytes_max, name))


def trust_beside(root: UPath) -> Trust:
    """Return the keys beside the list, as its keyrings chain them from the first version's on.

    Only a reader that has pinned a key can tell whether to believe them.
    """
    version = _first_version(root)
    first = parse_manifest(_read_bytes(root, manifest_name(version), version), manifest_name(version))
    pin = PublicKey.from_pem(_read_bytes(root, f"keys/{first.signing_key_id}.pem", version))
    return Trust.from_pins([pin]).follow(document_reader_in(root), at_most=None)


def _first_version(root: UPath) -> int:
    """Return with which version a list begins: by a later contract with any, by the first one with the first."""
    first = FIRST if read_document(root, manifest_name(FIRST)) else min(versions_in(root), default=FIRST)
    if first == FIRST:
        return FIRST
    manifest = parse_manifest(_read_bytes(root, manifest_name(first), first), manifest_name(first))
    return FIRST if manifest.contract == contract.FIRST_CONTRACT.name else first


def _read_list(root: UPath, manifest: Manifest) -> Iterator[tuple[bytes, bytes]]:
    """Yield the subjects and the lines of a version's list, block by block, verified at its end."""
    name, lines = version_folder(manifest.version), Lines(find_contract(manifest.contract))
    with _opened(root, manifest, "snapshot.csv.gz") as chunks:
        for chunk in chunks:
            yield lines.read_chunk(chunk), lines.block
        lines.require_end()
    if lines.digest.hexdigest() != manifest.result_sha256:
        raise PrakerjaError(f"{name}: the snapshot is not the one that result_sha256 names")
    if lines.rows != manifest.counts.entries:
        raise PrakerjaError(f"{name}: the counts are not those of the snapshot")


def _verify_delta(before: tuple[UPath, Manifest] | None, root: UPath, manifest: Manifest) -> Delta:
    """Return a version's delta, read to its end. Raise `PrakerjaError` unless it leads from the list before to its own.

    Lists are read once more rather than held.
    """
    form, digest = find_contract(manifest.contract), hashlib.sha256()
    delta = Delta(form)
    blocks = (block for _, block in _read_list(*before)) if before else iter(())
    with _opened(root, manifest, "delta.csv.gz") as chunks:
        changes = itertools.chain.from_iterable(map(delta.read_chunk, chunks))
        for piece in apply_to_blocks(form.header, blocks, changes):
            digest.update(piece)
        delta.require_end()
    if digest.hexdigest() != manifest.result_sha256:
        raise PrakerjaError(f"{version_folder(manifest.version)}: the version before + delta is not the snapshot")
    return delta


def _verify_chain(
    root: UPath, main: UPath, manifest: Manifest, data: bytes, trust: Trust, previous: bytes | None
) -> bytes | None:
    """Return a version's chain file, or None if the chain begins later: what was published before has none.

    Raise `PrakerjaError` unless it names this manifest, and the chain file of the version before.
    """
    name, folder = chain_name(manifest.version), version_folder(manifest.version)
    found = read_document(root, name)
    if found is None and previous is None:
        return None
    found, signature = _read_bytes(root, name, manifest.version), _read_bytes(root, f"{name}.sig", manifest.version)
    chain = parse_document(Chain, found, name)
    require_signed(trust, chain, found, signature, document_reader_in(main))
    if (chain.version, chain.key_id, chain.manifest_sha256) != (manifest.version, manifest.key_id, sha256(data)):
        raise PrakerjaError(f"{folder}: chain.json is of another manifest")
    if chain.previous_chain_sha256 != (None if previous is None else sha256(previous)):
        raise PrakerjaError(f"{folder}: chain.json does not continue the chain of the version before")
    return found


def _verify_parquet(root: UPath, manifest: Manifest) -> None:
    try:
        with tempfile.TemporaryFile() as file:
            for chunk in _packed_chunks(root, manifest, "snapshot.parquet"):
                file.write(chunk)
            file.flush()
            found = parquet_lists.hash_list(file, manifest.counts.entries, find_contract(manifest.contract))
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise PrakerjaError(f"a copy of the Parquet cannot be written ({why}): look at the temporary folder") from None
    if found != manifest.result_sha256:
        raise PrakerjaError(f"{version_folder(manifest.version)}: the Parquet is another list")


def _require_counts(manifest: Manifest, delta: Delta, by_cohort: Counter[bytes]) -> None:
    """Raise `PrakerjaError` unless the manifest counts what its files have."""
    counts, name = manifest.counts, version_folder(manifest.version)
    if (counts.added, counts.withdrawn) != (delta.added, delta.withdrawn):
        raise PrakerjaError(f"{name}: the counts are not those of the delta")
    if counts.by_cohort != {cohort.decode(): count for cohort, count in by_cohort.items()}:
        raise PrakerjaError(f"{name}: the counts are not those of the snapshot")
    changes = delta.added + delta.withdrawn
    rows = {"snapshot.csv.gz": counts.entries, "snapshot.parquet": counts.entries, "delta.csv.gz": changes}
    if {file.name: file.rows for file in manifest.files} != rows:
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
    name = manifest_name(version)
    data, signature = _read_bytes(root, name, version), _read_bytes(root, f"{name}.sig", version)
    manifest = parse_manifest(data, name)
    if manifest.version != version or (manifest.previous_version or 0) != version - 1:
        raise PrakerjaError(f"{version_folder(version)}: the manifest is of another version")
    for file in manifest.files:
        manifest.file(file.name)
    require_plausible_sizes(manifest)
    require_signed(trust, manifest, data, signature, document_reader_in(main))
    return manifest, data


def require_signed(
    trust: Trust, signed: Manifest | Chain, data: bytes, signature: bytes, read_key: Callable[[str], bytes | None]
) -> None:
    """Raise `UntrustedError` unless a key that is believed has signed it, or one that was revoked since.

    What a revoked key signed before is history, and stays; `read_key` reads its PEM beside the list.
    """
    name, key_id = version_folder(signed.version), signed.signing_key_id
    what = "manifest" if isinstance(signed, Manifest) else "chain file"
    if key_id not in trust.revoked:
        trust.require_signed(key_id, signed.version, data, signature, what)
        return
    if (pem := read_key(f"keys/{key_id}.pem")) is None:
        raise UntrustedError(f"{name}: {key_id}.pem is not there")
    key = PublicKey.from_pem(pem)
    if key.key_id != key_id or not key.has_signed(data, signature):
        raise UntrustedError(f"{name}: the {what}'s signature is wrong")


def _read_bytes(root: UPath, name: str, version: int) -> bytes:
    data = read_document(root, name)
    if data is None:
        raise PrakerjaError(f"{version_folder(version)}: {name.rpartition('/')[2]} is not there")
    return data


@contextlib.contextmanager
def _opened(root: UPath, manifest: Manifest, name: str) -> Iterator[Iterator[bytes]]:
    """Open a version's CSV, which comes unpacked, in chunks. Raise `PrakerjaError`.

    A file that is not the manifest's is reported as that, whatever else was found in it.
    """
    folder, packed = version_folder(manifest.version), _packed_chunks(root, manifest, name)
    try:
        yield inflate(packed, unpacked_bytes_max(manifest.file(name)), f"{folder}/{name}")
    except NotCanonicalError as error:
        _exhaust(packed)
        raise PrakerjaError(f"{folder}/{name}: {error}") from None
    except RefusedListError:
        _exhaust(packed)
        raise


def _exhaust(packed: Iterator[bytes]) -> None:
    for _ in packed:
        pass


def _packed_chunks(root: UPath, manifest: Manifest, name: str) -> Iterator[bytes]:
    """Yield the bytes of a version's file. Raise `PrakerjaError` unless they are those that the manifest names."""
    file, folder = manifest.file(name), version_folder(manifest.version)
    digest, size = hashlib.sha256(), 0
    try:
        for chunk in source_in(root).chunks(f"{folder}/{name}", file.bytes):
            digest.update(chunk)
            size += len(chunk)
            yield chunk
    except NotThereError:
        raise PrakerjaError(f"{folder}: {name} is not there") from None
    except TooLargeError:
        size = file.bytes + 1
    if (size, digest.hexdigest()) != (file.bytes, file.sha256):
        raise PrakerjaError(f"{folder}/{name}: size or SHA-256 is not the manifest's")
