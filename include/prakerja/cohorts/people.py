"""Suspensions for fraud (R27) and withdrawals of single recipients."""

from __future__ import annotations

from datetime import date

from prakerja import warehouse
from prakerja.errors import PrakerjaError

UNKNOWN_CARD = "no roster has this card: check the number"


def suspend(number: str, on: date, *, is_permanent: bool, because: str, suspended_by: str) -> None:
    """Suspend a recipient (card or NIK) from a day on. Without a purchase they are then held, never revoked."""
    with warehouse.transaction("decide") as connection:
        written = warehouse.execute(
            connection,
            "cohorts/insert_suspension",
            recipient_id=_require_recipient(connection, number),
            suspended_on=on,
            is_permanent=is_permanent,
            because=because,
            suspended_by=suspended_by,
        ).rowcount
    if not written:
        raise PrakerjaError("this person is already suspended: see `prakerja explain`")


def lift_suspension(number: str, on: date, *, because: str, lifted_by: str) -> None:
    """Lift the current suspension from a day on. Raise `PrakerjaError` if there is none, or if it is permanent."""
    with warehouse.transaction("decide") as connection:
        written = warehouse.execute(
            connection,
            "cohorts/insert_suspension_lift",
            recipient_id=_require_recipient(connection, number),
            lifted_on=on,
            because=because,
            lifted_by=lifted_by,
        ).rowcount
    if not written:
        raise PrakerjaError("this person has no suspension that can be lifted: see `prakerja explain`")


def withdraw(number: str, on: date, *, because: str, recorded_by: str) -> None:
    """Record that a recipient withdraws from a day on. A later decision neither holds nor revokes them."""
    with warehouse.transaction("decide") as connection:
        written = warehouse.execute(
            connection,
            "cohorts/insert_withdrawal",
            recipient_id=_require_recipient(connection, number),
            withdrawn_on=on,
            because=because,
            recorded_by=recorded_by,
        ).rowcount
    if not written:
        raise PrakerjaError("this person has already withdrawn: see `prakerja explain`")


def is_suspended(connection: warehouse.Connection, recipient_id: int, on: date) -> bool:
    """Whether a recipient is suspended on a day."""
    return bool(warehouse.execute(connection, "cohorts/is_suspended", recipient_id=recipient_id, day=on).scalar_one())


def find_recipient(connection: warehouse.Connection, number: str) -> int | None:
    """Return the recipient of a card, else of a NIK, or None."""
    asked = int(number) if is_card(number) else None
    found = warehouse.execute(connection, "cohorts/find_recipient", number=asked).scalar()
    return None if found is None else int(found)


def is_card(text: str) -> bool:
    """Whether a text has the form of a card number or a NIK: sixteen digits."""
    return len(text) == 16 and text.isascii() and text.isdecimal()


def _require_recipient(connection: warehouse.Connection, number: str) -> int:
    found = find_recipient(connection, number)
    if found is None:
        raise PrakerjaError(UNKNOWN_CARD)
    return found
