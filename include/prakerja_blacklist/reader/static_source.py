"""A folder that a web server gives out, file by file: no key is asked for, and slow answers are not waited for."""

from __future__ import annotations

from prakerja_blacklist.reader.http_source import HttpSource
from prakerja_blacklist.reader.sources import UnreachableError


class StaticSource(HttpSource):
    """A folder below a URL, e.g. a witness's `https://witness.example/prakerja`. Its files are small."""

    SECONDS_AT_LEAST = 10.0

    def __init__(self, url: str) -> None:
        super().__init__(url, "")

    def _address(self, name: str) -> str:
        return f"{self.url}/{name}"

    def _headers(self) -> dict[str, str]:
        return {"Accept-Encoding": "identity"}

    def _require_ok(self, status: int, name: str) -> None:
        if status in (401, 403):
            raise UnreachableError(f"{self.url} answers {status}: ask who runs it")
        super()._require_ok(status, name)
