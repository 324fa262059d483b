"""The standing: how many of a cohort have bought, are held, at risk or overdue. Reported every day (R12)."""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import Any

from prakerja import warehouse
from prakerja.calendar import Cohort, calendar
from prakerja.cohorts import evidence
from prakerja.cohorts.completeness import missing_feeds

log = logging.getLogger(__name__)


def window_of(cohort: Cohort) -> dict[str, Any]:
    """Return the dates of a cohort that the warehouse's functions take as parameters."""
    return {
        "cohort": cohort.number,
        "announced_on": cohort.announced_on,
        "deadline_on": cohort.deadline_on,
        "settlement_days": cohort.settlement_days,
    }


def refresh_standings(as_of: date) -> dict[str, dict[str, int]]:
    """Write the standing of every open cohort by the deliveries known on `as_of`; return the counts by cohort.

    A cohort is open from its announcement until its decision is made.
    """
    refreshed: dict[str, dict[str, int]] = {}
    with warehouse.transaction("ingest") as connection:
        warehouse.execute(connection, "cohorts/analyze_tables")
    with warehouse.transaction("ingest") as connection:
        for known in warehouse.rows(connection, "cohorts/known_cohorts"):
            cohort = calendar().get(known["cohort"])
            if cohort is None or known["arrived_on"] > as_of:
                continue
            cohort = cohort.as_known_on(as_of)
            record_extensions(connection, cohort)
            is_decided = known["decided_as_of"] is not None and known["decided_as_of"] < as_of
            if is_decided and (known["is_carried_out"] or known["decided_deadline_on"] >= cohort.deadline_on):
                continue
            evidence.refresh(connection, window_of(cohort), as_of, is_decided=False)
            row = warehouse.rows(
                connection,
                "cohorts/upsert_standing",
                cohort=cohort.number,
                deadline_on=cohort.deadline_on,
                as_of=as_of,
            )[0]
            refreshed[f"gelombang-{cohort.number}"] = dict(row)
            log.info(
                "gelombang-%d on %s: %s", cohort.number, as_of, ", ".join(f"{n} {name}" for name, n in row.items())
            )
    return refreshed


def record_extensions(connection: warehouse.Connection, cohort: Cohort) -> None:
    """Record the known extensions of a cohort. A recorded extension stays: a promised deadline is not taken back."""
    for extension in cohort.extensions:
        warehouse.execute(
            connection,
            "cohorts/insert_extension",
            cohort=cohort.number,
            deadline_on=extension.deadline_on,
            announced_on=extension.announced_on,
            because=extension.because,
        )


def promised_deadline(connection: warehouse.Connection, cohort: int, as_of: date) -> date | None:
    """Return the latest deadline promised to a cohort on or before a day, or None if it was never extended."""
    found: date | None = warehouse.execute(connection, "cohorts/promised_deadline", cohort=cohort, as_of=as_of).scalar()
    return found


def has_open_cohort(business_date: date) -> bool:
    """Whether a cohort with a loaded roster is open on this business date."""
    with warehouse.transaction() as connection:
        loaded = {row["cohort"] for row in warehouse.rows(connection, "cohorts/known_cohorts")}
    return any(cohort.is_open_on(business_date) for number, cohort in calendar().items() if number in loaded)


def owed_deliveries(connection: warehouse.Connection, first_seen_by: date, day: date) -> list[tuple[str, date]]:
    """Return each (platform, business date) before `first_seen_by` that is missing for an undecided cohort on a day.

    From its announcement until its decision a cohort needs the deliveries of its window and the settlement days.
    """
    missing: set[tuple[str, date]] = set()
    for known in warehouse.rows(connection, "cohorts/known_cohorts"):
        cohort = calendar().get(known["cohort"])
        if cohort is None:
            continue
        cohort, decided_for = cohort.as_known_on(day), known["decided_deadline_on"]
        if decided_for is not None and (known["is_carried_out"] or decided_for >= cohort.deadline_on):
            continue
        last = min(cohort.last_business_date, first_seen_by - timedelta(days=1))
        missing.update(missing_feeds(connection, cohort.announced_on, last, date.max))
    return sorted(missing)
