"""The tasks of `batch_approval`: a waiting batch of reinstatements, or a resolved hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from prakerja.errors import PrakerjaError
from prakerja.settings import WIB


def list_requests(now: datetime) -> list[dict[str, Any]]:
    """Return the runs of `batch_approval` for the batches that lack approvals.

    Each has `trigger_run_id`, `conf` and `note`. Batches of revocations are left out: their cohort's own run asks about
    them.
    """
    from prakerja.revocations import approval

    return [
        {
            "trigger_run_id": f"gelombang-{batch.cohort}__{batch.subject}__{batch.digest[: approval.SHOWN]}"
            f"__{now.astimezone(WIB).date()}",
            "conf": {"cohort": batch.cohort, "digest": batch.digest},
            "note": f"gelombang-{batch.cohort}: {batch.described}",
        }
        for _, batch in approval.waiting_batches()
        if batch.subject != "revocation"
    ]


def request_batch_approval(conf: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the request for the batch that a run names, or None if it has all its approvals.

    Raise `PrakerjaError` if the batch was never proposed, or is no longer proposed.
    """
    from prakerja import warehouse
    from prakerja.revocations.requests import build_request, find_batch

    with warehouse.transaction() as connection:
        made, batch = find_batch(connection, *read_batch_conf(conf))
        return asdict(build_request(connection, made, batch)) if batch.approvals_needed else None


def apply_batches(conf: Mapping[str, Any] | None, now: datetime) -> dict[str, int | None]:
    """Apply every approved batch and publish the list; return the numbers `revoked`, `reinstated`, and the `version`.

    Raise `AwaitingApprovalError` if the batch that the run names lacks approvals, `PrakerjaError` if it was never
    proposed, or is no longer proposed.
    """
    from prakerja import warehouse
    from prakerja.blacklist import publishing
    from prakerja.revocations import holds, reinstatement
    from prakerja.revocations.approval import AwaitingApprovalError
    from prakerja.revocations.requests import find_batch

    with warehouse.transaction() as connection:
        _, batch = find_batch(connection, *read_batch_conf(conf))
    if batch.approvals_needed:
        raise AwaitingApprovalError(f"gelombang-{batch.cohort}: see `prakerja approve {batch.cohort}`")
    today = now.astimezone(WIB).date()
    revoked, reinstated = holds.apply_resolved_holds(today), reinstatement.reinstate(today)
    # Named for the batch: a person who triggers a run may give it the id that another publication has.
    version = publishing.publish(f"batch_approval__{batch.digest}", now, today)
    return {"revoked": revoked, "reinstated": reinstated, "version": version}


def read_batch_conf(conf: Mapping[str, Any] | None) -> tuple[int, str]:
    """Return the cohort and the digest that a run's configuration names. Raise `PrakerjaError` if it names no batch."""
    cohort_number, digest = str((conf or {}).get("cohort")), str((conf or {}).get("digest"))
    if not re.fullmatch(r"[0-9]{1,4}", cohort_number) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise PrakerjaError("this run names no batch: daily_audit triggers it, with `cohort` and `digest`")
    return int(cohort_number), digest
