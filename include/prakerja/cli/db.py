"""`prakerja db`: the warehouse."""

from __future__ import annotations

from typing import Annotated

import typer

from prakerja.cli.common import say

app = typer.Typer(help="The warehouse.", no_args_is_help=True)


@app.command("upgrade")
def upgrade() -> None:
    """Create or migrate the warehouse's schema."""
    from prakerja import schema

    typer.echo(f"the warehouse is at revision {schema.upgrade()}")


@app.command("reseal")
def reseal(
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Make a new key in the home, which takes the place.")
    ] = False,
) -> None:
    """Seal names and addresses anew, by the present key or a new one: then the one before is not needed any more."""
    from prakerja import schema
    from prakerja.cohorts import contacts

    schema.require_schema()
    typer.echo(f"{contacts.reseal(with_new_key=new_key):,} recipients are sealed by the present key")


@app.command("stop")
def stop() -> None:
    """Stop the embedded PostgreSQL of this home; the next command starts it again."""
    from prakerja import warehouse

    say("the embedded PostgreSQL is stopped" if warehouse.stop_embedded_server() else "none was running")


@app.command("serve")
def serve() -> None:
    """Run the embedded PostgreSQL of this home until stopped: for a supervisor, which starts it again."""
    from prakerja import embedded_postgres
    from prakerja.settings import Settings

    embedded_postgres.keep(Settings.from_environment())


@app.command("states")
def states() -> None:
    """What may become of a recipient, and of a message, as Mermaid diagrams."""
    from prakerja import schema
    from prakerja.reminders import overview
    from prakerja.revocations import states as recipients

    schema.require_schema()
    typer.echo(f"{recipients.diagram()}\n\n{overview.draw_transitions()}")
