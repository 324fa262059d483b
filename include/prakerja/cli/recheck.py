"""`prakerja recheck`: the published list against a second reading of the files, person by person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from prakerja.cli.common import AsJson, print_table, say, say_progress, today
from prakerja.errors import PrakerjaError

SHOWN = 20


def recheck(
    cohorts: Annotated[list[int] | None, typer.Argument(metavar="[COHORT...]", help="Default: all decided.")] = None,
    export_facts: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Write the facts that an auditor needs, and check nothing."),
    ] = None,
    landing: Annotated[str | None, typer.Option(metavar="DIR", help="The landing zone.")] = None,
    calendar: Annotated[Path | None, typer.Option(metavar="FILE", help="The calendar.")] = None,
    facts: Annotated[Path | None, typer.Option(metavar="FILE", help="An export of the facts.")] = None,
    published: Annotated[str | None, typer.Option("--list", metavar="DIR", help="The published list.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check the published list by a second reading of the files, person by person.

    Without options it goes by this system's warehouse. With --landing, --calendar, --facts and --list it needs none:
    an auditor who has these, and the subjects' key in PRAKERJA_SUBJECT_KEY, checks the list alone.
    """
    from prakerja.blacklist.publisher import rechecking

    given = (landing, calendar, facts, published)
    if any(given) and (not all(given) or export_facts):
        raise typer.BadParameter("an auditor gives all four: --landing, --calendar, --facts and --list")
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
        raise PrakerjaError("PRAKERJA_SUBJECT_KEY is not set: the list names nobody but by this key")
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
    beside = target.with_name(f"{target.name}.part")
    with beside.open("w", encoding="utf-8") as written:
        written.writelines(lines)
    beside.replace(target)
    say(f"the facts of {len(cohorts)} cohorts are in {target}: see docs/checking-the-list.md for what else it takes")


def _show(done: int, of: int, platform: str) -> None:
    if done == of or done % 100 == 0:
        say_progress(f"read {done:,} of {of:,} deliveries ({platform})")


def _print(report: Any, *, as_json: bool) -> None:
    from rich.table import Table

    if as_json:
        found = {
            "counts": {str(cohort): dict(counts) for cohort, counts in report.counts.items()},
            "differences": [each._asdict() for each in report.differences],
        }
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("gelombang", "people", "")
    for cohort, counts in report.counts.items():
        for what, people in counts.items():
            table.add_row(str(cohort), f"{people:,}", what)
    print_table(table)
    if not report.differences:
        typer.echo("the list says what the files say")
        return
    table = Table("gelombang", "line", "decision", "the second reading says")
    for each in report.differences[:SHOWN]:
        table.add_row(str(each.cohort), str(each.line or ""), each.decision_id, each.what)
    print_table(table)
    more = f", the first {SHOWN} of them above" if len(report.differences) > SHOWN else ""
    say(f"{len(report.differences):,} differences{more}: see docs/runbooks/second_reading.md")
