"""How fresh a list is: when the next version is due, and from when a reader refuses it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone

from prakerja_blacklist.format.contract import CLOCK_SKEW, parse_instant

#: Western Indonesia has had no summer time since 1964, and a slim machine has no database of time zones.
WIB = timezone(timedelta(hours=7), "WIB")


@dataclass(frozen=True)
class Schedule:
    """When versions follow one another: one every so many WIB days, by an hour of that day."""

    every_days: int
    by_hour: int

    def next_version_by(self, created_at: datetime) -> datetime:
        """Return the instant by which a version follows one of `created_at`."""
        day = created_at.astimezone(WIB).date() + timedelta(days=self.every_days)
        return datetime.combine(day, time(self.by_hour), WIB)


#: What the publisher promises its readers (docs/reading-the-list.md).
DAILY = Schedule(every_days=1, by_hour=8)


@dataclass(frozen=True)
class Freshness:
    """A version and its state at an instant. `is_stale`: the next version is overdue; `is_expired`: not to be used."""

    version: int
    created_at: datetime
    next_version_by: datetime
    expires_at: datetime
    data_as_of: dict[str, str]
    is_stale: bool
    is_expired: bool

    @classmethod
    def from_manifest_fields(
        cls,
        version: int,
        created_at: str,
        expires_at: str,
        data_as_of: dict[str, str],
        *,
        now: datetime,
        schedule: Schedule,
    ) -> Freshness:
        """Return the freshness of a version at an instant. Raise `DoesNotFitError` if a field is no instant."""
        created, expires = parse_instant(created_at), parse_instant(expires_at)
        due = schedule.next_version_by(created)
        is_stale = now > due or created > now + CLOCK_SKEW  # made under a wrong clock, it proves nothing of the day
        return cls(version, created, due, expires, data_as_of, is_stale, now >= expires)
