"""`prakerja holds`: the people whom decisions hold, and what is found out about them."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from prakerja.cli.common import AsJson, Because, Card, ListByDefault, Name, answered, print_table, today

app = typer.Typer(cls=ListByDefault, help="The people whom decisions hold, and what is found out about them.")


@app.command("list")
def list_(
    cohort: Annotated[int | None, typer.Argument(metavar="[COHORT]")] = None,
    unmask: Annotated[
        bool, typer.Option("--unmask", help="Show cards and values as delivered: personal data.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The people whom decisions hold: why, by which row, and what was found since. Masked."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.calendar import find_cohort as cohort_of
    from prakerja.revocations.holds import list_holds

    if cohort is not None:
        cohort_of(cohort)
    schema.require_schema()
    found = list_holds(cohort, is_masked=not unmask)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("gelombang", "card", "because", "row", "reasons", "state", "found by")
    for hold in found:
        row, resolution = hold["row"], hold["resolution"]
        table.add_row(
            str(hold["cohort"]),
            hold["card"],
            _why(hold),
            f"{row['platform']} {row['business_date']} r{row['revision']}, line {row['line']}" if row else "",
            ", ".join(row["reasons"]) if row else "",
            hold["state"],
            f"{resolution['resolved_by']}: {resolution['because']}" if resolution else "",
        )
    print_table(table)
    still = sum(hold["state"] in {"open", "resolvable"} for hold in found)
    typer.echo(f"{len(found):,} held, {still:,} of them to be looked into")


def _why(hold: dict[str, Any]) -> str:
    """Why somebody is held; of whom the two readings differ on, what each says, and by which row."""
    from prakerja.revocations.second_reading import describe_row

    readings = hold["readings"] or {}
    return "\n".join(
        [hold["because"], *(f"{which}: {each['outcome']}{describe_row(each)}" for which, each in readings.items())]
    )


@app.command("resolve")
def resolve(
    card: Card,
    because: Because,
    name: Name,
    is_purchased: Annotated[bool, typer.Option("--purchased/--not-purchased", help="Bought in time, or not.")],
) -> None:
    """Say what you found out about someone who is held. Not purchased: another person must approve the revocation."""
    from prakerja import schema
    from prakerja.revocations import holds as all_holds

    because, name = answered(because, name, "propose")
    schema.require_schema()
    batch = all_holds.resolve(card, is_purchased=is_purchased, because=because, resolved_by=name, on=today())
    if batch is None:
        typer.echo("resolved: purchased; the hold is lifted")
        return
    typer.echo(f"resolved: not purchased; another person must approve: {batch.command}")
