"""`prakerja approve`, `override` and `freeze`: what people answer for before anybody is revoked."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from prakerja.cli.common import AsJson, Because, ListByDefault, Name, answered, print_table, today
from prakerja.errors import PrakerjaError
from prakerja.escaping import one_line

freeze = typer.Typer(cls=ListByDefault, help="Days on which nobody is revoked.")


def approve(
    number: Annotated[int, typer.Argument(metavar="COHORT")],
    digest: Annotated[
        str | None, typer.Option(help="The batch that you approve: its digest, or the start of it.")
    ] = None,
    name: Annotated[str | None, typer.Option("--as", metavar="ID", help="Who approves: a person's id.")] = None,
    sign_with: Annotated[
        Path | None, typer.Option(metavar="KEY", help="Sign it with your SSH key, or an agent's key by its public one.")
    ] = None,
) -> None:
    """Show what of a cohort waits for approval; with --digest and --as, approve that very batch."""
    from prakerja import schema, warehouse
    from prakerja.calendar import find_cohort
    from prakerja.revocations import approval, rejections
    from prakerja.revocations.decision import find_decision

    if (digest is None) != (name is None) or (sign_with and not name):
        raise typer.BadParameter("an approval names the batch and the person: --digest and --as")
    find_cohort(number)  # a number that the calendar does not have is refused first
    if digest is None or name is None:
        schema.require_schema()
        with warehouse.transaction() as connection:
            made = find_decision(connection, number)
            waiting = approval.waiting(connection, made) if made else []
            if made is None or not waiting:
                raise PrakerjaError(f"gelombang-{number}: nothing waits for approval")
            for batch in waiting:
                said = [
                    *rejections.describe_hold(connection, batch),
                    *(
                        f"rejected by {each['rejected_by']} on {each['rejected_on']}"
                        for each in rejections.list_rejections(connection, batch)
                    ),
                ]
                _print_batch(made, batch, approval.review(connection, made, batch), said)
        return
    person = _signer(name) if sign_with else answered("approved", name, "approve")[1]
    schema.require_schema()
    on = today()
    made, batch = approval.find_waiting(number, digest, is_to_sign=sign_with is not None)
    signature = approval.sign(batch, person, sign_with, on) if sign_with else None
    with warehouse.transaction("decide") as connection:
        is_new = approval.approve(connection, batch, person, on, signature=signature)
        missing = approval.known(connection, made, batch.subject, batch.digest).approvals_needed
    approval.require_new(is_new, batch, person)
    typer.echo(f"{person} approves {batch.described} of gelombang-{number}; {_next_step(batch, missing)}")


def override(
    number: Annotated[int, typer.Argument(metavar="COHORT")],
    attempt: Annotated[str | None, typer.Option(help="The stopped attempt that you answer for.")] = None,
    because: Annotated[str | None, typer.Option(help="Why it may be carried on all the same.")] = None,
    name: Annotated[str | None, typer.Option("--as", help="Who answers for it.")] = None,
) -> None:
    """Show what stops a cohort's decision; with --attempt, --because and --as, answer for carrying on."""
    from prakerja import schema
    from prakerja.calendar import find_cohort
    from prakerja.revocations import overrides

    cohort = find_cohort(number)
    schema.require_schema()
    if attempt is None and because is None and name is None:
        overrides.look_again(cohort.as_known_on(today()), today())
        stopped = overrides.blocked_attempt(number)
        typer.echo(f"gelombang-{number} is stopped: {stopped['reason']}: {stopped['detail']}")
        told = overrides.attempt_name(stopped["decision_id"])
        typer.echo(
            f"overridden by {stopped['overridden_by']}: clear the tasks from await_feeds on"
            if stopped["overridden_by"]
            else f"to answer for it: prakerja override {number} --attempt {told} --because WHY --as ID"
        )
        return
    if attempt is None or because is None or name is None:
        raise typer.BadParameter("an override names attempt, reason and person: --attempt, --because, --as")
    because, name = answered(because, name, "override")
    overrides.override(number, attempt, because=because, overridden_by=name, on=today())
    typer.echo(f"{name} answers for gelombang-{number}; clear the tasks from await_feeds on. Another person approves")


@freeze.command("start")
def freeze_start(
    because: Because,
    name: Name,
    cohort: Annotated[int | None, typer.Option(help="Only this cohort; default all.")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day (WIB); default today.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day; default until it is lifted.")
    ] = None,
) -> None:
    """Revoke nobody from a day on. Feeds, reminders, decisions and reinstatements go on."""
    from prakerja import schema
    from prakerja.calendar import find_cohort as cohort_of
    from prakerja.revocations import freezes

    because, name = answered(because, name, "propose")
    if cohort is not None:
        cohort_of(cohort)
    schema.require_schema()
    starts_on, ends_on = first.date() if first else today(), last.date() if last else None
    number = freezes.freeze(cohort, starts_on, ends_on, because=because, frozen_by=name, on=today())
    whom = "anybody" if cohort is None else f"gelombang-{cohort}"
    typer.echo(f"freeze {number}: {whom} is not revoked from {starts_on} {f'to {ends_on}' if ends_on else 'on'}")


@freeze.command("lift")
def freeze_lift(
    number: Annotated[int, typer.Argument(metavar="FREEZE")],
    because: Because,
    name: Name,
) -> None:
    """End a freeze, from today on. What waited is revoked when its task is cleared, after an approval."""
    from prakerja import schema
    from prakerja.revocations import freezes

    because, name = answered(because, name, "override")
    schema.require_schema()
    freezes.lift(number, because=because, lifted_by=name, on=today())
    typer.echo(f"freeze {number} is lifted")


@freeze.command("list")
def freeze_list(as_json: AsJson = False) -> None:
    """The freezes, the latest first."""
    import json

    from rich.table import Table

    from prakerja import schema
    from prakerja.revocations import freezes

    schema.require_schema()
    found = freezes.list_freezes()
    if as_json:
        typer.echo(json.dumps(found, indent=2, default=str))
        return
    table = Table("freeze", "gelombang", "from", "to", "because", "by", "lifted")
    for each in found:
        table.add_row(
            str(each["freeze_id"]),
            str(each["cohort"] or "all"),
            str(each["starts_on"]),
            str(each["ends_on"] or ""),
            each["because"],
            each["frozen_by"],
            f"{each['lifted_on']} by {each['lifted_by']}: {each['lifted_because']}" if each["lifted_on"] else "",
        )
    print_table(table)


def _signer(name: str) -> str:
    """Return the id of a person who approves by a signature: their login is not asked."""
    from prakerja.people import load_people

    return load_people().find(name, "approve").id


def _next_step(batch: Any, missing: int) -> str:
    from prakerja.revocations.requests import count_people

    if missing:
        return f"{count_people(missing)} more must approve it"
    if batch.is_carried_out:
        return "it is carried out, and the list has it from its next version on"
    if batch.subject == "revocation":
        return "the cohort's run carries it out: one that waits goes on by itself, else clear its task choose"
    return "the next platform_feeds carries it out"


def _print_batch(made: Any, batch: Any, review: dict[str, Any], said: list[str]) -> None:
    from rich.table import Table

    from prakerja.revocations import second_reading
    from prakerja.revocations.approval import LEADS_TO
    from prakerja.revocations.requests import count_people

    doubts = review["doubts"]
    typer.echo(f"gelombang-{made.cohort}: {batch.described}; once approved, {LEADS_TO[batch.subject]}")
    typer.echo(f"  proposed by {batch.proposed_by} on {batch.proposed_on}")
    typer.echo(
        f"  of {made.selected:,} selected: {made.purchased:,} purchased, {made.held:,} held, {made.overdue:,} overdue, "
        f"{made.excluded:,} excluded"
    )
    typer.echo(f"  {second_reading.describe(review['second_reading'])}")
    typer.echo(
        f"  decided by {doubts['deliveries']:,} deliveries: {doubts['quarantined']:,} rows quarantined, "
        f"{doubts['unusual']:,} of an unusual size, {doubts['waived']:,} accepted over their bound"
    )
    for each in review["overrides"]:
        typer.echo(
            f"  overridden by {each['overridden_by']}: {each['reason']} ({each['detail']}), because {each['because']}"
        )
    for line in said:
        typer.echo(one_line(f"  {line}"))
    rates = Table("gelombang", "selected", "revoked", "rate", title="against earlier decisions")
    here = {f"{made.cohort}, this batch": (made.selected, batch.people)}
    for number, (selected, people) in {**review["rates"], **here}.items():
        rates.add_row(str(number), f"{selected:,}", f"{people:,}", f"{people / selected:.1%}")
    print_table(rates)
    sample = Table("card", "region", "because", "reminders", title="a sample of it")
    for row in review["sample"]:
        sample.add_row(f"•••• {row['card_ends']}", row["region_code"], row["because"], str(row["reminded"]))
    print_table(sample)
    approved = f"approved by {', '.join(batch.approved_by)}; " if batch.approved_by else ""
    typer.echo(f"{approved}{count_people(batch.approvals_needed)} must approve it: {batch.command}")
