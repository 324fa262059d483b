"""The next version's row: decided in the warehouse, in one snapshot, before any file of it is written."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from prakerja import warehouse
from prakerja.blacklist.publisher import pending as pending_changes
from prakerja.blacklist.publisher import signed_changes
from prakerja.blacklist.publisher.pending import Pending, cutoffs_of, find_pending
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.settings import WIB
from prakerja_blacklist.format.contract import CLOCK_SKEW


@dataclass(frozen=True)
class Publication:
    """What a run asks for: a version of what was revoked and reinstated by `as_of`, recorded under the run's name.

    A run publishes at least once. A daily one does so only where no version is of its day yet, once there is a list.
    `approve_as` approves changes out of bounds in advance, in a replay.
    """

    run_name: str
    at: datetime
    as_of: date
    is_daily: bool = False
    approve_as: str | None = None

    @property
    def cutoffs(self) -> dict[str, date]:
        """By which day revocations and reinstatements count."""
        return cutoffs_of(self.as_of, is_daily=self.is_daily)


@dataclass(frozen=True)
class Recorded:
    """The version that the run has published, the one that was recorded now, if any, and what was pending before."""

    version: int | None
    recorded: int | None
    pending: Pending


def record_next_version(publication: Publication, key_id: str, *, has_new_key: bool) -> Recorded:
    """Record the next version, if one is due, with the changes that do not wait. Raise `PrakerjaError`.

    `key_id` is the key of its subjects. With `has_new_key`, readers are not to wait for the next day.
    """

    def record(connection: warehouse.Connection) -> Recorded:
        (published,) = warehouse.rows(connection, "blacklist/published_for", occasion=publication.run_name)
        pending = find_pending(connection, publication.cutoffs)
        if publication.approve_as:
            pending = _approve_in_advance(connection, publication, pending)
        has_news = pending.has_changed or has_new_key
        if not has_news and published["version"]:
            return Recorded(int(published["version"]), None, pending)
        _require_plausible_clock(publication, published)
        if not (has_news or _proves_the_day(publication, published, pending)):
            return Recorded(None, None, pending)
        version = _insert_version(connection, publication, key_id, pending)
        signed_changes.list_changes(connection, version)  # raises if a row of it lacks its signature
        return Recorded(version, version, pending)

    return warehouse.write_in_one_snapshot("publish", record)


def _approve_in_advance(connection: warehouse.Connection, publication: Publication, pending: Pending) -> Pending:
    for change in pending.unusual:
        pending_changes.record_approval(
            connection, change, publication.as_of, "replayed", str(publication.approve_as), is_in_advance=True
        )
    return replace(pending, unusual=[])


def _require_plausible_clock(publication: Publication, published: Any) -> None:
    """Raise `PrakerjaError` if the version would be from the future by the warehouse's clock."""
    last, now = published["last_created_at"], published["server_now"]
    if (newest := max(publication.at, last or publication.at)) > now + CLOCK_SKEW:
        raise PrakerjaError(
            f"{publication.run_name}: {'this' if publication.at == newest else 'the newest version'} is of a time to "
            f"come, {newest.astimezone(WIB):%Y-%m-%d %H:%M} WIB, by the warehouse's clock, and readers would refuse "
            "it: set the clocks right (docs/runbooks/blacklist.md)"
        )


def _proves_the_day(publication: Publication, published: Any, pending: Pending) -> bool:
    """Return whether an unchanged version is due.

    A day has its version also if all of its changes wait: a list must not expire because of them.
    """
    if not publication.is_daily:
        return not pending.does_wait
    last = published["last_created_at"]
    every = timedelta(days=programme().blacklist.publishes_every_days)
    return last is not None and publication.as_of >= last.astimezone(WIB).date() + every


def _insert_version(connection: warehouse.Connection, publication: Publication, key_id: str, pending: Pending) -> int:
    data_as_of = {
        row["platform"]: row["business_date"].isoformat()
        for row in warehouse.rows(connection, "blacklist/data_as_of", as_of=publication.as_of)
    }
    version = int(
        warehouse.execute(
            connection,
            "blacklist/insert_version",
            occasion=publication.run_name,
            at=publication.at,
            has_changed=pending.has_changed,
            data_as_of=json.dumps(data_as_of),
            key_id=key_id,
        ).scalar_one()
    )
    warehouse.execute(
        connection,
        "blacklist/insert_changes",
        version=version,
        **publication.cutoffs,
        ops=pending.ops,
        unsigned=list(pending.unsigned),
        waiting=pending.held,
    )
    warehouse.execute(connection, "blacklist/analyze_changes")
    return version
