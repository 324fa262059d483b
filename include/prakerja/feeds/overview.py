"""The feeds as a table: every examined delivery, and the missing ones."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from prakerja import warehouse
from prakerja.feeds import data_docs
from prakerja.platforms import platforms
from prakerja.settings import WIB


def list_deliveries(
    platform: str | None = None, first: date | None = None, last: date | None = None
) -> list[dict[str, Any]]:
    """Return one mapping per delivery, oldest first, of a platform and a range of business dates, or of all.

    Its keys are `platform`, `business_date`, `revision`, `status` (`accepted` or `rejected`), `reason` and counts.
    `is_in_force` marks the revision in force; `data_docs` is the page of its validation result, or None.
    """
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "feeds/list_deliveries", platform=platform, first_date=first, last_date=last)
    deliveries, site = [], data_docs.folder()
    for row in rows:
        delivery = dict(row)
        page = str(site / data_docs.page_of(row)) if delivery.pop("is_validated") else None
        del delivery["delivery_id"]
        dates = {name: row[name].isoformat() for name in ("business_date", "arrived_on", "recorded_at")}
        deliveries.append(delivery | dates | {"data_docs": page})
    return deliveries


def list_quarantine(
    platform: str | None = None,
    first: date | None = None,
    last: date | None = None,
    reason: str | None = None,
    *,
    is_masked: bool = True,
) -> list[dict[str, Any]]:
    """Return one mapping per quarantined row in force: its place, its reasons, and its values as delivered.

    A masked value shows the last four digits of its numbers, and an unreadable row only its length: enough to see the
    damage, too little to identify a person.
    """
    with warehouse.transaction() as connection:
        rows = warehouse.rows(
            connection, "feeds/list_quarantine", platform=platform, first_date=first, last_date=last, reason=reason
        )
    return [
        {
            "platform": row["platform"],
            "business_date": row["business_date"].isoformat(),
            "revision": row["revision"],
            "line": row["line"],
            "reasons": list(row["reasons"]),
            "delivered": {key: mask(key, value) for key, value in row["delivered"].items()}
            if is_masked
            else row["delivered"],
        }
        for row in rows
    ]


def list_differences(platform: str, on: date, most: int) -> list[dict[str, Any]]:
    """Return one masked mapping per row in which a revision of a business date differs from the previous one.

    At most `most` rows, those of the latest revision first. Its keys are `revision`, `revision_before`, `change`
    (`added`, `vanished` or `changed`), `event`, `transaction_id`, and `before` and `now`: the row's values, or those
    that differ if it changed.
    """
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "feeds/list_differences", platform=platform, business_date=on, most=most)
    differences = []
    for row in rows:
        before = {} if row["change"] == "added" else _masked(row, "_before")
        now = {} if row["change"] == "vanished" else _masked(row, "")
        if row["change"] == "changed":
            changed = [field for field in now if row[field] != row[f"{field}_before"]]
            before = {field: before[field] for field in changed}
            # Two numbers may end in the same four digits.
            now = {field: now[field] + (" (another)" if now[field] == before[field] else "") for field in changed}
            if row["is_other_voucher"]:
                now["voucher_code"] = "(another)"
        differences.append(
            {
                **{name: row[name] for name in ("revision", "revision_before", "change", "event")},
                "transaction_id": mask("transaction_id", row["transaction_id"]),
                "before": before,
                "now": now,
            }
        )
    return differences


def _masked(row: Any, side: str) -> dict[str, str]:
    values = {
        "occurred_at": row[f"occurred_at{side}"].astimezone(WIB).isoformat(),
        "card_number": f"{row[f'card_number{side}']:016}",
        "amount_idr": str(row[f"amount_idr{side}"]),
        "course_id": row[f"course_id{side}"],
    }
    return {field: mask(field, value) for field, value in values.items()}


#: A number that may be a card, a NIK or a phone.
NUMBER_OF_SOMEBODY = re.compile(r"\d{12,}|\d{4}[ .-]\d{4}[ .-]\d{4}")

#: The fields that identify nobody and show what is wrong.
UNMASKED = ("event", "occurred_at", "amount_idr")


def mask(field: str, value: str) -> str:
    """Return a delivered value without what could identify a person."""
    if field in UNMASKED and not NUMBER_OF_SOMEBODY.search(value):  # if columns were mixed up, it may hold a card
        return value
    if field == "raw":
        return f"({len(value)} characters)"
    return re.sub(r"\d(?=(?:\D*\d){4})", "•", re.sub(r"\S+(?=@)", "•", value))


def count_unmatched() -> int:
    """Return the number of distinct cards in force that no loaded roster has. A later roster may have them."""
    with warehouse.transaction() as connection:
        return int(warehouse.execute(connection, "feeds/count_unmatched", as_of="infinity").scalar_one())


def day_status(platform: str, day: date, deliveries: list[dict[str, Any]], *, is_owed: bool) -> str:
    """Return the status of a platform's business date in one word, from its deliveries."""
    known = platforms().get(platform)
    if not deliveries and known is not None and not known.is_active_on(day):
        return "not active"
    if not deliveries:
        return "missing" if is_owed else ""
    accepted = {delivery["revision"] for delivery in deliveries if delivery["status"] == "accepted"}
    if not accepted:
        return "rejected"
    return "restated" if len(accepted) > 1 else "accepted"
