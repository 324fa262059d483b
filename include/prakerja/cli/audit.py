"""`prakerja audit`: the log of every fact, chained by hash."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prakerja.cli.common import print_table, say
from prakerja.errors import PrakerjaError

app = typer.Typer(help="The audit log: every fact, who added it, chained by hash.", no_args_is_help=True)


@app.command("verify")
def verify(
    pin: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="KEY.pem", help="The publisher's public key, from a person you trust. May be given again."
        ),
    ] = None,
    anchors: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="A folder or URL where somebody else has kept copies of the anchors."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 where neither --pin nor --anchors says whom to believe.")
    ] = False,
) -> None:
    """Verify the log, every fact that it has, and the anchor of each published version."""
    from prakerja import schema
    from prakerja.blacklist.format.signatures import PublicKey
    from prakerja.blacklist.publisher import audit

    schema.require_schema()
    pins = []
    for path in pin or []:
        try:
            pins.append(PublicKey.from_pem(path.read_bytes()))
        except OSError as error:
            raise PrakerjaError(f"{path} cannot be read ({error.strerror}): give a public key as PEM") from None
    found = audit.verify(pins, anchors)
    for line in (*found.problems, *found.unproved):
        say(line)
    if found.problems:
        raise typer.Exit(1)
    copies = f"; copies agree up to version {found.copied}" if anchors else ""
    typer.echo(
        f"{found.entries:,} entries are whole and in order, {found.rows:,} facts are as they were sealed, "
        f"{found.anchors:,} anchors (up to position {found.anchored:,}) and {found.lists:,} published lists agree"
        f"{f', {found.signatures:,} approvals are signed' if found.signatures else ''}"
        f"{copies}"
    )
    if strict and found.unproved:
        raise typer.Exit(1)


@app.command("list")
def list_(last: int = typer.Option(20, help="How many, from the end.")) -> None:
    """List the log's last entries: when, by which login and role, who they say they are, and which facts."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.blacklist.publisher import audit

    schema.require_schema()
    table = Table("position", "at (UTC)", "login", "role", "says it is", "facts", "hash")
    for row in audit.list_entries(last):
        facts = ", ".join(f"{value['rows']:,} {fact}" for fact, value in sorted(row["facts"].items()))
        table.add_row(
            str(row["position"]),
            f"{row['at']:%Y-%m-%d %H:%M:%S}",
            row["login"] or "not recorded",
            row["role"] or "not recorded",
            row["actor"],
            facts,
            row["hash"][:16],
        )
    print_table(table)
