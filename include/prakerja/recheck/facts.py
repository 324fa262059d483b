"""The facts that the second reading receives. Everything else is read from the landing zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Delivery:
    """An accepted delivery. `sha256` is that of the file in the landing zone, `accepted_on` a WIB date."""

    platform: str
    business_date: date
    revision: int
    sha256: str
    accepted_on: date


@dataclass(frozen=True)
class Suspension:
    """A temporary suspension; `lifted_on` is None while it lasts."""

    card_number: str
    suspended_on: date
    lifted_on: date | None


@dataclass(frozen=True)
class Withdrawal:
    """A recipient who left the programme."""

    card_number: str
    withdrawn_on: date


@dataclass(frozen=True)
class Facts:
    """The facts about one cohort's deadline known on the WIB day `as_of`. Nothing accepted or recorded later counts.

    `deliveries` holds the accepted deliveries of every revision, possibly later ones than `as_of`. `revoked_earlier`
    holds the cards of this cohort that were revoked for an earlier deadline. `missing_overridden` holds the platforms
    and business dates of missing deliveries that a person answered for.
    """

    cohort: int
    announced_on: date
    deadline_on: date
    settlement_days: int
    as_of: date
    roster_sha256: str
    deliveries: tuple[Delivery, ...]
    suspensions: tuple[Suspension, ...]
    withdrawals: tuple[Withdrawal, ...]
    revoked_earlier: frozenset[str]
    missing_overridden: frozenset[tuple[str, date]] = frozenset()
