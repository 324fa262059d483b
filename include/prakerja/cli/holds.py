"""`prakerja holds`: list and resolve holds."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from prakerja.cli.common import AsJson, Because, Card, ListByDefault, Name, print_table, reason_and_person, today

app = typer.Typer(cls=ListByDefault, help="List and resolve holds: people who are not revoked while in doubt.")


@app.command("list")
def list_(
    cohort: Annotated[int | None, typer.Argument(metavar="[COHORT]", help="Only this cohort; default all.")] = None,
    unmask: Annotated[
        bool, typer.Option("--unmask", help="Show cards and values as delivered: they are personal data.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the held people: the reason, the row behind it, and the resolution. Cards are masked."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.calendar import find_cohort
    from prakerja.revocations.holds import list_holds

    if cohort is not None:
        find_cohort(cohort)  # refuses a number that is not in the calendar
    schema.require_schema()
    holds = list_holds(cohort, is_masked=not unmask)
    if as_json:
        typer.echo(json.dumps(holds, indent=2))
        return
    table = Table("gelombang", "card", "because", "row", "reasons", "state", "resolved by")
    for hold in holds:
        row, resolution = hold["row"], hold["resolution"]
        table.add_row(
            str(hold["cohort"]),
            hold["card"],
            _describe_reason(hold),
            f"{row['platform']} {row['business_date']} r{row['revision']}, line {row['line']}" if row else "",
            ", ".join(row["reasons"]) if row else "",
            hold["state"],
            f"{resolution['resolved_by']}: {resolution['because']}" if resolution else "",
        )
    print_table(table)
    unresolved = sum(hold["state"] in {"open", "resolvable"} for hold in holds)
    typer.echo(f"{len(holds):,} held, {unresolved:,} of them unresolved")


def _describe_reason(hold: dict[str, Any]) -> str:
    """Describe why a person is held: where two readings differ, with the outcome and the row of each."""
    from prakerja.revocations.second_reading import describe_row

    readings = hold["readings"] or {}
    lines = [f"{which}: {reading['outcome']}{describe_row(reading)}" for which, reading in readings.items()]
    return "\n".join([hold["because"], *lines])


@app.command("resolve")
def resolve(
    card: Card,
    because: Because,
    name: Name,
    is_purchased: Annotated[
        bool, typer.Option("--purchased/--not-purchased", help="Whether the person bought in time.")
    ],
) -> None:
    """Resolve a hold, for good. If the person did not purchase, another person must approve the revocation."""
    from prakerja import schema
    from prakerja.revocations import holds

    because, name = reason_and_person(because, name, "propose")
    schema.require_schema()
    batch = holds.resolve(card, is_purchased=is_purchased, because=because, resolved_by=name, on=today())
    if batch is None:
        typer.echo("resolved: purchased; the hold is lifted")
        return
    typer.echo(f"resolved: not purchased; another person must approve: {batch.command}")
