"""`prakerja suspend` and `withdraw`: suspensions and withdrawals of recipients."""

from __future__ import annotations

from typing import Annotated

import typer

from prakerja.cli.common import Because, Card, Name, On, reason_and_person, today

suspend = typer.Typer(
    no_args_is_help=True, help="Start and lift suspensions for fraud (R27). A suspended recipient is not revoked."
)


@suspend.command("start")
def suspend_start(
    card: Card,
    because: Because,
    name: Name,
    on: On = None,
    is_permanent: Annotated[bool, typer.Option("--for-good", help="The suspension cannot be lifted.")] = False,
) -> None:
    """Suspend a recipient. At the deadline they are held, unless they have purchased."""
    from prakerja import schema
    from prakerja.cohorts import people

    because, name = reason_and_person(because, name, "propose")
    schema.require_schema()
    day = on.date() if on else today()
    people.suspend(card, day, is_permanent=is_permanent, because=because, suspended_by=name)
    typer.echo(f"suspended from {day} on{', for good' if is_permanent else ''}")


@suspend.command("lift")
def suspend_lift(card: Card, because: Because, name: Name, on: On = None) -> None:
    """Lift a recipient's suspension."""
    from prakerja import schema
    from prakerja.cohorts import people

    because, name = reason_and_person(because, name, "propose")
    schema.require_schema()
    day = on.date() if on else today()
    people.lift_suspension(card, day, because=because, lifted_by=name)
    typer.echo(f"the suspension ends on {day}")


def withdraw(card: Card, because: Because, name: Name, on: On = None) -> None:
    """Record that a recipient has left the programme. A later decision excludes them."""
    from prakerja import schema
    from prakerja.cohorts import people

    because, name = reason_and_person(because, name, "propose")
    schema.require_schema()
    day = on.date() if on else today()
    people.withdraw(card, day, because=because, recorded_by=name)
    typer.echo(f"withdrawn from {day} on")
