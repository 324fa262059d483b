"""`prakerja report`: a statement with the figures as of a day, and their sources."""

from __future__ import annotations

import json
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from prakerja.cli.common import AsJson, print_table, say, today


class _Language(str, Enum):  # noqa: UP042 - the option shows the value, not the name
    id = "id"
    en = "en"


def report(
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="The day (WIB) at whose end it holds; default today."),
    ] = None,
    language: Annotated[_Language, typer.Option("--lang", help="The language of the statement.")] = _Language.id,
    as_json: AsJson = False,
    charts: Annotated[
        Path | None,
        typer.Option("--charts", metavar="DIR", help="A folder for a PNG and an SVG of each cohort's curve."),
    ] = None,
) -> None:
    """Print a statement as of a day, and the query and versions behind each of its figures."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.monitor import drawing
    from prakerja.monitor import report as reports

    schema.require_schema()
    built = reports.build_report(as_of.date() if as_of else today())
    if as_json:
        typer.echo(json.dumps(built.as_mapping(), indent=2))
    else:
        typer.echo(built.as_text(language.value).strip())
        typer.echo()
        table = Table("gelombang", "figure", "value", "query", "from")
        for figure in built.figures:
            cohort = "all" if figure.cohort is None else str(figure.cohort)
            table.add_row(cohort, figure.name.replace("_", " "), f"{figure.value:,}", figure.query, figure.versions)
        print_table(table)
    if charts:
        for path in drawing.draw_curves(charts, [row["cohort"] for row in built.cohorts]):
            say(f"drawn: {path}")
