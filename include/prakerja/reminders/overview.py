"""What reminder runs came to: everybody who was meant is told, refused for good, suppressed or too late, or is owed."""

from __future__ import annotations

from datetime import date
from typing import Any

from prakerja import warehouse
from prakerja.feeds.overview import mask
from prakerja.programme import programme

#: How it ended for a person, in the order in which it is told; `unsettled` is what is owed.
ENDS = ("targeted", "delivered", "accepted", "suppressed", "permanently_failed", "expired", "unsettled")
CLOSED_LATER = "(never sent again on a guess; closed after the date)"


def list_runs(cohort: int | None = None, remind_on: date | None = None) -> list[dict[str, Any]]:
    """Return every run: its counts of people, its messages by channel, and what it cost (IDR).

    Of each channel: how many messages a provider took or may have taken, under its name, and how many people may have
    been reached, under `unknown_<channel>`.
    """
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "reminders/list_runs", cohort=cohort, remind_on=remind_on)
    return [_run(dict(row)) for row in rows]


def _run(row: dict[str, Any]) -> dict[str, Any]:
    channels = programme().reminders.channels
    billed, unknown = row.pop("billed"), row.pop("unknown")
    run = row | {f"unknown_{channel}": unknown.get(channel, 0) for channel in channels}
    cost_idr = 0
    for name, channel in channels.items():
        messages, units = billed.get(name, (0, 0))
        run[name] = messages if channel.segments_max else units
        if channel.segments_max:
            run["segments"] = run.get("segments", 0) + units
        cost_idr += units * channel.price_idr
    run["remind_on"] = row["remind_on"].isoformat()
    return run | {"status": "partial" if row["unsettled"] else "complete", "cost_idr": cost_idr}


def list_impossible_contacts(cohort: int | None = None, *, is_masked: bool = True) -> list[dict[str, Any]]:
    """Return whose phone or e-mail is none in their cohort's latest run: `cohort`, `card`, `what`; never the value."""
    with warehouse.transaction("remind") as connection:
        rows = warehouse.rows(connection, "reminders/list_impossible_contacts", cohort=cohort)
    cards = [f"{row['card_number']:016d}" for row in rows]
    return [
        {"cohort": row["cohort"], "card": mask("card_number", card) if is_masked else card, "what": row["what"]}
        for row, card in zip(rows, cards, strict=True)
    ]


def owed(run: dict[str, Any]) -> str:
    """What a run still owes, and what may be done about it, in a line; nothing where everybody is accounted for."""
    if not run["unsettled"]:
        return ""
    rules = programme().reminders
    never_again = sum(run[f"unknown_{channel}"] for channel in rules.list_channels("smtp"))
    told = [
        f"{run[name]:,} {what}"
        for name, what in (
            ("queued", "have not left yet"),
            ("temporarily_failed", "have failed for now"),
            *((f"unknown_{channel}", "may have arrived or not") for channel in rules.list_channels("http")),
            *(
                (f"unknown_{channel}", f"may have arrived or not by {rules.channels[channel].label} {CLOSED_LATER}")
                for channel in rules.list_channels("smtp")
            ),
        )
        if run[name]
    ]
    again = f": clear send_reminders, or `prakerja reminders retry {run['cohort']} --on {run['remind_on']}`"
    return (
        f"gelombang-{run['cohort']} H-{run['days_before']} owes {run['unsettled']:,} of {run['targeted']:,}: "
        f"{', '.join(told)}{again if run['unsettled'] > never_again else ''}"
    )


def diagram() -> str:
    """What may become of a message, as a Mermaid state diagram."""
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "reminders/list_transitions")
    lines = [f"    {row['from_state']} --> {row['to_state']}" for row in rows]
    return "\n".join(["stateDiagram-v2", "    [*] --> queued", *lines])


def counts_of(cohort: int, remind_on: date) -> dict[str, int]:
    """One run's counts of people."""
    return {end: run_of(cohort, remind_on)[end] for end in ENDS}


def run_of(cohort: int, remind_on: date) -> dict[str, Any]:
    """One run."""
    (run,) = list_runs(cohort, remind_on)
    return run
