"""The standing: who of a cohort has bought, is held, at risk, overdue. The number that is told every day (R12)."""

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
    """What the warehouse's functions take from the calendar."""
    return {
        "cohort": cohort.number,
        "announced_on": cohort.announced_on,
        "deadline_on": cohort.deadline_on,
        "settlement_days": cohort.settlement_days,
    }


def refresh_standings(as_of: date) -> dict[str, dict[str, int]]:
    """Write where every open cohort stands by the deliveries known at `as_of`; gives the counts by cohort.

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
    """Write down the extensions that a cohort has, as known: what was promised once is not taken back."""
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
    """Return the latest deadline that a cohort was promised by a day, or None where it was never extended."""
    found: date | None = warehouse.execute(connection, "cohorts/promised_deadline", cohort=cohort, as_of=as_of).scalar()
    return found


def has_open_cohort(business_date: date) -> bool:
    """Whether a feed of this business date bears on a cohort whose roster is loaded."""
    with warehouse.transaction() as connection:
        loaded = {row["cohort"] for row in warehouse.rows(connection, "cohorts/known_cohorts")}
    return any(cohort.is_open_on(business_date) for number, cohort in calendar().items() if number in loaded)


def owed_deliveries(connection: warehouse.Connection, first_seen_by: date, day: date) -> list[tuple[str, date]]:
    """Every (platform, business date) before `first_seen_by` that a cohort is owed on a day and is not decided without.

    A cohort owes its window and the settlement days from its announcement until its decision.
    """
    owed: set[tuple[str, date]] = set()
    for known in warehouse.rows(connection, "cohorts/known_cohorts"):
        cohort = calendar().get(known["cohort"])
        if cohort is None:
            continue
        cohort, decided_for = cohort.as_known_on(day), known["decided_deadline_on"]
        if decided_for is not None and (known["is_carried_out"] or decided_for >= cohort.deadline_on):
            continue
        last = min(cohort.last_business_date, first_seen_by - timedelta(days=1))
        owed.update(missing_feeds(connection, cohort.announced_on, last, date.max))
    return sorted(owed)
