"""The decision of one cohort's deadline, computed a second time: section 2 of the contract, sentence by sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from heapq import heappop, heappush
from typing import NamedTuple

from upath import UPath

from prakerja.platforms import active_on
from prakerja.recheck.facts import Delivery, Facts, Suspension
from prakerja.recheck.files import EvidenceError, start_of
from prakerja.recheck.roster import read_roster
from prakerja.recheck.rows import Cards, Conflicts, Row, read_delivery

OUTCOMES = ("purchased", "held", "overdue", "excluded")


class Effect(Enum):
    """What an event does: it is a purchase, or it undoes the purchase of its platform and transaction id."""

    PURCHASE = "purchase"
    UNDOING = "undoing"


#: Every event that a platform may deliver: an event without an effect stops the reading.
EFFECTS: dict[str | None, Effect] = {"PAID": Effect.PURCHASE, "CANCELLED": Effect.UNDOING, "REFUNDED": Effect.UNDOING}


@dataclass(frozen=True, slots=True)
class Reading:
    """The second reading of one recipient, and the row that it rests on (None if it rests on no row).

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
    """The reading of each card of the roster, the deliveries read, and the number of recipients by outcome."""

    by_card: dict[str, Reading]
    in_force: tuple[Delivery, ...]
    totals: dict[str, int]


REVOKED_EARLIER = Reading("excluded", "revoked_earlier")
WITHDRAWN = Reading("excluded", "withdrawn")
SUSPENDED = Reading("held", "suspended")
NO_PURCHASE = Reading("overdue", "no_purchase")


class Purchase(NamedTuple):
    """A purchase in the window. The first in sort order is the one that is shown."""

    occurred_at: datetime
    platform: str
    business_date: date
    line: int
    revision: int
    transaction_id: str


class DamagedRow(NamedTuple):
    """A quarantined row. The first in sort order is the one that is shown."""

    business_date: date
    platform: str
    line: int
    revision: int


def read_again(
    landing: UPath,
    facts: Facts,
    progress: Callable[[int, int, str], None] | None = None,
    *,
    is_later: bool = False,
) -> SecondReading:
    """Return the decision computed from the files in `landing`.

    With `is_later` it is the reading after the decision: an undoing at any time counts, and the deliveries of every
    business date from the announcement are read. `progress` is called with (done, total, platform) after each delivery.

    Raise `EvidenceError` if a delivery is missing or cannot be read.
    """
    in_force = find_deliveries_in_force(facts, is_later=is_later)
    require_every_delivery(facts, in_force)
    cards = list(read_roster(landing, facts))
    cohort = set(cards)
    purchases: dict[str, Purchase] = {}
    damaged: dict[Cards, DamagedRow] = {}
    done = 0
    for platform in sorted({delivery.platform for delivery in in_force}):
        ledger = PlatformLedger(facts, cohort, damaged, is_later=is_later)
        for delivery in in_force:
            if delivery.platform == platform:
                ledger.add(landing, delivery)
                done += 1
                if progress:
                    progress(done, len(in_force), platform)
        for card_number, purchase in ledger.standing_purchases():
            if card_number not in purchases or purchase < purchases[card_number]:
                purchases[card_number] = purchase
    by_card = decide(facts, cards, purchases, find_damaged_rows(cards, damaged))
    counts = Counter(reading.outcome for reading in by_card.values())
    return SecondReading(by_card, in_force, {outcome: counts[outcome] for outcome in OUTCOMES})


def find_deliveries_in_force(facts: Facts, *, is_later: bool) -> tuple[Delivery, ...]:
    """Return the deliveries to read, sorted by platform and business date."""
    highest: dict[tuple[str, date], Delivery] = {}
    for delivery in facts.deliveries:
        # "it ... sees business dates up to D + `settlement_days`"; later findings rest on every date since.
        is_due = facts.announced_on <= delivery.business_date and (
            is_later or delivery.business_date <= last_date(facts)
        )
        # "A real run, a backfill too, uses every delivery accepted by then."
        if is_due and delivery.accepted_on <= facts.as_of:
            # "Rows are *in force* when they come from the highest accepted revision of their platform and business
            # date", and "revisions are ordered as numbers".
            key = delivery.platform, delivery.business_date
            if key not in highest or delivery.revision > highest[key].revision:
                highest[key] = delivery
    return tuple(highest[key] for key in sorted(highest))


def require_every_delivery(facts: Facts, in_force: tuple[Delivery, ...]) -> None:
    """Raise `EvidenceError` if a delivery is missing that no person answered for."""
    # "A deadline decision needs every active platform's accepted delivery for every business date from A to
    # D + `settlement_days`"; "a gap outside [the validity period] is no gap".
    accounted_for = {(delivery.platform, delivery.business_date) for delivery in in_force} | facts.missing_overridden
    for day in business_dates(facts):
        for platform in active_on(day):
            if (platform, day) not in accounted_for:
                to_do = "wait for it, or let a person answer for the gap"
                raise EvidenceError(f"feeds/{platform}/{day}", "no delivery was accepted", to_do)


class PlatformLedger:
    """What the deliveries of one platform say about a cohort.

    Adds to `damaged` the first damaged row for each range of cards.
    """

    def __init__(self, facts: Facts, cohort: Set[str], damaged: dict[Cards, DamagedRow], *, is_later: bool) -> None:
        self.facts = facts
        self.cohort = cohort
        self.damaged = damaged
        self.is_later = is_later
        self.purchases: list[tuple[str, Purchase]] = []
        self.undone: set[str] = set()
        # "the window is `[A 00:00 WIB, D+1 00:00 WIB)`"
        self.opens_at = start_of(facts.announced_on)
        self.closes_at = start_of(facts.deadline_on + timedelta(days=1))

    def add(self, landing: UPath, delivery: Delivery) -> None:
        """Read a delivery in force. Raise `EvidenceError` if it cannot be read."""
        conflicts = Conflicts()
        kept: list[Row] = []
        for row in read_delivery(landing, delivery):
            # Repeats need no treatment: they say the same about the same person.
            conflicts.note(row)
            if row.reasons:
                self._add_damaged(delivery, row.line, row.might_be)
            elif row.card_number in self.cohort or EFFECTS[row.event] is not Effect.PURCHASE:
                # An undoing counts whatever its card.
                kept.append(row)
        for row in kept:
            self._add_good(delivery, row, is_conflict=row in conflicts)

    def standing_purchases(self) -> Iterator[tuple[str, Purchase]]:
        """Yield each card with a purchase that was not undone."""
        # "and no CANCELLED or REFUNDED row in force of the same platform and transaction id (whatever its card or
        # order) has `occurred_at` before D+1 00:00 WIB."
        for card_number, purchase in self.purchases:
            if purchase.transaction_id not in self.undone:
                yield card_number, purchase

    def _add_good(self, delivery: Delivery, row: Row, *, is_conflict: bool) -> None:
        if row.occurred_at is None or row.card_number is None or row.transaction_id is None:
            raise AssertionError("a row without reasons has an instant, a card and a transaction id")
        if is_conflict:
            # "A quarantined row never counts as a purchase or a cancellation."
            self._add_damaged(delivery, row.line, ((int(row.card_number), int(row.card_number)),))
        elif EFFECTS[row.event] is Effect.UNDOING:
            # Later findings: "undone at any time".
            if self.is_later or row.occurred_at < self.closes_at:
                self.undone.add(row.transaction_id)
        # "some PAID row in force has their card number and `occurred_at` in the window"
        elif self.opens_at <= row.occurred_at < self.closes_at:
            purchase = Purchase(
                row.occurred_at,
                delivery.platform,
                delivery.business_date,
                row.line,
                delivery.revision,
                row.transaction_id,
            )
            self.purchases.append((row.card_number, purchase))

    def _add_damaged(self, delivery: Delivery, line: int, might_be: tuple[Cards, ...]) -> None:
        # "a quarantined row of an in-force delivery, business date A to D + settlement days, might be theirs, whatever
        # its event or time"
        if not self.facts.announced_on <= delivery.business_date <= last_date(self.facts):
            return
        damaged_row = DamagedRow(delivery.business_date, delivery.platform, line, delivery.revision)
        for each in might_be:
            if each not in self.damaged or damaged_row < self.damaged[each]:
                self.damaged[each] = damaged_row


def find_damaged_rows(cards: list[str], damaged: dict[Cards, DamagedRow]) -> dict[str, DamagedRow]:
    """Return the first damaged row that might be about each card. `cards` are sorted."""
    # One pass along the cards: thousands of damaged rows may each be about any card of a cohort.
    waiting = sorted((cards_of_row, row) for cards_of_row, row in damaged.items())
    begun: list[tuple[DamagedRow, int]] = []
    found: dict[str, DamagedRow] = {}
    position = 0
    for card_number in cards:
        number = int(card_number)
        while position < len(waiting) and waiting[position][0][0] <= number:
            (_, last), row = waiting[position]
            heappush(begun, (row, last))
            position += 1
        while begun and begun[0][1] < number:
            heappop(begun)
        if begun:
            found[card_number] = begun[0][0]
    return found


def decide(
    facts: Facts, cards: list[str], purchases: dict[str, Purchase], damaged: dict[str, DamagedRow]
) -> dict[str, Reading]:
    """Return the outcome of every card."""
    # "**excluded**: withdrawn (with effect on the deadline day or before), or revoked earlier for another reason."
    # The programme has one reason: a recipient revoked for a deadline that was extended since is not decided again.
    withdrawn = {
        each.card_number for each in facts.withdrawals if each.withdrawn_on <= min(facts.deadline_on, facts.as_of)
    }
    # "Suspended recipients without a purchase are held too"
    suspended = {each.card_number for each in facts.suspensions if is_suspended_at_deadline(facts, each)}
    by_card: dict[str, Reading] = {}
    for card_number in cards:
        if card_number in facts.revoked_earlier:
            by_card[card_number] = REVOKED_EARLIER
        elif card_number in withdrawn:
            by_card[card_number] = WITHDRAWN
        elif (purchase := purchases.get(card_number)) is not None:
            by_card[card_number] = Reading(
                "purchased", "purchase", purchase.platform, purchase.business_date, purchase.revision, purchase.line
            )
        elif card_number in suspended:
            by_card[card_number] = SUSPENDED
        elif (row := damaged.get(card_number)) is not None:
            # "A recipient without a purchase is **held** when a quarantined row ... might be theirs"
            by_card[card_number] = Reading(
                "held", "damaged_row", row.platform, row.business_date, row.revision, row.line
            )
        else:
            # "Everyone else without a purchase is **overdue**"
            by_card[card_number] = NO_PURCHASE
    return by_card


def is_suspended_at_deadline(facts: Facts, suspension: Suspension) -> bool:
    """Whether a suspension lasts on the deadline day, as known on `as_of`."""
    if suspension.suspended_on > min(facts.deadline_on, facts.as_of):
        return False
    is_lift_known = suspension.lifted_on is not None and suspension.lifted_on <= facts.as_of
    return not is_lift_known or (suspension.lifted_on is not None and suspension.lifted_on > facts.deadline_on)


def business_dates(facts: Facts) -> Iterator[date]:
    """Yield the business dates that the decision needs: from A to D + settlement days."""
    for days in range((last_date(facts) - facts.announced_on).days + 1):
        yield facts.announced_on + timedelta(days=days)


def last_date(facts: Facts) -> date:
    """Return the last business date that the decision sees: D + settlement days."""
    return facts.deadline_on + timedelta(days=facts.settlement_days)
