"""What a mutant of a delivered case is: a delivery, and what must come of it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from prakerja.settings import WIB
from prakerja.simulation import writers
from prakerja.simulation.writers import Row

DAY = "2021-03-10"
NOON = datetime(2021, 3, 10, 12, tzinfo=WIB)
GOODS = 40
PRICE = 5000

#: Inclusive ranges of cards, in order, none of which touch.
Ranges: TypeAlias = "list[tuple[int, int]]"


@dataclass(frozen=True)
class Expected:
    """Loaded rows, reasons of quarantine and the cards that these hold, exactly; or the reason of the rejection."""

    reason: str | None = None
    loaded: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)
    held: Ranges = field(default_factory=list)

    def __str__(self) -> str:
        if self.reason:
            return f"rejected: {self.reason}"
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.quarantined.items()))
        held = ", ".join(f"{low:016}" if low == high else f"{low:016} to {high:016}" for low, high in self.held)
        return f"{self.loaded} loaded; quarantined: {reasons or 'none'}; held: {held or 'none'}"


@dataclass(frozen=True)
class Mutant:
    """A file of one platform, what its manifest says, and what must come of it."""

    platform: str
    data: bytes
    rows: int
    amount_idr: int
    expected: Expected


Generator: TypeAlias = "Callable[[random.Random, int], Mutant]"


def rejected(platform: str, data: bytes, reason: str, rows: int = GOODS) -> Mutant:
    """Return a mutant that is rejected."""
    return Mutant(platform, data, rows, PRICE * rows, Expected(reason))


def accepted(platform: str, data: bytes, *, rows: int = GOODS, uncounted: int = 0) -> Mutant:
    """Return a mutant all of which is loaded; of `uncounted` rows the amounts are no whole numbers."""
    return Mutant(platform, data, rows, PRICE * (rows - uncounted), Expected(loaded=rows))


def quarantined(
    platform: str,
    data: bytes,
    reasons: Mapping[str, int],
    held: Ranges,
    *,
    bad: int = 1,
    rows: int = GOODS + 1,
    uncounted: int = 0,
) -> Mutant:
    """Return a mutant whose `bad` rows are quarantined, for `reasons`, and hold the cards of `held`."""
    expected = Expected(loaded=rows - bad, quarantined=reasons, held=merged(held))
    return Mutant(platform, data, rows, PRICE * (rows - uncounted), expected)


def merged(ranges: Ranges) -> Ranges:
    """Return the ranges in order, those that touch as one."""
    found: Ranges = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def runs_of_16(raw: str) -> Ranges:
    """Return every run of exactly sixteen digits, as the card that it is."""
    return [(int(run), int(run)) for run in re.findall("[0-9]+", raw) if len(run) == 16]


def good_rows(count: int = GOODS) -> list[Row]:
    """Return rows of people who have bought: cards 1000000000000001 and on."""
    return [
        Row(f"g-{n}", "PAID", NOON + timedelta(seconds=n), f"{10**15 + n}", PRICE, "KLS") for n in range(1, count + 1)
    ]


def bad_row(**bent: str) -> Row:
    """Return a purchase by the card 2000000000000001, bent."""
    values = {"transaction_id": "x-1", "event": "PAID", "occurred_at": NOON, "card": "2" + "0" * 14 + "1"}
    return Row(**({"amount": PRICE, "course": "KLS"} | values | bent))  # type: ignore[arg-type]


def insert_at(chance: random.Random, row: Row, count: int = GOODS) -> list[Row]:
    """Return good rows with one more, somewhere among them."""
    rows = good_rows(count)
    rows.insert(chance.randrange(len(rows) + 1), row)
    return rows


def write_with(chance: random.Random, platform: str, row: Row) -> bytes:
    """Return a file of good rows with one more, somewhere among them."""
    return writers.write(platform, insert_at(chance, row))


def digits(chance: random.Random, count: int, first: str = "123456789") -> str:
    """Return a number of so many digits, as text."""
    return chance.choice(first) + "".join(chance.choices("0123456789", k=count - 1))


def card(chance: random.Random) -> int:
    """Return a card that none of the good rows has."""
    return int(digits(chance, 16, "23456789"))
