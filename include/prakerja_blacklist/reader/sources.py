"""Where a published list is read from, e.g. a folder on this machine. Nothing that a source returns is believed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from prakerja_blacklist.errors import PrakerjaError, TransientError
from prakerja_blacklist.format.contract import earlier_list_folder
from prakerja_blacklist.reader.durable_files import NotRegularError, open_regular

CHUNK_BYTES = 1 << 20
DOCUMENT_BYTES_MAX = 1_000_000


class NotThereError(PrakerjaError):
    """The source answers, and does not have this file."""


class UnreachableError(TransientError):
    """The source does not answer, or answers too slowly. Retrying is safe."""


class TooLargeError(PrakerjaError):
    """A file is larger than it may be, and is not read on."""


class Source(Protocol):
    """Files of a published list by name, e.g. `v000017/manifest.json`."""

    def chunks(self, name: str, bytes_max: int) -> Iterator[bytes]:
        """Yield a file's bytes. Raise `NotThereError`, `UnreachableError` or `TooLargeError`."""
        ...

    def under_key(self, key_id: str) -> Source:
        """Return the same list under an earlier key of the subjects, which exists while the keys overlap."""
        ...


def read(source: Source, name: str, bytes_max: int) -> bytes:
    """Return the whole of a small file. Raise as `Source.chunks` does."""
    return b"".join(source.chunks(name, bytes_max))


def read_if_there(source: Source, name: str, bytes_max: int) -> bytes | None:
    """Return the whole of a small file, or None if the source does not have it. Raise `UnreachableError`."""
    try:
        return read(source, name, bytes_max)
    except NotThereError:
        return None


def document_reader(source: Source) -> Callable[[str], bytes | None]:
    """Return a function that reads a document of a source by name, for `Trust.follow`."""
    return lambda name: read_if_there(source, name, DOCUMENT_BYTES_MAX)


class Folder:
    """A published folder on this machine: the one of `latest.json`."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    def __str__(self) -> str:
        return str(self.root)

    def chunks(self, name: str, bytes_max: int) -> Iterator[bytes]:
        """Yield a file's bytes. Raise `NotThereError`, `UnreachableError` or `TooLargeError`."""
        try:
            with open_regular(self.root / name, follows_links=True) as file:
                yield from bounded_chunks(file, name, bytes_max)
        except (FileNotFoundError, NotADirectoryError, NotRegularError):
            raise NotThereError(f"{name} is not there") from None
        except (OSError, ValueError) as error:
            raise UnreachableError(f"{name} cannot be read ({type(error).__name__}): check the storage") from None

    def under_key(self, key_id: str) -> Folder:
        """Return the sibling folder of an earlier key."""
        return Folder(self.root.parent / earlier_list_folder(key_id, self.root.name))


def bounded_chunks(file: Any, name: str, bytes_max: int) -> Iterator[bytes]:
    """Yield the bytes of an open file. Raise `TooLargeError` once there are more than it may have."""
    read_bytes = 0
    read_some = getattr(file, "read1", file.read)
    while chunk := read_some(CHUNK_BYTES):
        read_bytes += len(chunk)
        if read_bytes > bytes_max:
            raise TooLargeError(f"{name} is larger than the {bytes_max:,} bytes that it may have")
        yield chunk
