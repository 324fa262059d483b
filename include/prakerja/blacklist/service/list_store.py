"""The list that the service answers from: synced by a reader, held in memory, and replaced as a whole."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from prakerja.blacklist.publisher.freshness import programme_schedule
from prakerja.blacklist.service.ranges import Ranges, derive_padding_key, read_cohorts
from prakerja.errors import PrakerjaError
from prakerja.serving.problems import ProblemError
from prakerja_blacklist.format.contract import Latest, manifest_name, parse_instant
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.keyring import Trust
from prakerja_blacklist.format.snapshot import sha256
from prakerja_blacklist.format.subject_keys import SubjectKey
from prakerja_blacklist.reader.freshness import Freshness
from prakerja_blacklist.reader.kept_lines import LINES
from prakerja_blacklist.reader.own_folder import map_own_file
from prakerja_blacklist.reader.sources import Source
from prakerja_blacklist.reader.sync import Client
from prakerja_blacklist.reader.trusted_list import TrustedList

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedList:
    """One version, which a request uses from its first line to its last."""

    listed: TrustedList
    key: SubjectKey
    ranges: Ranges | None  # None while the list's lines are damaged: they are fetched again
    pointer: bytes  # byte for byte the published one
    about: bytes  # the JSON members that every answer has: version, data as of
    expires_at: float  # seconds since 1970

    @classmethod
    def build(cls, listed: TrustedList, key: SubjectKey, ranges: Ranges | None) -> LoadedList:
        """Return an opened list with what its answers need."""
        trusted = listed.trusted
        pointer = Latest(
            version=trusted.version, manifest=manifest_name(trusted.version), sha256=trusted.manifest_sha256
        )
        about = {
            "version": trusted.version,
            "data_as_of": trusted.data_as_of,
            "created_at": trusted.created_at,
            "expires_at": trusted.expires_at,
        }
        return cls(
            listed,
            key,
            ranges,
            canonical_json(pointer),
            json.dumps(about, separators=(",", ":")).encode()[1:-1],
            parse_instant(trusted.expires_at).timestamp(),
        )

    @property
    def version(self) -> int:
        """The version's number."""
        return self.listed.trusted.version

    def freshness(self) -> Freshness:
        """Return its freshness by now."""
        return self.listed.trusted.freshness(datetime.now(UTC), programme_schedule())


class ListStore:
    """Keeps the loaded list up to date. One thread at a time calls `refresh`; requests call `current`."""

    def __init__(self, client: Client, open_source: Callable[[], Source], padding_key: bytes) -> None:
        self.client, self._open_source = client, open_source  # a function: nothing may be published yet
        self._padding_key = padding_key
        self._loaded: LoadedList | None = None
        self.problem = "nothing was synced yet"
        self.trust = Trust({})  # of the loaded list: no later keyring is passed on beside its pointer

    def source(self) -> Source:
        """Return the source of versions. Raise `PrakerjaError`."""
        return self._open_source()

    def current(self) -> LoadedList:
        """Return the loaded list. Raise `ProblemError` before the first sync."""
        if self._loaded is None:
            raise ProblemError(503, "there is no verified list here yet", kind="no-list", headers={"retry-after": "5"})
        return self._loaded

    def refresh(self) -> None:
        """Sync, and load the list if its version is another. A refused list is logged, and the loaded one stays."""
        try:
            self.client.sync(self.source())
            self.problem = ""
        except PrakerjaError as error:
            if str(error) != self.problem:
                log.warning("%s", error)
            self.problem = str(error)
        try:
            self._load()
        except PrakerjaError as error:
            self.problem = self.problem or str(error)

    def _load(self) -> None:
        trusted = self.client.trusted()
        if trusted is None:
            return
        before = self._loaded
        is_same = before is not None and before.listed.trusted.manifest_sha256 == trusted.manifest_sha256
        if trusted.is_revoked:
            self._loaded = None  # a thief may have written it
        elif before and is_same and before.ranges:
            if not self.problem:  # a newer keyring beside the same list
                self.trust = trusted.trust
            return
        listed = self.client.open_list()
        loaded = LoadedList.build(listed, self.client.key_of(listed.trusted), self._load_ranges(listed))
        self.trust = listed.trusted.trust
        self._loaded = loaded
        if not is_same:
            log.info("serving version %d: %d entries", loaded.version, listed.trusted.entries)

    def _load_ranges(self, listed: TrustedList) -> Ranges | None:
        """Return the ranges of a list, or None if its lines are not as they were signed.

        No other answer needs the lines, and a power cut may take them (`Client`). The next sync fetches the list anew
        once they are removed.
        """
        trusted = listed.trusted
        path = self.client.folder / trusted.folder / LINES
        with contextlib.suppress(OSError):  # another service of this home has synced meanwhile: the next load reads it
            lines = map_own_file(path)
            if sha256(lines) == trusted.result_sha256:
                padding_key = derive_padding_key(self._padding_key, trusted.key_id)
                return Ranges(listed.subjects, read_cohorts(lines), padding_key, trusted.version)
            log.warning("%s is damaged: the list is fetched again", path)
            path.unlink()
        return None
