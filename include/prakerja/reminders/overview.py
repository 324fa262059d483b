"""What reminder runs came to: everybody who was meant is told, refused for good, suppressed or too late, or is owed."""

from __future__ import annotations

from datetime import date
from typing import Any

from prakerja import warehouse
from prakerja.settings import program

#: How it ended for a person, in the order in which it is told; `unsettled` is what is owed.
ENDS = ("targeted", "delivered", "accepted", "suppressed", "permanently_failed", "expired", "unsettled")


def list_runs(cohort: int | None = None, remind_on: date | None = None) -> list[dict[str, Any]]:
    """Every run: its counts of people, what is owed by kind, and what it cost (IDR)."""
    rules = program()["reminders"]
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "reminders/list_runs", cohort=cohort, remind_on=remind_on)
    return [
        {
            **row,
            "remind_on": row["remind_on"].isoformat(),
            "status": "partial" if row["unsettled"] else "complete",
            "cost_idr": row["segments"] * rules["sms"]["segment_idr"] + row["email"] * rules["email"]["message_idr"],
        }
        for row in rows
    ]


def partial(runs: list[dict[str, Any]]) -> list[str]:
    """Of these runs those that owe somebody something, a line each."""
    return [
        f"gelombang-{run['cohort']} H-{run['days_before']} is partial: of {run['targeted']:,} "
        f"{run['temporarily_failed']:,} have failed for now, of {run['unknown']:,} nobody knows: "
        f"prakerja reminders retry {run['cohort']} --on {run['remind_on']}"
        for run in runs
        if run["unsettled"]
    ]


def diagram() -> str:
    """What may become of a message, as a Mermaid state diagram."""
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "reminders/list_transitions")
    lines = [f"    {row['from_state']} --> {row['to_state']}" for row in rows]
    return "\n".join(["stateDiagram-v2", "    [*] --> queued", *lines])


def counts_of(cohort: int, remind_on: date) -> dict[str, int]:
    """One run's counts of people."""
    (row,) = list_runs(cohort, remind_on)
    return {end: row[end] for end in ENDS}
