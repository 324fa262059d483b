"""`prakerja appeal`: what revoked people say, and what is decided about it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from prakerja.cli.common import AsJson, Because, Card, Name, answered, identify, print_table, today
from prakerja.errors import PrakerjaError

app = typer.Typer(no_args_is_help=True, help="Appeals of people who are revoked.")


@app.command("open")
def open_(
    card: Card,
    file: Annotated[Path, typer.Option("--text-file", help="What the person says; - reads it from standard input.")],
    name: Name,
) -> None:
    """Take in what a revoked person says (card or NIK)."""
    from prakerja import schema
    from prakerja.revocations.appeals import open_appeal

    name = identify(name, "appeals")
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise PrakerjaError(f"{file} is no text that can be read: name a file in UTF-8") from None
    schema.require_schema()
    number = open_appeal(card, text, opened_by=name, on=today())
    typer.echo(f"appeal {number} is open: somebody who did not approve the revocation decides it")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """The appeals, the open ones first. Their texts (with --json) are personal."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.revocations.appeals import list_appeals

    schema.require_schema()
    found = list_appeals()
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = Table("appeal", "gelombang", "card", "opened", "state", "decided by", "because")
    for each in found:
        table.add_row(
            str(each["appeal_id"]),
            str(each["cohort"]),
            f"•••• {each['card_ends']}",
            each["opened_on"],
            each["state"],
            each["decided_by"] or "",
            each["because"] or "",
        )
    print_table(table)


@app.command("decide")
def decide(
    number: Annotated[int, typer.Argument(metavar="APPEAL")],
    is_upheld: Annotated[bool, typer.Option("--uphold/--dismiss", help="Reinstate, or let the revocation stand.")],
    because: Because,
    name: Name,
) -> None:
    """Decide an appeal, once and for all. Upheld, the next platform_feeds reinstates the person."""
    from prakerja import schema
    from prakerja.revocations import appeals

    because, name = answered(because, name, "appeals")
    schema.require_schema()
    appeals.decide(number, is_upheld=is_upheld, because=because, decided_by=name, on=today())
    then = "upheld: the next platform_feeds reinstates" if is_upheld else "dismissed: the revocation stands"
    typer.echo(f"appeal {number} is {then}")
