"""`prakerja audit`: verify and list the audit log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prakerja.cli.common import print_table, say
from prakerja.errors import PrakerjaError

app = typer.Typer(
    help="Verify and list the audit log: every fact and who added it, chained by hash.", no_args_is_help=True
)


@app.command("verify")
def verify(
    pin: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="KEY.pem", help="The publisher's public key, from a person whom you trust. Repeat it for more keys."
        ),
    ] = None,
    anchors: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="A folder or URL where another party keeps copies of the anchors."),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=KEY.pem@URL",
            help="A witness of the list, with its key and the place of its statements. Repeat it for more.",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Exit with 1 also if something is unproved, e.g. without --pin and --anchors."),
    ] = False,
) -> None:
    """Verify the audit log, every fact in it, and the anchor of each published version."""
    from prakerja import schema
    from prakerja.blacklist.publisher import audit
    from prakerja.blacklist.publisher.witnessed_log import LogWitness
    from prakerja_blacklist.format.signatures import PublicKey

    schema.require_schema()
    pins = []
    for path in pin or []:
        try:
            pins.append(PublicKey.from_pem(path.read_bytes()))
        except OSError as error:
            raise PrakerjaError(f"{path} cannot be read ({error.strerror}): give a public key as PEM") from None
    report = audit.verify(pins, anchors, [LogWitness.parse(each) for each in witness or []])
    for line in (*report.problems, *report.unproved):
        say(line)
    if report.problems:
        raise typer.Exit(1)
    copies = f"; copies agree up to version {report.copied}" if anchors else ""
    witnesses = f"; witnesses agree up to version {report.witnessed}" if witness else ""
    typer.echo(
        f"{report.entries:,} entries are whole and in order, {report.rows:,} facts are as they were sealed, "
        f"{report.anchors:,} anchors (up to position {report.anchored:,}) and {report.lists:,} published lists agree"
        f"{f', {report.signatures:,} approvals are signed' if report.signatures else ''}"
        f"{copies}{witnesses}"
    )
    if strict and report.unproved:
        raise typer.Exit(1)


@app.command("list")
def list_(last: int = typer.Option(20, help="The number of entries, from the end.")) -> None:
    """List the last entries of the audit log: time, login, role, stated actor, facts and hash."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.blacklist.publisher import audit

    schema.require_schema()
    table = Table("position", "at (UTC)", "login", "role", "stated actor", "facts", "hash")
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
