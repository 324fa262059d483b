"""The second reading of a decision: other code (`prakerja.recheck`) reads the same files and must agree."""

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

#: The most differences that are kept of an attempt.
KEPT = 10_000


class Breaker(NamedTuple):
    """A reason to stop a decision before anybody is revoked: a code, and a sentence."""

    reason: str
    detail: str


#: Reasons that show a defect in a computation or in the evidence. They cannot be overridden.
FINAL = frozenset({"totals_do_not_add_up", "readings_disagree", "evidence_unreadable", "delivery_passed_over"})


@dataclass(frozen=True)
class SecondReadingResult:
    """The result of a second reading, and the facts that it was given.

    `unreadable` is the reason why there is no result. `passed_over` describes a delivery that is in the landing zone,
    fits the contract, and is not in force.
    """

    facts: Facts
    reading: SecondReading | None
    unreadable: str | None = None
    passed_over: str | None = None

    @cached_property
    def result_sha256(self) -> str:
        """The SHA-256 of each recipient's card and outcome, in the order of the cards."""
        by_card = self.reading.by_card if self.reading else {}
        lines = "".join(f"{card} {by_card[card].outcome}\n" for card in sorted(by_card))
        return hashlib.sha256(lines.encode()).hexdigest()


@dataclass(frozen=True)
class Difference:
    """A recipient on whom the two readings differ. `recipient_id` is None if only the second reading has them."""

    recipient_id: int | None
    card_number: str
    first: dict[str, Any]
    second: Reading | None

    def describe(self) -> str:
        """Return the masked card, and the outcome and row of each reading."""
        first = f"{self.first['outcome']}{describe_row(self.first)}" if self.first["outcome"] else "nobody"
        second = f"{self.second.outcome}{describe_row(asdict(self.second))}" if self.second else "nobody"
        return f"{mask('card_number', self.card_number)}: the first says {first}, the second {second}"


def describe_row(row: Mapping[str, Any]) -> str:
    """Return the place of the row that a reading rests on, in brackets, or an empty string if there is no row."""
    return f" ({row['platform']} {row['business_date']}, line {row['line']})" if row["platform"] else ""


@dataclass(frozen=True)
class Comparison:
    """The second reading compared with the first: how many recipients the two differ on, and which."""

    result: SecondReadingResult
    differing: int
    differences: list[Difference]

    @property
    def held(self) -> list[Difference]:
        """The differences about recipients of the cohort: those recipients are held."""
        return [difference for difference in self.differences if difference.recipient_id is not None]


def read(cohort: int, announced_on: date, as_of: date) -> SecondReadingResult:
    """Read a cohort's files a second time, by the facts known at `as_of`. This takes minutes for a large cohort.

    Raise `EvidenceError` if the facts are missing: the cohort's calendar entry or roster.
    """
    with warehouse.transaction("recheck", one_snapshot=True) as connection:
        facts = load_facts(connection, cohort, announced_on, as_of)
    root = landing.landing_zone(Settings.from_environment().landing)
    try:
        reading = read_again(root, facts, _build_progress_log(cohort))
    except EvidenceError as error:
        return SecondReadingResult(facts, None, str(error))
    try:
        require_none_passed_over(root, facts, reading.in_force)
    except EvidenceError as error:
        return SecondReadingResult(facts, reading, passed_over=str(error))
    return SecondReadingResult(facts, reading)


def load_facts(connection: warehouse.Connection, cohort: int, announced_on: date, as_of: date) -> Facts:
    """Return the facts for a second reading. Raise `EvidenceError` if the calendar entry or the roster is missing."""
    rows = known.load_rows(partial(warehouse.rows, connection), cohort, announced_on)
    settlement_days, calendar = programme().settlement_days, Settings.from_environment().calendar
    return known.facts_at(rows, calendar, cohort, settlement_days, as_of)


def find_contradicting_readings(
    decision_id: str, result: SecondReadingResult, cards: Mapping[int, str]
) -> dict[int, Reading]:
    """Return the second readings by which recipients (`cards` by recipient id) are not overdue, by recipient id.

    A reading that was the same at the decision is left out: the recipient was held for it, and a person has resolved
    the hold. Raise `EvidenceError` if the files could not be read or a delivery was passed over.
    """
    if result.reading is None or result.passed_over:
        reason = str(result.unreadable or result.passed_over)
        raise EvidenceError("the second reading", reason, "nobody is revoked while evidence is gone or passed over")
    with warehouse.transaction() as connection:
        rows = warehouse.rows(
            connection, "revocations/list_reading_differences", decision_id=decision_id, recipient_ids=list(cards)
        )
    resolved = {
        row["recipient_id"]: (row["second_outcome"], row["platform"], row["business_date"], row["second_line"])
        for row in rows
    }
    by_card = result.reading.by_card
    readings = {recipient_id: by_card[card] for recipient_id, card in cards.items() if card in by_card}
    return {
        recipient_id: reading
        for recipient_id, reading in readings.items()
        if reading.outcome in ("purchased", "excluded")
        and resolved.get(recipient_id) != (reading.outcome, reading.platform, reading.business_date, reading.line)
    }


def has_new_deliveries(decision_id: str, cohort: int, announced_on: date, as_of: date) -> bool:
    """Return whether the deliveries in force at `as_of` differ from those that a decision cites.

    Raise `EvidenceError` if the calendar or roster is missing.
    """
    with warehouse.transaction("recheck", one_snapshot=True) as connection:
        rows = warehouse.rows(connection, "recheck/list_cited", cohort=cohort)
        in_force = find_deliveries_in_force(load_facts(connection, cohort, announced_on, as_of), is_later=False)
    cited = {
        (row["platform"], row["business_date"], row["revision"]) for row in rows if row["decision_id"] == decision_id
    }
    return cited != {(each.platform, each.business_date, each.revision) for each in in_force}


def _build_progress_log(cohort: int) -> Any:
    def log_progress(done: int, total: int, platform: str) -> None:
        if done == total or done % 50 == 0:
            log.info("gelombang-%d: read again %d of %d deliveries (%s)", cohort, done, total, platform)

    return log_progress


def compare(connection: warehouse.Connection, at: dict[str, Any], result: SecondReadingResult) -> Comparison:
    """Compare every recipient's standing by the evidence with the second reading."""
    if result.reading is None:
        return Comparison(result, 0, [])
    by_card = result.reading.by_card
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
    return Comparison(result, rows[0]["differing"] if rows else 0, differences)


def breakers(cohort: Cohort, selected: int, cited: Sequence[Any], compared: Comparison) -> Iterator[Breaker]:
    """Yield a breaker for each difference between the readings that is too large to be resolved by holds."""
    result, facts = compared.result, compared.result.facts
    dates = (facts.announced_on, facts.deadline_on, facts.settlement_days)
    if dates != (cohort.announced_on, cohort.deadline_on, cohort.settlement_days):
        yield Breaker(
            "readings_disagree",
            f"the window is {cohort.announced_on} to {cohort.deadline_on}, settled in {cohort.settlement_days} days; "
            f"by the second reading {facts.announced_on} to {facts.deadline_on}, in {facts.settlement_days}",
        )
    if result.reading is None:
        yield Breaker("evidence_unreadable", str(result.unreadable))
        return
    if result.passed_over:
        yield Breaker("delivery_passed_over", result.passed_over)
    if facts.as_of < facts.deadline_on + timedelta(days=facts.settlement_days + 1):
        yield Breaker("readings_disagree", f"it is {facts.as_of}, and by the second reading it is too early to decide")
    first = {(e["platform"], e["business_date"], e["revision"], e["sha256"]) for e in cited}
    second = {(e.platform, e.business_date, e.revision, e.sha256) for e in result.reading.in_force}
    if first != second:
        differing = sorted(f"{platform} {on} r{revision}" for platform, on, revision, _ in first ^ second)
        yield Breaker("readings_disagree", f"only one of the readings counts {', '.join(differing[:5])}")
    unmatched = [each for each in compared.differences if each.recipient_id is None or each.second is None]
    read_people = len(result.reading.by_card)
    if read_people != selected or unmatched:
        yield Breaker("readings_disagree", f"{selected:,} are selected, by the second reading {read_people:,}")
    if compared.differing > Fraction(str(programme().revocations.readings_disagree_share_max)) * selected:
        yield Breaker(
            "readings_disagree",
            f"the two readings differ on {compared.differing:,} of {selected:,}: {compared.differences[0].describe()}",
        )


def record(connection: warehouse.Connection, decision_id: str, cited: Sequence[Any], compared: Comparison) -> None:
    """Record the result of an attempt's second reading, and the recipients on whom the two readings differ."""
    if compared.result.reading is None:
        return
    read_people = len(compared.result.reading.by_card)
    warehouse.execute(
        connection,
        "revocations/insert_second_reading",
        decision_id=decision_id,
        recipients=read_people,
        differing=min(compared.differing, read_people),
        result_sha256=compared.result.result_sha256,
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


def describe(counts: Mapping[str, int] | None) -> str:
    """Return a phrase about the second reading of a decision, for its approvers."""
    if counts is None:
        return "read once: it was decided before there was a second reading"
    agreeing = counts["recipients"] - counts["differing"]
    text = f"two readings agree on {agreeing:,} of {counts['recipients']:,} selected"
    return f"{text}; {counts['differing']:,} held where they differ" if counts["differing"] else text
