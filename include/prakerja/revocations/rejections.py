"""Rejections: a person has looked at a batch and said no. It binds nobody, and everybody who is asked again sees it."""

from __future__ import annotations

from datetime import date
from typing import Any

from prakerja import warehouse
from prakerja.revocations.approval import Batch


def reject(connection: warehouse.Connection, batch: Batch, rejected_by: str, on: date) -> None:
    """Record that a person rejects a batch, once a day. Safe to repeat."""
    warehouse.execute(
        connection, "revocations/insert_rejection", digest=batch.digest, rejected_by=rejected_by, rejected_on=on
    )


def list_rejections(connection: warehouse.Connection, batch: Batch) -> list[dict[str, Any]]:
    """Return who has rejected a batch, and on which day (`rejected_by`, `rejected_on`), the first first."""
    return [dict(row) for row in warehouse.rows(connection, "revocations/list_rejections", digest=batch.digest)]


def describe_hold(connection: warehouse.Connection, batch: Batch) -> list[str]:
    """Return why the person of a hold's batch was held, and what somebody found out, a line each; none for others.

    Nothing in it says who they are. What a person wrote is as they wrote it, to be escaped by whoever shows it.
    """
    lines = []
    for row in warehouse.rows(connection, "revocations/describe_hold", digest=batch.digest):
        why = str(row["because"]).replace("_", " ")
        if row["platform"] is not None:
            why += f", in a row of {row['platform']} of {row['business_date']}"
        if row["reasons"]:
            why += f" ({', '.join(reason.replace('_', ' ') for reason in row['reasons'])})"
        what = "a purchase" if row["is_purchased"] else "no purchase"
        lines += [
            f"held: {why}",
            f"found by {row['resolved_by']} on {row['resolved_on']}: {what}, because {row['found']}",
        ]
    return lines
