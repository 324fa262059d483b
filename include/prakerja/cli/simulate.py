"""`prakerja simulate`, `replay` and `sandbox`: the past, and what never was, played for real."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from prakerja.cli.common import console, numbers, say, say_progress
from prakerja.cli.show import print_cohorts, waiting
from prakerja.settings import Settings


def simulate(
    out: Annotated[Path, typer.Option(help="The folder to write: landing/, calendar.yaml, expected.json.")],
    cohorts: Annotated[str, typer.Option(help="Cohorts of the calendar, as 12,13.")] = "12,13",
    scale: Annotated[float, typer.Option(min=0.00001, max=1, help="Share of the cohorts' real size.")] = 0.01,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 7,
    nasty: Annotated[bool, typer.Option(help="With damaged, late, restated, doubtful and borderline rows.")] = False,
) -> None:
    """Write a world: a landing zone, its calendar, and what must come out of it."""
    from prakerja.simulation import world

    written = world.write(numbers(cohorts), scale, seed, out, is_nasty=nasty, progress=say_progress)
    typer.echo(f"{out}: {written.recipients:,} recipients, {written.deliveries} deliveries, {written.rows:,} rows")


def replay(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day to play (WIB).")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day to play.")],
    cohorts: Annotated[str | None, typer.Option(help="Only the runs of these cohorts, as 12,13.")] = None,
    approve_as: Annotated[
        str | None, typer.Option(help="Approve in advance, as NAME: where approvals are not signed.")
    ] = None,
) -> None:
    """Run the real DAGs over the landing zone for past days, in order; print the cohort table."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    for day, option in ((first, "--from"), (last, "--to")):
        if not 2000 <= day.year <= 2100:
            raise typer.BadParameter(f"{day:%Y-%m-%d} is not in this century", param_hint=option)
    if last < first:
        raise typer.BadParameter(f"{last:%Y-%m-%d} is before {first:%Y-%m-%d}", param_hint="--to")
    wanted = None if cohorts is None else numbers(cohorts)
    columns = (
        TextColumn("replaying {task.fields[day]}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[run]}", markup=False),
    )
    # Drawn once a second: ten times takes a fiftieth of a replay.
    with Progress(*columns, console=console(stderr=True), refresh_per_second=1) as bar:
        task = bar.add_task("", total=(last - first).days + 1, day=first.date(), run="starting")
        from prakerja.replay import days

        played = days.play(
            first.date(),
            last.date(),
            wanted,
            approve_as,
            lambda day, run: bar.update(task, completed=(day - first.date()).days, day=day, run=run),
        )
        bar.update(task, completed=(last - first).days + 1, day=last.date(), run=f"{played.runs} runs")
    from prakerja.cohorts import overview

    table = [
        row
        for row in overview.cohort_table()
        if (row["cohort"] in wanted if wanted else row["cohort"] in played.cohorts or row["selected"])
    ]
    print_cohorts(table)
    _print_published()
    problems = days.problems(played, table, last.date())
    for line in dict.fromkeys([*problems, *waiting(table)]):
        say(line)
    if problems:
        raise typer.Exit(1)


def sandbox(
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the SMS gateway and the page.")] = 8095,
    smtp_port: Annotated[int, typer.Option(min=1, max=65535, help="Of the mail server.")] = 8025,
) -> None:
    """Run an SMS gateway and a mail server that deliver to nobody; their inbox is a page."""
    from prakerja.reminders.sms_providers import load_receipt_secrets
    from prakerja.sandbox import running
    from prakerja.sandbox.addresses import Addresses

    settings = Settings.from_environment()
    at = Addresses.from_ports("127.0.0.1" if host == "0.0.0.0" else host, port, smtp_port)  # noqa: S104
    say(f"the sandbox's inbox: {at.page}   (Ctrl-C stops it)")
    say("for whoever sends:")
    for name, url in at.variables.items():
        say(f"  export {name}={url}")
    inbox, secrets = settings.make_home() / "inbox.sqlite", load_receipt_secrets()
    running.serve(inbox, secrets, host, port, smtp_port, settings.receipts_url)


def _print_published() -> None:
    from prakerja.blacklist import sources, verification
    from prakerja.errors import NotReadyError

    try:
        root = sources.folder_of(Settings.from_environment().publish)
    except NotReadyError:
        say("no list is published yet")
        return
    manifest = verification.latest(root).manifest
    typer.echo(
        f"published: version {manifest.version} of the blacklist, {manifest.counts.entries:,} entries, in {root}"
    )
