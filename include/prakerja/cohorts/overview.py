"""The cohort table: the standing, the decision and the open work of every cohort in the calendar."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from prakerja import warehouse
from prakerja.calendar import Cohort, calendar, deadlines
from prakerja.cohorts.completeness import as_text, missing_feeds, missing_for, sentence

FEEDS_ARRIVED = "the deliveries that were missing have arrived: its run goes on within ten minutes"

COUNTS = (
    "selected", "purchased", "held", "at_risk", "overdue", "excluded", "revoked", "reinstated",
    "reinstatements_proposed", "cases", "holds_resolvable", "late_purchases", "reminded",
)  # fmt: skip


def cohort_table(day: date | None = None) -> list[dict[str, Any]]:
    """Return one mapping per cohort in order of announcement: `cohort`, `status`, its dates, counts, `missing_feeds`.

    Deadlines are those announced on or before `day`; without a day, those of the whole calendar.
    `status` is `no_roster`, `open`, `blocked` (`reason` and `detail` say why), `awaiting_approval` or `decided`.
    `missing_feeds` is the current list (`with_gaps`).
    """
    with warehouse.transaction() as connection:
        cohorts = [cohort.as_known_on(day) if day else cohort for cohort in calendar().values()]
        known = _known(connection, cohorts)
        return [_row(connection, cohort, known.get(cohort.number)) for cohort in cohorts]


def missing_now() -> list[tuple[str, date]]:
    """Return each (platform, business date) that an undecided cohort is missing as of its latest intake."""
    with warehouse.transaction() as connection:
        known = _known(connection, calendar().values())
        missing = {
            feed
            for cohort in calendar().values()
            if (row := known.get(cohort.number)) and row["decision_status"] != "made" and row["standing_as_of"]
            for feed in _list_gaps(connection, cohort.as_known_on(row["standing_as_of"]), row["standing_as_of"])
        }
    return sorted(missing)


def with_gaps(
    connection: warehouse.Connection, cohort: Cohort, row: dict[str, Any], as_of: date | None
) -> dict[str, Any]:
    """Return a cohort's row with the deliveries that are missing now, not those that were when it was written.

    A blocked cohort needs its whole window and the settlement days, an open one the days up to its latest intake,
    `as_of`. A cohort that was blocked by missing deliveries is open again once they have arrived; `detail` says so.
    """
    if row["status"] not in ("open", "blocked"):
        return row | {"missing_feeds": []}
    is_blocked = row["status"] == "blocked"
    missing = missing_for(connection, cohort, date.max) if is_blocked else _list_gaps(connection, cohort, as_of)
    found = row | {"missing_feeds": as_text(missing)}
    if is_blocked and row["reason"] == "feeds_missing":
        if missing:
            return found | {"detail": sentence(missing)}
        return found | {"status": "open", "reason": "feeds_arrived", "detail": FEEDS_ARRIVED}
    return found


def _known(connection: warehouse.Connection, cohorts: Iterable[Cohort]) -> dict[int, Any]:
    rows = warehouse.rows(connection, "cohorts/list_cohorts", **deadlines(cohorts))
    return {row["cohort"]: row for row in rows}


def _row(connection: warehouse.Connection, cohort: Cohort, known: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "cohort": cohort.number,
        "status": _status(known),
        "announced_on": cohort.announced_on.isoformat(),
        "deadline_on": cohort.deadline_on.isoformat(),
        **{name: int(known[name] or 0) if known else 0 for name in COUNTS},
    }
    if known and known["reason"]:
        row |= {"reason": known["reason"], "detail": known["detail"]}
    return with_gaps(connection, cohort, row, known and known["standing_as_of"])


def _status(known: Any) -> str:
    if known is None or (known["selected"] is None and known["decision_status"] is None):
        return "no_roster"
    if known["decision_status"] == "blocked":
        return "blocked"
    if known["decision_status"] is None:
        return "open"
    return "decided" if known["is_carried_out"] or not known["overdue"] else "awaiting_approval"


def _list_gaps(connection: warehouse.Connection, cohort: Cohort, as_of: date | None) -> list[tuple[str, date]]:
    if as_of is None:
        return []
    last = min(cohort.last_business_date, as_of - timedelta(days=1))
    return missing_feeds(connection, cohort.announced_on, last, date.max)
