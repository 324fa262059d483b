"""The ledger: load a validated delivery into the warehouse by COPY, as a whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from prakerja import warehouse
from prakerja.feeds.quarantine import Ranges, cards_in, cards_like, multirange
from prakerja.platforms import FIELDS
from prakerja.warehouse import CopyData

if TYPE_CHECKING:
    from prakerja.warehouse import Connection


@dataclass
class Entry:
    """A delivery as recorded: what its manifest declared, and the result of its intake."""

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


def record(connection: Connection, entry: Entry, delivery_id: int | None = None) -> None:
    """Insert the delivery's row."""
    parameters = vars(entry) | {
        "delivery_id": _next_delivery_id(connection) if delivery_id is None else delivery_id,
        "quarantined_by_reason": json.dumps(entry.quarantined_by_reason, sort_keys=True),
        "verdict": None if entry.verdict is None else json.dumps(entry.verdict),
    }
    warehouse.execute(connection, "feeds/insert_delivery", **parameters)


def _next_delivery_id(connection: Connection) -> int:
    return int(warehouse.execute(connection, "feeds/next_delivery_id").scalar_one())


@dataclass(frozen=True)
class Waiver:
    """A person who answers for a delivery over its quarantine bound, and the reason."""

    accepted_by: str
    because: str


@dataclass(frozen=True)
class ValidatedRows:
    """Several rows of a delivery in the canonical columns: the good ones, and the bad ones with their reasons.

    `is_json` says that the text of an unreadable row is meant as JSON.
    """

    good: pa.Table
    bad: pa.Table
    reasons: list[list[str]]
    is_json: bool


def load(
    connection: Connection, entry: Entry, validated: Iterable[ValidatedRows], waiver: Waiver | None = None
) -> None:
    """Load an accepted delivery's rows as they are validated, then record it. `entry` may be completed meanwhile.

    A second thread uses the connection to load rows while the next are validated.
    """
    delivery_id = _next_delivery_id(connection)
    with ThreadPoolExecutor(1) as loader:
        loading: Future[None] | None = None
        for rows in validated:
            data = CopyData.from_records("transactions", _transactions(rows.good, delivery_id))
            bad = CopyData.from_records("quarantine", _quarantine(rows, delivery_id))
            if loading is not None:
                loading.result()
            loading = loader.submit(_copy, connection, data, bad)
        if loading is not None:
            loading.result()
    record(connection, entry, delivery_id)
    warehouse.execute(connection, "feeds/insert_restatement", delivery_id=delivery_id)
    if waiver is not None:
        warehouse.execute(connection, "feeds/insert_waiver", delivery_id=delivery_id, **vars(waiver))


def _copy(connection: Connection, *tables: CopyData) -> None:
    for data in tables:
        if data.rows:
            warehouse.copy(connection, data)


def _transactions(good: pa.Table, delivery_id: int) -> pa.Table:
    # Written as text without a zone: zoned instants take five times as long.
    instants = good["occurred_at"].cast(pa.timestamp("us")).cast(pa.string())
    table = pa.table(
        {
            "delivery_id": pa.repeat(delivery_id, len(good)),
            "line": good["line"],
            "event": good["event"],
            "occurred_at": pc.binary_join_element_wise(instants, "Z", ""),
            "card_number": good["card_number"].cast(pa.int64()),
            "amount_idr": good["amount_idr"],
            "transaction_id": good["transaction_id"],
            "course_id": good["course_id"],
            "voucher_code": good["voucher_code"],
        }
    )
    return table.sort_by("card_number")  # the index inserts sorted cards in a third of the time


def _quarantine(rows: ValidatedRows, delivery_id: int) -> pa.Table:
    delivered: list[dict[str, str]] = []
    might_be: list[Ranges] = []
    for row in rows.bad.drop_columns(["occurred_at"]).to_pylist():
        if row["raw"] is not None:
            delivered.append({"raw": row["raw"]})
            might_be.append(cards_in(row["raw"], is_json=rows.is_json))
        else:
            delivered.append({name: row.get(f"{name}_delivered", row.get(name)) for name in FIELDS})
            might_be.append(cards_like(row["card_number"], is_number=row["card_is_number"]))
    return pa.table(
        {
            "delivery_id": pa.repeat(delivery_id, len(delivered)),
            "line": rows.bad["line"],
            "reasons": pa.array(["{" + ",".join(reasons) + "}" for reasons in rows.reasons], pa.string()),
            "delivered": pa.array([json.dumps(row, ensure_ascii=False) for row in delivered], pa.string()),
            "might_be": pa.array([multirange(ranges) for ranges in might_be], pa.string()),
        }
    )
