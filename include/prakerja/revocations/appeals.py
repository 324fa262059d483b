"""Appeals (R20): a revoked person objects, and a person who did not approve the revocation decides."""

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
    """Record the appeal of a revoked person, named by card or NIK, and return the appeal's number.

    Raise `PrakerjaError` if the text is empty or too long, or if the person is not revoked or has an open appeal.
    """
    if not text.strip() or len(text) > TEXT_MAX or "\0" in text:
        raise PrakerjaError(f"an appeal must have 1 to {TEXT_MAX:,} characters")
    with warehouse.transaction("decide") as connection:
        recipient_id = find_recipient(connection, number)
        appeal_id = (
            recipient_id is not None
            and warehouse.execute(
                connection,
                "revocations/insert_appeal",
                recipient_id=recipient_id,
                text=text.strip(),
                opened_by=opened_by,
                opened_on=on,
            ).scalar()
        )
    if not appeal_id:
        raise PrakerjaError("this person is not revoked, or has an open appeal: see `prakerja appeal list`")
    return int(appeal_id)


def list_appeals() -> list[dict[str, Any]]:
    """Return one mapping per appeal, open appeals first.

    `text` is personal data. `card_ends` has the last four digits of the card.
    """
    with warehouse.transaction("decide") as connection:
        return [
            dict(row)
            | {name: row[name] and row[name].isoformat() for name in ("opened_on", "decided_on")}
            | {"state": "open" if row["is_upheld"] is None else "upheld" if row["is_upheld"] else "dismissed"}
            for row in warehouse.rows(connection, "revocations/list_appeals")
        ]


def decide(appeal_id: int, *, is_upheld: bool, because: str, decided_by: str, on: date) -> None:
    """Record the decision on an appeal.

    Raise `PrakerjaError` if there is no such appeal, if it is decided already, or if `decided_by` approved the
    revocation.
    """
    appeal = next((row for row in list_appeals() if row["appeal_id"] == appeal_id), None)
    if appeal is None:
        raise PrakerjaError(f"there is no appeal {appeal_id}: see `prakerja appeal list`")
    if appeal["state"] != "open":
        raise PrakerjaError(f"appeal {appeal_id} was already {appeal['state']} by {appeal['decided_by']}")
    if decided_by in appeal["revoked_by"]:
        raise PrakerjaError(f"{decided_by} has approved this revocation: another person must decide the appeal")
    with warehouse.transaction("decide") as connection:
        inserted = warehouse.execute(
            connection,
            "revocations/insert_appeal_decision",
            appeal_id=appeal_id,
            is_upheld=is_upheld,
            because=because,
            decided_by=decided_by,
            decided_on=on,
        ).rowcount
    if not inserted:
        raise PrakerjaError(f"appeal {appeal_id} was decided in the meantime: see `prakerja appeal list`")


def apply_upheld_appeals(as_of: date) -> int:
    """Reinstate the people whose appeals were upheld by `as_of`, and return how many were reinstated."""
    with warehouse.transaction("decide") as connection:
        reinstated = warehouse.execute(connection, "revocations/reinstate_upheld", as_of=as_of).rowcount
    if reinstated:
        log.info("%d reinstated on appeal", reinstated)
    return reinstated
