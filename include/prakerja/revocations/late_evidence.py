"""Late evidence: what deliveries show after a decision. It proposes and opens cases, and revokes nobody."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from prakerja import warehouse
from prakerja.calendar import calendar
from prakerja.cohorts import evidence
from prakerja.cohorts.standing import promised_deadline
from prakerja.revocations.decision import Decision, find_decision, list_decided_cohorts

log = logging.getLogger(__name__)


def record_late_evidence(as_of: date) -> int:
    """Record what the deliveries known at `as_of` show about decided cohorts, and return the number of new findings."""
    findings = 0
    with warehouse.transaction("decide") as connection:
        for decision in yield_decisions_made_before(connection, as_of):
            findings += record_findings(connection, decision, as_of)
            findings += _record_findings_of_revoked(connection, decision, as_of)
    return findings


def record_findings(connection: warehouse.Connection, decision: Decision, as_of: date) -> int:
    """Refresh a decided cohort's evidence, record new findings about its people, and return how many are new."""
    window = current_window(connection, decision, as_of)
    extended = {key: window[key] for key in ("cohort", "announced_on", "settlement_days")}
    evidence.refresh(connection, extended | {"deadline_on": window["deadline_now"]}, as_of, is_decided=True)
    findings = 0
    # Another process may have refreshed the evidence since: the warehouse knows up to where findings were recorded.
    if warehouse.execute(connection, "revocations/is_touched", cohort=decision.cohort).scalar_one():
        findings = warehouse.execute(
            connection,
            "revocations/insert_late_findings",
            evidence_generation=decision.evidence_generation,
            **window,
            as_of=as_of,
        ).rowcount
        warehouse.execute(connection, "revocations/mark_noticed", cohort=decision.cohort)
    if findings:
        log.info("gelombang-%d: %d findings in deliveries after its decision", decision.cohort, findings)
    return findings


def _record_findings_of_revoked(connection: warehouse.Connection, decision: Decision, as_of: date) -> int:
    """Record payments by revoked people after the deadline, and an extension of their deadline. Return how many.

    The findings are by cohort: a decision that was replaced before it was carried out may have revoked single people.
    """
    deadline_now = current_window(connection, decision, as_of)["deadline_now"]
    at = {"cohort": decision.cohort, "deadline_now": deadline_now, "as_of": as_of}
    findings = warehouse.execute(connection, "revocations/insert_late_purchases", **at).rowcount
    if as_of <= deadline_now:
        findings += warehouse.execute(connection, "revocations/insert_extended", **at).rowcount
    return findings


def current_window(connection: warehouse.Connection, decision: Decision, as_of: date) -> dict[str, Any]:
    """Return the window as decided, with `deadline_now`: the deadline known at `as_of`, never an earlier one.

    An extension stays valid even if the calendar no longer has the cohort.
    """
    cohort = calendar().get(decision.cohort)
    known = cohort.as_known_on(as_of).deadline_on if cohort else decision.deadline_on
    promised = promised_deadline(connection, decision.cohort, as_of) or known
    return decision.window | {"deadline_now": max(known, promised, decision.deadline_on)}


def is_reopened(connection: warehouse.Connection, decision: Decision, as_of: date) -> bool:
    """Return whether the deadline was extended, so that nobody may be revoked by this decision now.

    A decision that was carried out applies again once the extended window is settled. One that was not carried out is
    replaced by a new decision.
    """
    deadline_now: date = current_window(connection, decision, as_of)["deadline_now"]
    is_over = as_of > deadline_now + timedelta(days=decision.settlement_days)
    return deadline_now > decision.deadline_on and not (decision.is_carried_out and is_over)


def yield_decisions_made_before(connection: warehouse.Connection, as_of: date) -> Iterator[Decision]:
    """Yield the decisions made before the day `as_of`: a day's own decision comes after its intake.

    Cohorts that the calendar no longer has are included, since late evidence about their people still counts.
    """
    for number in list_decided_cohorts(connection):
        decision = find_decision(connection, number)
        if decision is not None and decision.as_of < as_of:
            yield decision
