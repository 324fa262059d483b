"""`prakerja blacklist root`: the root keys of the list, whose holders sign elsewhere (docs/runbooks/root-keys.md)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from prakerja.cli.common import Because, Name, reason_and_person
from prakerja.settings import WIB, Settings

app = typer.Typer(
    help="Propose what holders of root keys sign, and publish what they have signed.", no_args_is_help=True
)


@app.command("propose")
def propose(
    key: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A holder's public key (.pub). Name all that the next root is to have."),
    ] = None,
    threshold: Annotated[
        int | None,
        typer.Option(min=1, max=16, help="How many of the keys must sign; default as many as now, at first 2."),
    ] = None,
) -> None:
    """Write a proposal to sign: of a root with these keys, or, without keys, of what the root is to endorse.

    Nothing is published, and nothing of it is kept: `root publish` takes the signed file.
    """
    from prakerja import schema
    from prakerja.blacklist.publisher import root_ceremony

    if threshold is not None and not key:
        raise typer.BadParameter("a threshold belongs to a root: name its keys (--key)")
    schema.require_schema()
    now = datetime.now(WIB)
    if key:
        path = root_ceremony.propose_root([root_ceremony.read_root_key(each) for each in key], threshold, now)
    else:
        path = root_ceremony.propose_keyring(now)
    typer.echo(describe_proposal(path))


@app.command("publish")
def publish(
    signed: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The signed proposal, or its signed copies.")],
    because: Because,
    name: Name,
) -> None:
    """Publish a proposal that enough holders have signed. Safe to run again."""
    from prakerja import schema
    from prakerja.blacklist.publisher import root_ceremony

    because, name = reason_and_person(because, name, "publish")
    schema.require_schema()
    for line in root_ceremony.publish(signed, datetime.now(WIB), because=because, answered_by=name):
        typer.echo(line)


@app.command("status")
def status() -> None:
    """Show the root keys of the published list, and whether its newest keyring is endorsed."""
    from prakerja.blacklist.publisher import storage
    from prakerja.blacklist.publisher.root_keys import load_root_state

    state = load_root_state(storage.find_list(Settings.from_environment().publish))
    typer.echo(state.describe())
    if state.root:
        for key in state.root.root.keys:
            typer.echo(f"  {key.root_key_id}")


def describe_proposal(path: Path) -> str:
    """Return the line that says what becomes of a proposal."""
    return (
        f"{path}: let holders of root keys sign it (prakerja-blacklist sign FILE --key KEYFILE), then publish it "
        "(prakerja blacklist root publish FILE)"
    )
