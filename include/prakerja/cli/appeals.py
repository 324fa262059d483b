"""`prakerja appeal`: open, list and decide appeals of revoked people."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from prakerja.cli.common import AsJson, Because, Card, Name, identify, print_table, reason_and_person, today
from prakerja.errors import PrakerjaError

app = typer.Typer(no_args_is_help=True, help="Open, list and decide appeals of revoked people.")


@app.command("open")
def open_(
    card: Card,
    file: Annotated[
        Path, typer.Option("--text-file", help="The person's statement, a file in UTF-8; - reads standard input.")
    ],
    name: Name,
) -> None:
    """Open an appeal of a revoked person."""
    from prakerja import schema
    from prakerja.revocations.appeals import open_appeal

    name = identify(name, "appeals")
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise PrakerjaError(f"{file} cannot be read as text: give a file in UTF-8") from None
    schema.require_schema()
    number = open_appeal(card, text, opened_by=name, on=today())
    typer.echo(f"appeal {number} is open: a person who did not approve the revocation must decide it")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the appeals, the open ones first. With --json, the output contains their texts, which are personal data."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.revocations.appeals import list_appeals

    schema.require_schema()
    appeals = list_appeals()
    if as_json:
        typer.echo(json.dumps(appeals, indent=2))
        return
    table = Table("appeal", "gelombang", "card", "opened", "state", "decided by", "because")
    for appeal in appeals:
        table.add_row(
            str(appeal["appeal_id"]),
            str(appeal["cohort"]),
            f"•••• {appeal['card_ends']}",
            appeal["opened_on"],
            appeal["state"],
            appeal["decided_by"] or "",
            appeal["because"] or "",
        )
    print_table(table)


@app.command("decide")
def decide(
    number: Annotated[int, typer.Argument(metavar="APPEAL", help="The number of the appeal.")],
    is_upheld: Annotated[
        bool, typer.Option("--uphold/--dismiss", help="Reinstate the person, or let the revocation stand.")
    ],
    because: Because,
    name: Name,
) -> None:
    """Uphold or dismiss an appeal, for good. If it is upheld, the next run of platform_feeds reinstates the person."""
    from prakerja import schema
    from prakerja.revocations import appeals

    because, name = reason_and_person(because, name, "appeals")
    schema.require_schema()
    appeals.decide(number, is_upheld=is_upheld, because=because, decided_by=name, on=today())
    result = "upheld: the next platform_feeds reinstates" if is_upheld else "dismissed: the revocation stands"
    typer.echo(f"appeal {number} is {result}")
