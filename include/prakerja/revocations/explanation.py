"""The evidence about recipients, in order of time. Cards are arguments only: no result contains one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from prakerja import warehouse
from prakerja.calendar import calendar
from prakerja.cohorts.people import is_card
from prakerja.settings import WIB

CHUNK = 1000


def explain(cards: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield one mapping per card or NIK, in the given order: `cohort`, `state`, `because`, and `events` by time.

    `state` is `purchased`, `at_risk`, `held`, `overdue`, `spared`, `revoked`, `reinstated`, `excluded`, or `unknown`
    for a card that is in no loaded roster or is not a card number. A spared recipient also has `spared_by`: the
    `platform`, `business_date`, `revision` and `line` of the row that spared them, or None.
    An event has `at` (WIB): the instant at which it was recorded, or at which it occurred outside the warehouse. A
    recorded event has `about_on`, the day that it is about. An event that a replay recorded has the instant of the run
    that was replayed.
    """
    for start in range(0, len(cards), CHUNK):
        numbers = [int(card) if is_card(card) else None for card in cards[start : start + CHUNK]]
        with warehouse.transaction(one_snapshot=True) as connection:
            rows = _recipients(connection, numbers=[number for number in numbers if number is not None])
            stories = _stories(connection, rows)
        # A number may be one person's card and another person's NIK. It is then taken as a card.
        by_number = {row["nik"]: row for row in rows} | {row["card_number"]: row for row in rows}
        for number in numbers:
            recipient = None if number is None else by_number.get(number)
            if recipient is None:
                yield {"cohort": None, "state": "unknown", "because": "no_roster_has_this_card", "events": []}
            else:
                yield stories[recipient["recipient_id"]]


def explain_recipient(recipient_id: int) -> dict[str, Any] | None:
    """Return the story of a recipient by their id in the warehouse, or None if there is no such recipient."""
    with warehouse.transaction(one_snapshot=True) as connection:
        return _stories(connection, _recipients(connection, recipient_ids=[recipient_id])).get(recipient_id)


def find_recipient_outcome(connection: warehouse.Connection, number: str) -> Any:
    """Return the recipient with this card or NIK and their latest outcome, or None. A match by card comes first."""
    rows = _recipients(connection, numbers=[int(number)]) if is_card(number) else []
    return min(rows, key=lambda row: row["card_number"] != int(number), default=None)


def _recipients(
    connection: warehouse.Connection, *, numbers: Sequence[int] = (), recipient_ids: Sequence[int] = ()
) -> Sequence[Any]:
    return warehouse.rows(
        connection, "revocations/find_recipients", numbers=list(numbers), recipient_ids=list(recipient_ids)
    )


def _stories(connection: warehouse.Connection, recipients: Sequence[Any]) -> dict[int, dict[str, Any]]:
    events: dict[int, list[dict[str, Any]]] = defaultdict(list)
    ids = [row["recipient_id"] for row in recipients]
    for row in warehouse.rows(connection, "revocations/list_events", recipient_ids=ids):
        event = {"at": row["at"].astimezone(WIB).isoformat(), "what": row["what"]}
        if row["about_on"] is not None:
            event["about_on"] = row["about_on"].isoformat()
        events[row["recipient_id"]].append(event | row["detail"])
    undecided = _list_standings(connection, [row for row in recipients if row["outcome"] is None])
    stories = {}
    for recipient in recipients:
        recipient_id = recipient["recipient_id"]
        state, because = _decided_state(recipient) or undecided[recipient_id]
        stories[recipient_id] = {
            "cohort": recipient["cohort"],
            "state": state,
            "because": because,
            **({"spared_by": _sparing_row(recipient)} if state == "spared" else {}),
            "events": events[recipient_id],
        }
    return stories


def _decided_state(recipient: Any) -> tuple[str, str] | None:
    """Return the state of a recipient and its reason, or None if the recipient has no outcome yet."""
    if recipient["reinstated_because"] is not None:
        return "reinstated", str(recipient["reinstated_because"])
    if recipient["is_revoked"]:
        return "revoked", "no_purchase"
    if recipient["is_spared"]:
        if _sparing_row(recipient) is None:
            return "spared", "known_before_revocation"
        return "spared", "late_purchase" if recipient["is_spared_by_purchase"] else "damaged_row"
    if recipient["is_found_purchased"]:
        return "purchased", "hold_resolved"
    if recipient["outcome"] is not None:
        return str(recipient["outcome"]), str(recipient["because"])
    return None


def _sparing_row(recipient: Any) -> dict[str, Any] | None:
    """Return the row of a delivery that spared a recipient, or None if none is recorded."""
    if recipient["spared_platform"] is None:
        return None
    return {
        "platform": recipient["spared_platform"],
        "business_date": recipient["spared_business_date"].isoformat(),
        "revision": recipient["spared_revision"],
        "line": recipient["spared_line"],
    }


def _list_standings(connection: warehouse.Connection, recipients: Sequence[Any]) -> dict[int, tuple[str, str]]:
    """Return the standing of recipients of undecided cohorts by their cohort's latest intake, by recipient id."""
    standings = {row["recipient_id"]: ("unknown", "not_reconciled_yet") for row in recipients}
    for number, as_of in {(row["cohort"], row["standing_as_of"]) for row in recipients}:
        cohort = calendar().get(number)
        if cohort is None or as_of is None:
            continue
        rows = warehouse.rows(
            connection,
            "cohorts/list_standing",
            cohort=number,
            deadline_on=cohort.as_known_on(as_of).deadline_on,
            as_of=as_of,
            recipient_ids=[row["recipient_id"] for row in recipients if row["cohort"] == number],
        )
        for row in rows:
            is_at_risk = row["outcome"] == "overdue" and as_of <= cohort.as_known_on(as_of).deadline_on
            standings[row["recipient_id"]] = ("at_risk" if is_at_risk else row["outcome"], row["because"])
    return standings
