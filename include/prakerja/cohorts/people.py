"""What happens to single recipients beside their purchases: suspended for fraud (R27), or gone by their own wish."""

from __future__ import annotations

from datetime import date

from prakerja import warehouse
from prakerja.errors import PrakerjaError

UNKNOWN_CARD = "no roster has this card: check the number"


def suspend(number: str, on: date, *, is_permanent: bool, because: str, suspended_by: str) -> None:
    """Suspend a recipient (card or NIK) from a day on. A suspended person without a purchase is held, never revoked."""
    with warehouse.transaction("decide") as connection:
        written = warehouse.execute(
            connection,
            "cohorts/insert_suspension",
            recipient_id=_known(connection, number),
            suspended_on=on,
            is_permanent=is_permanent,
            because=because,
            suspended_by=suspended_by,
        ).rowcount
    if not written:
        raise PrakerjaError("this person is suspended already: see `prakerja explain`")


def lift_suspension(number: str, on: date, *, because: str, lifted_by: str) -> None:
    """End the suspension that runs, from a day on. Raises `PrakerjaError` where none runs, or it is for good."""
    with warehouse.transaction("decide") as connection:
        written = warehouse.execute(
            connection,
            "cohorts/insert_suspension_lift",
            recipient_id=_known(connection, number),
            lifted_on=on,
            because=because,
            lifted_by=lifted_by,
        ).rowcount
    if not written:
        raise PrakerjaError("this person has no suspension that can be lifted: see `prakerja explain`")


def withdraw(number: str, on: date, *, because: str, recorded_by: str) -> None:
    """Record that a recipient has left the programme, from a day on: neither held nor revoked by a later decision."""
    with warehouse.transaction("decide") as connection:
        written = warehouse.execute(
            connection,
            "cohorts/insert_withdrawal",
            recipient_id=_known(connection, number),
            withdrawn_on=on,
            because=because,
            recorded_by=recorded_by,
        ).rowcount
    if not written:
        raise PrakerjaError("this person has withdrawn already: see `prakerja explain`")


def is_suspended(connection: warehouse.Connection, recipient_id: int, on: date) -> bool:
    """Return whether a suspension of a recipient runs on a day."""
    return bool(warehouse.execute(connection, "cohorts/is_suspended", recipient_id=recipient_id, day=on).scalar_one())


def find_recipient(connection: warehouse.Connection, number: str) -> int | None:
    """The recipient of a card, else of a NIK; nothing where there is none."""
    asked = int(number) if is_card(number) else None
    found = warehouse.execute(connection, "cohorts/find_recipient", number=asked).scalar()
    return None if found is None else int(found)


def is_card(text: str) -> bool:
    """Whether a text may be a card number or a NIK: sixteen digits."""
    return len(text) == 16 and text.isascii() and text.isdecimal()


def _known(connection: warehouse.Connection, number: str) -> int:
    found = find_recipient(connection, number)
    if found is None:
        raise PrakerjaError(UNKNOWN_CARD)
    return found
