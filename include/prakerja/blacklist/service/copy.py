"""The service's copy of the list: synced by the client, held in memory as one thing, exchanged as one thing."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from prakerja.blacklist.format.contract import Latest, canonical_json, instant
from prakerja.blacklist.format.keyring import Trust
from prakerja.blacklist.format.signing import SubjectKey
from prakerja.blacklist.reader.client import Client, TrustedList
from prakerja.blacklist.reader.freshness import Freshness
from prakerja.blacklist.reader.sources import Source
from prakerja.blacklist.service.problems import ProblemError
from prakerja.blacklist.service.ranges import Ranges
from prakerja.errors import PrakerjaError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Copy:
    """One version, as requests see it from their first line to their last."""

    listed: TrustedList
    key: SubjectKey
    ranges: Ranges
    pointer: bytes  # of the same bytes as the published one
    about: bytes  # the JSON members that answers have: version, data as of
    expires_at: float  # seconds since 1970

    @property
    def version(self) -> int:
        """The version's number."""
        return self.listed.trusted.version

    def freshness(self) -> Freshness:
        """How fresh it is by now."""
        return self.listed.trusted.freshness(datetime.now(UTC))


class Copies:
    """Keeps the copy up to date. `refresh` is called by one thread at a time; requests take `current`."""

    def __init__(self, client: Client, source: Any) -> None:
        self.client, self._source = client, source  # a function: nothing may be published yet
        self._copy: Copy | None = None
        self.problem = "nothing was synced yet"
        self.trust = Trust({})  # whom the copy's sync believed: a pointer is not passed on with keyrings from after it

    def source(self) -> Source:
        """Where versions are fetched from. Raises `PrakerjaError`."""
        found: Source = self._source()
        return found

    def current(self) -> Copy:
        """The copy. Raises `ProblemError` before the first."""
        if self._copy is None:
            raise ProblemError(503, "there is no verified list here yet", kind="no-list", headers={"retry-after": "5"})
        return self._copy

    def refresh(self) -> None:
        """Sync, and exchange the copy where the version is another. What is refused is told, and the copy stays."""
        try:
            self.client.sync(self.source())
            self.problem = ""
        except PrakerjaError as error:
            if str(error) != self.problem:
                log.warning("%s", error)
            self.problem = str(error)
        try:
            self._exchange()
        except PrakerjaError as error:
            self.problem = self.problem or str(error)

    def _exchange(self) -> None:
        trusted = self.client.trusted()
        if trusted is None:
            return
        now_held = self._copy.listed.trusted if self._copy else None
        if trusted.is_revoked:
            self._copy = None  # nobody is answered by what a thief may have written
        elif now_held and now_held.manifest_sha256 == trusted.manifest_sha256:
            if not self.problem:  # a newer keyring beside the same list
                self.trust = trusted.trust
            return
        listed = self.client.opened()
        trusted = listed.trusted
        key = self.client.key_of(trusted)
        pointer = Latest(
            version=trusted.version,
            manifest=f"v{trusted.version:06d}/manifest.json",
            sha256=trusted.manifest_sha256,
        )
        about = {
            "version": trusted.version,
            "data_as_of": trusted.data_as_of,
            "created_at": trusted.created_at,
            "expires_at": trusted.expires_at,
        }
        self.trust = trusted.trust
        self._copy = Copy(
            listed,
            key,
            Ranges(listed.subjects, key.digest("padding of ranges")),
            canonical_json(pointer),
            json.dumps(about, separators=(",", ":")).encode()[1:-1],
            instant(trusted.expires_at).timestamp(),
        )
        log.info("serving version %d: %d entries", trusted.version, trusted.entries)
