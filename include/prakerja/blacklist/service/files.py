"""The files of versions that the service has verified: what a consumer gets is what the publisher has signed.

Data files are kept beside the list, by their SHA-256; those that were asked for last stay, up to a bound.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

from prakerja.blacklist.format.contract import PublishedFile
from prakerja.blacklist.reader.sources import CHUNK_BYTES, Source
from prakerja.errors import PrakerjaError

KEPT_BYTES_MAX = 2 << 30


class VerifiedFiles:
    """Verified data files in a folder, which services of one home share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fetching: dict[str, threading.Lock] = {}

    def chunks(self, source: Source, version: int, file: PublishedFile) -> Iterator[bytes]:
        """The bytes of a version's file, as its manifest names it. Raises `PrakerjaError` where they are others."""
        path = self.folder / file.sha256
        with contextlib.suppress(FileNotFoundError):
            return _opened(path)
        with self._fetching.setdefault(file.sha256, threading.Lock()):  # once, however many ask for it
            with contextlib.suppress(FileNotFoundError):
                return _opened(path)
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room(file.bytes)
            aside = self.folder / f".{secrets.token_hex(8)}.new"
            try:
                _fetch(source, f"v{version:06d}/{file.name}", file, aside)
                aside.replace(path)
            finally:
                aside.unlink(missing_ok=True)
            return _opened(path)

    def _make_room(self, wanted: int) -> None:
        found = []
        for path in self.folder.glob("[0-9a-f]*"):
            with contextlib.suppress(FileNotFoundError):  # another service has made room
                found.append((path.stat(), path))
        size = wanted + sum(stat.st_size for stat, _ in found)
        for stat, path in sorted(found, key=lambda each: each[0].st_mtime_ns):
            if size <= KEPT_BYTES_MAX:
                return
            path.unlink(missing_ok=True)  # who is reading it goes on
            size -= stat.st_size


def _fetch(source: Source, name: str, file: PublishedFile, path: Path) -> None:
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as out:
        for chunk in source.chunks(name, file.bytes):
            digest.update(chunk)
            size += len(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    if (size, digest.hexdigest()) != (file.bytes, file.sha256):
        raise PrakerjaError(f"{name} is not what its manifest says: `prakerja blacklist verify`, restore it")


def _opened(path: Path) -> Iterator[bytes]:
    file = path.open("rb")  # now, so that it is there whoever makes room meanwhile
    os.utime(path)

    def chunks() -> Iterator[bytes]:
        with file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    return chunks()
