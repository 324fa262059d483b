"""The ledger: a judged delivery into the warehouse, whole or not at all, by COPY."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from prakerja import warehouse
from prakerja.feeds.quarantine import Ranges, cards_in, cards_like, multirange

if TYPE_CHECKING:
    from prakerja.warehouse import Connection


@dataclass
class Entry:
    """A delivery as it is recorded: what was declared, what became of it."""

    platform: str
    business_date: date
    revision: int
    fingerprint: str
    arrived_on: date
    generated_at: datetime | None = None
    sha256: str | None = None
    bytes: int | None = None
    rows: int | None = None
    amount_idr: int | None = None
    status: str = "accepted"
    reason: str | None = None
    detail: str | None = None
    loaded: int = 0
    quarantined: int = 0
    quarantined_by_reason: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    verdict: dict[str, Any] | None = None


def record(connection: Connection, entry: Entry) -> int | None:
    """Write the delivery's row; gives its id, or nothing where it was recorded before."""
    parameters = vars(entry) | {
        "quarantined_by_reason": json.dumps(entry.quarantined_by_reason, sort_keys=True),
        "verdict": None if entry.verdict is None else json.dumps(entry.verdict),
    }
    delivery_id = warehouse.execute(connection, "feeds/insert_delivery", **parameters).scalar()
    return None if delivery_id is None else int(delivery_id)


@dataclass(frozen=True)
class Waiver:
    """A person who answers for a delivery over its quarantine bound, and why."""

    accepted_by: str
    because: str


def load(
    connection: Connection, entry: Entry, good: pd.DataFrame, bad: pd.DataFrame, waiver: Waiver | None = None
) -> int | None:
    """Record an accepted delivery with its rows (`good`, canonical) and its quarantine (`bad`, with `reasons`)."""
    delivery_id = record(connection, entry)
    if delivery_id is None:
        return None
    if len(good):
        warehouse.copy_into(connection, "transactions", _transactions(good, delivery_id))
    if len(bad):
        warehouse.copy_into(connection, "quarantine", _quarantine(bad, delivery_id))
    warehouse.execute(connection, "feeds/insert_restatement", delivery_id=delivery_id)
    if waiver is not None:
        warehouse.execute(connection, "feeds/insert_waiver", delivery_id=delivery_id, **vars(waiver))
    return delivery_id


def _transactions(good: pd.DataFrame, delivery_id: int) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    def text(column: str) -> Any:
        return pa.array(good[column], pa.string())

    return pa.table(
        {
            "delivery_id": pa.repeat(delivery_id, len(good)),
            "line": pa.array(good["line"], pa.int64()),
            "event": text("event"),
            "occurred_at": pc.cast(pa.array(good["occurred_at"], pa.int64()), pa.timestamp("us", tz="UTC")),
            "card_number": pc.cast(text("card_number"), pa.int64()),
            "amount_idr": pa.array(good["amount_idr"], pa.int64()),
            "transaction_id": text("transaction_id"),
            "course_id": text("course_id"),
            "voucher_code": text("voucher_code"),
        }
    )


def _quarantine(bad: pd.DataFrame, delivery_id: int) -> Any:
    import pyarrow as pa

    delivered: list[dict[str, str]] = []
    might_be: list[Ranges] = []
    row: Any
    for row in bad.itertuples():
        if row.raw is not None:
            delivered.append({"raw": row.raw})
            might_be.append(cards_in(row.raw))
        else:
            delivered.append(
                {
                    "transaction_id": row.transaction_id,
                    "event": row.event_delivered,
                    "occurred_at": row.occurred_at_delivered,
                    "card_number": row.card_number,
                    "course_id": row.course_id,
                    "amount_idr": row.amount_delivered,
                    "voucher_code": row.voucher_code,
                }
            )
            might_be.append(cards_like(row.card_number, is_number=row.card_is_number))
    return pa.table(
        {
            "delivery_id": pa.repeat(delivery_id, len(bad)),
            "line": pa.array(bad["line"], pa.int64()),
            "reasons": pa.array(["{" + ",".join(reasons) + "}" for reasons in bad["reasons"]], pa.string()),
            "delivered": pa.array([json.dumps(row, ensure_ascii=False) for row in delivered], pa.string()),
            "might_be": pa.array([multirange(ranges) for ranges in might_be], pa.string()),
        }
    )
