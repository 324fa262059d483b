"""`prakerja db`: upgrade, reseal, serve and stop the warehouse."""

from __future__ import annotations

from typing import Annotated

import typer

from prakerja.cli.common import say

app = typer.Typer(help="Upgrade, reseal, serve and stop the warehouse.", no_args_is_help=True)


@app.command("upgrade")
def upgrade() -> None:
    """Create the warehouse's schema, or migrate it to this version. Safe to repeat."""
    from prakerja import schema

    typer.echo(f"the warehouse is at revision {schema.upgrade()}")


@app.command("reseal")
def reseal(
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Create a new key in the home, which replaces the present one.")
    ] = False,
) -> None:
    """Seal all names and addresses with the present key, or a new one. The previous key is not needed afterwards."""
    from prakerja import schema
    from prakerja.cohorts import contacts

    schema.require_schema()
    count = contacts.reseal(with_new_key=new_key)
    typer.echo(f"{count:,} recipients are sealed with the present key")


@app.command("stop")
def stop() -> None:
    """Stop the embedded PostgreSQL of this home. The next command starts it again."""
    from prakerja import warehouse

    was_running = warehouse.stop_embedded_server()
    say("the embedded PostgreSQL is stopped" if was_running else "the embedded PostgreSQL was not running")


@app.command("serve")
def serve() -> None:
    """Run the embedded PostgreSQL of this home in the foreground, for a supervisor that restarts it."""
    from prakerja import embedded_postgres
    from prakerja.settings import Settings

    embedded_postgres.keep(Settings.from_environment())


@app.command("states")
def states() -> None:
    """Print the states of recipients and of messages, and their transitions, as Mermaid diagrams."""
    from prakerja import schema
    from prakerja.reminders import overview
    from prakerja.revocations import states as recipients

    schema.require_schema()
    typer.echo(f"{recipients.diagram()}\n\n{overview.draw_transitions()}")
