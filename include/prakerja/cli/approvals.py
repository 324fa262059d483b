"""`prakerja approve`, `override` and `freeze`: the decisions of people before anybody is revoked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from prakerja.cli.common import (
    AsJson,
    Because,
    ListByDefault,
    Name,
    SignWith,
    identify_signer,
    print_table,
    reason_and_person,
    today,
)
from prakerja.errors import PrakerjaError
from prakerja.escaping import one_line

freeze = typer.Typer(cls=ListByDefault, help="List, start and lift freezes: periods in which nobody is revoked.")


def approve(
    number: Annotated[int, typer.Argument(metavar="COHORT", help="The number of the cohort.")],
    digest: Annotated[str | None, typer.Option(help="The batch to approve: its digest, or the start of it.")] = None,
    name: Annotated[
        str | None, typer.Option("--as", metavar="ID", help="The person who approves: an id from the list of people.")
    ] = None,
    sign_with: SignWith = None,
) -> None:
    """Approve a batch of a cohort, or show the batches that wait for approval.

    With --digest and --as, approve that batch. Without them, show each waiting batch with the figures to judge it by.
    """
    from prakerja import schema, warehouse
    from prakerja.calendar import find_cohort
    from prakerja.revocations import approval, rejections
    from prakerja.revocations.decision import find_decision

    if (digest is None) != (name is None) or (sign_with and not name):
        raise typer.BadParameter("an approval needs the batch and the person: --digest and --as")
    find_cohort(number)  # refuses a number that is not in the calendar
    if digest is None or name is None:
        schema.require_schema()
        with warehouse.transaction() as connection:
            decision = find_decision(connection, number)
            waiting = approval.list_waiting_batches(connection, decision) if decision else []
            if decision is None or not waiting:
                raise PrakerjaError(f"gelombang-{number}: nothing waits for approval")
            for batch in waiting:
                remarks = [
                    *rejections.describe_hold(connection, batch),
                    *(
                        f"rejected by {rejection['rejected_by']} on {rejection['rejected_on']}"
                        for rejection in rejections.list_rejections(connection, batch)
                    ),
                ]
                _print_batch(decision, batch, approval.load_review(connection, decision, batch), remarks)
        return
    person = identify_signer(name) if sign_with else reason_and_person("approved", name, "approve")[1]
    schema.require_schema()
    on = today()
    decision, batch = approval.find_waiting_batch(number, digest, is_to_sign=sign_with is not None)
    signature = approval.sign(batch, person, sign_with, on) if sign_with else None
    with warehouse.transaction("decide") as connection:
        is_new = approval.approve(connection, batch, person, on, signature=signature)
        missing = approval.load_batch(connection, decision, batch.subject, batch.digest).approvals_needed
    approval.require_new_approval(is_new, batch, person)
    typer.echo(f"{person} approves {batch.described} of gelombang-{number}; {_next_step(batch, missing)}")


def override(
    number: Annotated[int, typer.Argument(metavar="COHORT", help="The number of the cohort.")],
    attempt: Annotated[
        str | None, typer.Option(help="The stopped attempt to override, as this command shows it.")
    ] = None,
    because: Annotated[str | None, typer.Option(help="The reason why the decision may go on.")] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="ID", help="The person who is responsible: an id from the list of people."),
    ] = None,
) -> None:
    """Override the breaker that stops a cohort's decision, or show which one stops it.

    With --attempt, --because and --as, override it. Another person must then approve the revocations.
    """
    from prakerja import schema
    from prakerja.calendar import find_cohort
    from prakerja.revocations import overrides

    cohort = find_cohort(number)
    schema.require_schema()
    if attempt is None and because is None and name is None:
        overrides.refresh_blocked_attempt(cohort.as_known_on(today()), today())
        stopped = overrides.find_blocked_attempt(number)
        typer.echo(f"gelombang-{number} is stopped: {stopped['reason']}: {stopped['detail']}")
        if stopped["overridden_by"]:
            typer.echo(f"overridden by {stopped['overridden_by']}: clear the tasks from await_feeds on")
        else:
            stopped_attempt = overrides.attempt_name(stopped["decision_id"])
            typer.echo(f"to override it: prakerja override {number} --attempt {stopped_attempt} --because WHY --as ID")
        return
    if attempt is None or because is None or name is None:
        raise typer.BadParameter("an override needs attempt, reason and person: --attempt, --because, --as")
    because, name = reason_and_person(because, name, "override")
    overrides.override(number, attempt, because=because, overridden_by=name, on=today())
    typer.echo(
        f"{name} overrides the breaker of gelombang-{number}: clear the tasks from await_feeds on; another person must "
        "approve the revocations"
    )


@freeze.command("start")
def freeze_start(
    because: Because,
    name: Name,
    cohort: Annotated[int | None, typer.Option(help="The cohort to freeze; default all.")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day (WIB); default today.")
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="The last day (WIB); default until the freeze is lifted."),
    ] = None,
) -> None:
    """Start a freeze: nobody is revoked. Feeds, reminders, decisions and reinstatements continue."""
    from prakerja import schema
    from prakerja.calendar import find_cohort
    from prakerja.revocations import freezes

    because, name = reason_and_person(because, name, "propose")
    if cohort is not None:
        find_cohort(cohort)  # refuses a number that is not in the calendar
    schema.require_schema()
    starts_on, ends_on = first.date() if first else today(), last.date() if last else None
    number = freezes.freeze(cohort, starts_on, ends_on, because=because, frozen_by=name, on=today())
    scope = "any cohort" if cohort is None else f"gelombang-{cohort}"
    period = f"from {starts_on} to {ends_on}" if ends_on else f"from {starts_on} on"
    typer.echo(f"freeze {number}: nobody of {scope} is revoked {period}")


@freeze.command("lift")
def freeze_lift(
    number: Annotated[int, typer.Argument(metavar="FREEZE", help="The number of the freeze.")],
    because: Because,
    name: Name,
) -> None:
    """Lift a freeze from today on. Clear the stopped task to revoke what has been approved."""
    from prakerja import schema
    from prakerja.revocations import freezes

    because, name = reason_and_person(because, name, "override")
    schema.require_schema()
    freezes.lift(number, because=because, lifted_by=name, on=today())
    typer.echo(f"freeze {number} is lifted")


@freeze.command("list")
def freeze_list(as_json: AsJson = False) -> None:
    """List the freezes, the latest first."""
    import json

    from rich.table import Table

    from prakerja import schema
    from prakerja.revocations import freezes

    schema.require_schema()
    rows = freezes.list_freezes()
    if as_json:
        typer.echo(json.dumps(rows, indent=2, default=str))
        return
    table = Table("freeze", "gelombang", "from", "to", "because", "by", "lifted")
    for row in rows:
        table.add_row(
            str(row["freeze_id"]),
            str(row["cohort"] or "all"),
            str(row["starts_on"]),
            str(row["ends_on"] or ""),
            row["because"],
            row["frozen_by"],
            f"{row['lifted_on']} by {row['lifted_by']}: {row['lifted_because']}" if row["lifted_on"] else "",
        )
    print_table(table)


def _next_step(batch: Any, missing: int) -> str:
    from prakerja.revocations.requests import format_people

    if missing:
        return f"{format_people(missing)} more must approve it"
    if batch.is_carried_out:
        return "it is carried out, and the next version of the list has it"
    if batch.subject == "revocation":
        return "the cohort's run carries it out: a waiting run goes on by itself, otherwise clear its task choose"
    return "the next platform_feeds carries it out"


def _print_batch(decision: Any, batch: Any, review: dict[str, Any], remarks: list[str]) -> None:
    from rich.table import Table

    from prakerja.revocations import second_reading
    from prakerja.revocations.approval import CONSEQUENCES
    from prakerja.revocations.requests import format_people

    doubts = review["doubts"]
    typer.echo(f"gelombang-{decision.cohort}: {batch.described}; once approved, {CONSEQUENCES[batch.subject]}")
    typer.echo(f"  proposed by {batch.proposed_by} on {batch.proposed_on}")
    typer.echo(
        f"  of {decision.selected:,} selected: {decision.purchased:,} purchased, {decision.held:,} held, "
        f"{decision.overdue:,} overdue, {decision.excluded:,} excluded"
    )
    typer.echo(f"  {second_reading.describe(review['second_reading'])}")
    typer.echo(
        f"  evidence of {doubts['deliveries']:,} deliveries: {doubts['quarantined']:,} rows quarantined, "
        f"{doubts['unusual']:,} deliveries of an unusual size, {doubts['waived']:,} accepted over their bound"
    )
    for row in review["overrides"]:
        typer.echo(
            f"  overridden by {row['overridden_by']}: {row['reason']} ({row['detail']}), because {row['because']}"
        )
    for line in remarks:
        typer.echo(one_line(f"  {line}"))
    rates = Table("gelombang", "selected", "revoked", "rate", title="compared with earlier decisions")
    this_batch = {f"{decision.cohort}, this batch": (decision.selected, batch.people)}
    for number, (selected, people) in {**review["rates"], **this_batch}.items():
        rates.add_row(str(number), f"{selected:,}", f"{people:,}", f"{people / selected:.1%}")
    print_table(rates)
    sample = Table("card", "region", "because", "reminders", title="sample of the batch")
    for row in review["sample"]:
        sample.add_row(f"•••• {row['card_ends']}", row["region_code"], row["because"], str(row["reminded"]))
    print_table(sample)
    approved = f"approved by {', '.join(batch.approved_by)}; " if batch.approved_by else ""
    typer.echo(f"{approved}{format_people(batch.approvals_needed)} must approve it: {batch.command}")
