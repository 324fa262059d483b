"""Places that a list is published in, as a person names them: the service, a folder, or an object storage."""

from __future__ import annotations

from pathlib import Path

from prakerja_blacklist.errors import NotReadyError, PrakerjaError
from prakerja_blacklist.format.contract import LIST_FOLDER, POINTER
from prakerja_blacklist.reader.sources import DOCUMENT_BYTES_MAX, Folder, Source, read_if_there


def open_source(place: str, api_key: str | None) -> Source:
    """Return the source that a place names: the folder of `latest.json`, or `blacklist` in it. Raise `PrakerjaError`.

    Of the sources only the one that is used is imported.
    """
    if is_url(place):
        return open_service(place, api_key)
    if "://" in place and not place.startswith("file://"):
        from prakerja_blacklist.reader.object_storage import open_folder

        candidates: tuple[Source, ...] = (open_folder(place), open_folder(f"{place.rstrip('/')}/{LIST_FOLDER}"))
    else:
        root = Path(place.removeprefix("file://"))
        candidates = (Folder(root), Folder(root / LIST_FOLDER))
    for source in candidates:
        if read_if_there(source, POINTER, DOCUMENT_BYTES_MAX) is not None:
            return source
    raise NotReadyError(f"no list is published in {place}: give the folder of {POINTER}, or the one above it")


def is_url(place: str) -> bool:
    """Return whether a place is the URL of a web server, e.g. of the service."""
    return place.startswith(("http://", "https://"))


def open_service(place: str, api_key: str | None) -> Source:
    """Return the service of a URL. Raise `PrakerjaError` if there is no API key that could be sent to it."""
    from prakerja_blacklist.reader.http_source import HttpSource

    if not api_key or not api_key.isascii():
        raise PrakerjaError(f"{place} asks for an API key: set PRAKERJA_API_KEY to one")
    return HttpSource(place, api_key)
