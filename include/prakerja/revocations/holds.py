"""Holds: people whom a doubt keeps from being decided. Who looks into one resolves it; nothing resolves itself."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from prakerja import warehouse
from prakerja.calendar import calendar
from prakerja.cohorts.people import is_suspended
from prakerja.errors import PrakerjaError
from prakerja.feeds.overview import mask
from prakerja.recheck.files import EvidenceError
from prakerja.revocations import approval, late_evidence, second_reading
from prakerja.revocations.approval import Batch
from prakerja.revocations.decision import Decision, find_decision
from prakerja.revocations.explanation import outcome_of
from prakerja.revocations.freezes import FrozenError, require_no_freeze

log = logging.getLogger(__name__)


def list_holds(cohort: int | None = None, *, is_masked: bool = True) -> list[dict[str, Any]]:
    """One mapping per recipient whom a decision holds, the open ones of each cohort first.

    `state` is `open`, `resolvable` (a later delivery shows a purchase), `purchased`, `not_purchased` (awaits approval)
    or `revoked`; `row` is the row that it is held for, where it is one; `readings` what the two readings say of whoever
    they differ on, and by which row.
    """
    with warehouse.transaction("decide") as connection:
        rows = warehouse.rows(connection, "revocations/list_holds", cohort=cohort)
    return [_hold(row, is_masked=is_masked) for row in rows]


def _hold(row: Any, *, is_masked: bool) -> dict[str, Any]:
    if row["is_revoked"]:
        state = "revoked"
    elif row["is_purchased"] is not None:
        state = "purchased" if row["is_purchased"] else "not_purchased"
    else:
        state = "resolvable" if row["is_resolvable"] else "open"
    hold: dict[str, Any] = {
        "cohort": row["cohort"],
        "card": mask("card_number", row["card_number"]) if is_masked else row["card_number"],
        "because": row["because"],
        "state": state,
        "row": None,
        "readings": None,
        "resolution": None,
    }
    if row["second_outcome"] is not None:
        hold["readings"] = {which: _reading(row, which) for which in ("first", "second")}
    if row["platform"] is not None:
        hold["row"] = {
            "platform": row["platform"],
            "business_date": row["business_date"].isoformat(),
            "revision": row["revision"],
            "line": row["line"],
            "reasons": list(row["reasons"] or []),
            "delivered": {
                key: mask(key, value) if is_masked else value for key, value in (row["delivered"] or {}).items()
            },
        }
    if row["resolved_by"] is not None:
        hold["resolution"] = {
            "because": row["resolved_because"],
            "resolved_by": row["resolved_by"],
            "resolved_on": row["resolved_on"].isoformat(),
        }
    return hold


def _reading(row: Any, which: str) -> dict[str, Any]:
    """What one of two readings says, and the row that it goes by, where it goes by one."""
    on = row[f"{which}_business_date"]
    return {
        "outcome": row[f"{which}_outcome"],
        "platform": row[f"{which}_platform"],
        "business_date": on and on.isoformat(),
        "line": row[f"{which}_line"],
    }


def resolve(card: str, *, is_purchased: bool, because: str, resolved_by: str, on: date) -> Batch | None:
    """Record what a person found out about someone who is held; gives the batch that now waits for another's approval.

    None for a purchase: that clears the person at once. Raises `PrakerjaError` for whoever is not held, or resolved
    already for this deadline, and for whoever is suspended and did not purchase, or whom a second reading of the files
    speaks for by now; the card is not repeated.
    """
    if not is_purchased:
        _require_no_purchase(card, on)
    with warehouse.transaction("decide") as connection:
        recipient = outcome_of(connection, card)
        if recipient is None or recipient["outcome"] != "held":
            raise PrakerjaError("this card is not held by any decision: see `prakerja holds`")
        decision = find_decision(connection, recipient["cohort"])
        assert decision is not None  # noqa: S101 - its outcome is there
        if not is_purchased and late_evidence.is_moved(connection, decision, on):
            raise PrakerjaError("the deadline was extended: whoever is held may still buy; see `prakerja cohorts`")
        if not is_purchased and is_suspended(connection, recipient["recipient_id"], on):
            raise PrakerjaError(
                "this person is suspended, and stays held while that lasts: see `prakerja suspend lift`"
            )
        written = warehouse.execute(
            connection,
            "revocations/insert_hold_resolution",
            recipient_id=recipient["recipient_id"],
            deadline_on=recipient["decided_deadline_on"],
            is_purchased=is_purchased,
            because=because,
            resolved_by=resolved_by,
            resolved_on=on,
        ).rowcount
        if not written:
            raise PrakerjaError("this hold is resolved already: see `prakerja holds`")
        if is_purchased:
            return None
        batch = approval.propose(connection, decision, "hold", on, resolved_by, recipient["recipient_id"])
        if batch is None:
            raise PrakerjaError("a delivery shows a purchase in time: resolve it with --purchased")
        return batch


def _require_no_purchase(card: str, on: date) -> None:
    """Raise `PrakerjaError` where a second reading of the files speaks for somebody who is held."""
    with warehouse.transaction() as connection:
        recipient = outcome_of(connection, card)
        decision = find_decision(connection, recipient["cohort"]) if recipient else None
    if recipient is None or decision is None or recipient["outcome"] != "held":
        return  # which is refused in its own words
    again = second_reading.read(decision.cohort, decision.announced_on, on)
    person = {recipient["recipient_id"]: f"{recipient['card_number']:016d}"}
    for reading in second_reading.list_bought(decision.decision_id, again, person).values():
        place = second_reading.place_of(asdict(reading))
        raise PrakerjaError(
            f"by a second reading of the files this person is {reading.outcome}{place}, and stays held: look there and "
            "resolve it with --purchased, or see docs/runbooks/second_reading.md"
        )


def _list_bought(decision: Decision, approved: Mapping[int, str], as_of: date) -> Collection[int]:
    """Return whom of the people whose batches are approved a second reading speaks for; all, where it cannot read."""
    if not approved:
        return []
    try:
        again = second_reading.read(decision.cohort, decision.announced_on, as_of)
        return second_reading.list_bought(decision.decision_id, again, approved)
    except EvidenceError as error:
        log.warning("gelombang-%d: nobody held is revoked: %s", decision.cohort, error)
        return approved


def apply_resolved_holds(as_of: date) -> int:
    """Revoke the held who were found not to have bought, and for whom another person has approved; gives how many.

    Whoever a delivery speaks for by now is left alone, by either of two readings.
    """
    revoked = 0
    for number in calendar():  # of a cohort that was taken out of it nobody is revoked
        with warehouse.transaction() as connection:
            decision = find_decision(connection, number)
        if decision is None:
            continue
        with warehouse.transaction("decide") as connection:
            approved = _approved_batches(connection, decision, as_of)
        bought = _list_bought(decision, {person: card for person, (card, _) in approved.items()}, as_of)
        if bought:
            log.warning("gelombang-%d: %d stay held: a second reading speaks for them", number, len(bought))
        with warehouse.transaction("decide") as connection:
            for person, (card, batch) in (_approved_batches(connection, decision, as_of) if approved else {}).items():
                if approved.get(person) == (card, batch) and person not in bought:
                    revoked += approval.revoke_batch(connection, batch, decision.effective_at, as_of)
    if revoked:
        log.info("%d held revoked", revoked)
    return revoked


def _approved_batches(
    connection: warehouse.Connection, decision: Decision, as_of: date
) -> dict[int, tuple[str, Batch]]:
    """Propose the batches of a cohort's held who were found not to have bought.

    Return those that are approved, by recipient, with the card.
    """
    try:
        require_no_freeze(connection, decision.cohort, as_of)
    except FrozenError as frozen:
        log.warning("%s", frozen)
        return {}
    if late_evidence.is_moved(connection, decision, as_of):
        return {}
    at = {"cohort": decision.cohort, "deadline_on": decision.deadline_on, "as_of": as_of}
    approved = {}
    for row in warehouse.rows(connection, "revocations/list_held_to_revoke", **at):
        batch = approval.propose(connection, decision, "hold", as_of, row["resolved_by"], row["recipient_id"])
        if batch is not None and not batch.approvals_needed:
            approved[row["recipient_id"]] = row["card_number"], batch
    return approved
