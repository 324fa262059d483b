"""`prakerja serve` and `prakerja keys`: the service over the published list, and its API keys."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from prakerja.cli.common import AsJson, Because, ListByDefault, Name, print_table, reason_and_person, say
from prakerja.errors import PrakerjaError, TransientError

keys = typer.Typer(cls=ListByDefault, help="List, create and revoke API keys of the service, one per consumer.")


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on.")] = 8097,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="PLACE", help="The folder or URL of the list; default PRAKERJA_PUBLISH."),
    ] = None,
    pin: Annotated[Path | None, typer.Option(help="The publisher's public key, PEM; default this home's own.")] = None,
    root: Annotated[
        Path | None, typer.Option(help="A root of the publisher, JSON: only keys that its holders endorse count.")
    ] = None,
) -> None:
    """Serve the published list over HTTP: versions, lookups, statistics. /openapi.json describes the service."""
    from prakerja import schema, warehouse
    from prakerja.blacklist.service import running
    from prakerja_blacklist.reader.root_follower import read_pinned_root

    logging.getLogger("prakerja").setLevel(logging.INFO)
    try:
        schema.require_schema()
        warehouse.require_duties("serve")
    except TransientError as error:  # the service answers from its copy until the warehouse is back
        say(str(error))
    try:
        pinned = pin.read_bytes() if pin else None
    except OSError as error:
        raise PrakerjaError(f"{pin} cannot be read ({error.strerror}): give the publisher's key as PEM") from None
    service = running.build_service(source, pinned, read_pinned_root(root) if root else None)
    say(f"serving the blacklist: http://{host}:{port}/readyz   (Ctrl-C stops it)")
    running.serve(service, host, port)


@keys.command("create")
def create(
    consumer: Annotated[
        str, typer.Argument(metavar="CONSUMER", help="The system that uses the key, e.g. registration.")
    ],
    name: Name,
    scope: Annotated[list[str], typer.Option(help="What the key is for: check, range or list. Repeat it for more.")],
    per_minute: Annotated[
        int, typer.Option(min=1, max=10**9, help="The quota: NIKs, ranges or files in a minute.")
    ] = 6_000,
    expires: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day (WIB) on which the key is valid.")
    ] = None,
) -> None:
    """Create an API key. It is printed once; only its hash is kept."""
    from prakerja import schema
    from prakerja.blacklist.service import access

    consumer, name = reason_and_person(consumer, name, "publish")
    schema.require_schema()
    typer.echo(access.create(consumer, scope, per_minute, expires.date() if expires else None, created_by=name))
    valid = [row for row in access.list_keys() if row["consumer"] == consumer and access.state_of(row) == "valid"]
    if len(valid) > 1:
        others = ", ".join(row["api_key_id"] for row in valid[:-1])
        say(f"{consumer} also has {others}: revoke it once the new key is in use")
    say("this key is not shown again: hand it over, and store it nowhere else")


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the API keys: consumer, scopes, quota, state and use."""
    import json

    from rich.table import Table

    from prakerja import schema
    from prakerja.blacklist.service import access

    schema.require_schema()
    rows = access.list_keys()
    if as_json:
        typer.echo(json.dumps([dict(row) for row in rows], default=str))
        return
    table = Table("key", "consumer", "scopes", "a minute", "expires", "state", "lookups", "asked", "last used")
    for row in rows:
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
    key: Annotated[str, typer.Argument(metavar="KEY", help="The id of a key, as `keys list` shows it.")],
    because: Because,
    name: Name,
) -> None:
    """Revoke an API key. Services refuse it within fifteen seconds."""
    from prakerja import schema
    from prakerja.blacklist.service import access

    because, name = reason_and_person(because, name, "publish")
    schema.require_schema()
    access.revoke(key.partition(".")[0], because=because, revoked_by=name)
    typer.echo(f"{key.partition('.')[0]} is revoked")
