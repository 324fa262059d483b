"""The facts that the second reading is given; all else it reads from the landing zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Delivery:
    """An accepted delivery. `sha256` is that of the file as it lies in the landing zone, `accepted_on` a WIB date."""

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
    """What is known of one cohort's deadline on the WIB day `as_of`; nothing accepted or said later counts.

    `deliveries` holds every accepted delivery of any revision; it may hold later ones than `as_of`. `revoked_earlier`
    holds the cards of this cohort that were revoked for an earlier deadline, whenever. `missing_overridden` holds the
    platforms and business dates whose missing delivery a person answered for.
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
