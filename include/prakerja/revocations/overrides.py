"""Overrides: a person answers for carrying on where a breaker stopped a decision. That attempt, on its evidence."""

from __future__ import annotations

from datetime import date
from typing import Any

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.revocations.approval import NAMED


def blocked_attempt(cohort: int) -> Any:
    """The attempt that a breaker stopped: decision_id, reason, detail, overridden_by. Raises `PrakerjaError`."""
    with warehouse.transaction("decide") as connection:
        rows = warehouse.rows(connection, "revocations/blocked_attempt", cohort=cohort)
    if not rows or rows[0]["status"] != "blocked":
        raise PrakerjaError(f"gelombang-{cohort}: no breaker stops it")
    return rows[0]


def attempt_name(decision_id: str) -> str:
    """What a person is shown of an attempt, and names it by."""
    return decision_id.rsplit("-", 1)[1][:NAMED]


def override(cohort: int, attempt: str, *, because: str, overridden_by: str, on: date) -> None:
    """Record that a person answers for an attempt. Other evidence is another attempt, and needs another override."""
    found = blocked_attempt(cohort)
    if attempt_name(found["decision_id"]) != attempt:
        raise PrakerjaError(f"gelombang-{cohort}: no attempt {attempt} is stopped: see `prakerja override {cohort}`")
    if found["reason"] == "totals_do_not_add_up":
        raise PrakerjaError(f"gelombang-{cohort}: totals that do not add up are a defect, which nobody can answer for")
    with warehouse.transaction("decide") as connection:
        written = warehouse.execute(
            connection,
            "revocations/insert_override",
            decision_id=found["decision_id"],
            overridden_by=overridden_by,
            because=because,
            overridden_on=on,
        ).rowcount
    if not written:
        raise PrakerjaError(f"gelombang-{cohort}: {found['overridden_by']} has overridden this attempt already")
