"""The figures that the monitor shows. Runs count them: a page reads a few thousand rows, and never the ledger."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from prakerja import warehouse
from prakerja.calendar import calendar, deadlines
from prakerja.cohorts import overview
from prakerja.reminders import overview as reminders
from prakerja.settings import WIB

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 120  # the longest wait for another run that counts; after it, the next run counts


@dataclass(frozen=True)
class CohortFigures:
    """A cohort's counts as of its last refresh.

    `counts` is the cohort's row of the cohort table, with `reminder_runs`, `impossible_contacts` (the invalid `phones`
    and `emails` of the latest run), `held_for` (people by reason), `appeals`, `as_of` (the day of the intake behind its
    standing) and `decided_deadline_on`. `by_day` has the first purchases by WIB day of payment and platform.
    """

    cohort: int
    refreshed_at: datetime
    counts: dict[str, Any]
    by_day: dict[date, dict[str, int]] = field(default_factory=dict)


def refresh(now: datetime, cohort: int | None = None) -> list[int]:
    """Count the figures of one cohort or of all; return the cohorts whose days and regions were counted.

    Days and regions are counted only if their sources have changed. Safe to repeat; of two calls at once, the second
    waits. Raise `UnavailableError` if that takes longer than `PATIENCE_SECONDS`.
    """
    counted: list[int] = []
    with warehouse.exclusive("monitor", PATIENCE_SECONDS):
        day = now.astimezone(WIB).date()
        table = {row["cohort"]: row for row in overview.cohort_table(day)}
        with warehouse.transaction("ingest") as connection:
            known = deadlines(cohort.as_known_on(day) for cohort in calendar().values())
            sources = warehouse.rows(connection, "monitor/list_sources", **known)
            appeals = {row["cohort"]: dict(row) for row in warehouse.rows(connection, "monitor/count_appeals")}
            still_open = [number for number, cohort in calendar().items() if day <= cohort.as_known_on(day).deadline_on]
            impossible = {
                row["cohort"]: {"phones": row["phones"], "emails": row["emails"]}
                for row in warehouse.rows(connection, "reminders/count_impossible_contacts", cohorts=still_open)
            }
        runs = reminders.list_runs(cohort)
        for source in sources:
            number = source["cohort"]
            if number not in table or cohort not in (None, number):
                continue
            with warehouse.transaction("ingest") as connection:
                held_for = source["held_for"] or {}
                if source["counted_from"] != source["counted_before"]:
                    held_for = _count(connection, source)
                    counted.append(number)
                appeal_counts = appeals.get(number, {})
                as_of, decided_deadline_on = source["as_of"], source["decided_deadline_on"]
                figures = table[number] | {
                    "as_of": as_of and as_of.isoformat(),
                    "decided_deadline_on": decided_deadline_on and decided_deadline_on.isoformat(),
                    "held_for": held_for,
                    "appeals": {name: appeal_counts.get(name, 0) for name in ("open", "upheld", "dismissed")},
                    "reminder_runs": [run for run in runs if run["cohort"] == number],
                    "impossible_contacts": impossible.get(number, {}),
                }
                warehouse.execute(
                    connection,
                    "monitor/upsert_figures",
                    cohort=number,
                    refreshed_at=now,
                    counted_from=source["counted_from"],
                    figures=json.dumps(figures),
                )
    return counted


def load_figures() -> dict[int, CohortFigures]:
    """Return the figures of every counted cohort, in the order of the calendar."""
    with warehouse.transaction("show") as connection:
        known = {row["cohort"]: row for row in _current(connection)}
        days: dict[int, dict[date, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
        for row in warehouse.rows(connection, "monitor/list_days"):
            days[row["cohort"]][row["paid_on"]][row["platform"]] = row["purchases"]
    return {
        number: CohortFigures(number, known[number]["refreshed_at"], known[number]["figures"], dict(days[number]))
        for number in calendar()
        if number in known
    }


def _current(connection: warehouse.Connection) -> Iterator[dict[str, Any]]:
    """Yield the counted figures, with the deliveries that are missing at present: some may have arrived since."""
    for row in warehouse.rows(connection, "monitor/list_figures"):
        counts, cohort = row["figures"], calendar().get(row["cohort"])
        if cohort is not None:
            as_of = counts.get("as_of") and date.fromisoformat(counts["as_of"])
            known = cohort.as_known_on(row["refreshed_at"].astimezone(WIB).date())
            counts = overview.with_gaps(connection, known, counts, as_of)
        yield {**row, "figures": counts}


def missing_deliveries() -> set[tuple[str, date]]:
    """Return every (platform, business date) for which an undecided cohort has no delivery."""
    with warehouse.transaction("show") as connection:
        rows = list(_current(connection))
    feeds = (feed.split() for row in rows for feed in row["figures"]["missing_feeds"])
    return {(platform, date.fromisoformat(day)) for platform, day in feeds}


def list_regions(cohort: int) -> list[dict[str, Any]]:
    """Return a cohort's counts by province: `region_code`, and the number selected, purchased, held, ..."""
    with warehouse.transaction("show") as connection:
        return [dict(row) for row in warehouse.rows(connection, "monitor/list_regions", cohort=cohort)]


def _count(connection: warehouse.Connection, source: Any) -> dict[str, int]:
    """Count a cohort's days and regions again; return the number of held people by reason."""
    number, as_of = source["cohort"], source["as_of"]
    cohort = calendar()[number]
    warehouse.execute(
        connection,
        "monitor/create_counted",
        cohort=number,
        decided_deadline_on=source["decided_deadline_on"],
        deadline_on=cohort.as_known_on(as_of).deadline_on if as_of else cohort.deadline_on,
        as_of=as_of,
    )
    for name in (
        "monitor/delete_days",
        "monitor/delete_regions",
        "monitor/insert_days",
        "monitor/insert_regions",
    ):
        warehouse.execute(connection, name, cohort=number)
    return {row["because"]: row["held"] for row in warehouse.rows(connection, "monitor/count_held")}
