"""`prakerja recheck`: check the published list by a second reading of the files, person by person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from prakerja import atomic_files
from prakerja.cli.common import AsJson, print_table, say, say_progress, today
from prakerja.errors import PrakerjaError

SHOWN = 20


def recheck(
    cohorts: Annotated[
        list[int] | None, typer.Argument(metavar="[COHORT...]", help="The cohorts to check; default all decided.")
    ] = None,
    export_facts: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Write the facts that an auditor needs, and check nothing."),
    ] = None,
    landing: Annotated[str | None, typer.Option(metavar="DIR", help="An auditor's copy of the landing zone.")] = None,
    calendar: Annotated[Path | None, typer.Option(metavar="FILE", help="An auditor's copy of the calendar.")] = None,
    facts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The facts that --export-facts has written.")
    ] = None,
    published: Annotated[
        str | None, typer.Option("--list", metavar="DIR", help="An auditor's copy of the published list.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the published list by a second reading of the files, person by person.

    Without options, the facts come from this system's warehouse. With --landing, --calendar, --facts and --list, an
    auditor checks the list without a warehouse; the subjects' key must be in PRAKERJA_SUBJECT_KEY.
    """
    from prakerja.blacklist.publisher import rechecking

    given = (landing, calendar, facts, published)
    if any(given) and (not all(given) or export_facts):
        raise typer.BadParameter("give all four or none: --landing, --calendar, --facts and --list")
    if landing and calendar and facts and published:
        report = _check_as_auditor(landing, calendar, facts, published, cohorts)
    else:
        from prakerja import schema

        schema.require_schema()
        decided = rechecking.decided_cohorts()
        if unknown := sorted(set(cohorts or []) - set(decided)):
            raise PrakerjaError(f"gelombang-{unknown[0]} is not decided: see `prakerja cohorts`")
        if not decided:
            raise PrakerjaError("no cohort is decided: there is nothing to check")
        if export_facts:
            _export(export_facts, cohorts or decided)
            return
        report = rechecking.check_own(cohorts or decided, today(), _show)
    _print(report, as_json=as_json)
    if report.differences:
        raise typer.Exit(1)


def _check_as_auditor(landing: str, calendar: Path, facts: Path, published: str, cohorts: list[int] | None) -> Any:
    from prakerja.blacklist.publisher import configured_keys, rechecking, storage
    from prakerja.keys import KeyStore
    from prakerja.landing import landing_zone

    if not KeyStore.from_environment().has_subject_key():
        raise PrakerjaError("PRAKERJA_SUBJECT_KEY is not set: the subjects of the list are NIKs digested by this key")
    try:
        with facts.open(encoding="utf-8") as lines:
            return rechecking.check(
                landing_zone(landing),
                calendar,
                lines,
                storage.find_list(published),
                configured_keys.load_subject_key(),
                cohorts,
                _show,
            )
    except (OSError, UnicodeDecodeError):
        raise PrakerjaError(f"{facts} cannot be read: give the file that `recheck --export-facts` wrote") from None


def _export(file: str, cohorts: list[int]) -> None:
    from prakerja.blacklist.publisher import rechecking

    lines = rechecking.export_facts(cohorts, today())
    if file == "-":
        for line in lines:
            typer.echo(line, nl=False)
        return
    target = Path(file)
    with atomic_files.open_replacement(target) as written:
        written.writelines(line.encode() for line in lines)
    say(f"the facts of {len(cohorts)} cohorts are in {target}: docs/checking-the-list.md lists what else is needed")


def _show(done: int, total: int, platform: str) -> None:
    if done == total or done % 100 == 0:
        say_progress(f"read {done:,} of {total:,} deliveries ({platform})")


def _print(report: Any, *, as_json: bool) -> None:
    from rich.table import Table

    if as_json:
        mapping = {
            "counts": {str(cohort): dict(counts) for cohort, counts in report.counts.items()},
            "differences": [difference._asdict() for difference in report.differences],
        }
        typer.echo(json.dumps(mapping, indent=2))
        return
    table = Table("gelombang", "people", "")
    for cohort, counts in report.counts.items():
        for what, people in counts.items():
            table.add_row(str(cohort), f"{people:,}", what)
    print_table(table)
    if not report.differences:
        typer.echo("the list agrees with the files")
        return
    table = Table("gelombang", "line", "decision", "the second reading says")
    for difference in report.differences[:SHOWN]:
        table.add_row(str(difference.cohort), str(difference.line or ""), difference.decision_id, difference.what)
    print_table(table)
    more = f", the first {SHOWN} of them above" if len(report.differences) > SHOWN else ""
    say(f"{len(report.differences):,} differences{more}: see docs/runbooks/second_reading.md")
