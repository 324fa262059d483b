"""`prakerja reminders` and `receipts`: who is written to, what it came to, and what comes back."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from prakerja.cli.common import AsJson, Card, ListByDefault, Name, answered, print_table, say, today
from prakerja.errors import PrakerjaError

app = typer.Typer(cls=ListByDefault, help="Reminders: what they came to, what they would say, who wants none.")

Cohort = Annotated[int, typer.Argument(metavar="COHORT")]
RemindOn = Annotated[datetime, typer.Option("--on", formats=["%Y-%m-%d"], help="The reminder date (WIB).")]


@app.command("list")
def list_(
    cohort: Annotated[int | None, typer.Argument(metavar="[COHORT]", help="Only this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """The reminder runs: how it ended for everybody who was meant, and what it cost."""
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
    cohort: Annotated[int | None, typer.Argument(metavar="[COHORT]", help="Only this one.")] = None,
    unmask: Annotated[bool, typer.Option("--unmask", help="Show cards: they are personal data.")] = False,
    as_json: AsJson = False,
) -> None:
    """Whose phone number or e-mail address is none, by the cohort's latest reminder. `prakerja correct` corrects it."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.reminders import overview

    schema.require_schema()
    found = overview.list_impossible_contacts(cohort, is_masked=not unmask)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("gelombang", "card", "what is none")
    for each in found:
        table.add_row(str(each["cohort"]), each["card"], each["what"])
    print_table(table)
    typer.echo(f"{len(found):,} {'contact is' if len(found) == 1 else 'contacts are'} none")


@app.command("preview")
def preview(number: Cohort, on: RemindOn) -> None:
    """What a reminder would say, to how many, by which channel, at what cost. Nothing is sent or written."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.reminders import preview as previews

    cohort, remind_on = _cohort_on(number, on.date()), on.date()
    schema.require_schema()
    found = previews.preview(cohort, remind_on, today())
    table = Table(
        "channel", "wording", "lacks", "people", "segments", "cost (Rp)", title=f"gelombang-{number} on {remind_on}"
    )
    for row in found.rows:
        table.add_row(
            row.channel if row.refused is None else f"none: {row.refused}",
            row.template, row.lacks, f"{row.people:,}", str(row.segments or ""), f"{row.cost_idr:,}",
        )  # fmt: skip
    print_table(table)
    typer.echo(f"{found.people:,} people, {found.messages:,} messages, Rp {found.cost_idr:,}; texts {found.texts}")
    for title, text in found.texts_shown.items():
        typer.echo(f"\n{title}\n{text}")


@app.command("retry")
def retry(number: Cohort, on: RemindOn) -> None:
    """Send what of a run has failed for now, and nothing else: as clearing its task does."""
    from prakerja import schema
    from prakerja.reminders import sending
    from prakerja.reminders.channels import Accounts
    from prakerja.settings import WIB

    cohort = _cohort_on(number, today())
    schema.require_schema()
    if not _was_begun(number, on.date()):
        raise PrakerjaError(f"gelombang-{number} has no reminder run on {on.date()}: see `prakerja reminders`")
    progress = sending.send_reminders(
        cohort, on.date(), Accounts.from_environment(), lambda: datetime.now(WIB), is_retry=True
    )
    typer.echo(", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in progress.counts.items() if count))
    later = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in progress.waiting.items() if count)
    if later:
        say(f"not all yet: {later}; run it again later")
        raise typer.Exit(1)


@app.command("answers")
def answers() -> None:
    """What the answers and receipts of mail servers and SMS providers mean, as tables in Markdown."""
    from prakerja.reminders import answer_tables

    typer.echo(answer_tables.page())


@app.command("opt-out")
def opt_out(
    card: Card,
    name: Name,
    channel: Annotated[str, typer.Option(help="sms, email, or both: every channel.")] = "both",
    undo: Annotated[bool, typer.Option("--undo", help="They want reminders again.")] = False,
) -> None:
    """Somebody wants no reminders (or wants them again). Their deadline stays as it is."""
    from prakerja import schema
    from prakerja.programme import programme
    from prakerja.reminders import preferences

    channels = list(programme().reminders.channels)
    if channel not in (*channels, "both"):
        raise typer.BadParameter(f"{', '.join(channels)} or both", param_hint="--channel")
    _, name = answered("asked", name, "appeals")
    schema.require_schema()
    chosen = channels if channel == "both" else [channel]
    preferences.record_opt_out(card, chosen, is_opted_out=not undo, on=today(), recorded_by=name)
    typer.echo("reminders again" if undo else f"no more reminders by {' and '.join(chosen)}")


@app.command("lacks")
def lacks(file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV: card_number,lacks")]) -> None:
    """What recipients still lack, by the dashboard (videos, password, steps, nothing): reminders say what helps."""
    from prakerja import schema
    from prakerja.reminders import preferences

    schema.require_schema()
    taken = preferences.load_missing_steps(file, today())
    typer.echo(f"{taken.rows:,} rows, {taken.changed:,} changes")
    if taken.unknown:
        say(f"{taken.unknown:,} cards stand in no roster: they are left out")
        raise typer.Exit(1)


def receipts(
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8096,
) -> None:
    """Take in the providers' receipts, signed, and recipients who unsubscribe; PRAKERJA_RECEIPTS_URL is its address."""
    from prakerja import schema, serving
    from prakerja.reminders import receipts as service

    service.require_address()
    schema.require_schema()
    say(f"receipts are taken in at http://{host}:{port}/v1/receipts/PROVIDER   (Ctrl-C stops it)")
    serving.serve(service.application(), host, port)


def _cohort_on(number: int, day: date) -> Any:
    from prakerja.calendar import find_cohort

    return find_cohort(number).as_known_on(day)


def _was_begun(cohort: int, remind_on: date) -> bool:
    from prakerja.reminders import overview

    return bool(overview.list_runs(cohort, remind_on))
