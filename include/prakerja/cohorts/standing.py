"""The standing: who of a cohort has bought, is held, at risk, overdue. The number that is told every day (R12)."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

from prakerja import warehouse
from prakerja.calendar import Cohort, calendar

log = logging.getLogger(__name__)


def standing_parameters(cohort: Cohort) -> dict[str, Any]:
    """What the warehouse's `standing` function takes from the calendar."""
    return {
        "cohort": cohort.cohort,
        "announced_on": cohort.announced_on,
        "deadline_on": cohort.deadline_on,
        "settlement_days": cohort.settlement_days,
    }


def refresh_standings(clock: date) -> dict[str, dict[str, int]]:
    """Write where every open cohort stands by the deliveries known at `clock`; gives the counts by cohort.

    A cohort is open from its announcement until its decision is made.
    """
    refreshed: dict[str, dict[str, int]] = {}
    with warehouse.transaction() as connection:
        warehouse.execute(connection, "cohorts/analyze_tables")
    with warehouse.transaction() as connection:
        for known in warehouse.rows(connection, "cohorts/known_cohorts"):
            cohort = calendar().get(known["cohort"])
            is_decided = known["decided_as_of"] is not None and known["decided_as_of"] < clock
            if cohort is None or known["arrived_on"] > clock or is_decided:
                continue
            row = warehouse.rows(
                connection,
                "cohorts/upsert_standing",
                **standing_parameters(cohort),
                last_business_date=cohort.last_business_date,
                as_of=clock,
            )[0]
            refreshed[f"gelombang-{cohort.cohort}"] = dict(row)
            log.info(
                "gelombang-%d on %s: %s", cohort.cohort, clock, ", ".join(f"{n} {name}" for name, n in row.items())
            )
    return refreshed


def has_open_cohort(business_date: date) -> bool:
    """Whether a feed of this business date bears on a cohort whose roster is loaded."""
    with warehouse.transaction() as connection:
        loaded = {row["cohort"] for row in warehouse.rows(connection, "cohorts/known_cohorts")}
    return any(cohort.is_open_on(business_date) for number, cohort in calendar().items() if number in loaded)
