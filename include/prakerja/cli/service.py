"""`prakerja serve` and `prakerja keys`: the service over the published list, and who may ask it."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from prakerja.cli.common import AsJson, Because, ListByDefault, Name, answered, print_table, say
from prakerja.errors import PrakerjaError, TransientError

keys = typer.Typer(cls=ListByDefault, help="API keys of the service, one per consumer.")


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on.")] = 8097,
    source: Annotated[
        str | None, typer.Option("--from", metavar="PLACE", help="The published list; default PRAKERJA_PUBLISH.")
    ] = None,
    pin: Annotated[Path | None, typer.Option(help="The publisher's public key, PEM; default this home's own.")] = None,
) -> None:
    """The service over the published list: versions, lookups, statistics (/openapi.json describes it)."""
    from prakerja import schema
    from prakerja.blacklist.service import running

    logging.getLogger("prakerja").setLevel(logging.INFO)
    try:
        schema.require_schema()
    except TransientError as error:  # it answers from what it has until the warehouse is back
        say(str(error))
    try:
        pinned = pin.read_bytes() if pin else None
    except OSError as error:
        raise PrakerjaError(f"{pin} cannot be read ({error.strerror}): give the publisher's key as PEM") from None
    service = running.build_service(source, pinned)
    say(f"the blacklist's service: http://{host}:{port}/readyz   (Ctrl-C stops it)")
    running.serve(service, host, port)


@keys.command("create")
def create(
    consumer: Annotated[str, typer.Argument(metavar="CONSUMER", help="Whose key it is: a system, as `registration`.")],
    name: Name,
    scope: Annotated[list[str], typer.Option(help="check, range or list; may be said again.")],
    per_minute: Annotated[
        int, typer.Option(min=1, max=10**9, help="NIKs, ranges or files that it may ask about.")
    ] = 6_000,
    expires: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day (WIB) on which it is good.")
    ] = None,
) -> None:
    """Make a key. It is printed once, and kept as a hash."""
    from prakerja import schema
    from prakerja.blacklist.service import access

    consumer, name = answered(consumer, name, "publish")
    schema.require_schema()
    typer.echo(access.create(consumer, scope, per_minute, expires.date() if expires else None, created_by=name))
    valid = [row for row in access.list_keys() if row["consumer"] == consumer and access.state_of(row) == "valid"]
    if len(valid) > 1:
        others = ", ".join(row["api_key_id"] for row in valid[:-1])
        say(f"{consumer} has {others} as well: revoke that once this one is in use")
    say("this key is not shown again: hand it over, and keep it nowhere else")


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """The keys: whose, what for, how much was asked with them."""
    import json

    from rich.table import Table

    from prakerja import schema
    from prakerja.blacklist.service import access

    schema.require_schema()
    found = access.list_keys()
    if as_json:
        typer.echo(json.dumps([{key: row[key] for key in row} for row in found], default=str))
        return
    table = Table("key", "consumer", "scopes", "a minute", "expires", "state", "lookups", "asked", "last used")
    for row in found:
        table.add_row(
            row["api_key_id"],
            row["consumer"],
            ", ".join(row["scopes"]),
            f"{row['per_minute']:,}",
            str(row["expires_on"] or "-"),
            access.state_of(row),
            f"{row['lookups']:,}",
            f"{row['asked']:,}",
            f"{row['last_used_at']:%Y-%m-%d %H:%M} UTC" if row["last_used_at"] else "-",
        )
    print_table(table)


@keys.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(metavar="KEY", help="The first part of a key, as `keys list` shows it.")],
    because: Because,
    name: Name,
) -> None:
    """Let a key be refused: services know it within fifteen seconds."""
    from prakerja import schema
    from prakerja.blacklist.service import access

    because, name = answered(because, name, "publish")
    schema.require_schema()
    access.revoke(key.partition(".")[0], because=because, revoked_by=name)
    typer.echo(f"{key.partition('.')[0]} is revoked")
