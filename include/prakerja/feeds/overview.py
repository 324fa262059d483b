"""The feeds as a table: every delivery that was looked at, and the days that owe one."""

from __future__ import annotations

from datetime import date
from typing import Any

from prakerja import warehouse
from prakerja.platforms import platforms


def list_deliveries() -> list[dict[str, Any]]:
    """One mapping per delivery, oldest first: `platform`, `business_date`, `revision`, `status`, `reason`, counts.

    `status` is `accepted` or `rejected`; `is_in_force` tells the revision that counts of a restated day.
    """
    with warehouse.transaction() as connection:
        return [
            dict(row) | {"business_date": row["business_date"].isoformat(), "arrived_on": row["arrived_on"].isoformat()}
            for row in warehouse.rows(connection, "feeds/list_deliveries")
        ]


def count_unmatched() -> int:
    """Distinct cards in force that stand in no loaded roster; a roster loaded later may still have them."""
    with warehouse.transaction() as connection:
        return int(warehouse.execute(connection, "feeds/count_unmatched", known_by="infinity").scalar_one())


def day_status(platform: str, day: date, deliveries: list[dict[str, Any]]) -> str:
    """The status of a platform's business date, from its deliveries: the word that the table shows."""
    known = platforms().get(platform)
    if not deliveries:
        return "missing" if known is not None and known.is_active_on(day) else "not active"
    accepted = {delivery["revision"] for delivery in deliveries if delivery["status"] == "accepted"}
    if not accepted:
        return "rejected"
    return "restated" if len(accepted) > 1 else "accepted"
