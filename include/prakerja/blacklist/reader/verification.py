"""Verifying what a source offers: the pointer, manifests and their signatures, and the contents of files."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prakerja.blacklist.format.contract import POINTER, Latest, Manifest, PublishedFile, manifest_name
from prakerja.blacklist.format.documents import parse_document
from prakerja.blacklist.format.errors import PrakerjaError
from prakerja.blacklist.format.keyring import Trust
from prakerja.blacklist.format.snapshot import sha256
from prakerja.blacklist.reader.sources import DOCUMENT_BYTES_MAX, NotThereError, Source, read

SIGNATURE_BYTES_MAX = 1_000


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
    manifest: Manifest
    manifest_bytes: bytes


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
    return Offer(source, pointer, signed.manifest, signed.data)


def fetch_manifest(source: Source, trust: Trust, version: int) -> SignedManifest:
    """Return a version's manifest if a key that is believed has signed it. Raise `PrakerjaError`."""
    name = manifest_name(version)
    data = read(source, name, DOCUMENT_BYTES_MAX)
    signature = read(source, f"{name}.sig", SIGNATURE_BYTES_MAX)
    manifest = parse_document(Manifest, data, name)
    trust.require_signed(manifest.signing_key_id, manifest.version, data, signature)
    if manifest.version != version or (manifest.previous_version or 0) != version - 1:
        raise RefusedListError("mixed", f"{name} is the manifest of another version")
    return SignedManifest(manifest, data, signature)


def require_contents(data: bytes, file: PublishedFile, name: str) -> bytes:
    """Return the bytes of a file. Raise `RefusedListError` unless the manifest names these very bytes."""
    if len(data) != file.bytes or sha256(data) != file.sha256:
        raise RefusedListError("tampered", f"{name} is not what the manifest says")
    return data


def unzip(data: bytes, bytes_max: int, name: str) -> bytes:
    """Return the contents of gzip bytes, up to a bound. Raise `RefusedListError`."""
    return b"".join(inflate(io.BytesIO(data), bytes_max, name))


def inflate(packed: Any, bytes_max: int, name: str) -> Iterator[bytes]:
    """Yield the contents of an open gzip file in chunks, up to a bound. Raise `RefusedListError`."""
    unpack, size = zlib.decompressobj(31), 0
    try:
        while not unpack.eof:
            chunk = unpack.unconsumed_tail or packed.read(1 << 18)
            out = unpack.decompress(chunk, 1 << 20)
            if not chunk and not out and not unpack.eof:
                raise RefusedListError("tampered", f"{name} breaks off")
            size += len(out)
            if size > bytes_max:
                raise RefusedListError("tampered", f"{name} opens to more than its rows could have")
            yield out
    except zlib.error:
        raise RefusedListError("tampered", f"{name} is not a gzip file") from None
    if unpack.unused_data or packed.read(1):
        raise RefusedListError("tampered", f"{name} has more behind its end")
