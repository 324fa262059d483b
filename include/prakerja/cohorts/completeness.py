"""Completeness: the platforms and business dates without an accepted delivery. Absent is not empty."""

from __future__ import annotations

from datetime import date

from prakerja import warehouse
from prakerja.calendar import Cohort
from prakerja.platforms import platforms


def missing_feeds(connection: warehouse.Connection, first: date, last: date, as_of: date) -> list[tuple[str, date]]:
    """Return each due (platform, business date) from `first` to `last` without a delivery accepted by `as_of`."""
    known = list(platforms().values())
    rows = warehouse.rows(
        connection,
        "cohorts/list_missing_feeds",
        as_of=as_of,
        first_date=first,
        last_date=last,
        platforms=[platform.platform for platform in known],
        active_from=[platform.active_from for platform in known],
        active_to=[platform.active_to for platform in known],
    )
    return [(row["platform"], row["business_date"]) for row in rows]


def missing_for(connection: warehouse.Connection, cohort: Cohort, as_of: date) -> list[tuple[str, date]]:
    """Return the deliveries that the cohort's decision still waits for: of its whole window and the settlement days."""
    return missing_feeds(connection, cohort.announced_on, cohort.last_business_date, as_of)


def as_text(missing: list[tuple[str, date]]) -> list[str]:
    """Return each missing delivery as text, e.g. `tokopedia 2021-04-05`."""
    return [f"{platform} {business_date}" for platform, business_date in missing]


def sentence(missing: list[tuple[str, date]]) -> str:
    """Return the missing deliveries as one line: each platform with its dates, consecutive days as a range."""
    by_platform: dict[str, list[date]] = {}
    for platform, business_date in missing:
        by_platform.setdefault(platform, []).append(business_date)
    return "; ".join(f"{platform} {_ranges(days)}" for platform, days in by_platform.items())


def _ranges(days: list[date]) -> str:
    runs: list[list[date]] = []
    for day in days:
        if runs and (day - runs[-1][-1]).days == 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
