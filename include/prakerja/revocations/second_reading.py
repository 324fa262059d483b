"""The second reading of a decision: the same files, read by other means (`prakerja.recheck`), must say the same."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cached_property, partial
from typing import Any, NamedTuple

from prakerja import landing, warehouse
from prakerja.calendar import Cohort
from prakerja.feeds.overview import mask
from prakerja.programme import programme
from prakerja.recheck import known
from prakerja.recheck.facts import Facts
from prakerja.recheck.files import EvidenceError
from prakerja.recheck.passed_over import require_none_passed_over
from prakerja.recheck.rule import Reading, SecondReading, find_deliveries_in_force, read_again
from prakerja.settings import Settings

log = logging.getLogger(__name__)

#: How many differences are kept and told of an attempt that they stop.
KEPT = 10_000


class Breaker(NamedTuple):
    """What stops a decision before anything is revoked: a reason code, and a sentence."""

    reason: str
    detail: str


#: What says that a computation or the evidence itself is wrong. No person can answer for that.
FINAL = frozenset({"totals_do_not_add_up", "readings_disagree", "evidence_unreadable", "delivery_passed_over"})


@dataclass(frozen=True)
class ReadAgain:
    """What a second reading came to on the facts that it was given; `unreadable` says why it came to nothing.

    `passed_over` names a delivery that lies there, fits the contract, and is not in force.
    """

    facts: Facts
    reading: SecondReading | None
    unreadable: str | None = None
    passed_over: str | None = None

    @cached_property
    def result_sha256(self) -> str:
        """The SHA-256 over each recipient's card and outcome, in the order of the cards."""
        by_card = self.reading.by_card if self.reading else {}
        lines = "".join(f"{card} {by_card[card].outcome}\n" for card in sorted(by_card))
        return hashlib.sha256(lines.encode()).hexdigest()


@dataclass(frozen=True)
class Difference:
    """A recipient on whom the two readings differ; `recipient_id` is None where the second alone has them."""

    recipient_id: int | None
    card_number: str
    first: dict[str, Any]
    second: Reading | None

    def told(self) -> str:
        """Return who it is, masked, and what each reading says, by which row."""
        first = f"{self.first['outcome']}{place_of(self.first)}" if self.first["outcome"] else "nobody"
        second = f"{self.second.outcome}{place_of(asdict(self.second))}" if self.second else "nobody"
        return f"{mask('card_number', self.card_number)}: the first says {first}, the second {second}"


def place_of(row: Mapping[str, Any]) -> str:
    """Return where the row stands that a reading goes by, in brackets; nothing where it goes by none."""
    return f" ({row['platform']} {row['business_date']}, line {row['line']})" if row["platform"] else ""


@dataclass(frozen=True)
class Comparison:
    """The two readings beside each other: how many recipients the second read, and on whom they differ."""

    again: ReadAgain
    differing: int
    differences: list[Difference]

    @property
    def held(self) -> list[Difference]:
        """The recipients whom the difference holds."""
        return [each for each in self.differences if each.recipient_id is not None]


def read(cohort: int, announced_on: date, as_of: date) -> ReadAgain:
    """Read a cohort's files a second time, by the facts known on a day; it takes minutes for a large one.

    Raises `EvidenceError` where it has no facts to go by: the calendar, or the roster.
    """
    with warehouse.transaction("recheck", one_snapshot=True) as connection:
        facts = facts_of(connection, cohort, announced_on, as_of)
    root = landing.landing_zone(Settings.from_environment().landing)
    try:
        reading = read_again(root, facts, _told_of(cohort))
    except EvidenceError as error:
        return ReadAgain(facts, None, str(error))
    try:
        require_none_passed_over(root, facts, reading.in_force)
    except EvidenceError as error:
        return ReadAgain(facts, reading, passed_over=str(error))
    return ReadAgain(facts, reading)


def facts_of(connection: warehouse.Connection, cohort: int, announced_on: date, as_of: date) -> Facts:
    """Return what a second reading goes by. Raises `EvidenceError`."""
    rows = known.load_rows(partial(warehouse.rows, connection), cohort, announced_on)
    settlement_days, calendar = programme().settlement_days, Settings.from_environment().calendar
    return known.facts_at(rows, calendar, cohort, settlement_days, as_of)


def list_bought(decision_id: str, again: ReadAgain, cards: Mapping[int, str]) -> dict[int, Reading]:
    """Return whom of some held people (cards by recipient) a second reading speaks for: it would revoke nobody of them.

    What it said when they were decided, and held for that, has been looked into. Raises `EvidenceError` where it could
    not read.
    """
    if again.reading is None or again.passed_over:
        told = str(again.unreadable or again.passed_over)
        raise EvidenceError("the second reading", told, "nobody is revoked by evidence that is gone, or passed over")
    with warehouse.transaction() as connection:
        rows = warehouse.rows(
            connection, "revocations/list_reading_differences", decision_id=decision_id, recipient_ids=list(cards)
        )
    looked_into = {
        row["recipient_id"]: (row["second_outcome"], row["platform"], row["business_date"], row["second_line"])
        for row in rows
    }
    found = {number: again.reading.by_card[card] for number, card in cards.items() if card in again.reading.by_card}
    return {
        number: reading
        for number, reading in found.items()
        if reading.outcome in ("purchased", "excluded")
        and looked_into.get(number) != (reading.outcome, reading.platform, reading.business_date, reading.line)
    }


def has_news(decision_id: str, cohort: int, announced_on: date, as_of: date) -> bool:
    """Whether other deliveries of a cohort's window count on a day than those that its decision cites.

    Raises `EvidenceError`.
    """
    with warehouse.transaction("recheck", one_snapshot=True) as connection:
        rows = warehouse.rows(connection, "recheck/list_cited", cohort=cohort)
        now = find_deliveries_in_force(facts_of(connection, cohort, announced_on, as_of), is_later=False)
    cited = {
        (row["platform"], row["business_date"], row["revision"]) for row in rows if row["decision_id"] == decision_id
    }
    return cited != {(each.platform, each.business_date, each.revision) for each in now}


def _told_of(cohort: int) -> Any:
    def tell(done: int, of: int, platform: str) -> None:
        if done == of or done % 50 == 0:
            log.info("gelombang-%d: read again %d of %d deliveries (%s)", cohort, done, of, platform)

    return tell


def compare(connection: warehouse.Connection, at: dict[str, Any], again: ReadAgain) -> Comparison:
    """Compare where the evidence has every recipient with what the second reading found."""
    if again.reading is None:
        return Comparison(again, 0, [])
    by_card = again.reading.by_card
    rows = warehouse.rows(
        connection,
        "revocations/compare_readings",
        **at,
        cards=[int(card) for card in by_card],
        outcomes=[reading.outcome for reading in by_card.values()],
        most=KEPT,
    )
    differences = [
        Difference(
            row["recipient_id"],
            row["card_number"],
            {
                "outcome": row["first_outcome"], "because": row["first_because"], "platform": row["platform"],
                "business_date": row["business_date"], "delivery_id": row["first_delivery_id"],
                "line": row["first_line"],
            },
            by_card.get(row["card_number"]),
        )
        for row in rows
    ]  # fmt: skip
    return Comparison(again, rows[0]["differing"] if rows else 0, differences)


def breakers(cohort: Cohort, selected: int, cited: Sequence[Any], compared: Comparison) -> Iterator[Breaker]:
    """Yield why a decision on which the two readings differ is not made at all: one of the two is broken."""
    again, facts = compared.again, compared.again.facts
    dates = (facts.announced_on, facts.deadline_on, facts.settlement_days)
    if dates != (cohort.announced_on, cohort.deadline_on, cohort.settlement_days):
        yield Breaker(
            "readings_disagree",
            f"the window is {cohort.announced_on} to {cohort.deadline_on}, settled in {cohort.settlement_days} days; "
            f"by the second reading {facts.announced_on} to {facts.deadline_on}, in {facts.settlement_days}",
        )
    if again.reading is None:
        yield Breaker("evidence_unreadable", str(again.unreadable))
        return
    if again.passed_over:
        yield Breaker("delivery_passed_over", again.passed_over)
    if facts.as_of < facts.deadline_on + timedelta(days=facts.settlement_days + 1):
        yield Breaker("readings_disagree", f"it is {facts.as_of}, and by the second reading too early to decide")
    first = {(e["platform"], e["business_date"], e["revision"], e["sha256"]) for e in cited}
    second = {(e.platform, e.business_date, e.revision, e.sha256) for e in again.reading.in_force}
    if first != second:
        odd = sorted(f"{platform} {on} r{revision}" for platform, on, revision, _ in first ^ second)
        yield Breaker("readings_disagree", f"one of the readings alone goes by {', '.join(odd[:5])}")
    alone = [each for each in compared.differences if each.recipient_id is None or each.second is None]
    read_people = len(again.reading.by_card)
    if read_people != selected or alone:
        yield Breaker("readings_disagree", f"{selected:,} are selected, by the second reading {read_people:,}")
    if compared.differing > Fraction(str(programme().revocations.readings_disagree_share_max)) * selected:
        yield Breaker(
            "readings_disagree",
            f"the two readings differ on {compared.differing:,} of {selected:,}: {compared.differences[0].told()}",
        )


def record(connection: warehouse.Connection, decision_id: str, cited: Sequence[Any], compared: Comparison) -> None:
    """Write down what the second reading of an attempt came to, and on whom the two differ."""
    if compared.again.reading is None:
        return
    read_people = len(compared.again.reading.by_card)
    warehouse.execute(
        connection,
        "revocations/insert_second_reading",
        decision_id=decision_id,
        recipients=read_people,
        differing=min(compared.differing, read_people),
        result_sha256=compared.again.result_sha256,
    )
    held = [each for each in compared.held if each.second is not None]
    if not held:
        return
    ids = {(e["platform"], e["business_date"]): e["delivery_id"] for e in cited}
    seconds = [each.second or Reading("", "") for each in held]
    warehouse.execute(
        connection,
        "revocations/insert_reading_differences",
        decision_id=decision_id,
        recipient_ids=[each.recipient_id for each in held],
        first_outcomes=[each.first["outcome"] for each in held],
        first_becauses=[each.first["because"] for each in held],
        first_delivery_ids=[each.first["delivery_id"] for each in held],
        first_lines=[each.first["line"] for each in held],
        second_outcomes=[second.outcome for second in seconds],
        second_becauses=[second.because for second in seconds],
        second_delivery_ids=[ids.get((second.platform, second.business_date)) for second in seconds],
        second_lines=[second.line for second in seconds],
    )


def describe(found: Mapping[str, int] | None) -> str:
    """Return what an approver is told of the second reading of a decision."""
    if found is None:
        return "read once: it was decided before there was a second reading"
    agreeing = f"two readings agree on {found['recipients'] - found['differing']:,} of {found['recipients']:,} selected"
    return f"{agreeing}; {found['differing']:,} held where they differ" if found["differing"] else agreeing
