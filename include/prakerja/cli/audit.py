"""`prakerja audit`: the log of every fact, chained by hash."""

from __future__ import annotations

import typer

from prakerja.cli.common import print_table, say

app = typer.Typer(help="The audit log: every fact, who added it, chained by hash.", no_args_is_help=True)


@app.command("verify")
def verify() -> None:
    """Verify the log, every fact that it tells of, and that it reaches every anchor beside the published list."""
    from prakerja import schema
    from prakerja.blacklist import audit

    schema.require_schema()
    found = audit.verify()
    for problem in found.problems:
        say(problem)
    if found.problems:
        raise typer.Exit(1)
    typer.echo(
        f"{found.entries:,} entries are whole and in order, {found.rows:,} facts are as they were sealed, "
        f"{found.anchors:,} anchors and {found.lists:,} published lists agree"
    )


@app.command("list")
def list_(last: int = typer.Option(20, help="How many, from the end.")) -> None:
    """The log's last entries: when, who, and which facts."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.blacklist import audit

    schema.require_schema()
    table = Table("position", "at (UTC)", "who", "facts", "hash")
    for row in audit.list_entries(last):
        facts = ", ".join(f"{value['rows']:,} {fact}" for fact, value in sorted(row["facts"].items()))
        table.add_row(str(row["position"]), f"{row['at']:%Y-%m-%d %H:%M:%S}", row["actor"], facts, row["hash"][:16])
    print_table(table)
