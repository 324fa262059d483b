"""What a reader trusts: the version that it holds and the keys that it believes, and the list, opened."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from prakerja.blacklist.format.contract import Instant, KeyId, RevokedKey, RingKey, Sha256, VersionNumber
from prakerja.blacklist.format.documents import Document
from prakerja.blacklist.format.keyring import Trust
from prakerja.blacklist.format.snapshot import Subjects
from prakerja.blacklist.reader.freshness import DAILY, Freshness, Schedule


@dataclass(frozen=True, slots=True)
class Trusted(Document):
    """The state of a reader's folder: the version that it trusts, and the keys that it believes by now."""

    version: VersionNumber
    folder: str
    manifest_sha256: Sha256
    result_sha256: Sha256
    subjects_sha256: Sha256
    entries: int
    key_id: KeyId
    signing_key_id: KeyId
    created_at: Instant
    expires_at: Instant
    data_as_of: dict[str, str]
    synced_at: Instant
    keyring: int
    keys: list[RingKey]
    revoked: list[RevokedKey]
    #: The ids of the keys that were pinned at the last sync.
    pins: list[KeyId] = field(default_factory=list)

    def freshness(self, now: datetime, schedule: Schedule = DAILY) -> Freshness:
        """Return the freshness of the list at an instant. A list that a revoked key has signed counts as expired."""
        freshness = Freshness.from_manifest_fields(
            self.version, self.created_at, self.expires_at, self.data_as_of, now=now, schedule=schedule
        )
        return replace(freshness, is_stale=True, is_expired=True) if self.is_revoked else freshness

    @property
    def is_revoked(self) -> bool:
        """Whether the key that signed the list is revoked."""
        return self.signing_key_id in self.trust.revoked

    @property
    def trust(self) -> Trust:
        """The keys that the reader believes."""
        return Trust(
            {key.signing_key_id: key for key in self.keys},
            self.keyring,
            {key.signing_key_id: key for key in self.revoked},
        )


def trust_fields(trust: Trust) -> dict[str, Any]:
    """Return the fields of `Trusted` that say which keys are believed."""
    return {"keyring": trust.number, "keys": list(trust.keys.values()), "revoked": list(trust.revoked.values())}


@dataclass(frozen=True)
class TrustedList:
    """The list that a reader trusts, opened. A later sync does not change it."""

    trusted: Trusted
    subjects: Subjects

    def is_listed(self, subject: bytes) -> bool:
        """Return whether a subject (32 bytes) is listed."""
        return subject in self.subjects
