"""Freezes: days on which nobody is revoked, of one cohort or of all. A disaster, an inquiry, an election."""

from __future__ import annotations

from datetime import date
from typing import Any

from prakerja import warehouse
from prakerja.errors import PrakerjaError


class FrozenError(PrakerjaError):
    """Revocations are frozen. Nobody was revoked."""


def require_no_freeze(connection: warehouse.Connection, cohort: int, as_of: date) -> None:
    """Raises `FrozenError` where a freeze runs for the cohort on this day."""
    for freeze in warehouse.rows(connection, "revocations/freezes_in_effect", cohort=cohort, day=as_of):
        until = f"until {freeze['ends_on']}" if freeze["ends_on"] else "until it is lifted"
        raise FrozenError(
            f"gelombang-{cohort}: nobody is revoked {until}: freeze {freeze['freeze_id']}, {freeze['because']}"
        )


def freeze(cohort: int | None, starts_on: date, ends_on: date | None, *, because: str, frozen_by: str, on: date) -> int:
    """Freeze revocations from a day to a day, both included, or until that is lifted; gives the freeze's number."""
    if ends_on is not None and ends_on < starts_on:
        raise PrakerjaError(f"the freeze would end on {ends_on}, before it starts on {starts_on}")
    with warehouse.transaction("decide") as connection:
        return int(
            warehouse.execute(
                connection,
                "revocations/insert_freeze",
                cohort=cohort,
                starts_on=starts_on,
                ends_on=ends_on,
                because=because,
                frozen_by=frozen_by,
                frozen_on=on,
            ).scalar_one()
        )


def lift(freeze_id: int, *, because: str, lifted_by: str, on: date) -> None:
    """End a freeze, from this day on. Raises `PrakerjaError` where there is none, or it is lifted."""
    with warehouse.transaction("decide") as connection:
        written = warehouse.execute(
            connection,
            "revocations/insert_freeze_lift",
            freeze_id=freeze_id,
            because=because,
            lifted_by=lifted_by,
            lifted_on=on,
        ).rowcount
    if not written:
        raise PrakerjaError(f"there is no freeze {freeze_id} to lift: see `prakerja freeze list`")


def list_freezes() -> list[dict[str, Any]]:
    """One mapping per freeze, the latest first."""
    with warehouse.transaction("decide") as connection:
        return [dict(row) for row in warehouse.rows(connection, "revocations/list_freezes")]
