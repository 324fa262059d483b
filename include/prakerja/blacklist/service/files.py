"""Files of versions that the service has verified: a consumer gets what the publisher has signed.

Data files are kept beside the list by their SHA-256. The ones that were used last stay, up to a bound.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

from prakerja.atomic_files import remove_leftovers
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.contract import PublishedFile, version_folder
from prakerja_blacklist.reader.sources import Source

KEPT_BYTES_MAX = 2 << 30
SENT_BYTES = 1 << 18  # at a time: each client that reads slowly makes the service hold so many


class VerifiedFiles:
    """Verified data files in a folder. Services of one home share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        remove_leftovers(folder, ".*.new")
        self._fetching: dict[str, threading.Lock] = {}

    def chunks(self, source: Source, version: int, file: PublishedFile) -> Iterator[bytes]:
        """Return the bytes of a version's file, in chunks. Raise `PrakerjaError` unless its manifest names them."""
        path = self.folder / file.sha256
        with contextlib.suppress(FileNotFoundError):
            return _open_chunks(path)
        with self._fetching.setdefault(file.sha256, threading.Lock()):  # once, however many requests wait for it
            with contextlib.suppress(FileNotFoundError):
                return _open_chunks(path)
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room(file.bytes)
            aside = self.folder / f".{secrets.token_hex(8)}.new"
            try:
                _fetch(source, f"{version_folder(version)}/{file.name}", file, aside)
                aside.replace(path)
            finally:
                aside.unlink(missing_ok=True)
                self._fetching.pop(file.sha256, None)  # who comes from now on finds the file
            return _open_chunks(path)

    def _make_room(self, wanted: int) -> None:
        found = []
        for path in self.folder.glob("[0-9a-f]*"):
            with contextlib.suppress(FileNotFoundError):  # another service has removed it
                found.append((path.stat(), path))
        size = wanted + sum(stat.st_size for stat, _ in found)
        for stat, path in sorted(found, key=lambda each: each[0].st_mtime_ns):
            if size <= KEPT_BYTES_MAX:
                return
            path.unlink(missing_ok=True)  # a request that is reading it can finish
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


def _open_chunks(path: Path) -> Iterator[bytes]:
    file = path.open("rb")  # now, so that it can be read even if it is removed meanwhile
    os.utime(path)

    def chunks() -> Iterator[bytes]:
        with file:
            while chunk := file.read(SENT_BYTES):
                yield chunk

    return chunks()
