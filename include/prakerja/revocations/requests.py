"""Requests for an approval, as Airflow shows them: what a person must see before they approve a batch."""

from __future__ import annotations

from dataclasses import dataclass

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.escaping import markdown, markdown_code
from prakerja.people import People, load_people
from prakerja.revocations import approval, rejections, second_reading
from prakerja.revocations.approval import CONSEQUENCES, SHOWN, Batch
from prakerja.revocations.decision import Decision, find_decision


@dataclass(frozen=True)
class Request:
    """The question about a batch: `title` and `text` (Markdown), and the Airflow users who may answer it.

    `answered_by` is empty if every user with access to the DAG may answer. With `must_sign`, answers in Airflow do not
    count: an approver signs with `command`.
    """

    digest: str
    title: str
    text: str
    answered_by: list[str]
    must_sign: bool
    command: str


def build_request(connection: warehouse.Connection, decision: Decision, batch: Batch) -> Request:
    """Build the question that approvers are asked about a batch.

    It identifies nobody who is to be revoked, since Airflow keeps it and shows it to every user who may see the run.
    It does not name earlier approvers, since Airflow shows it unchanged to a second person. For a hold it says why the
    person was held, and what was found out.
    """
    review, people = approval.load_review(connection, decision, batch), load_people()
    doubts = review["doubts"]
    rates = {**review["rates"], f"**{decision.cohort}, this batch**": (decision.selected, batch.people)}
    lines = [
        f"**{batch.described}** of {decision.selected:,} selected. "
        f"Once this is approved, {CONSEQUENCES[batch.subject]}.",
        "",
        f"- proposed by {markdown(batch.proposed_by)} on {batch.proposed_on}",
        f"- decided: {decision.purchased:,} purchased, {decision.held:,} held, {decision.overdue:,} overdue, "
        f"{decision.excluded:,} excluded",
        f"- {second_reading.describe(review['second_reading'])}",
        f"- by {doubts['deliveries']:,} deliveries: {doubts['quarantined']:,} rows quarantined, "
        f"{doubts['unusual']:,} of an unusual size, {doubts['waived']:,} accepted over their bound",
        *(
            f"- **overridden** by {markdown(override['overridden_by'])}: {markdown_code(override['reason'])} "
            f"({markdown_code(override['detail'])}), because {markdown_code(override['because'])}"
            for override in review["overrides"]
        ),
        *(f"- {markdown_code(line)}" for line in rejections.describe_hold(connection, batch)),
        *(
            f"- **rejected** by {markdown(rejection['rejected_by'])} on {rejection['rejected_on']}, and asked again"
            for rejection in rejections.list_rejections(connection, batch)
        ),
        "",
        "| gelombang | selected | revoked | rate |",
        "|---|--:|--:|--:|",
        *(
            f"| {name} | {selected:,} | {revoked:,} | {revoked / selected:.1%} |"
            for name, (selected, revoked) in rates.items()
        ),
        "",
        f"It takes {format_people(batch.approvals_needed + len(batch.approved_by))} to approve this batch; "
        f"`prakerja approve {decision.cohort}` shows a sample.",
        *describe_approvers(people, batch),
        "",
        f"Batch `{batch.digest}`",
    ]
    shown, verb = batch.digest[:SHOWN], "reinstate" if batch.subject == "reinstatement" else "revoke"
    return Request(
        digest=batch.digest,
        title=f"gelombang-{decision.cohort}: {verb} {batch.people:,} of {decision.selected:,}? ({shown})",
        text="\n".join(lines),
        answered_by=people.airflow_logins("approve", without=frozenset(batch.had_a_part)),
        must_sign=people.must_sign,
        command=batch.command,
    )


def describe_approvers(people: People, batch: Batch) -> list[str]:
    """Return sentences on who may approve a batch, or none if Airflow asks exactly those people."""
    if people.listed is None:
        return ["Every user with access to this DAG may answer: there is no list of people."]
    approvers = sorted(
        person.id for person in people.listed.values() if "approve" in person.may and person.id not in batch.had_a_part
    )
    if people.airflow_logins("approve", without=frozenset(batch.had_a_part)):
        return []
    if approvers:
        return [
            f"**No answer here counts**: {', '.join(approvers)} may approve it, and have no Airflow login. "
            f"They run `{batch.command}`."
        ]
    excluded = sorted(id_ for id_, person in people.listed.items() if "approve" in person.may)
    return [
        "**No answer here counts**: nobody may approve it. "
        + (f"{', '.join(excluded)} had a part in it. " if excluded else "")
        + "Give another person the right to approve, in the list of people."
    ]


def find_proposed_batch(connection: warehouse.Connection, cohort: int, digest: str) -> tuple[Decision, Batch]:
    """Return a cohort's decision and its reinstatement or hold batch with exactly this digest.

    Raise `PrakerjaError` if no such batch was ever proposed, or if it was not approved before it lapsed or was
    replaced.
    """
    decision, shown = find_decision(connection, cohort), digest[:SHOWN]
    for subject in ("reinstatement", "hold"):
        if decision is None:
            break
        proposed = approval.list_batches(connection, decision, subject)
        batch = next((candidate for candidate in proposed if candidate.digest == digest), None)
        if batch is None:
            continue
        is_replaced = subject == "reinstatement" and batch != proposed[0]
        if batch.approvals_needed and (batch.is_carried_out or batch.has_lapsed or is_replaced):
            raise PrakerjaError(f"gelombang-{cohort}: batch {shown} is no longer proposed: nothing is carried out")
        return decision, batch
    raise PrakerjaError(f"gelombang-{cohort}: no reinstatement or hold was ever proposed as batch {shown}")


def format_people(number: int) -> str:
    """Return `one person`, `two people`, `3 people`."""
    return {1: "one person", 2: "two people"}.get(number, f"{number} people")
