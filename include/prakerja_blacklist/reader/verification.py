"""Verifying what a source offers: the pointer, manifests and their signatures, and the contents of files."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.chain import CHAIN_BYTES_MAX, Chain, chain_name
from prakerja_blacklist.format.contract import (
    POINTER,
    Latest,
    Manifest,
    PublishedFile,
    manifest_name,
    parse_manifest,
    version_folder,
)
from prakerja_blacklist.format.documents import parse_document
from prakerja_blacklist.format.keyring import Trust
from prakerja_blacklist.format.snapshot import LINE_BYTES_MAX, ROWS_MAX, SUBJECT_BYTES, sha256
from prakerja_blacklist.reader.sources import DOCUMENT_BYTES_MAX, NotThereError, Source, read

SIGNATURE_BYTES_MAX = 1_000
FILE_BYTES_SPARE = 1 << 20  # what a file may have beside its rows: headers, the footer of a Parquet file


class RefusedListError(PrakerjaError):
    """What the source offers is refused, and the last trusted list is kept. `reason` is its code."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass(frozen=True)
class SignedManifest:
    """A manifest whose signature was verified, with the bytes of both."""

    manifest: Manifest
    data: bytes
    signature: bytes


@dataclass(frozen=True)
class Offer:
    """The version that a source points at. Its manifest was verified."""

    source: Source
    pointer: Latest
    signed: SignedManifest

    @property
    def manifest(self) -> Manifest:
        """The version's manifest."""
        return self.signed.manifest


def fetch_offer(source: Source, trust: Trust) -> Offer:
    """Return the version that the pointer names. Raise `PrakerjaError`."""
    pointer = parse_document(Latest, read(source, POINTER, DOCUMENT_BYTES_MAX), POINTER)
    if pointer.manifest != manifest_name(pointer.version):
        raise RefusedListError("mixed", f"{POINTER} points at the manifest of another version")
    try:
        signed = fetch_manifest(source, trust, pointer.version)
    except NotThereError:
        raise RefusedListError(
            "missing", f"{POINTER} points at version {pointer.version}, which is not there"
        ) from None
    if sha256(signed.data) != pointer.sha256:
        raise RefusedListError("mixed", f"{POINTER} points at another manifest than the one that lies there")
    return Offer(source, pointer, signed)


def fetch_manifest(source: Source, trust: Trust, version: int) -> SignedManifest:
    """Return a version's manifest if a key that is believed has signed it. Raise `PrakerjaError`."""
    name = manifest_name(version)
    data = read(source, name, DOCUMENT_BYTES_MAX)
    signature = read(source, f"{name}.sig", SIGNATURE_BYTES_MAX)
    manifest = parse_manifest(data, name)
    trust.require_signed(manifest.signing_key_id, manifest.version, data, signature)
    if manifest.version != version or (manifest.previous_version or 0) != version - 1:
        raise RefusedListError("mixed", f"{name} is the manifest of another version")
    require_plausible_sizes(manifest)
    return SignedManifest(manifest, data, signature)


@dataclass(frozen=True)
class SignedChain:
    """A chain file and its signature, with the bytes of both."""

    chain: Chain
    data: bytes
    signature: bytes


def read_chain(source: Source, version: int) -> SignedChain:
    """Return a version's chain file and its signature, which is not verified yet. Raise `PrakerjaError`."""
    name = chain_name(version)
    data = read(source, name, CHAIN_BYTES_MAX)
    signature = read(source, f"{name}.sig", SIGNATURE_BYTES_MAX)
    chain = parse_document(Chain, data, name)
    if chain.version != version:
        raise RefusedListError("mixed", f"{name} is the chain file of another version")
    return SignedChain(chain, data, signature)


def fetch_chain_of(offer: Offer, trust: Trust) -> SignedChain:
    """Return the chain file of an offered version, if a key that is believed has signed it.

    Raise `PrakerjaError` unless it names the manifest of the offer.
    """
    name = chain_name(offer.manifest.version)
    try:
        signed = read_chain(offer.source, offer.manifest.version)
    except NotThereError:
        raise RefusedListError("unwitnessed", f"{name} is not there: ask the publisher for it") from None
    chain = signed.chain
    trust.require_signed(chain.signing_key_id, chain.version, signed.data, signed.signature, "chain file")
    if (chain.manifest_sha256, chain.key_id) != (offer.pointer.sha256, offer.manifest.key_id):
        raise RefusedListError("mixed", f"{name} is of another manifest than the one that lies there")
    return signed


def require_plausible_sizes(manifest: Manifest) -> None:
    """Raise `RefusedListError` if files of a version are larger than any list needs.

    Who has stolen the key can sign any size, and the files' sizes are what a reader's disk and memory are bounded by.
    A subject is 32 bytes that nothing packs into fewer; a delta may have each twice, withdrawn and added.
    """
    for file in manifest.files:
        times = 2 if file.name == "delta.csv.gz" else 1
        is_too_dense = file.rows * SUBJECT_BYTES > file.bytes * times
        if is_too_dense or file.rows > ROWS_MAX * times or file.bytes > FILE_BYTES_SPARE + file.rows * LINE_BYTES_MAX:
            name = f"{version_folder(manifest.version)}/{file.name}"
            raise RefusedListError(
                "tampered", f"{name} is said to have {file.rows:,} rows in {file.bytes:,} bytes, as no list has"
            )


def unpacked_bytes_max(file: PublishedFile) -> int:
    """Return how many bytes the CSV of a file can have: those of its header and of as many rows as are stated."""
    return (1 + file.rows) * LINE_BYTES_MAX


def require_contents(data: bytes, file: PublishedFile, name: str) -> bytes:
    """Return the bytes of a file. Raise `RefusedListError` unless the manifest names these very bytes."""
    if len(data) != file.bytes or sha256(data) != file.sha256:
        raise RefusedListError("tampered", f"{name} is not what the manifest says")
    return data


def unzip(data: bytes, bytes_max: int, name: str) -> bytes:
    """Return the contents of gzip bytes, up to a bound. Raise `RefusedListError`."""
    return b"".join(inflate([data], bytes_max, name))


def inflate(packed: Iterable[bytes], bytes_max: int, name: str) -> Iterator[bytes]:
    """Yield the contents of a gzip file that comes in chunks, up to a bound. Raise `RefusedListError`."""
    unpack, size = zlib.decompressobj(31), 0
    try:
        for chunk in packed:
            left, out = chunk, b""
            while left or out:  # until it neither holds input back nor output
                out = unpack.decompress(left, 1 << 20)
                left, size = unpack.unconsumed_tail, size + len(out)
                if size > bytes_max:
                    raise RefusedListError("tampered", f"{name} opens to more than its rows could have")
                if unpack.unused_data:
                    raise RefusedListError("tampered", f"{name} has more behind its end")
                if out:
                    yield out
    except zlib.error:
        raise RefusedListError("tampered", f"{name} is not a gzip file") from None
    if not unpack.eof:
        raise RefusedListError("tampered", f"{name} breaks off")
