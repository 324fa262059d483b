"""Appeals (R20): a revoked person complains, and somebody who did not approve the revocation decides."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

from prakerja import warehouse
from prakerja.cohorts.people import find_recipient
from prakerja.errors import PrakerjaError

log = logging.getLogger(__name__)

TEXT_MAX = 20_000


def open_appeal(number: str, text: str, *, opened_by: str, on: date) -> int:
    """Record what a revoked person (card or NIK) says; gives the appeal's number. Raises `PrakerjaError`."""
    if not text.strip() or len(text) > TEXT_MAX or "\0" in text:
        raise PrakerjaError(f"an appeal is a text of 1 to {TEXT_MAX:,} characters")
    with warehouse.transaction("decide") as connection:
        recipient = find_recipient(connection, number)
        appeal = (
            recipient is not None
            and warehouse.execute(
                connection,
                "revocations/insert_appeal",
                recipient_id=recipient,
                text=text.strip(),
                opened_by=opened_by,
                opened_on=on,
            ).scalar()
        )
    if not appeal:
        raise PrakerjaError("this person is not revoked, or has an open appeal: see `prakerja appeal list`")
    return int(appeal)


def list_appeals() -> list[dict[str, Any]]:
    """One mapping per appeal, the open ones first: `text` is personal, the card is its last four digits."""
    with warehouse.transaction("decide") as connection:
        return [
            dict(row)
            | {name: row[name] and row[name].isoformat() for name in ("opened_on", "decided_on")}
            | {"state": "open" if row["is_upheld"] is None else "upheld" if row["is_upheld"] else "dismissed"}
            for row in warehouse.rows(connection, "revocations/list_appeals")
        ]


def decide(appeal_id: int, *, is_upheld: bool, because: str, decided_by: str, on: date) -> None:
    """Decide an appeal, once. Raises `PrakerjaError`, also for whoever approved the revocation."""
    found = next((appeal for appeal in list_appeals() if appeal["appeal_id"] == appeal_id), None)
    if found is None:
        raise PrakerjaError(f"there is no appeal {appeal_id}: see `prakerja appeal list`")
    if found["state"] != "open":
        raise PrakerjaError(f"appeal {appeal_id} is {found['state']} already, by {found['decided_by']}")
    if decided_by in found["revoked_by"]:
        raise PrakerjaError(f"{decided_by} has approved this revocation: another person must decide the appeal")
    with warehouse.transaction("decide") as connection:
        written = warehouse.execute(
            connection,
            "revocations/insert_appeal_decision",
            appeal_id=appeal_id,
            is_upheld=is_upheld,
            because=because,
            decided_by=decided_by,
            decided_on=on,
        ).rowcount
    if not written:
        raise PrakerjaError(f"appeal {appeal_id} was decided meanwhile: see `prakerja appeal list`")


def apply_upheld_appeals(as_of: date) -> int:
    """Reinstate whoever's appeal was upheld by the day `as_of`; gives how many."""
    with warehouse.transaction("decide") as connection:
        reinstated = warehouse.execute(connection, "revocations/reinstate_upheld", as_of=as_of).rowcount
    if reinstated:
        log.info("%d reinstated on appeal", reinstated)
    return reinstated
