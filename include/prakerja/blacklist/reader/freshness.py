"""How fresh a list is: when the next version is due, and from when a reader refuses it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from upath import UPath

from prakerja.blacklist.format.contract import Latest, Manifest, instant, parsed
from prakerja.blacklist.reader.sources import DOCUMENT_BYTES_MAX, POINTER, Folder, read
from prakerja.programme import programme
from prakerja.settings import WIB

CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Freshness:
    """A version, and what it is worth by now. `is_stale`: the next version is overdue; `is_expired`: not to be used."""

    version: int
    created_at: datetime
    next_version_by: datetime
    expires_at: datetime
    data_as_of: dict[str, str]
    is_stale: bool
    is_expired: bool

    @classmethod
    def of(cls, version: int, created_at: str, expires_at: str, data_as_of: dict[str, str], now: datetime) -> Freshness:
        """The freshness of a version, from its manifest's fields, at an instant."""
        created = instant(created_at)
        due = next_version_by(created)
        is_stale = now > due or created > now + CLOCK_SKEW  # made under a wrong clock, it says nothing of the day
        return cls(version, created, due, instant(expires_at), data_as_of, is_stale, now >= instant(expires_at))


def published(root: UPath, now: datetime) -> Freshness:
    """How fresh the list is that a folder points at, as its manifest says; its proof is for who reads the list."""
    source = Folder(root)
    pointer = parsed(Latest, read(source, POINTER, DOCUMENT_BYTES_MAX), POINTER)
    manifest = parsed(Manifest, read(source, pointer.manifest, DOCUMENT_BYTES_MAX), pointer.manifest)
    return of_manifest(manifest, now)


def of_manifest(manifest: Manifest, now: datetime) -> Freshness:
    """How fresh a version is."""
    return Freshness.of(manifest.version, manifest.created_at, manifest.expires_at, manifest.data_as_of, now)


def next_version_by(created_at: datetime) -> datetime:
    """The instant by which a version follows one of `created_at`: every day has one, in the morning of Jakarta."""
    rules = programme().blacklist
    day = created_at.astimezone(WIB).date() + timedelta(days=rules.publishes_every_days)
    return datetime.combine(day, time(rules.publishes_by_hour), WIB)
