"""`prakerja cohorts` and `explain`: where everybody stands, and why."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from prakerja.cli.common import AsJson, lines_of_stdin, print_table, say, today


def cohorts(as_json: AsJson = False) -> None:
    """The cohort table: where each gelombang stands, what was decided, what waits."""
    from prakerja import schema, warehouse
    from prakerja.cohorts import calendar_check, overview
    from prakerja.reminders import overview as reminded

    schema.require_schema()
    table = overview.cohort_table(today())
    runs = reminded.list_runs()
    with warehouse.transaction() as connection:
        problems = calendar_check.list_problems(connection, today())
    if as_json:
        for row in table:
            row["reminder_runs"] = [run for run in runs if run["cohort"] == row["cohort"]]
        typer.echo(json.dumps(table, indent=2))
    else:
        print_cohorts(table)
    told = [problem.text for problem in problems]
    for line in told if as_json else [*told, *waiting(table), *filter(None, map(reminded.describe_unsettled, runs))]:
        say(line)
    if any(problem.kind == "entry_unreadable" for problem in problems):
        raise typer.Exit(1)  # the table lacks a cohort


def explain(
    cards: Annotated[
        list[str], typer.Argument(metavar="CARD...", help="Card numbers; - reads them from standard input.")
    ],
    as_json: AsJson = False,
) -> None:
    """The evidence for recipients, in order of time. The card is not echoed."""
    from prakerja import schema
    from prakerja.cohorts.people import is_card
    from prakerja.revocations import explanation

    schema.require_schema()
    asked = [card for given in cards for card in (lines_of_stdin() if given == "-" else [given])]
    for position, story in enumerate(explanation.explain(asked), 1):
        if as_json:
            typer.echo(json.dumps(story))
        else:
            _print_story(position, story)
    malformed = [n for n, card in enumerate(asked, 1) if not is_card(card)]
    if malformed:
        say(f"no card number (sixteen digits) in place {', '.join(map(str, malformed[:10]))}: check what was asked")
        raise typer.Exit(1)


def print_cohorts(table: list[dict[str, Any]]) -> None:
    from rich.table import Table

    counts = (
        "selected",
        "purchased",
        "held",
        "at_risk",
        "overdue",
        "excluded",
        "revoked",
        "reinstated",
        "reinstatements_proposed",
        "cases",
        "reminded",
    )
    titles = {"reinstatements_proposed": "proposed", "at_risk": "at risk"}
    shown = Table("gelombang", "deadline", "status")
    for name in counts:
        shown.add_column(titles.get(name, name), justify="right")
    for row in table:
        shown.add_row(str(row["cohort"]), row["deadline_on"], row["status"], *(f"{row[name]:,}" for name in counts))
    print_table(shown)


def waiting(table: list[dict[str, Any]]) -> list[str]:
    """What blocks cohorts, and what they wait for, a line each."""
    lines = []
    for row in table:
        if row["status"] == "blocked":
            lines.append(f"gelombang-{row['cohort']} is blocked: {row['reason']}: {row['detail']}")
        elif row.get("reason") == "feeds_arrived":
            lines.append(f"gelombang-{row['cohort']} is not decided yet: {row['detail']}")
        elif row["missing_feeds"]:
            owed = row["missing_feeds"]
            more = f" and {len(owed) - 5} more" if len(owed) > 5 else ""
            lines.append(f"gelombang-{row['cohort']} waits for {', '.join(owed[:5])}{more}")
    return lines


def _print_story(position: int, story: dict[str, Any]) -> None:
    from rich.table import Table

    where = f"gelombang-{story['cohort']}" if story["cohort"] is not None else "no cohort"
    by = story.get("spared_by")
    row = f", by {by['platform']} {by['business_date']} revision {by['revision']}, line {by['line']}" if by else ""
    typer.echo(f"{position}. {where}: {story['state']} ({story['because']}{row})")
    if not story["events"]:
        return
    table = Table("at (WIB)", "what", "evidence")
    for event in story["events"]:
        at = event["at"].removesuffix("+07:00").replace("T", " ")
        told = ", ".join(
            f"{key} {_in_words(value)}"
            for key, value in event.items()
            if key not in {"at", "what"} and value is not None and (key != "about_on" or value != at[:10])
        )
        table.add_row(at, event["what"], told)
    print_table(table)


def _in_words(value: Any) -> str:
    """A fact as a person reads it: lists apart by semicolons, what has parts in brackets, without what is not there."""
    if isinstance(value, list):
        return "; ".join(map(_in_words, value))
    if isinstance(value, dict):
        parts = [f"{name} {_in_words(each)}" for name, each in value.items() if each is not None]
        return f"({', '.join(parts)})"
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
