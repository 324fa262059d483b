"""Reminder runs and their results: how the reminder of each recipient ended, and what is still unsettled."""

from __future__ import annotations

from datetime import date
from typing import Any

from prakerja import warehouse
from prakerja.feeds.overview import mask
from prakerja.programme import programme

#: How a reminder ended for a recipient, in the order of the reports; an `unsettled` one has not ended.
ENDS = ("targeted", "delivered", "accepted", "suppressed", "permanently_failed", "expired", "unsettled")
#: A mail server recognizes no repeated key, so a second submission could be a second e-mail.
CLOSED_LATER = "(not sent again, since it could arrive twice; closed after the date)"


def list_runs(cohort: int | None = None, remind_on: date | None = None) -> list[dict[str, Any]]:
    """Return the runs with their counts of recipients, their messages by channel, and their cost (IDR).

    Under a channel's name stand the messages that a provider took or may have taken, under `unknown_<channel>` the
    recipients whose message may have arrived.
    """
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "reminders/list_runs", cohort=cohort, remind_on=remind_on)
    return [_summarize_run(dict(row)) for row in rows]


def _summarize_run(row: dict[str, Any]) -> dict[str, Any]:
    channels = programme().reminders.channels
    billed, unknown = row.pop("billed"), row.pop("unknown")
    run = row | {f"unknown_{channel}": unknown.get(channel, 0) for channel in channels}
    run["segments"] = cost_idr = 0
    for name, channel in channels.items():
        messages, units = billed.get(name, (0, 0))
        run[name] = messages if channel.segments_max else units
        if channel.segments_max:
            run["segments"] += units
        cost_idr += units * channel.price_idr
    run["remind_on"] = row["remind_on"].isoformat()
    return run | {"status": "partial" if row["unsettled"] else "complete", "cost_idr": cost_idr}


def list_impossible_contacts(cohort: int | None = None, *, is_masked: bool = True) -> list[dict[str, Any]]:
    """Return the impossible phones and e-mail addresses of the cohorts' latest runs: `cohort`, `card` and `what`.

    The address itself is never returned.
    """
    with warehouse.transaction("remind") as connection:
        rows = warehouse.rows(connection, "reminders/list_impossible_contacts", cohort=cohort)
    cards = [f"{row['card_number']:016d}" for row in rows]
    return [
        {"cohort": row["cohort"], "card": mask("card_number", card) if is_masked else card, "what": row["what"]}
        for row, card in zip(rows, cards, strict=True)
    ]


def describe_unsettled(run: dict[str, Any]) -> str:
    """Summarize a run's unsettled recipients, and the command that tries them again; empty if there are none."""
    if not run["unsettled"]:
        return ""
    rules = programme().reminders
    never_again = sum(run[f"unknown_{channel}"] for channel in rules.list_channels("smtp"))
    reasons = [
        ("queued", "not sent yet"),
        ("temporarily_failed", "failed temporarily"),
        *((f"unknown_{name}", "may have arrived") for name in rules.list_channels("http")),
        *(
            (f"unknown_{name}", f"may have arrived by {rules.channels[name].label} {CLOSED_LATER}")
            for name in rules.list_channels("smtp")
        ),
    ]
    counts = ", ".join(f"{run[name]:,} {reason}" for name, reason in reasons if run[name])
    again = f": clear send_reminders, or `prakerja reminders retry {run['cohort']} --on {run['remind_on']}`"
    return (
        f"gelombang-{run['cohort']} H-{run['days_before']}: {run['unsettled']:,} of {run['targeted']:,} unsettled: "
        f"{counts}{again if run['unsettled'] > never_again else ''}"
    )


def draw_transitions() -> str:
    """Return the transitions between a message's states as a Mermaid state diagram."""
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "reminders/list_transitions")
    lines = [f"    {row['from_state']} --> {row['to_state']}" for row in rows]
    return "\n".join(["stateDiagram-v2", "    [*] --> queued", *lines])


def count_ends(cohort: int, remind_on: date) -> dict[str, int]:
    """Return a run's counts of recipients by how their reminder ended."""
    run = find_run(cohort, remind_on)
    return {end: run[end] for end in ENDS}


def find_run(cohort: int, remind_on: date) -> dict[str, Any]:
    (run,) = list_runs(cohort, remind_on)
    return run
