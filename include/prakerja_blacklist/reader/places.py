"""Places that a list is published in, as a person names them: the service, or a folder."""

from __future__ import annotations

from pathlib import Path

from prakerja_blacklist.errors import NotReadyError, PrakerjaError
from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.reader.sources import DOCUMENT_BYTES_MAX, Folder, HttpSource, Source, read_if_there


def open_source(place: str, api_key: str | None) -> Source:
    """Return the source that a place names: the folder of `latest.json`, or `blacklist` in it.

    Raise `PrakerjaError`.
    """
    if place.startswith(("http://", "https://")):
        if not api_key or not api_key.isascii():
            raise PrakerjaError(f"{place} asks for an API key: set PRAKERJA_API_KEY to one")
        return HttpSource(place, api_key)
    root = Path(place.removeprefix("file://"))
    for source in (Folder(root), Folder(root / "blacklist")):
        if read_if_there(source, POINTER, DOCUMENT_BYTES_MAX) is not None:
            return source
    raise NotReadyError(f"no list is published in {place}: give the folder of {POINTER}, or the one above it")
