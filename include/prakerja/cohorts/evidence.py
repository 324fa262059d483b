"""The evidence: for each recipient the purchase that counts and the damaged row that holds, kept up to date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from prakerja import warehouse


def refresh(connection: warehouse.Connection, window: Mapping[str, Any], as_of: date, *, is_decided: bool) -> int:
    """Bring a cohort's evidence up to date with the deliveries known on a day; return its generation.

    Recipients who could have been affected are marked with the new generation. `window` has the keys cohort,
    announced_on, deadline_on and settlement_days (`standing.window_of`).
    """
    generation = warehouse.execute(
        connection, "cohorts/refresh_evidence", **window, as_of=as_of, is_decided=is_decided
    ).scalar_one()
    return int(generation)
