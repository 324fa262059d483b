"""The decision of one cohort's deadline, computed a second time: section 2 of the contract, sentence by sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from upath import UPath

from prakerja.recheck.facts import Delivery, Facts


@dataclass(frozen=True)
class Reading:
    """What the second reading finds of one recipient, and the row that says so (None where no row does).

    `outcome` is purchased, held, overdue or excluded; `because` is purchase, damaged_row, suspended, withdrawn,
    revoked_earlier or no_purchase.
    """

    outcome: str
    because: str
    platform: str | None = None
    business_date: date | None = None
    revision: int | None = None
    line: int | None = None


@dataclass(frozen=True)
class SecondReading:
    """Every card of the roster, the deliveries read (by platform and business date) and the recipients per outcome."""

    by_card: dict[str, Reading]
    in_force: tuple[Delivery, ...]
    totals: dict[str, int]


def read_again(
    landing: UPath,
    facts: Facts,
    progress: Callable[[int, int, str], None] | None = None,
    *,
    is_later: bool = False,
) -> SecondReading:
    """Return the decision as the files in `landing` say it.

    `is_later` gives the reading after the decision: an undoing at any time counts against a purchase, and deliveries of
    every business date from the announcement on are read. `progress` is told (done, of, platform) after each delivery.

    Raises `EvidenceError`.
    """
    raise NotImplementedError
