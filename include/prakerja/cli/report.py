"""`prakerja report`: the figures of a press statement."""

from __future__ import annotations

import json
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from prakerja.cli.common import AsJson, print_table, say, today


class _Language(str, Enum):  # noqa: UP042 - as the option's value, not its name, is said
    id = "id"
    en = "en"


def report(
    as_of: Annotated[
        datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="The end of which day (WIB); today.")
    ] = None,
    language: Annotated[_Language, typer.Option("--lang", help="Of the statement.")] = _Language.id,
    as_json: AsJson = False,
    charts: Annotated[
        Path | None, typer.Option("--charts", metavar="DIR", help="Also draw: a PNG and an SVG of each cohort's curve.")
    ] = None,
) -> None:
    """A statement as of a day, and each figure with the query and the versions that it came from."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.monitor import drawing
    from prakerja.monitor import report as reports

    schema.require_schema()
    found = reports.as_of(as_of.date() if as_of else today())
    if as_json:
        typer.echo(json.dumps(found.as_mapping(), indent=2))
    else:
        typer.echo(found.as_text(language.value).strip())
        typer.echo()
        table = Table("gelombang", "figure", "value", "query", "from")
        for figure in found.figures:
            cohort = "all" if figure.cohort is None else str(figure.cohort)
            table.add_row(cohort, figure.name.replace("_", " "), f"{figure.value:,}", figure.query, figure.versions)
        print_table(table)
    if charts:
        for path in drawing.draw_curves(charts, [row["cohort"] for row in found.cohorts]):
            say(f"drawn: {path}")
