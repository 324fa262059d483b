"""The deadline decision: one outcome for every recipient, from complete feeds that were read twice.

If a cohort cannot be decided, the attempt is recorded with the reason.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Any

from prakerja import warehouse
from prakerja.calendar import Cohort
from prakerja.cohorts import evidence
from prakerja.cohorts.completeness import as_text, missing_for, sentence
from prakerja.cohorts.standing import record_extensions, window_of
from prakerja.errors import NotReadyError, PrakerjaError, TransientError
from prakerja.programme import programme
from prakerja.recheck.facts import Facts
from prakerja.recheck.files import EvidenceError
from prakerja.revocations import second_reading
from prakerja.revocations.second_reading import FINAL, Breaker, Comparison, SecondReadingResult
from prakerja.settings import WIB

log = logging.getLogger(__name__)

#: The most second readings of a cohort whose facts change during the reading.
READINGS_MOST = 3
OUTCOMES = ("purchased", "held", "overdue", "excluded")


class BlockedError(PrakerjaError):
    """A cohort cannot be decided, or its decision cannot be carried out. Nothing was revoked or published."""


class MovedError(TransientError):
    """The facts about a cohort changed during the second reading. A retry reads the new facts."""


@dataclass(frozen=True)
class Decision:
    """A decision that was made: its id (derived from its content), the window that it is about, and its totals."""

    decision_id: str
    cohort: int
    as_of: date
    announced_on: date
    deadline_on: date
    settlement_days: int
    selected: int
    purchased: int
    held: int
    overdue: int
    excluded: int
    is_carried_out: bool
    evidence_generation: int

    @property
    def effective_at(self) -> datetime:
        """The instant at which a revocation takes effect: the end of the deadline day."""
        return datetime.combine(self.deadline_on + timedelta(days=1), time(), WIB)

    @property
    def window(self) -> dict[str, Any]:
        """The window as decided. The calendar may have changed since."""
        return {
            "cohort": self.cohort,
            "announced_on": self.announced_on,
            "deadline_on": self.deadline_on,
            "settlement_days": self.settlement_days,
        }

    @property
    def totals(self) -> dict[str, int]:
        """The number of recipients with each outcome."""
        return {name: getattr(self, name) for name in OUTCOMES}

    def require_unmoved(self, cohort: Cohort) -> None:
        """Raise `BlockedError` if the cohort's dates have changed since the decision."""
        if (self.announced_on, self.deadline_on) != (cohort.announced_on, cohort.deadline_on):
            raise BlockedError(
                f"gelombang-{self.cohort} is blocked: deadline_moved: it was decided for {self.deadline_on}, "
                f"the calendar now says {cohort.deadline_on}"
            )


def find_decision(connection: warehouse.Connection, cohort: int) -> Decision | None:
    """Return the cohort's decision, or None if it has none. Attempts that a breaker stopped do not count."""
    rows = warehouse.rows(connection, "revocations/find_decision", cohort=cohort)
    return Decision(cohort=cohort, **rows[0]) if rows else None


def list_decided_cohorts(connection: warehouse.Connection) -> list[int]:
    """Return the cohorts that have a decision, in the order of announcement. The calendar may no longer have them."""
    return [int(row["cohort"]) for row in warehouse.rows(connection, "revocations/list_decided_cohorts")]


def is_decided(connection: warehouse.Connection, cohort: Cohort) -> bool:
    """Return whether the cohort has a decision for this deadline or a later one, or one that was carried out.

    A cohort whose deadline was extended before anybody was revoked must be decided again.
    """
    decision = find_decision(connection, cohort.number)
    return decision is not None and (decision.is_carried_out or decision.deadline_on >= cohort.deadline_on)


def require_complete_feeds(cohort: Cohort, as_of: date) -> None:
    """Stop unless every delivery of the window and the settlement days has arrived (R1 needs evidence).

    Record the blocked attempt and raise `BlockedError`, which names platforms and dates. Before the day of the
    decision, record nothing and raise `NotReadyError`. A decided cohort passes, and so does a cohort whose missing
    deliveries a person has overridden.
    """

    def check(connection: warehouse.Connection) -> str | None:
        if is_decided(connection, cohort):
            return None
        if as_of < cohort.decided_on:
            raise NotReadyError(f"gelombang-{cohort.number} cannot be decided before {cohort.decided_on}: wait")
        return _Attempt(connection, cohort, _load_roster(connection, cohort, as_of), as_of).check_feeds()

    stopped = warehouse.write_in_one_snapshot("decide", check)
    if stopped is not None:
        raise BlockedError(f"gelombang-{cohort.number} is blocked: {stopped}")


def reconcile(cohort: Cohort, as_of: date) -> dict[str, int]:
    """Reconcile the cohort with the deliveries known at `as_of`, and return the totals of this first reading.

    For a decided cohort, return the totals of the decision. Raise `BlockedError` if feeds are missing or the result is
    implausible, and nobody has overridden that.
    """

    def reconcile_undecided(connection: warehouse.Connection) -> tuple[str | None, dict[str, int]]:
        decision = find_decision(connection, cohort.number)
        if decision and is_decided(connection, cohort):
            return None, {"selected": decision.selected, **decision.totals}
        record_extensions(connection, cohort)
        attempt = _Attempt(connection, cohort, _load_roster(connection, cohort, as_of), as_of)
        stopped = attempt.check_feeds() or attempt.reconcile()
        return stopped, {"selected": int(attempt.roster["selected"]), **attempt.totals}

    require_complete_feeds(cohort, as_of)
    with warehouse.exclusive(f"decide {cohort.number}"):
        stopped, totals = warehouse.write_in_one_snapshot("decide", reconcile_undecided)
    if stopped is not None:
        raise BlockedError(f"gelombang-{cohort.number} is blocked: {stopped}")
    return totals


def decide(cohort: Cohort, as_of: date) -> Decision:
    """Decide the cohort by the deliveries known at `as_of`, read twice. Return the decision, new or existing.

    The decision is made in one transaction over one snapshot, so the deliveries that it cites are those that it saw,
    and those of the second reading. Raise `BlockedError` if feeds are missing or the result is implausible and nobody
    has overridden that, if evidence cannot be read again, or if the two readings differ on too many recipients. Raise
    `MovedError` if the facts change during every second reading.
    """
    require_complete_feeds(cohort, as_of)
    for _ in range(READINGS_MOST):
        with warehouse.transaction() as connection:
            has_decision = is_decided(connection, cohort)
        result = None if has_decision else _read_again(cohort, as_of)  # takes minutes: outside the lock
        try:
            return _decide(cohort, as_of, result)
        except MovedError as moved:
            log.info("gelombang-%d: %s", cohort.number, moved)
    raise MovedError(f"gelombang-{cohort.number}: its facts keep changing while it is read: clear this task")


def _read_again(cohort: Cohort, as_of: date) -> SecondReadingResult:
    try:
        return second_reading.read(cohort.number, cohort.announced_on, as_of)
    except EvidenceError as error:
        raise BlockedError(f"gelombang-{cohort.number} is blocked: evidence_unreadable: {error}") from None


def _load_facts(connection: warehouse.Connection, cohort: Cohort, as_of: date) -> Facts:
    return second_reading.load_facts(connection, cohort.number, cohort.announced_on, as_of)


def _decide(cohort: Cohort, as_of: date, result: SecondReadingResult | None) -> Decision:
    def decide_undecided(connection: warehouse.Connection) -> tuple[str | None, Decision | None]:
        stopped = None
        if not is_decided(connection, cohort):
            record_extensions(connection, cohort)
            if result is None or _load_facts(connection, cohort, as_of) != result.facts:
                raise MovedError("its facts changed during the second reading: reading it again")
            attempt = _Attempt(connection, cohort, _load_roster(connection, cohort, as_of), as_of)
            stopped = attempt.check_feeds() or attempt.decide(result)
        return stopped, find_decision(connection, cohort.number)

    with warehouse.exclusive(f"decide {cohort.number}"):
        stopped, decision = warehouse.write_in_one_snapshot("decide", decide_undecided)
    if stopped is not None or decision is None:
        raise BlockedError(f"gelombang-{cohort.number} is blocked: {stopped}")
    with warehouse.transaction("decide") as connection:
        warehouse.execute(connection, "revocations/analyze_outcomes")
    return decision


def rehearse(cohort: Cohort, as_of: date) -> dict[str, Any]:
    """Return what `decide` would decide by the deliveries known at `as_of`, without recording anything.

    Feeds that are still missing do not end the rehearsal. The result has the counts, `stops` (a sentence for each
    breaker that would stop the decision) and `is_decided`: if it is true, the counts are those of the decision.
    """

    def try_out(connection: warehouse.Connection) -> dict[str, Any]:
        roster, has_decision = _load_roster(connection, cohort, as_of), is_decided(connection, cohort)
        savepoint = connection.begin_nested()
        stops: list[str] = []
        if has_decision and (decision := find_decision(connection, cohort.number)):
            counts = decision.totals
        else:
            attempt = _Attempt(connection, cohort, roster, as_of)
            missing, implausible = attempt.check_feeds(), attempt.reconcile()
            differing = attempt.compare(result) if result and not (missing or implausible) else None
            stops = [stop for stop in (missing, implausible, differing) if stop]
            counts = attempt.totals
        savepoint.rollback()
        return {
            "as_of": as_of.isoformat(),
            "is_decided": has_decision,
            "selected": roster["selected"],
            **counts,
            "stops": stops,
        }

    result: SecondReadingResult | None = None
    rehearsal = warehouse.write_in_one_snapshot("decide", try_out)
    if rehearsal["is_decided"] or rehearsal["stops"]:
        return rehearsal
    result = _read_again(cohort, as_of)
    return warehouse.write_in_one_snapshot("decide", try_out)


def yield_implausible_totals(selected: int, totals: Mapping[str, int]) -> Iterator[Breaker]:
    """Yield a breaker for each reason why a result is implausible and must not be carried out.

    The bounds come from `program.yaml`. In past cohorts, 1.5 to 7.8 % of the recipients were revoked.
    """
    if selected != sum(totals.values()):
        summed = " + ".join(f"{count} {name}" for name, count in totals.items())
        yield Breaker("totals_do_not_add_up", f"{selected} selected, but {summed}")
    share = Fraction(str(programme().revocations.overdue_share_max))
    if totals["overdue"] > share * selected:
        yield Breaker(
            "overdue_share_implausible",
            f"{totals['overdue']} of {selected} are overdue ({totals['overdue'] / selected:.1%}), "
            f"more than {float(share):.0%}",
        )
    overdue_max = programme().revocations.overdue_max
    if totals["overdue"] > overdue_max:
        yield Breaker("overdue_too_many", f"{totals['overdue']:,} are overdue, more than {overdue_max:,}")


class _Attempt:
    """An attempt at a decision, in one transaction. Every tripped breaker is recorded, and may be overridden."""

    def __init__(self, connection: warehouse.Connection, cohort: Cohort, roster: Any, as_of: date) -> None:
        self.connection, self.cohort, self.roster, self.as_of = connection, cohort, roster, as_of
        self.overrides: list[str] = []
        self.generation: int | None = None
        self.totals = dict.fromkeys(OUTCOMES, 0)
        self.compared: Comparison | None = None
        self._at = {"cohort": cohort.number, "deadline_on": cohort.deadline_on, "as_of": as_of}

    def check_feeds(self) -> str | None:
        """Record which deliveries are missing. Return a sentence, or None if none is missing or that is overridden."""
        missing = missing_for(self.connection, self.cohort, self.as_of)
        if not missing:
            return None
        # An override is for these missing deliveries beside those that are there: others make another attempt.
        return self._record_breaker(Breaker("feeds_missing", sentence(missing)), as_text(missing))

    def reconcile(self) -> str | None:
        """Refresh the evidence and count the outcomes.

        Return the breaker that stops the result as a sentence, or None.
        """
        window = window_of(self.cohort)
        self.generation = evidence.refresh(self.connection, window, self.as_of, is_decided=False)
        self.totals = dict(warehouse.rows(self.connection, "revocations/count_decided", **self._at)[0])
        return self._record_until_stopped(
            [*self._list_shrunk_feeds(), *yield_implausible_totals(int(self.roster["selected"]), self.totals)]
        )

    def compare(self, result: SecondReadingResult) -> str | None:
        """Compare with the second reading, and count recipients on whom the two differ as held.

        Return the breaker that stops the result as a sentence, or None.
        """
        selected = int(self.roster["selected"])
        self.compared = second_reading.compare(self.connection, self._at, result)
        if stopped := self._record_until_stopped(
            second_reading.breakers(self.cohort, selected, self.cited, self.compared)
        ):
            return stopped
        for difference in self.compared.held:
            self.totals[difference.first["outcome"]] -= 1
            self.totals["held"] += 1
        return None

    def decide(self, result: SecondReadingResult) -> str | None:
        """Record every recipient's outcome. Return the breaker that stops the decision as a sentence, or None."""
        if stopped := self.reconcile() or self.compare(result):
            return stopped
        decision_id = self._record(None, [])
        warehouse.execute(self.connection, "revocations/insert_outcomes", **self._at, decision_id=decision_id)
        log.info("gelombang-%d decided: %s", self.cohort.number, self.totals)
        return None

    def _record_until_stopped(self, breakers: Iterable[Breaker]) -> str | None:
        for breaker in breakers:
            if stopped := self._record_breaker(breaker, []):
                return stopped
        return None

    @cached_property
    def cited(self) -> Any:
        """The deliveries that the attempt is based on: the same throughout, since the attempt sees one snapshot."""
        return warehouse.rows(
            self.connection,
            "revocations/list_evidence",
            announced_on=self.cohort.announced_on,
            last_business_date=self.cohort.last_business_date,
            as_of=self.as_of,
        )

    def _list_shrunk_feeds(self) -> list[Breaker]:
        bounds = programme().revocations
        shrunk = warehouse.rows(
            self.connection,
            "revocations/list_shrunk",
            delivery_ids=[e["delivery_id"] for e in self.cited],
            days_least=bounds.shrunk_days_least,
            rows_least=bounds.shrunk_rows_least,
            share_least=bounds.shrunk_share_least,
        )
        if not shrunk:
            return []
        detail = "; ".join(
            f"{row['platform']} {row['business_date']} has {row['rows']:,} rows, usually {row['median_rows']:,.0f}"
            for row in shrunk
        )
        return [Breaker("feed_shrank", detail)]

    def _record_breaker(self, breaker: Breaker, missing: list[str]) -> str | None:
        """Record that a breaker tripped. Return its reason and detail, or None if a person has overridden it."""
        attempt_id = self._record(breaker, missing)
        is_overridden = warehouse.execute(
            self.connection, "revocations/is_overridden", decision_id=attempt_id, as_of=self.as_of
        ).scalar_one()
        if is_overridden and breaker.reason not in FINAL:
            self.overrides.append(attempt_id)
            return None
        return f"{breaker.reason}: {breaker.detail}"

    def _record(self, breaker: Breaker | None, missing: list[str]) -> str:
        cohort, compared, cited = self.cohort, self.compared, self.cited
        content = {
            "cohort": cohort.number,
            "announced_on": cohort.announced_on.isoformat(),
            "deadline_on": cohort.deadline_on.isoformat(),
            "settlement_days": cohort.settlement_days,
            "roster": self.roster["roster_sha256"],
            "deliveries": [[e["platform"], e["business_date"].isoformat(), e["revision"], e["sha256"]] for e in cited],
            "totals": self.totals,
            "second_reading": compared and [compared.result.result_sha256, compared.differing],
            "reason": breaker and breaker.reason,
            "missing": missing,
            "overrides": self.overrides,
        }
        # The same evidence and calendar give the same id, whenever and wherever the cohort is decided: the content has
        # neither `as_of` nor row ids.
        digest = hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        decision_id = f"gelombang-{cohort.number}-{digest[:24]}"
        warehouse.execute(
            self.connection,
            "revocations/insert_decision",
            decision_id=decision_id,
            cohort=cohort.number,
            roster_id=self.roster["roster_id"],
            status="blocked" if breaker else "made",
            reason=breaker and breaker.reason,
            detail=breaker and breaker.detail,
            announced_on=cohort.announced_on,
            deadline_on=cohort.deadline_on,
            settlement_days=cohort.settlement_days,
            as_of=self.as_of,
            selected=self.roster["selected"],
            missing_feeds=missing,
            overrides=self.overrides,
            evidence_generation=self.generation,
            **self.totals,
        )
        warehouse.execute(
            self.connection,
            "revocations/insert_decision_deliveries",
            decision_id=decision_id,
            delivery_ids=[e["delivery_id"] for e in cited],
        )
        if compared:
            second_reading.record(self.connection, decision_id, cited, compared)
        return decision_id


def _load_roster(connection: warehouse.Connection, cohort: Cohort, as_of: date) -> Any:
    for roster in warehouse.rows(connection, "cohorts/known_cohorts"):
        if roster["cohort"] == cohort.number:
            if (roster["announced_on"], roster["deadline_on"]) != (cohort.announced_on, cohort.first_deadline_on):
                raise BlockedError(
                    f"gelombang-{cohort.number} is blocked: calendar_mismatch: its roster says "
                    f"{roster['announced_on']} to {roster['deadline_on']}, "
                    f"the calendar {cohort.announced_on} to {cohort.first_deadline_on}"
                )
            promised = warehouse.execute(
                connection, "cohorts/promised_deadline", cohort=cohort.number, as_of=as_of
            ).scalar()
            if promised is not None and promised > cohort.deadline_on:
                raise BlockedError(
                    f"gelombang-{cohort.number} is blocked: calendar_mismatch: its deadline was moved to {promised}, "
                    f"the calendar says {cohort.deadline_on}: restore the extension"
                )
            return roster
    raise NotReadyError(f"gelombang-{cohort.number} has no roster: deliver rosters/gelombang-{cohort.number}")
