"""`prakerja settings`: the environment variables that this installation reads."""

from __future__ import annotations

from typing import Annotated

import typer

from prakerja.cli.common import print_table


def settings(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The page of all settings, docs/configuration.md.")
    ] = False,
) -> None:
    """The settings of this process, and where each comes from. Secrets are shown as set or unset."""
    from rich.table import Table

    from prakerja import settings_tables

    if markdown:
        typer.echo(settings_tables.build_page())
        return
    table = Table("variable", "value", "from")
    for each in settings_tables.list_present():
        table.add_row(*each)
    print_table(table)
