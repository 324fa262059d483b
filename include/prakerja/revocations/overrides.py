"""Overrides: a person answers for carrying on where a breaker stopped a decision. That attempt, on its evidence."""

from __future__ import annotations

import contextlib
from datetime import date, timedelta
from typing import Any

from prakerja import warehouse
from prakerja.calendar import Cohort
from prakerja.cohorts.completeness import as_text, missing_feeds, sentence
from prakerja.cohorts.overview import FEEDS_ARRIVED
from prakerja.errors import PrakerjaError
from prakerja.revocations import decision
from prakerja.revocations.approval import NAMED
from prakerja.revocations.decision import BlockedError
from prakerja.revocations.second_reading import FINAL


def blocked_attempt(cohort: int) -> dict[str, Any]:
    """The attempt that a breaker stopped: decision_id, reason, detail, overridden_by; and `is_outdated`.

    Where deliveries are missing, `detail` names those that are missing by now, and the attempt is outdated where that
    is not what stopped it. Raises `PrakerjaError` where nothing stops the cohort, or nothing does any more.
    """
    with warehouse.transaction("decide") as connection:
        rows = warehouse.rows(connection, "revocations/blocked_attempt", cohort=cohort)
        if not rows or rows[0]["status"] != "blocked":
            raise PrakerjaError(f"gelombang-{cohort}: no breaker stops it")
        found = {**rows[0], "is_outdated": False}
        if found["reason"] != "feeds_missing":
            return found
        last = found["deadline_on"] + timedelta(days=found["settlement_days"])
        missing = missing_feeds(connection, found["announced_on"], last, date.max)
    if not missing:
        raise PrakerjaError(f"gelombang-{cohort}: no breaker stops it: {FEEDS_ARRIVED}")
    return found | {"detail": sentence(missing), "is_outdated": as_text(missing) != list(found["missing_feeds"])}


def look_again(cohort: Cohort, as_of: date) -> None:
    """Record what stops a cohort now, where other deliveries are missing or there than when it was stopped."""
    if blocked_attempt(cohort.number)["reason"] == "feeds_missing":
        with contextlib.suppress(BlockedError):
            decision.require_complete_feeds(cohort, as_of)


def attempt_name(decision_id: str) -> str:
    """What a person is shown of an attempt, and names it by."""
    return decision_id.rsplit("-", 1)[1][:NAMED]


def override(cohort: int, attempt: str, *, because: str, overridden_by: str, on: date) -> None:
    """Record that a person answers for an attempt. Other evidence is another attempt, and needs another override."""
    found = blocked_attempt(cohort)
    if found["is_outdated"]:
        raise PrakerjaError(
            f"gelombang-{cohort}: other deliveries are missing by now, {found['detail']}: see `prakerja override "
            f"{cohort}`, which names the attempt to answer for"
        )
    if attempt_name(found["decision_id"]) != attempt:
        raise PrakerjaError(f"gelombang-{cohort}: no attempt {attempt} is stopped: see `prakerja override {cohort}`")
    if found["reason"] in FINAL:
        raise PrakerjaError(
            f"gelombang-{cohort}: {found['reason'].replace('_', ' ')} is a defect, which nobody can answer for: see "
            "docs/runbooks/second_reading.md"
        )
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
