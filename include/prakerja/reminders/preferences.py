"""What recipients have chosen and reported: channels that they opted out of, and steps that they have not taken."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from prakerja import warehouse
from prakerja.cohorts.people import UNKNOWN_CARD, find_recipient, is_card
from prakerja.errors import PrakerjaError
from prakerja.reminders.texts import LACKS


def record_opt_out(number: str, channels: Sequence[str], *, is_opted_out: bool, on: date, recorded_by: str) -> None:
    """Record whether a recipient (card or NIK) opts out of channels. A choice that is in force already is not repeated.

    Raises `PrakerjaError` if no recipient has the number.
    """
    with warehouse.transaction("remind") as connection:
        recipient = find_recipient(connection, number)
        if recipient is None:
            raise PrakerjaError(UNKNOWN_CARD)
        for channel in channels:
            warehouse.execute(
                connection,
                "reminders/insert_opt_out",
                recipient_id=recipient,
                channel=channel,
                is_opted_out=is_opted_out,
                chosen_on=on,
                recorded_by=recorded_by,
            )


@dataclass(frozen=True)
class StepsIntake:
    """The counts of a report of missing steps: its rows, those that changed something, and cards in no roster."""

    rows: int
    changed: int
    unknown: int


def load_missing_steps(file: Path, on: date) -> StepsIntake:
    """Load a report `card_number,lacks`, whole or not at all.

    Raises `PrakerjaError` with the line of what is wrong, never with a card.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            if not {"card_number", "lacks"} <= set(reader.fieldnames or ()):
                raise PrakerjaError(f"{file} does not have the header card_number,lacks: add it")
            rows: dict[int, str] = {}
            for row in reader:
                card, lacks = str(row["card_number"] or ""), str(row["lacks"] or "")
                if not is_card(card) or lacks not in LACKS or rows.get(int(card), lacks) != lacks:
                    raise PrakerjaError(
                        f"{file}, line {reader.line_num}: not a card of sixteen digits with one of {', '.join(LACKS)}, "
                        "or a card with two answers: correct it; nothing was loaded"
                    )
                rows[int(card)] = lacks
    except (OSError, UnicodeDecodeError, csv.Error):
        raise PrakerjaError(f"{file} is not readable as CSV: name a file in UTF-8") from None
    with warehouse.transaction("remind") as connection:
        known = warehouse.execute(connection, "reminders/count_known_cards", card_numbers=list(rows)).scalar_one()
        changed = warehouse.execute(
            connection,
            "reminders/insert_hindrances",
            card_numbers=list(rows),
            lacks=list(rows.values()),
            reported_on=on,
        ).rowcount
    return StepsIntake(len(rows), changed, len(rows) - known)
