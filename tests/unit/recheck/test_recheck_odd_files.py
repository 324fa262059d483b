"""Odd files of every dialect: the second reading says of each row what the plainest reading of the contract says.

Every example is the file that `tests/integration/feeds/test_two_ways.py` gives to the intake under the same number;
its manifest says what the plain reading counts. TWO_WAYS_SEED gives another seed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from upath import UPath

from prakerja.platforms import platforms
from prakerja.recheck.facts import Delivery
from prakerja.recheck.files import EvidenceError
from prakerja.recheck.rows import Row, read_delivery
from prakerja.recheck.rule import PlatformLedger
from tests.support import text_mutants, workbook_mutants
from tests.support.mutants import Expected
from tests.support.odd_deliveries import build_odd_file
from tests.support.odd_values import DAY
from tests.support.plain_judgement import PlainRow, judge_plainly, reject_plainly, total_idr
from tests.support.plain_reading import read_plainly
from tests.unit.recheck.conftest import LandingZone

PLATFORMS = sorted(platforms())
EXAMPLES = 200 if settings().max_examples <= 100 else 5_000
SEED = os.environ.get("TWO_WAYS_SEED", "1")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_CARD = 10**16 - 1
CONFLICT = "transaction_conflict"
MUTANTS = text_mutants.MUTANTS | workbook_mutants.MUTANTS

Said = dict[str, Any]


class Ledger(PlatformLedger):
    """The second reading's ledger, which notes whose each quarantined row might be."""

    def __init__(self, zone: LandingZone, rows: list[Row]) -> None:
        cards = sorted({row.card_number for row in rows if row.card_number})
        super().__init__(zone.facts(announced_on=DAY, deadline_on=DAY), cards, {}, is_later=False)
        self.quarantined: dict[int, tuple[tuple[int, int], ...]] = {}

    def _add_damaged(self, _: Delivery, line: int, might_be: tuple[tuple[int, int], ...]) -> None:
        self.quarantined[line] = might_be


@dataclass
class Comparison:
    """Where the two readings of some examples do not agree, and how many rows and files were compared."""

    disagreements: list[str] = field(default_factory=list)
    rows: int = 0
    rejected: int = 0
    quarantined: int = 0


def compare(platform: str, numbers: Iterable[int], zone: LandingZone) -> Comparison:
    """Read each example in two ways."""
    comparison = Comparison()
    for number in numbers:
        data = build_odd_file(platforms()[platform], Random(f"{platform} {SEED} {number}"))
        told = compare_file(platform, data, zone, comparison)
        if told:
            shown = data if len(data) < 3000 else data[:3000] + b"..."
            name = f"{platform} seed={SEED} number={number}"
            comparison.disagreements.append("\n".join([name, repr(shown), *told]))
    return comparison


def compare_file(platform: str, data: bytes, zone: LandingZone, comparison: Comparison) -> list[str]:
    """Return what the two readings of a file say otherwise."""
    plain = read_plainly(platforms()[platform], data)
    rows, amount_idr = len(plain.rows), max(-(2**63), min(total_idr(plain), 2**63 - 1))
    faults = reject_plainly(plain, rows, amount_idr)
    delivery = zone.deliver_bytes(platform, data, rows, amount_idr, on=DAY)
    try:
        found = list(read_delivery(UPath(zone.root), delivery))
    except EvidenceError as error:
        comparison.rejected += 1
        return [] if faults else [f"again:   {error}", "plainly: accepted"]
    if faults:
        return ["again:   accepted", f"plainly: {faults}"]
    if len(found) != rows:
        return [f"again:   {len(found)} rows", f"plainly: {rows}"]
    ledger = Ledger(zone, found)
    ledger.add(UPath(zone.root), delivery)
    told = []
    for row, judged in zip(found, judge_plainly(plain, DAY), strict=True):
        if judged.is_repeat:
            continue
        comparison.rows += 1
        comparison.quarantined += bool(judged.reasons)
        again, plainly = say_again(row, ledger), say_plainly(judged)
        if again != plainly:
            told += [f"again:   {again}", f"plainly: {plainly} {judged.values}"]
    return told


def say_again(row: Row, ledger: Ledger) -> Said:
    """What the second reading says of a row."""
    if row.line not in ledger.quarantined:
        assert row.occurred_at is not None
        at = (row.occurred_at - EPOCH) // timedelta(microseconds=1)
        return {"id": row.transaction_id, "event": row.event, "at": at, "card": row.card_number}
    # A conflict is told in the ledger, of rows that are good but for it.
    return {"reasons": sorted(row.reasons) or [CONFLICT], "cards": merged(ledger.quarantined[row.line])}


def say_plainly(row: PlainRow) -> Said:
    """What the plain judgement says of a row."""
    if not row.reasons:
        return dict(zip(("id", "event", "at", "card"), row.values, strict=False))
    reasons = [reason for reason in row.reasons if reason != CONFLICT] or [CONFLICT]
    return {"reasons": reasons, "cards": merged(row.cards)}


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same cards, of those that there can be, in as few ranges as there can be."""
    found: list[tuple[int, int]] = []
    for low, high in sorted((max(low, 0), min(high, LAST_CARD)) for low, high in ranges):
        if low > high:
            continue
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


@pytest.mark.parametrize("platform", PLATFORMS)
def test_second_reading_of_odd_files_agrees_with_the_plain_one(platform: str, zone: LandingZone) -> None:
    comparison = compare(platform, range(EXAMPLES), zone)
    disagreements = comparison.disagreements
    assert not disagreements, f"{len(disagreements)} of {EXAMPLES} examples:\n\n" + "\n\n".join(disagreements[:3])
    assert comparison.rejected > EXAMPLES / 50, "the examples reach what is rejected"
    assert comparison.rows > comparison.quarantined > EXAMPLES / 5, "and what is quarantined, and what is good"


@pytest.mark.parametrize("case", sorted(MUTANTS))
def test_second_reading_of_mutants_of_delivered_cases_comes_to_what_is_right(case: str, zone: LandingZone) -> None:
    for ordinal in range(10):
        mutant = MUTANTS[case](Random(f"{case}/{ordinal}"), ordinal)
        delivery = zone.deliver_bytes(mutant.platform, mutant.data, mutant.rows, mutant.amount_idr, on=DAY)
        try:
            found = list(read_delivery(UPath(zone.root), delivery))
        except EvidenceError:
            assert mutant.expected.reason, f"{case}/{ordinal} is read"
            continue
        ledger = Ledger(zone, found)
        ledger.add(UPath(zone.root), delivery)
        rows = list({row.content: row for row in reversed(found)}.values())
        reasons = [row.reasons or (CONFLICT,) for row in rows if row.line in ledger.quarantined]
        held = merged(cards for ranges in ledger.quarantined.values() for cards in ranges)
        again = Expected(None, len(rows) - len(reasons), Counter(reason for each in reasons for reason in each), held)
        assert str(again) == str(mutant.expected), f"{case}/{ordinal}"
