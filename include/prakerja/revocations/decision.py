"""The deadline decision: every recipient's outcome, once, from complete feeds that were read twice, or a named reason
why there is none.
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
from prakerja.revocations.second_reading import FINAL, Breaker, Comparison, ReadAgain
from prakerja.settings import WIB

log = logging.getLogger(__name__)

#: How often a cohort is read again where its facts changed while it was read.
READINGS_MOST = 3
OUTCOMES = ("purchased", "held", "overdue", "excluded")


class BlockedError(PrakerjaError):
    """A cohort may not be decided, or its decision not be carried out. Nothing was revoked or published."""


class MovedError(TransientError):
    """What is known of a cohort changed while it was read a second time: trying again reads what is known then."""


@dataclass(frozen=True)
class Decision:
    """A carried decision: its id (derived from its content), the window it was made for, and its totals."""

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
        """The end of the deadline day, when a revocation takes effect."""
        return datetime.combine(self.deadline_on + timedelta(days=1), time(), WIB)

    @property
    def window(self) -> dict[str, Any]:
        """The window as it was decided, whatever the calendar says by now."""
        return {
            "cohort": self.cohort,
            "announced_on": self.announced_on,
            "deadline_on": self.deadline_on,
            "settlement_days": self.settlement_days,
        }

    @property
    def totals(self) -> dict[str, int]:
        """The recipients of each outcome."""
        return {name: getattr(self, name) for name in OUTCOMES}

    def require_unmoved(self, cohort: Cohort) -> None:
        """Refuse to carry out a decision whose dates have moved since. Raises `BlockedError`."""
        if (self.announced_on, self.deadline_on) != (cohort.announced_on, cohort.deadline_on):
            raise BlockedError(
                f"gelombang-{self.cohort} is blocked: deadline_moved: it was decided for {self.deadline_on}, "
                f"the calendar now says {cohort.deadline_on}"
            )


def find_decision(connection: warehouse.Connection, cohort: int) -> Decision | None:
    """The cohort's carried decision, if it has one."""
    rows = warehouse.rows(connection, "revocations/find_decision", cohort=cohort)
    return Decision(cohort=cohort, **rows[0]) if rows else None


def decided_cohorts(connection: warehouse.Connection) -> list[int]:
    """Return the cohorts that have a decision, in the order of announcement, whatever the calendar says by now."""
    return [int(row["cohort"]) for row in warehouse.rows(connection, "revocations/list_decided_cohorts")]


def is_decided(connection: warehouse.Connection, cohort: Cohort) -> bool:
    """Whether there is nothing left to decide: a decision of this deadline or a later one, or one that was carried out.

    A deadline that was extended before anybody was revoked is decided anew.
    """
    made = find_decision(connection, cohort.number)
    return made is not None and (made.is_carried_out or made.deadline_on >= cohort.deadline_on)


def require_complete_feeds(cohort: Cohort, as_of: date) -> None:
    """The gate: fail closed while one delivery of the window or the settlement days is missing (R1 needs evidence).

    Records the blocked attempt and raises `BlockedError`, naming platforms and dates; before the day of the decision it
    records nothing and raises `NotReadyError`. A decided cohort passes, and one whose gap a person answers for.
    """

    def look(connection: warehouse.Connection) -> str | None:
        if is_decided(connection, cohort):
            return None
        if as_of < cohort.decided_on:
            raise NotReadyError(f"gelombang-{cohort.number} is decided on {cohort.decided_on}, not before: wait")
        return _Attempt(connection, cohort, _roster(connection, cohort, as_of), as_of).gap()

    gap = warehouse.write_in_one_snapshot("decide", look)
    if gap is not None:
        raise BlockedError(f"gelombang-{cohort.number} is blocked: {gap}")


def reconcile(cohort: Cohort, as_of: date) -> dict[str, int]:
    """Reconcile the cohort with the deliveries known at `as_of`; return the totals of this first reading.

    They are those of the decision where there is one.

    Raises `BlockedError` where feeds are missing or the result is implausible, and nobody has answered for that.
    """

    def attempt(connection: warehouse.Connection) -> tuple[str | None, dict[str, int]]:
        made = find_decision(connection, cohort.number)
        if made and is_decided(connection, cohort):
            return None, {"selected": made.selected, **made.totals}
        record_extensions(connection, cohort)
        tried = _Attempt(connection, cohort, _roster(connection, cohort, as_of), as_of)
        return tried.gap() or tried.reconcile(), {"selected": int(tried.roster["selected"]), **tried.totals}

    require_complete_feeds(cohort, as_of)
    with warehouse.exclusive(f"decide {cohort.number}"):
        stopped, totals = warehouse.write_in_one_snapshot("decide", attempt)
    if stopped is not None:
        raise BlockedError(f"gelombang-{cohort.number} is blocked: {stopped}")
    return totals


def decide(cohort: Cohort, as_of: date) -> Decision:
    """Decide the cohort by the deliveries known at `as_of`, read twice; return the decision, or the one made before.

    One transaction over one snapshot: the deliveries that it cites are those that it saw, and those that were read
    again before. Raises `BlockedError` where feeds are missing, the result is implausible, and nobody has answered for
    that; where evidence cannot be read again, or the two readings differ on too many. Raises `MovedError`.
    """
    require_complete_feeds(cohort, as_of)
    for _ in range(READINGS_MOST):
        with warehouse.transaction() as connection:
            has_decision = is_decided(connection, cohort)
        again = None if has_decision else _read_again(cohort, as_of)  # minutes, in which nobody is kept waiting
        try:
            return _decide(cohort, as_of, again)
        except MovedError as moved:
            log.info("gelombang-%d: %s", cohort.number, moved)
    raise MovedError(f"gelombang-{cohort.number}: what is known of it changes while it is read: clear this task")


def _read_again(cohort: Cohort, as_of: date) -> ReadAgain:
    try:
        return second_reading.read(cohort.number, cohort.announced_on, as_of)
    except EvidenceError as error:
        raise BlockedError(f"gelombang-{cohort.number} is blocked: evidence_unreadable: {error}") from None


def _facts(connection: warehouse.Connection, cohort: Cohort, as_of: date) -> Facts:
    return second_reading.facts_of(connection, cohort.number, cohort.announced_on, as_of)


def _decide(cohort: Cohort, as_of: date, again: ReadAgain | None) -> Decision:
    def attempt(connection: warehouse.Connection) -> tuple[str | None, Decision | None]:
        stopped = None
        if not is_decided(connection, cohort):
            record_extensions(connection, cohort)
            if again is None or _facts(connection, cohort, as_of) != again.facts:
                raise MovedError("its facts changed while it was read a second time: it is read anew")
            tried = _Attempt(connection, cohort, _roster(connection, cohort, as_of), as_of)
            stopped = tried.gap() or tried.decide(again)
        return stopped, find_decision(connection, cohort.number)

    with warehouse.exclusive(f"decide {cohort.number}"):
        stopped, made = warehouse.write_in_one_snapshot("decide", attempt)
    if stopped is not None or made is None:
        raise BlockedError(f"gelombang-{cohort.number} is blocked: {stopped}")
    with warehouse.transaction("decide") as connection:
        warehouse.execute(connection, "revocations/analyze_outcomes")
    return made


def rehearse(cohort: Cohort, as_of: date) -> dict[str, Any]:
    """What `decide` would come to by the deliveries known at `as_of`, whatever is missing still; nothing of it is kept.

    Gives the counts, `stops` (what would stop it, a sentence each), and `is_decided`: then they are the decision's.
    """

    def try_out(connection: warehouse.Connection) -> dict[str, Any]:
        roster, has_decision = _roster(connection, cohort, as_of), is_decided(connection, cohort)
        undone, stops = connection.begin_nested(), list[str]()
        if has_decision and (made := find_decision(connection, cohort.number)):
            counts = made.totals
        else:
            attempt = _Attempt(connection, cohort, roster, as_of)
            gap, implausible = attempt.gap(), attempt.reconcile()
            disagreeing = attempt.compare(again) if again and not (gap or implausible) else None
            stops = [stop for stop in (gap, implausible, disagreeing) if stop]
            counts = attempt.totals
        undone.rollback()
        return {
            "as_of": as_of.isoformat(),
            "is_decided": has_decision,
            "selected": roster["selected"],
            **counts,
            "stops": stops,
        }

    again: ReadAgain | None = None
    found = warehouse.write_in_one_snapshot("decide", try_out)
    if found["is_decided"] or found["stops"]:
        return found
    again = _read_again(cohort, as_of)
    return warehouse.write_in_one_snapshot("decide", try_out)


def implausible(selected: int, totals: Mapping[str, int]) -> Iterator[Breaker]:
    """Why a result must not be carried out.

    Bounds come from `program.yaml`; history runs from 1.5 to 7.8 % revoked.
    """
    if selected != sum(totals.values()):
        told = " + ".join(f"{count} {name}" for name, count in totals.items())
        yield Breaker("totals_do_not_add_up", f"{selected} selected, but {told}")
    share = Fraction(str(programme().revocations.overdue_share_max))
    if totals["overdue"] > share * selected:
        yield Breaker(
            "overdue_share_implausible",
            f"{totals['overdue']} of {selected} are overdue ({totals['overdue'] / selected:.1%}), "
            f"more than {float(share):.0%}",
        )
    most = programme().revocations.overdue_max
    if totals["overdue"] > most:
        yield Breaker("overdue_too_many", f"{totals['overdue']:,} are overdue, more than {most:,}")


class _Attempt:
    """One try at a decision, in one transaction. Each breaker that trips is recorded, and may have been overridden."""

    def __init__(self, connection: warehouse.Connection, cohort: Cohort, roster: Any, as_of: date) -> None:
        self.connection, self.cohort, self.roster, self.as_of = connection, cohort, roster, as_of
        self.overrides: list[str] = []
        self.generation: int | None = None
        self.totals = dict.fromkeys(OUTCOMES, 0)
        self.compared: Comparison | None = None
        self._at = {"cohort": cohort.number, "deadline_on": cohort.deadline_on, "as_of": as_of}

    def gap(self) -> str | None:
        """What is missing, as a sentence; nothing where all is there or a person has answered for it."""
        missing = missing_for(self.connection, self.cohort, self.as_of)
        if not missing:
            return None
        # Whoever answers for what is missing answers for it beside these deliveries: with others it is another attempt.
        return self._stop(Breaker("feeds_missing", sentence(missing)), as_text(missing))

    def reconcile(self) -> str | None:
        """Bring the evidence up to date and count; return the breaker that stops the result as a sentence."""
        window = window_of(self.cohort)
        self.generation = evidence.refresh(self.connection, window, self.as_of, is_decided=False)
        self.totals = dict(warehouse.rows(self.connection, "revocations/count_decided", **self._at)[0])
        return self._first_stop([*self._shrunk(), *implausible(int(self.roster["selected"]), self.totals)])

    def compare(self, again: ReadAgain) -> str | None:
        """Compare with the second reading; return the breaker that stops the result as a sentence."""
        selected = int(self.roster["selected"])
        self.compared = second_reading.compare(self.connection, self._at, again)
        if stopped := self._first_stop(second_reading.breakers(self.cohort, selected, self.cited, self.compared)):
            return stopped
        for each in self.compared.held:
            self.totals[each.first["outcome"]] -= 1
            self.totals["held"] += 1
        return None

    def decide(self, again: ReadAgain) -> str | None:
        """Record every recipient's outcome; or the breaker that stopped it, which it gives as a sentence."""
        if stopped := self.reconcile() or self.compare(again):
            return stopped
        decision_id = self._record(None, [])
        warehouse.execute(self.connection, "revocations/insert_outcomes", **self._at, decision_id=decision_id)
        log.info("gelombang-%d decided: %s", self.cohort.number, self.totals)
        return None

    def _first_stop(self, breakers: Iterable[Breaker]) -> str | None:
        return next((stopped for breaker in breakers if (stopped := self._stop(breaker, []))), None)

    @cached_property
    def cited(self) -> Any:
        """The deliveries that the attempt goes by: the same throughout, since it sees one snapshot."""
        return warehouse.rows(
            self.connection,
            "revocations/list_evidence",
            announced_on=self.cohort.announced_on,
            last_business_date=self.cohort.last_business_date,
            as_of=self.as_of,
        )

    def _shrunk(self) -> list[Breaker]:
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
        told = "; ".join(
            f"{row['platform']} {row['business_date']} has {row['rows']:,} rows, usually {row['median_rows']:,.0f}"
            for row in shrunk
        )
        return [Breaker("feed_shrank", told)]

    def _stop(self, breaker: Breaker, missing: list[str]) -> str | None:
        """Record that a breaker tripped; return what to say, or nothing where a person has answered for it."""
        attempt = self._record(breaker, missing)
        is_overridden = warehouse.execute(
            self.connection, "revocations/is_overridden", decision_id=attempt, as_of=self.as_of
        ).scalar_one()
        if is_overridden and breaker.reason not in FINAL:
            self.overrides.append(attempt)
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
            "second_reading": compared and [compared.again.result_sha256, compared.differing],
            "reason": breaker and breaker.reason,
            "missing": missing,
            "overrides": self.overrides,
        }
        # Same evidence, same calendar: same id, whenever and wherever it is decided. So no clock and no row id in it.
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


def _roster(connection: warehouse.Connection, cohort: Cohort, as_of: date) -> Any:
    for known in warehouse.rows(connection, "cohorts/known_cohorts"):
        if known["cohort"] == cohort.number:
            if (known["announced_on"], known["deadline_on"]) != (cohort.announced_on, cohort.first_deadline_on):
                raise BlockedError(
                    f"gelombang-{cohort.number} is blocked: calendar_mismatch: its roster says "
                    f"{known['announced_on']} to {known['deadline_on']}, "
                    f"the calendar {cohort.announced_on} to {cohort.first_deadline_on}"
                )
            promised = warehouse.execute(
                connection, "cohorts/promised_deadline", cohort=cohort.number, as_of=as_of
            ).scalar()
            if promised is not None and promised > cohort.deadline_on:
                raise BlockedError(
                    f"gelombang-{cohort.number} is blocked: calendar_mismatch: its deadline was moved to {promised}, "
                    f"the calendar says {cohort.deadline_on}: put the extension back"
                )
            return known
    raise NotReadyError(f"gelombang-{cohort.number} has no roster: deliver rosters/gelombang-{cohort.number}")
