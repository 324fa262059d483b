"""Rejections: a person declines to approve a batch. A rejection is not binding, and later approvers see it."""

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
    """Return the rejections of a batch (`rejected_by`, `rejected_on`), the earliest first."""
    return [dict(row) for row in warehouse.rows(connection, "revocations/list_rejections", digest=batch.digest)]


def describe_hold(connection: warehouse.Connection, batch: Batch) -> list[str]:
    """Return two lines about the hold of a batch: why the person was held, and what was found out. Else, no lines.

    The lines do not identify the person. They contain text that a person wrote: escape it before display.
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
