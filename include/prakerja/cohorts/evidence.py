"""The evidence: for each recipient the purchase that counts and the row that holds, kept as deliveries come and go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from prakerja import warehouse


def refresh(connection: warehouse.Connection, window: Mapping[str, Any], as_of: date, *, is_decided: bool) -> int:
    """Bring a cohort's evidence to the deliveries known by a day; gives its generation.

    Whoever was touched since an earlier generation bears a later one. `window` has cohort, announced_on, deadline_on,
    settlement_days.
    """
    generation = warehouse.execute(
        connection, "cohorts/refresh_evidence", **window, as_of=as_of, is_decided=is_decided
    ).scalar_one()
    return int(generation)
