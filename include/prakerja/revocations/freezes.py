"""Freezes: days on which nobody is revoked, in one cohort or in all, e.g. during a disaster or an election."""

from __future__ import annotations

from datetime import date
from typing import Any

from prakerja import warehouse
from prakerja.errors import PrakerjaError


class FrozenError(PrakerjaError):
    """Revocations are frozen. Nobody was revoked."""


def require_no_freeze(connection: warehouse.Connection, cohort: int, as_of: date) -> None:
    """Raise `FrozenError` if a freeze is in effect for the cohort on the day `as_of`."""
    for freeze in warehouse.rows(connection, "revocations/freezes_in_effect", cohort=cohort, day=as_of):
        until = f"until {freeze['ends_on']}" if freeze["ends_on"] else "until it is lifted"
        raise FrozenError(
            f"gelombang-{cohort}: nobody is revoked {until}: freeze {freeze['freeze_id']}, {freeze['because']}"
        )


def freeze(cohort: int | None, starts_on: date, ends_on: date | None, *, because: str, frozen_by: str, on: date) -> int:
    """Freeze revocations from `starts_on` to `ends_on` inclusive, or until lifted, and return the freeze's number.

    Raise `PrakerjaError` if the freeze would end before it starts.
    """
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
    """End a freeze from the day `on`. Raise `PrakerjaError` if there is no such freeze, or it was lifted before."""
    with warehouse.transaction("decide") as connection:
        inserted = warehouse.execute(
            connection,
            "revocations/insert_freeze_lift",
            freeze_id=freeze_id,
            because=because,
            lifted_by=lifted_by,
            lifted_on=on,
        ).rowcount
    if not inserted:
        raise PrakerjaError(f"there is no freeze {freeze_id} to lift: see `prakerja freeze list`")


def list_freezes() -> list[dict[str, Any]]:
    """Return one mapping per freeze, the latest first."""
    with warehouse.transaction("decide") as connection:
        return [dict(row) for row in warehouse.rows(connection, "revocations/list_freezes")]
