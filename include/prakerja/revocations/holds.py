"""Holds: recipients whose outcome is in doubt. A person resolves each hold; none is resolved automatically."""

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
from prakerja.revocations.explanation import find_recipient_outcome
from prakerja.revocations.freezes import FrozenError, require_no_freeze

log = logging.getLogger(__name__)


def list_holds(cohort: int | None = None, *, is_masked: bool = True) -> list[dict[str, Any]]:
    """Return one mapping per recipient whom a decision holds, the open holds of each cohort first.

    `state` is `open`, `resolvable` (a later delivery shows a purchase), `purchased`, `not_purchased` (awaits approval)
    or `revoked`. `row` is the row that caused the hold, or None. `readings` has the outcome and the row of each
    reading if the two readings differ on the recipient, else None.
    """
    with warehouse.transaction("decide") as connection:
        rows = warehouse.rows(connection, "revocations/list_holds", cohort=cohort)
    return [_build_hold(row, is_masked=is_masked) for row in rows]


def _build_hold(row: Any, *, is_masked: bool) -> dict[str, Any]:
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
        hold["readings"] = {which: _build_reading(row, which) for which in ("first", "second")}
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


def _build_reading(row: Any, which: str) -> dict[str, Any]:
    """Return the outcome of the `first` or `second` reading and the row that it rests on, if any."""
    on = row[f"{which}_business_date"]
    return {
        "outcome": row[f"{which}_outcome"],
        "platform": row[f"{which}_platform"],
        "business_date": on and on.isoformat(),
        "line": row[f"{which}_line"],
    }


def resolve(card: str, *, is_purchased: bool, because: str, resolved_by: str, on: date) -> Batch | None:
    """Record what a person found out about a held recipient. Return the batch that waits for another's approval.

    Return None for a purchase, which clears the recipient at once. Raise `PrakerjaError` if the recipient is not held,
    or the hold is resolved for this deadline. Without a purchase, also raise it if the deadline was extended, the
    recipient is suspended, or a second reading of the files now finds a purchase. No message contains the card.
    """
    if not is_purchased:
        _require_no_purchase(card, on)
    with warehouse.transaction("decide") as connection:
        recipient = find_recipient_outcome(connection, card)
        if recipient is None or recipient["outcome"] != "held":
            raise PrakerjaError("this card is not held by any decision: see `prakerja holds`")
        decision = find_decision(connection, recipient["cohort"])
        assert decision is not None  # noqa: S101 - the recipient has an outcome
        if not is_purchased and late_evidence.is_reopened(connection, decision, on):
            raise PrakerjaError("the deadline was extended, and this person may still buy: see `prakerja cohorts`")
        if not is_purchased and is_suspended(connection, recipient["recipient_id"], on):
            raise PrakerjaError(
                "this person is suspended, and stays held until that is lifted: see `prakerja suspend lift`"
            )
        inserted = warehouse.execute(
            connection,
            "revocations/insert_hold_resolution",
            recipient_id=recipient["recipient_id"],
            deadline_on=recipient["decided_deadline_on"],
            is_purchased=is_purchased,
            because=because,
            resolved_by=resolved_by,
            resolved_on=on,
        ).rowcount
        if not inserted:
            raise PrakerjaError("this hold is already resolved: see `prakerja holds`")
        if is_purchased:
            return None
        batch = approval.propose(connection, decision, "hold", on, resolved_by, recipient["recipient_id"])
        if batch is None:
            raise PrakerjaError("a delivery shows a purchase in time: resolve it with --purchased")
        return batch


def _require_no_purchase(card: str, on: date) -> None:
    """Raise `PrakerjaError` if a second reading of the files finds that a held recipient is not overdue."""
    with warehouse.transaction() as connection:
        recipient = find_recipient_outcome(connection, card)
        decision = find_decision(connection, recipient["cohort"]) if recipient else None
    if recipient is None or decision is None or recipient["outcome"] != "held":
        return  # `resolve` refuses it with a message of its own
    result = second_reading.read(decision.cohort, decision.announced_on, on)
    person = {recipient["recipient_id"]: f"{recipient['card_number']:016d}"}
    for reading in second_reading.find_contradicting_readings(decision.decision_id, result, person).values():
        row = second_reading.describe_row(asdict(reading))
        raise PrakerjaError(
            f"by a second reading of the files this person is {reading.outcome}{row}, and stays held: look there and "
            "resolve the hold with --purchased, or see docs/runbooks/second_reading.md"
        )


def _find_bought(decision: Decision, approved: Mapping[int, str], as_of: date) -> Collection[int]:
    """Return the recipients with an approved batch whom a second reading finds not overdue: all, if it cannot read."""
    if not approved:
        return []
    try:
        result = second_reading.read(decision.cohort, decision.announced_on, as_of)
        return second_reading.find_contradicting_readings(decision.decision_id, result, approved)
    except EvidenceError as error:
        log.warning("gelombang-%d: nobody held is revoked: %s", decision.cohort, error)
        return approved


def apply_resolved_holds(as_of: date) -> int:
    """Revoke the held recipients who were found not to have bought and whose batch is approved. Return how many.

    Nobody is revoked whom either of the two readings now finds to have bought.
    """
    revoked = 0
    for number in calendar():  # nobody is revoked of a cohort that was removed from the calendar
        with warehouse.transaction() as connection:
            decision = find_decision(connection, number)
        if decision is None:
            continue
        with warehouse.transaction("decide") as connection:
            approved = _propose_and_list_approved(connection, decision, as_of)
        bought = _find_bought(decision, {person: card for person, (card, _) in approved.items()}, as_of)
        if bought:
            log.warning(
                "gelombang-%d: %d stay held: a second reading finds that they are not overdue", number, len(bought)
            )
        if not approved:
            continue
        with warehouse.transaction("decide") as connection:
            # Proposed again: a batch counts only if it is the same, and still approved, after the second reading.
            for person, (card, batch) in _propose_and_list_approved(connection, decision, as_of).items():
                if approved.get(person) == (card, batch) and person not in bought:
                    revoked += approval.revoke_batch(connection, batch, decision.effective_at, as_of)
    if revoked:
        log.info("%d held revoked", revoked)
    return revoked


def _propose_and_list_approved(
    connection: warehouse.Connection, decision: Decision, as_of: date
) -> dict[int, tuple[str, Batch]]:
    """Propose a batch for each held recipient of a cohort who was found not to have bought.

    Return the card and the batch of those whose batch is approved, by recipient id. Return nobody during a freeze, or
    while the cohort is open again.
    """
    try:
        require_no_freeze(connection, decision.cohort, as_of)
    except FrozenError as frozen:
        log.warning("%s", frozen)
        return {}
    if late_evidence.is_reopened(connection, decision, as_of):
        return {}
    at = {"cohort": decision.cohort, "deadline_on": decision.deadline_on, "as_of": as_of}
    approved = {}
    for row in warehouse.rows(connection, "revocations/list_held_to_revoke", **at):
        batch = approval.propose(connection, decision, "hold", as_of, row["resolved_by"], row["recipient_id"])
        if batch is not None and not batch.approvals_needed:
            approved[row["recipient_id"]] = row["card_number"], batch
    return approved
