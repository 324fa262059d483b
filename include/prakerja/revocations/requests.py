"""Requests for an approval, as Airflow shows them: what a person must see before they answer for a batch."""

from __future__ import annotations

from dataclasses import dataclass

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.people import load_people
from prakerja.revocations import approval
from prakerja.revocations.approval import LEADS_TO, SHOWN, Batch
from prakerja.revocations.decision import Decision, made_decision


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
    and nothing of who has approved, since Airflow shows it unchanged when it asks a second person.
    """
    seen, people = approval.review(connection, decision, batch), load_people()
    doubts = seen["doubts"]
    rates = {**seen["rates"], f"**{decision.cohort}, this batch**": (decision.selected, batch.people)}
    lines = [
        f"**{batch.described}** of {decision.selected:,} selected. Once this is approved, {LEADS_TO[batch.subject]}.",
        "",
        f"- proposed by {batch.proposed_by} on {batch.proposed_on}",
        f"- decided: {decision.purchased:,} purchased, {decision.held:,} held, {decision.overdue:,} overdue, "
        f"{decision.excluded:,} excluded",
        f"- by {doubts['deliveries']:,} deliveries: {doubts['quarantined']:,} rows quarantined, "
        f"{doubts['unusual']:,} of an unusual size, {doubts['waived']:,} accepted over their bound",
        *(
            f"- **overridden** by {each['overridden_by']}: {_literal(each['reason'])} ({_literal(each['detail'])}), "
            f"because {_literal(each['because'])}"
            for each in seen["overrides"]
        ),
        "",
        "| gelombang | selected | revoked | rate |",
        "|---|--:|--:|--:|",
        *(f"| {name} | {of:,} | {some:,} | {some / of:.1%} |" for name, (of, some) in rates.items()),
        "",
        f"It takes {count_people(batch.approvals_needed + len(batch.approved_by))}; "
        f"`prakerja approve {decision.cohort}` has a sample.",
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


def find_batch(connection: warehouse.Connection, cohort: int, digest: str) -> tuple[Decision, Batch]:
    """Return a cohort's decision, and its batch of reinstatements or of a hold that has this very digest.

    Raises `PrakerjaError` where none was ever proposed, or another stands by now and this one was not approved.
    """
    decision, shown = made_decision(connection, cohort), digest[:SHOWN]
    for subject in ("reinstatement", "hold") if decision else ():
        proposed = approval.batches(connection, decision, subject)
        batch = next((each for each in proposed if each.digest == digest), None)
        if batch is None:
            continue
        if batch.approvals_needed and (batch.is_carried_out or (subject == "reinstatement" and batch != proposed[0])):
            raise PrakerjaError(f"gelombang-{cohort}: batch {shown} is not proposed any more: nothing is carried out")
        return decision, batch
    raise PrakerjaError(f"gelombang-{cohort}: no reinstatement and no hold was ever proposed as batch {shown}")


def count_people(number: int) -> str:
    """Return `one person`, `two people`, `3 people`."""
    return {1: "one person", 2: "two people"}.get(number, f"{number} people")


def _literal(text: str) -> str:
    """Return a text as code of one line: nothing in it is Markdown."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"
