"""`prakerja reminders` and `receipts`: reminder runs, their messages, and the providers' receipts."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from prakerja.cli.common import AsJson, Card, ListByDefault, Name, print_table, reason_and_person, say, today
from prakerja.errors import PrakerjaError

app = typer.Typer(cls=ListByDefault, help="List, preview and retry reminders; record opt-outs and missing steps.")

Cohort = Annotated[int, typer.Argument(metavar="COHORT", help="The number of the cohort.")]
RemindOn = Annotated[datetime, typer.Option("--on", formats=["%Y-%m-%d"], help="The reminder date (WIB).")]


@app.command("list")
def list_(
    cohort: Annotated[int | None, typer.Argument(metavar="[COHORT]", help="Only this cohort; default all.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the reminder runs: how many recipients were reached, how the others ended, and the cost."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.programme import programme
    from prakerja.reminders import overview

    schema.require_schema()
    runs = overview.list_runs(cohort)
    if as_json:
        typer.echo(json.dumps(runs, indent=2))
        return
    table = Table("gelombang", "date", "status")
    columns: tuple[str, ...] = overview.ENDS
    columns = (*columns, *programme().reminders.channels, "cost_idr")
    for name in columns:
        table.add_column(name.replace("_", " ").replace("idr", "(Rp)"), justify="right")
    for run in runs:
        counts = (f"{run[name]:,}" for name in columns)
        table.add_row(str(run["cohort"]), f"H-{run['days_before']}  {run['remind_on']}", run["status"], *counts)
    print_table(table)
    for line in filter(None, map(overview.describe_unsettled, runs)):
        say(line)


@app.command("unreachable")
def unreachable(
    cohort: Annotated[int | None, typer.Argument(metavar="[COHORT]", help="Only this cohort; default all.")] = None,
    unmask: Annotated[bool, typer.Option("--unmask", help="Show card numbers: they are personal data.")] = False,
    as_json: AsJson = False,
) -> None:
    """List invalid phone numbers and e-mail addresses, by each cohort's latest reminder.

    `prakerja correct` corrects them.
    """
    from rich.table import Table

    from prakerja import schema
    from prakerja.reminders import overview

    schema.require_schema()
    contacts = overview.list_impossible_contacts(cohort, is_masked=not unmask)
    if as_json:
        typer.echo(json.dumps(contacts, indent=2))
        return
    table = Table("gelombang", "card", "invalid contact")
    for contact in contacts:
        table.add_row(str(contact["cohort"]), contact["card"], contact["what"])
    print_table(table)
    typer.echo(f"{len(contacts):,} {'contact is' if len(contacts) == 1 else 'contacts are'} invalid")


@app.command("preview")
def preview(number: Cohort, on: RemindOn) -> None:
    """Preview a reminder: its texts, channels, number of messages and cost. No message is sent or recorded."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.reminders import preview as previews

    cohort, remind_on = _cohort_on(number, on.date()), on.date()
    schema.require_schema()
    shown = previews.preview(cohort, remind_on, today())
    table = Table(
        "channel", "wording", "lacks", "people", "segments", "cost (Rp)", title=f"gelombang-{number} on {remind_on}"
    )
    for row in shown.rows:
        table.add_row(
            row.channel if row.refused is None else f"none: {row.refused}",
            row.template, row.lacks, f"{row.people:,}", str(row.segments or ""), f"{row.cost_idr:,}",
        )  # fmt: skip
    print_table(table)
    typer.echo(f"{shown.people:,} people, {shown.messages:,} messages, Rp {shown.cost_idr:,}; texts {shown.texts}")
    for title, text in shown.texts_shown.items():
        typer.echo(f"\n{title}\n{text}")


@app.command("retry")
def retry(number: Cohort, on: RemindOn) -> None:
    """Send again what failed temporarily in a run, and nothing else. Clearing the run's task does the same."""
    from prakerja import schema
    from prakerja.reminders import sending
    from prakerja.reminders.channels import Accounts
    from prakerja.settings import WIB

    cohort = _cohort_on(number, today())
    schema.require_schema()
    if not _has_run(number, on.date()):
        raise PrakerjaError(f"gelombang-{number} has no reminder run on {on.date()}: see `prakerja reminders`")
    progress = sending.send_reminders(
        cohort, on.date(), Accounts.from_environment(), lambda: datetime.now(WIB), is_retry=True
    )
    typer.echo(", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in progress.counts.items() if count))
    later = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in progress.waiting.items() if count)
    if later:
        say(f"not complete yet: {later}; run the command again later")
        raise typer.Exit(1)


@app.command("answers")
def answers() -> None:
    """Print what the answers and receipts of mail servers and SMS providers mean, as tables in Markdown."""
    from prakerja.reminders import answer_tables

    typer.echo(answer_tables.page())


@app.command("opt-out")
def opt_out(
    card: Card,
    name: Name,
    channel: Annotated[str, typer.Option(help="The channel: sms, email, or both: every channel.")] = "both",
    undo: Annotated[bool, typer.Option("--undo", help="Send reminders again.")] = False,
) -> None:
    """Record that a recipient wants no reminders, or wants them again. The deadline does not change."""
    from prakerja import schema
    from prakerja.programme import programme
    from prakerja.reminders import preferences

    channels = list(programme().reminders.channels)
    if channel not in (*channels, "both"):
        raise typer.BadParameter(f"{', '.join(channels)} or both", param_hint="--channel")
    _, name = reason_and_person("asked", name, "appeals")
    schema.require_schema()
    chosen = channels if channel == "both" else [channel]
    preferences.record_opt_out(card, chosen, is_opted_out=not undo, on=today(), recorded_by=name)
    typer.echo("reminders again" if undo else f"no more reminders by {' and '.join(chosen)}")


@app.command("lacks")
def lacks(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file with the columns card_number,lacks.")],
) -> None:
    """Load the recipients' missing steps from the dashboard: videos, password, steps, nothing.

    Reminders then say which step is missing.
    """
    from prakerja import schema
    from prakerja.reminders import preferences

    schema.require_schema()
    result = preferences.load_missing_steps(file, today())
    typer.echo(f"{result.rows:,} rows, {result.changed:,} changes")
    if result.unknown:
        say(f"{result.unknown:,} cards are in no roster: they were skipped")
        raise typer.Exit(1)


def receipts(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8096,
) -> None:
    """Receive the providers' signed receipts and recipients' unsubscriptions at PRAKERJA_RECEIPTS_URL."""
    from prakerja import schema, serving, warehouse
    from prakerja.reminders import receipts as service

    service.require_address()
    schema.require_schema()
    warehouse.require_duties("receive")
    say(f"receiving receipts: http://{host}:{port}/v1/receipts/PROVIDER   (Ctrl-C stops it)")
    serving.serve(service.application(), host, port)


def _cohort_on(number: int, day: date) -> Any:
    from prakerja.calendar import find_cohort

    return find_cohort(number).as_known_on(day)


def _has_run(cohort: int, remind_on: date) -> bool:
    from prakerja.reminders import overview

    return bool(overview.list_runs(cohort, remind_on))
