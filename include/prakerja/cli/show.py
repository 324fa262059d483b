"""`prakerja cohorts` and `explain`: the standing of cohorts and of recipients, with its reasons."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from prakerja.cli.common import AsJson, lines_of_stdin, print_table, say, today


def cohorts(as_json: AsJson = False) -> None:
    """Show the cohort table: the standing of each gelombang, its decision, and what it waits for."""
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
    lines = [problem.text for problem in problems]
    if not as_json:
        lines += [*waiting(table), *filter(None, map(reminded.describe_unsettled, runs))]
    for line in lines:
        say(line)
    if any(problem.kind == "entry_unreadable" for problem in problems):
        raise typer.Exit(1)  # a cohort is missing from the table


def explain(
    cards: Annotated[
        list[str], typer.Argument(metavar="CARD...", help="Card numbers; - reads them from standard input, one a line.")
    ],
    as_json: AsJson = False,
) -> None:
    """Explain the standing of recipients by the evidence, in order of time. Card numbers are not printed."""
    from prakerja import schema
    from prakerja.cohorts.people import is_card
    from prakerja.revocations import explanation

    schema.require_schema()
    numbers = [card for argument in cards for card in (lines_of_stdin() if argument == "-" else [argument])]
    for position, story in enumerate(explanation.explain(numbers), 1):
        if as_json:
            typer.echo(json.dumps(story))
        else:
            _print_story(position, story)
    malformed = [position for position, card in enumerate(numbers, 1) if not is_card(card)]
    if malformed:
        positions = ", ".join(map(str, malformed[:10]))
        say(f"not a card number (sixteen digits) at position {positions}: correct the input")
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
    printed = Table("gelombang", "deadline", "status")
    for name in counts:
        printed.add_column(titles.get(name, name), justify="right")
    for row in table:
        printed.add_row(str(row["cohort"]), row["deadline_on"], row["status"], *(f"{row[name]:,}" for name in counts))
    print_table(printed)


def waiting(table: list[dict[str, Any]]) -> list[str]:
    """Return a line for each cohort that is blocked or waits for something."""
    lines = []
    for row in table:
        if row["status"] == "blocked":
            lines.append(f"gelombang-{row['cohort']} is blocked: {row['reason']}: {row['detail']}")
        elif row.get("reason") == "feeds_arrived":
            lines.append(f"gelombang-{row['cohort']} is not decided yet: {row['detail']}")
        elif row["missing_feeds"]:
            missing = row["missing_feeds"]
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            lines.append(f"gelombang-{row['cohort']} waits for {', '.join(missing[:5])}{more}")
    return lines


def _print_story(position: int, story: dict[str, Any]) -> None:
    from rich.table import Table

    cohort = f"gelombang-{story['cohort']}" if story["cohort"] is not None else "no cohort"
    row = story.get("spared_by")
    place = (
        f", by {row['platform']} {row['business_date']} revision {row['revision']}, line {row['line']}" if row else ""
    )
    typer.echo(f"{position}. {cohort}: {story['state']} ({story['because']}{place})")
    if not story["events"]:
        return
    table = Table("at (WIB)", "what", "evidence")
    for event in story["events"]:
        at = event["at"].removesuffix("+07:00").replace("T", " ")
        evidence = ", ".join(
            f"{key} {_format_value(value)}"
            for key, value in event.items()
            if key not in {"at", "what"} and value is not None and (key != "about_on" or value != at[:10])
        )
        table.add_row(at, event["what"], evidence)
    print_table(table)


def _format_value(value: Any) -> str:
    """Format a value for a person: a list with semicolons, a mapping in brackets without what is null."""
    if isinstance(value, list):
        return "; ".join(map(_format_value, value))
    if isinstance(value, dict):
        parts = [f"{name} {_format_value(part)}" for name, part in value.items() if part is not None]
        return f"({', '.join(parts)})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
