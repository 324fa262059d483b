"""The evidence for recipients, as a story in order of time. Cards come in, and none goes out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from prakerja import warehouse
from prakerja.calendar import calendar
from prakerja.cohorts.standing import standing_parameters

CHUNK = 1000


def explain(cards: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One mapping per card, in the order asked: `cohort`, `state`, `because`, and `events` in order of time.

    `state` is `purchased`, `at_risk`, `held`, `overdue`, `revoked`, `reinstated`, `excluded`, or `unknown` for a card
    that stands in no loaded roster (or is no card number).
    """
    standings: dict[int, dict[int, tuple[str, str]]] = {}
    for start in range(0, len(cards), CHUNK):
        numbers = [int(card) if is_card(card) else None for card in cards[start : start + CHUNK]]
        with warehouse.transaction() as connection:
            found = {
                row["card_number"]: row
                for row in warehouse.rows(
                    connection,
                    "revocations/find_recipients",
                    cards=[number for number in numbers if number is not None],
                )
            }
            ids = [row["recipient_id"] for row in found.values()]
            events: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for row in warehouse.rows(connection, "revocations/list_events", recipient_ids=ids):
                events[row["recipient_id"]].append({"at": row["at"].isoformat(), "what": row["what"], **row["detail"]})
            for number in numbers:
                recipient = None if number is None else found.get(number)
                if recipient is None:
                    yield {"cohort": None, "state": "unknown", "because": "no_roster_has_this_card", "events": []}
                    continue
                state, because = _state(connection, recipient, standings)
                yield {
                    "cohort": recipient["cohort"],
                    "state": state,
                    "because": because,
                    "events": events[recipient["recipient_id"]],
                }


def is_card(text: str) -> bool:
    """Whether a text is a card number: sixteen digits."""
    return len(text) == 16 and text.isascii() and text.isdecimal()


def _state(
    connection: warehouse.Connection, recipient: Any, standings: dict[int, dict[int, tuple[str, str]]]
) -> tuple[str, str]:
    if recipient["is_reinstated"]:
        return "reinstated", "purchase"
    if recipient["is_revoked"]:
        return "revoked", "no_purchase"
    if recipient["outcome"] is not None:
        return str(recipient["outcome"]), str(recipient["because"])
    number = recipient["cohort"]
    if number not in standings:
        standings[number] = _standing(connection, number, recipient["standing_as_of"])
    return standings[number].get(recipient["recipient_id"], ("unknown", "not_reconciled_yet"))


def _standing(connection: warehouse.Connection, number: int, as_of: date | None) -> dict[int, tuple[str, str]]:
    """Where an undecided cohort's recipients stand by its latest intake."""
    cohort = calendar().get(number)
    if cohort is None or as_of is None:
        return {}
    rows = warehouse.rows(
        connection,
        "cohorts/list_standing",
        **standing_parameters(cohort),
        as_of=as_of,
        last_business_date=cohort.last_business_date,
    )
    is_before = as_of <= cohort.deadline_on
    return {
        row["recipient_id"]: (
            "at_risk" if row["outcome"] == "overdue" and is_before else row["outcome"],
            row["because"],
        )
        for row in rows
    }
