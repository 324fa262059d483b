"""The published folder, on this machine or in an object storage: read as a source, written a whole file at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from upath import UPath

from prakerja.blacklist.format.contract import POINTER, earlier_list_folder
from prakerja.blacklist.reader.durable_files import open_durable, sync_folder
from prakerja.blacklist.reader.sources import (
    DOCUMENT_BYTES_MAX,
    Folder,
    HttpSource,
    NotThereError,
    Source,
    TooLargeError,
    UnreachableError,
    bounded_chunks,
    document_reader,
    read_if_there,
)
from prakerja.errors import NotReadyError, PrakerjaError

LOCAL = ("", "file", "local")  # protocols of this machine's own files
PUT_BYTES_MAX = 4 << 30  # S3 takes five gigabytes at once


class ObjectFolder:
    """A published folder in an object storage: the one of `latest.json`."""

    def __init__(self, root: UPath) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def chunks(self, name: str, bytes_max: int) -> Iterator[bytes]:
        """Yield a file's bytes. Raise `NotThereError`, `UnreachableError` or `TooLargeError`."""
        try:
            with (self.root / name).open("rb") as file:
                yield from bounded_chunks(file, name, bytes_max)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotThereError(f"{name} is not there") from None
        except TooLargeError:
            raise
        except Exception as error:  # an object storage's client has errors of its own
            raise UnreachableError(f"{name} cannot be read ({type(error).__name__}): check the storage") from None

    def under_key(self, key_id: str) -> ObjectFolder:
        """Return the sibling folder of an earlier key."""
        return ObjectFolder(folder_under_key(self.root, key_id))


def parse_place(url: str | UPath) -> UPath:
    """Return a folder, here or in an object storage. Listings are not cached, since others may change a storage."""
    path = UPath(url)
    if path.protocol in LOCAL:
        return path
    remote: UPath = UPath(str(path), **{**path.storage_options, "use_listings_cache": False})
    return remote


def folder_under_key(root: UPath, key_id: str) -> UPath:
    """Return the folder of the list under an earlier key of the subjects: beside the list, in the same form."""
    earlier: UPath = root.parent / earlier_list_folder(key_id)
    return earlier


def source_in(root: UPath) -> Source:
    """Return the source that reads a published folder."""
    path = parse_place(root)
    return Folder(path.path) if path.protocol in LOCAL else ObjectFolder(path)


def read_document(root: UPath, name: str) -> bytes | None:
    """Return a document of a published folder, or None if it is not there. Raise `UnreachableError`."""
    return read_if_there(source_in(root), name, DOCUMENT_BYTES_MAX)


def document_reader_in(root: UPath) -> Callable[[str], bytes | None]:
    """Return a function that reads a document of a published folder by name, for `Trust.follow`."""
    return document_reader(source_in(root))


def find_list(place: str) -> UPath:
    """Return the folder of `latest.json`: this one, or `blacklist` in it. Raise `NotReadyError` if there is none."""
    try:
        roots = (parse_place(place), parse_place(place) / "blacklist")
    except (ImportError, ValueError) as error:
        raise PrakerjaError(f"{place} cannot be read ({type(error).__name__}): give a folder") from None
    for root in roots:
        if read_document(root, POINTER) is not None:
            return root
    raise NotReadyError(f"no list is published in {place}: a cohort_deadline run publishes one")


def open_source(place: str, api_key: str | None) -> Source:
    """Return a service for an http(s) URL, which needs an API key, else a folder. Raise `PrakerjaError`."""
    if place.startswith(("http://", "https://")):
        if not api_key or not api_key.isascii():
            raise PrakerjaError(f"{place} asks for an API key: set PRAKERJA_API_KEY to one")
        return HttpSource(place, api_key)
    return source_in(find_list(place))


def write_whole(path: UPath, data: bytes) -> None:
    """Write a file so that it is there whole or not at all. An object storage's put does that by itself.

    Raise `PrakerjaError`; for an object storage `UnreachableError`, since retrying is safe.
    """
    if path.protocol not in LOCAL:
        try:
            if "s3" in path.protocol:
                # One request, whatever the size: an upload in parts that breaks off leaves them there, unseen.
                path.fs.pipe_file(path.path, data, chunksize=PUT_BYTES_MAX)
            else:
                path.write_bytes(data)
        except Exception as error:  # an object storage's client has errors of its own
            raise UnreachableError(_not_written(path, type(error).__name__)) from None
        return
    try:
        local = Path(path.path)  # of a file:// URL, too
        local.parent.mkdir(parents=True, exist_ok=True)
        aside = local.with_name(f".{local.name}.{os.getpid()}.tmp")
        with open_durable(aside) as file:
            file.write(data)
        os.replace(aside, local)  # noqa: PTH105 - the tests count these
        sync_folder(local.parent)
    except OSError as error:
        raise PrakerjaError(_not_written(path, error.strerror or type(error).__name__)) from None


def remove_leftovers(root: UPath) -> None:
    """Remove what killed writers have left half written, below this folder and in those of earlier keys beside it."""
    if root.protocol not in LOCAL:
        return
    here = Path(root.path)
    for folder in (here, *here.parent.glob(f"{here.name}-*")):
        for leftover in folder.rglob(".*.tmp"):
            leftover.unlink(missing_ok=True)


def _not_written(path: UPath, why: str) -> str:
    return f"{path} cannot be written ({why}): check PRAKERJA_PUBLISH; the list before stays in force"
