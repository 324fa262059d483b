"""The published folder, on this machine or in an object storage: read as a source, written a whole file at a time.

`place` is the folder that holds all of it (`PRAKERJA_PUBLISH`), and a `name` is below it.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from upath import UPath

from prakerja.blacklist.publisher import local_files
from prakerja.blacklist.publisher.local_files import OtherFileError, not_ours
from prakerja.errors import NotReadyError, PrakerjaError
from prakerja_blacklist.format.contract import (
    CONTRACTS,
    FIRST_CONTRACT,
    POINTER,
    Latest,
    PublishedFile,
    earlier_list_folder,
)
from prakerja_blacklist.format.documents import DoesNotFitError, parse_document
from prakerja_blacklist.reader.object_storage import ObjectFolder
from prakerja_blacklist.reader.places import is_url, open_service
from prakerja_blacklist.reader.sources import (
    DOCUMENT_BYTES_MAX,
    Folder,
    NotThereError,
    Source,
    TooLargeError,
    UnreachableError,
    document_reader,
    read_if_there,
)

LOCAL = ("", "file", "local")  # protocols of this machine's own files
PUT_BYTES_MAX = 4 << 30  # S3 takes five gigabytes at once


def parse_place(url: str | UPath) -> UPath:
    """Return a folder, here or in an object storage. Listings are not cached, since others may change a storage."""
    path = UPath(url)
    if path.protocol in LOCAL:
        return path
    remote: UPath = UPath(str(path), **{**path.storage_options, "use_listings_cache": False})
    return remote


def folder_under_key(root: UPath, key_id: str) -> UPath:
    """Return the folder of the list under an earlier key of the subjects: beside the list, in the same form."""
    earlier: UPath = root.parent / earlier_list_folder(key_id, root.name)
    return earlier


def earlier_lists(root: UPath) -> list[UPath]:
    """Return the folders of the list under earlier keys of the subjects, beside the list, by name."""
    names = re.compile(re.escape(earlier_list_folder("", root.name)) + r"[0-9a-f]{16}")
    return sorted(path for path in root.parent.glob(earlier_list_folder("*", root.name)) if names.fullmatch(path.name))


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
    """Return the folder of `latest.json`: this one, or the newest list's in it. Raise `NotReadyError`."""
    return next(iter(find_lists(place)))


def find_lists(place: str) -> list[UPath]:
    """Return the folders of the list by each contract: this one alone, or those in it, the newest list's first.

    Raise `NotReadyError` if there is none. A list that has ended is behind those that go on.
    """
    try:
        root = parse_place(place)
    except (ImportError, ValueError) as error:
        raise PrakerjaError(f"{place} cannot be read ({type(error).__name__}): give a folder") from None
    if read_document(root, POINTER) is not None:
        return [root]
    pointers = {root / each.folder: read_document(root / each.folder, POINTER) for each in CONTRACTS.values()}
    found = [folder for folder, pointer in pointers.items() if pointer is not None]
    if not found:
        raise NotReadyError(f"no list is published in {place}: a cohort_deadline run publishes one")
    return sorted(found, key=lambda folder: -_version_of(pointers[folder]))


def newest_list(place: str) -> UPath:
    """Return the folder of the newest list in a place, or where the first one will be."""
    with contextlib.suppress(NotReadyError):
        return find_list(place)
    return parse_place(place) / FIRST_CONTRACT.folder


def _version_of(pointer: bytes | None) -> int:
    with contextlib.suppress(DoesNotFitError):
        return parse_document(Latest, pointer or b"", POINTER).version
    return 0


def open_source(place: str, api_key: str | None) -> Source:
    """Return a service for an http(s) URL, which needs an API key, else a folder. Raise `PrakerjaError`."""
    return open_service(place, api_key) if is_url(place) else source_in(find_list(place))


def create(place: UPath, name: str, data: bytes) -> bool:
    """Write a file below a place that is there whole or not at all, and never over another.

    Return False if it is there already. Raise `OtherFileError` if another file lies there, `PrakerjaError`, and for an
    object storage `UnreachableError`, since retrying is safe.
    """
    if place.protocol in LOCAL:
        with _local_errors(place, name):
            return local_files.create(Path(place.path), name, data)
    try:
        found = read_if_there(source_in(place), name, len(data))
    except TooLargeError:
        found = b""
    if found not in (None, data):
        raise OtherFileError(not_ours(place / name))
    if found is None:
        _put(place, name, data)
    return found is None


def replace(place: UPath, name: str, data: bytes) -> None:
    """Write a file below a place, in place of the one before. Raise as `create` does."""
    if place.protocol in LOCAL:
        with _local_errors(place, name):
            local_files.replace(Path(place.path), name, data)
    else:
        _put(place, name, data)


def has(place: UPath, name: str, file: PublishedFile) -> bool:
    """Return whether the file that a manifest names lies below a place. Raise `OtherFileError` if another one does."""
    digest, size = hashlib.sha256(), 0
    try:
        with _local_errors(place, name):
            for chunk in _own_chunks(place, name, file.bytes):
                digest.update(chunk)
                size += len(chunk)
    except NotThereError:
        return False
    except TooLargeError:
        size = -1
    if (size, digest.hexdigest()) != (file.bytes, file.sha256):
        raise OtherFileError(not_ours(place / name))
    return True


def _own_chunks(place: UPath, name: str, bytes_max: int) -> Iterator[bytes]:
    if place.protocol in LOCAL:
        return local_files.chunks(Path(place.path), name, bytes_max)
    return source_in(place).chunks(name, bytes_max)


def set_aside(place: UPath, name: str, into: str) -> str | None:
    """Move a file below a place into a folder there. Return the name of what was moved, or None if nothing is there.

    Raise as `create` does.
    """
    if place.protocol in LOCAL:
        with _local_errors(place, name):
            return local_files.set_aside(Path(place.path), name, into)
    data = read_if_there(source_in(place), name, PUT_BYTES_MAX)
    if data is None:
        return None
    _put(place, f"{into}/{name}", data)
    try:
        (place / name).unlink()
    except Exception as error:  # an object storage's client has errors of its own
        raise UnreachableError(_not_written(place / name, type(error).__name__)) from None
    return name


def remove_leftovers(root: UPath, *others: str) -> None:
    """Remove what killed writers have left half written in a list, in those under earlier keys, and in other folders.

    An object storage knows no halves.
    """
    if root.protocol in LOCAL:
        with _local_errors(root.parent, root.name):
            for folder in (root.name, *(earlier.name for earlier in earlier_lists(root)), *others):
                local_files.remove_leftovers(Path(root.parent.path), folder)


def _put(place: UPath, name: str, data: bytes) -> None:
    path = place / name
    try:
        if "s3" in path.protocol:
            # One request, whatever the size: an upload in parts that breaks off leaves them there, unseen.
            path.fs.pipe_file(path.path, data, chunksize=PUT_BYTES_MAX)
        else:
            path.write_bytes(data)
    except Exception as error:  # an object storage's client has errors of its own
        raise UnreachableError(_not_written(path, type(error).__name__)) from None


@contextlib.contextmanager
def _local_errors(place: UPath, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PrakerjaError(_not_written(place / name, error.strerror or type(error).__name__)) from None


def _not_written(path: UPath, why: str) -> str:
    return f"{path} cannot be written ({why}): check PRAKERJA_PUBLISH; the list before stays in force"
