"""The tasks of `late_deliveries`: rosters and deliveries that were missing and have arrived."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from prakerja.settings import WIB
from prakerja.tasks.feeds import PlatformIntake
from prakerja.tasks.monitor import refresh_monitor
from prakerja.tasks.repairs import build_repair, build_run

if TYPE_CHECKING:
    from prakerja.calendar import CohortEvent
    from prakerja.cohorts.roster import RosterIntake
    from prakerja.revocations.run_audit import SeenRuns

log = logging.getLogger(__name__)

#: The hour (WIB) until which the night's run of `platform_feeds` itself waits for the day's deliveries.
NIGHT_ENDS_AT_HOUR = 8


def take_in_late_rosters(now: datetime) -> RosterIntake:
    """Load the rosters that have arrived for announced cohorts without one.

    Only the folders of those cohorts are listed. A landing zone that cannot be reached is listed again by the next run.
    """
    from prakerja import warehouse
    from prakerja.cohorts import calendar_check, roster
    from prakerja.landing import StorageError

    today = now.astimezone(WIB).date()
    with warehouse.transaction() as connection:
        waiting = [cohort.number for cohort in calendar_check.cohorts_without_roster(connection, today)]
    intake = roster.RosterIntake()
    try:
        if waiting:
            intake = roster.take_in_rosters(today, cohorts=waiting)
    except StorageError as error:
        log.warning("%s; the next run tries again in ten minutes", error)
    if intake.accepted:
        _refresh_standings(now)
    return intake


def take_in_late(now: datetime) -> list[tuple[str, PlatformIntake]]:
    """Load the missing deliveries of undecided cohorts that have arrived; return what was taken in of each platform.

    Only the folders of missing days are listed. A landing zone that cannot be reached is listed again by the next run.
    """
    from prakerja import warehouse
    from prakerja.cohorts import standing
    from prakerja.feeds import intake
    from prakerja.landing import StorageError

    local = now.astimezone(WIB)
    today = local.date()
    before = today if local.hour >= NIGHT_ENDS_AT_HOUR else today - timedelta(days=1)
    with warehouse.transaction() as connection:
        owed = standing.owed_deliveries(connection, before, today)
    taken = []
    try:
        for platform in dict.fromkeys(platform for platform, day in owed if intake.has_news(platform, day)):
            arrived = intake.take_in(platform, today)
            taken.append((platform, PlatformIntake(arrived.accepted, arrived.rejected, [])))
    except StorageError as error:
        log.warning("%s; the next run tries again in ten minutes", error)
    if any(each.accepted for _, each in taken):
        _refresh_standings(now)
    return taken


def _refresh_standings(now: datetime) -> None:
    """Refresh the open cohorts' standing, and the monitor."""
    from prakerja.cohorts import standing

    today = now.astimezone(WIB).date()
    standing.refresh_standings(today)
    refresh_monitor(now)


def list_resumed_runs(now: datetime, seen: Callable[[CohortEvent], SeenRuns]) -> list[dict[str, Any]]:
    """Return the runs that new deliveries and rosters make possible: `trigger_run_id`, `conf` and `note` of each.

    They decide cohorts whose missing deliveries have arrived, and send today's reminders that the day's run did not.
    """
    from prakerja.revocations import run_audit

    resumed = [build_run(event, run_id, why) for run_id, event, why in run_audit.resume(now, seen)]
    reminders = [build_repair(found, now) for found in run_audit.reminders_to_repair(now, seen)]
    return resumed + [reminder for reminder in reminders if reminder]
