"""The cohort table: every cohort of the calendar, where it stands, what was decided, what waits."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from prakerja import warehouse
from prakerja.calendar import Cohort, calendar, deadlines
from prakerja.cohorts.completeness import as_text, missing_feeds

COUNTS = (
    "selected", "purchased", "held", "at_risk", "overdue", "excluded", "revoked", "reinstated",
    "reinstatements_proposed", "cases", "holds_resolvable", "late_purchases", "reminded",
)  # fmt: skip


def cohort_table(day: date | None = None) -> list[dict[str, Any]]:
    """One mapping per cohort, in the order of announcement: `cohort`, `status`, its dates, the counts, `missing_feeds`.

    By the deadlines as they were announced by a day; without one by all that the calendar has.
    `status` is `no_roster`, `open`, `blocked` (`reason` and `detail` say why), `awaiting_approval` or `decided`.
    """
    with warehouse.transaction() as connection:
        waves = [wave.as_known_on(day) if day else wave for wave in calendar().values()]
        known = _known(connection, waves)
        return [_row(connection, wave, known.get(wave.cohort)) for wave in waves]


def missing_now() -> list[tuple[str, date]]:
    """Every (platform, business date) that some undecided cohort is owed by its latest intake."""
    with warehouse.transaction() as connection:
        known = _known(connection, calendar().values())
        missing = {
            feed
            for cohort in calendar().values()
            if (row := known.get(cohort.cohort)) and row["decision_status"] != "made"
            for feed in _owed(connection, cohort, row["standing_as_of"])
        }
    return sorted(missing)


def _known(connection: warehouse.Connection, waves: Iterable[Cohort]) -> dict[int, Any]:
    rows = warehouse.rows(connection, "cohorts/list_cohorts", **deadlines(waves))
    return {row["cohort"]: row for row in rows}


def _row(connection: warehouse.Connection, cohort: Cohort, known: Any) -> dict[str, Any]:
    row = {
        "cohort": cohort.cohort,
        "status": _status(known),
        "announced_on": cohort.announced_on.isoformat(),
        "deadline_on": cohort.deadline_on.isoformat(),
        **{name: int(known[name] or 0) if known else 0 for name in COUNTS},
        "missing_feeds": _missing(connection, cohort, known),
    }
    if known and known["reason"]:
        row |= {"reason": known["reason"], "detail": known["detail"]}
    return row


def _status(known: Any) -> str:
    if known is None or (known["selected"] is None and known["decision_status"] is None):
        return "no_roster"
    if known["decision_status"] == "blocked":
        return "blocked"
    if known["decision_status"] is None:
        return "open"
    return "decided" if known["is_carried_out"] or not known["overdue"] else "awaiting_approval"


def _missing(connection: warehouse.Connection, cohort: Cohort, known: Any) -> list[str]:
    """What the blocked decision missed; while the cohort is open, what is owed by now."""
    if known is None or known["decision_status"] == "made":
        return []
    if known["decision_status"] == "blocked":
        return list(known["missing_feeds"])
    return as_text(_owed(connection, cohort, known["standing_as_of"]))


def _owed(connection: warehouse.Connection, cohort: Cohort, as_of: date | None) -> list[tuple[str, date]]:
    if as_of is None:
        return []
    last = min(cohort.last_business_date, as_of - timedelta(days=1))
    return missing_feeds(connection, cohort.announced_on, last, as_of)
