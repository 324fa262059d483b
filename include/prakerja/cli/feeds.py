"""`prakerja feeds`: the platforms' deliveries, and what was accepted, rejected and quarantined."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Annotated, Any

import typer

from prakerja.cli.common import AsJson, Because, print_table, reason_and_person, today
from prakerja.errors import PrakerjaError
from prakerja.escaping import one_line

HELP = "Show the feeds by platform and business date: accepted, rejected (with the reason), restated, missing."
app = typer.Typer(help=HELP)


@app.callback(invoke_without_command=True)
def grid(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the feeds by platform and business date: accepted, rejected (with the reason), restated, missing."""
    if context.invoked_subcommand is not None:
        return
    from prakerja import schema
    from prakerja.cohorts.overview import missing_now
    from prakerja.feeds import overview

    schema.require_schema()
    deliveries = overview.list_deliveries()
    missing = [(platform, day.isoformat()) for platform, day in missing_now()]
    if as_json:
        missing_rows: list[dict[str, Any]] = [
            {
                "platform": platform,
                "business_date": day,
                "revision": None,
                "status": "missing",
                "reason": None,
                "rows": 0,
                "loaded": 0,
                "quarantined": {},
                "duplicates": 0,
            }
            for platform, day in missing
        ]
        typer.echo(json.dumps(deliveries + missing_rows, indent=2))
    else:
        _print_feeds(deliveries, missing)


@app.command("quarantine")
def quarantine(
    platform: Annotated[str | None, typer.Option(help="Only this platform.")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first business date.")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last business date.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only rows with this reason.")] = None,
    unmask: Annotated[bool, typer.Option("--unmask", help="Show values as delivered: they are personal data.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the quarantined rows in force: place, reasons, and values as delivered, masked."""
    from rich.table import Table

    from prakerja import schema
    from prakerja.feeds import overview
    from prakerja.platforms import platforms

    if platform is not None and platform not in platforms():
        raise PrakerjaError(f"platform {platform!r} is unknown: give one of {', '.join(platforms())}")
    schema.require_schema()
    rows = overview.list_quarantine(
        platform, first and first.date(), last and last.date(), reason, is_masked=not unmask
    )
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("platform", "business date", "line", "reasons", "as delivered")
    for row in rows:
        values = ", ".join(f"{key} {value!r}" for key, value in row["delivered"].items() if key != "voucher_code")
        delivery = f"{row['business_date']} r{row['revision']}"
        table.add_row(row["platform"], delivery, str(row["line"]), ", ".join(row["reasons"]), values)
    print_table(table)
    typer.echo(f"{len(rows):,} rows")


@app.command("accept")
def accept(
    platform: Annotated[str, typer.Argument(metavar="PLATFORM", help="The platform of the delivery.")],
    day: Annotated[
        datetime, typer.Argument(metavar="DATE", formats=["%Y-%m-%d"], help="The delivery's business date.")
    ],
    because: Because,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="ID", help="The person who is responsible; default the user who is logged in."),
    ] = None,
) -> None:
    """Accept a delivery that was rejected for its quarantine bound. The person, time and reason are recorded."""
    from prakerja import schema
    from prakerja.feeds import intake
    from prakerja.feeds.ledger import Waiver
    from prakerja.people import os_login

    because, name = reason_and_person(because, name or os_login(), "override")
    schema.require_schema()
    entry = intake.accept(platform, day.date(), Waiver(name, because), today())
    typer.echo(
        f"accepted {platform} {entry.business_date} r{entry.revision}: {entry.loaded:,} loaded, "
        f"{entry.quarantined:,} quarantined"
    )


@app.command("docs")
def docs() -> None:
    """Build Great Expectations' Data Docs of the deliveries, a static site, and print the path of its first page."""
    from prakerja import schema
    from prakerja.feeds import data_docs

    schema.require_schema()
    typer.echo(str(data_docs.build()))


def _print_feeds(deliveries: list[dict[str, Any]], missing: list[tuple[str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from prakerja.feeds.overview import count_unmatched, day_status

    missing_cells, unmatched = set(missing), count_unmatched()  # before anything is printed: it may be refused
    by_cell: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for delivery in deliveries:
        by_cell.setdefault((delivery["platform"], delivery["business_date"]), []).append(delivery)
    names = sorted({platform for platform, _ in by_cell.keys() | missing_cells})
    grid = Table(
        "business date", *names, caption="rows in force, (quarantined); r2: restated; !: far from the usual number"
    )
    for day in sorted({day for _, day in by_cell.keys() | missing_cells}):
        cells: list[str | Text] = []
        for name in names:
            cell = by_cell.get((name, day), [])
            status = day_status(name, date.fromisoformat(day), cell, is_owed=(name, day) in missing_cells)
            in_force = next((delivery for delivery in cell if delivery["is_in_force"]), None)
            if in_force is None:
                cells.append(Text(status, style="red") if status in {"missing", "rejected"} else status)
                continue
            quarantined = in_force["rows"] - in_force["loaded"] - in_force["duplicates"]
            revision = f" r{in_force['revision']}" if status == "restated" else ""
            counts = f"{in_force['rows']:,}{f' ({quarantined})' if quarantined else ''}{revision}"
            cells.append(Text.assemble(counts, (" !", "yellow") if in_force["warnings"] else ""))
        grid.add_row(day, *cells)
    print_table(grid)
    typer.echo(f"{unmatched:,} cards are in no loaded roster")
    for delivery in deliveries:
        delivery_name = f"{delivery['platform']} {delivery['business_date']} r{delivery['revision']}"
        late_purchases = delivery["late_purchases"]
        if late_purchases:
            typer.echo(
                one_line(
                    f"flagged {delivery_name}: {late_purchases:,} paid after the deadline with cards of revoked people"
                )
            )
        if delivery["status"] == "rejected":
            typer.echo(one_line(f"rejected {delivery_name}: {delivery['reason']}: {delivery['detail']}"))
