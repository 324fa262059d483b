"""`prakerja simulate`, `replay` and `sandbox`: run the real system on simulated or past days."""

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
    cohorts: Annotated[str, typer.Option(help="Cohorts of the calendar, e.g. 12,13.")] = "12,13",
    scale: Annotated[float, typer.Option(min=0.00001, max=1, help="The share of the cohorts' real size.")] = 0.01,
    seed: Annotated[int, typer.Option(help="The seed. The same seed writes the same world.")] = 7,
    nasty: Annotated[bool, typer.Option(help="Include damaged, late, restated, doubtful and borderline rows.")] = False,
) -> None:
    """Write a simulated world: a landing zone, its calendar, and the expected results."""
    from prakerja.simulation import world

    written = world.write(numbers(cohorts), scale, seed, out, is_nasty=nasty, progress=say_progress)
    typer.echo(f"{out}: {written.recipients:,} recipients, {written.deliveries} deliveries, {written.rows:,} rows")


def replay(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day to play (WIB).")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day to play (WIB).")],
    cohorts: Annotated[str | None, typer.Option(help="Only the runs of these cohorts, e.g. 12,13.")] = None,
    approve_as: Annotated[
        str | None,
        typer.Option(help="Approve each batch as this person, in advance. Only where approvals are not signed."),
    ] = None,
) -> None:
    """Run the real DAGs over the landing zone for past days, in order, and print the cohort table."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    for day, option in ((first, "--from"), (last, "--to")):
        if not 2000 <= day.year <= 2100:
            raise typer.BadParameter(f"{day:%Y-%m-%d} is not between 2000 and 2100", param_hint=option)
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
    # Drawn once a second: drawing it ten times a second takes a fiftieth of a replay.
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
    problems = days.list_problems(played, table, last.date())
    for line in dict.fromkeys([*problems, *waiting(table)]):
        say(line)
    if problems:
        raise typer.Exit(1)


def sandbox(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port of the SMS gateway and of the inbox.")] = 8095,
    smtp_port: Annotated[int, typer.Option(min=1, max=65535, help="The port of the mail server.")] = 8025,
) -> None:
    """Run an SMS gateway and a mail server that deliver nothing, and show their inbox as a page."""
    from prakerja.reminders.sms_providers import load_receipt_secrets
    from prakerja.sandbox import running
    from prakerja.sandbox.addresses import Addresses

    settings = Settings.from_environment()
    local_host = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104
    addresses = Addresses.from_ports(local_host, port, smtp_port)
    say(f"the sandbox's inbox: {addresses.page}   (Ctrl-C stops it)")
    say("to send to it:")
    for name, url in addresses.variables.items():
        say(f"  export {name}={url}")
    inbox, secrets = settings.make_home() / "inbox.sqlite", load_receipt_secrets()
    running.serve(inbox, secrets, host, port, smtp_port, settings.receipts_url)


def _print_published() -> None:
    from prakerja.blacklist.publisher import storage, verification
    from prakerja.errors import NotReadyError

    try:
        root = storage.find_list(Settings.from_environment().publish)
    except NotReadyError:
        say("no list is published yet")
        return
    manifest = verification.latest_version(root).manifest
    typer.echo(
        f"published: version {manifest.version} of the blacklist, {manifest.counts.entries:,} entries, in {root}"
    )
