"""Requests for an approval, as Airflow shows them: what a person must see before they answer for a batch."""

from __future__ import annotations

from dataclasses import dataclass

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.escaping import markdown, markdown_code
from prakerja.people import People, load_people
from prakerja.revocations import approval, rejections, second_reading
from prakerja.revocations.approval import LEADS_TO, SHOWN, Batch
from prakerja.revocations.decision import Decision, find_decision


@dataclass(frozen=True)
class Request:
    """What is asked about a batch: `title` and `text` (Markdown), and the Airflow users who may answer.

    `answered_by` is empty where anybody may who acts on the DAG. With `must_sign`, no answer in Airflow counts: an
    approver signs, by `command`.
    """

    digest: str
    title: str
    text: str
    answered_by: list[str]
    must_sign: bool
    command: str


def build_request(connection: warehouse.Connection, decision: Decision, batch: Batch) -> Request:
    """Build what approvers are asked about a batch.

    It says nothing of any person who is to be revoked, since Airflow keeps it and shows it to whoever may see the run;
    and nothing of who has approved, since Airflow shows it unchanged when it asks a second person. Of a hold it says
    why the person was held, and what somebody found.
    """
    seen, people = approval.review(connection, decision, batch), load_people()
    doubts = seen["doubts"]
    rates = {**seen["rates"], f"**{decision.cohort}, this batch**": (decision.selected, batch.people)}
    lines = [
        f"**{batch.described}** of {decision.selected:,} selected. Once this is approved, {LEADS_TO[batch.subject]}.",
        "",
        f"- proposed by {markdown(batch.proposed_by)} on {batch.proposed_on}",
        f"- decided: {decision.purchased:,} purchased, {decision.held:,} held, {decision.overdue:,} overdue, "
        f"{decision.excluded:,} excluded",
        f"- {second_reading.describe(seen['second_reading'])}",
        f"- by {doubts['deliveries']:,} deliveries: {doubts['quarantined']:,} rows quarantined, "
        f"{doubts['unusual']:,} of an unusual size, {doubts['waived']:,} accepted over their bound",
        *(
            f"- **overridden** by {markdown(each['overridden_by'])}: {markdown_code(each['reason'])} "
            f"({markdown_code(each['detail'])}), because {markdown_code(each['because'])}"
            for each in seen["overrides"]
        ),
        *(f"- {markdown_code(line)}" for line in rejections.describe_hold(connection, batch)),
        *(
            f"- **rejected** by {markdown(each['rejected_by'])} on {each['rejected_on']}, and asked about again"
            for each in rejections.list_rejections(connection, batch)
        ),
        "",
        "| gelombang | selected | revoked | rate |",
        "|---|--:|--:|--:|",
        *(f"| {name} | {of:,} | {some:,} | {some / of:.1%} |" for name, (of, some) in rates.items()),
        "",
        f"It takes {count_people(batch.approvals_needed + len(batch.approved_by))}; "
        f"`prakerja approve {decision.cohort}` has a sample.",
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
    """Return who may approve a batch, in sentences, where Airflow's request cannot be given to them alone."""
    if people.listed is None:
        return ["Whoever acts on this DAG may answer: there is no list of people."]
    able = sorted(
        person.id for person in people.listed.values() if "approve" in person.may and person.id not in batch.had_a_part
    )
    if people.airflow_logins("approve", without=frozenset(batch.had_a_part)):
        return []
    if able:
        return [
            f"**No answer here counts**: {', '.join(able)} may approve it, and have no login of Airflow. "
            f"They say `{batch.command}`."
        ]
    parted = sorted(id_ for id_, person in people.listed.items() if "approve" in person.may)
    return [
        "**No answer here counts**: nobody may approve it. "
        + (f"{', '.join(parted)} had a part in it. " if parted else "")
        + "Give somebody else the right to approve, in the list of people."
    ]


def find_batch(connection: warehouse.Connection, cohort: int, digest: str) -> tuple[Decision, Batch]:
    """Return a cohort's decision, and its batch of reinstatements or of a hold that has this very digest.

    Raises `PrakerjaError` where none was ever proposed, or another stands by now and this one was not approved.
    """
    decision, shown = find_decision(connection, cohort), digest[:SHOWN]
    for subject in ("reinstatement", "hold"):
        if decision is None:
            break
        proposed = approval.batches(connection, decision, subject)
        batch = next((each for each in proposed if each.digest == digest), None)
        if batch is None:
            continue
        is_replaced = subject == "reinstatement" and batch != proposed[0]
        if batch.approvals_needed and (batch.is_carried_out or batch.has_lapsed or is_replaced):
            raise PrakerjaError(f"gelombang-{cohort}: batch {shown} is not proposed any more: nothing is carried out")
        return decision, batch
    raise PrakerjaError(f"gelombang-{cohort}: no reinstatement and no hold was ever proposed as batch {shown}")


def count_people(number: int) -> str:
    """Return `one person`, `two people`, `3 people`."""
    return {1: "one person", 2: "two people"}.get(number, f"{number} people")
