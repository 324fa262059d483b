"""Overrides: a person lets a decision proceed although a breaker stopped it. An override is for one attempt only."""

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
from prakerja.revocations.approval import DIGEST_DIGITS_MIN
from prakerja.revocations.decision import BlockedError
from prakerja.revocations.second_reading import FINAL


def find_blocked_attempt(cohort: int) -> dict[str, Any]:
    """Return the attempt that a breaker stopped: `decision_id`, `reason`, `detail`, `overridden_by`, `is_outdated`.

    If deliveries are missing, `detail` names those that are missing now, and the attempt is outdated if they are not
    the ones that stopped it. Raise `PrakerjaError` if no breaker stops the cohort, or the missing deliveries have
    arrived.
    """
    with warehouse.transaction("decide") as connection:
        rows = warehouse.rows(connection, "revocations/blocked_attempt", cohort=cohort)
        if not rows or rows[0]["status"] != "blocked":
            raise PrakerjaError(f"gelombang-{cohort}: no breaker stops it")
        attempt = {**rows[0], "is_outdated": False}
        if attempt["reason"] != "feeds_missing":
            return attempt
        last = attempt["deadline_on"] + timedelta(days=attempt["settlement_days"])
        missing = missing_feeds(connection, attempt["announced_on"], last, date.max)
    if not missing:
        raise PrakerjaError(f"gelombang-{cohort}: no breaker stops it: {FEEDS_ARRIVED}")
    return attempt | {"detail": sentence(missing), "is_outdated": as_text(missing) != list(attempt["missing_feeds"])}


def refresh_blocked_attempt(cohort: Cohort, as_of: date) -> None:
    """Record a new attempt if a cohort was stopped by missing deliveries and they have changed since."""
    if find_blocked_attempt(cohort.number)["reason"] == "feeds_missing":
        with contextlib.suppress(BlockedError):
            decision.require_complete_feeds(cohort, as_of)


def attempt_name(decision_id: str) -> str:
    """Return the short name by which a person sees and names an attempt."""
    return decision_id.rsplit("-", 1)[1][:DIGEST_DIGITS_MIN]


def override(cohort: int, attempt: str, *, because: str, overridden_by: str, on: date) -> None:
    """Record that a person overrides the breaker of an attempt. Other evidence makes another attempt.

    Raise `PrakerjaError` if the cohort is not stopped, if the attempt is another or outdated, if its breaker cannot be
    overridden, or if it is overridden already.
    """
    blocked = find_blocked_attempt(cohort)
    if blocked["is_outdated"]:
        raise PrakerjaError(
            f"gelombang-{cohort}: other deliveries are missing now, {blocked['detail']}: see `prakerja override "
            f"{cohort}` for the attempt to override"
        )
    if attempt_name(blocked["decision_id"]) != attempt:
        raise PrakerjaError(f"gelombang-{cohort}: no attempt {attempt} is stopped: see `prakerja override {cohort}`")
    if blocked["reason"] in FINAL:
        raise PrakerjaError(
            f"gelombang-{cohort}: {blocked['reason'].replace('_', ' ')} is a defect, which cannot be overridden: see "
            "docs/runbooks/second_reading.md"
        )
    with warehouse.transaction("decide") as connection:
        inserted = warehouse.execute(
            connection,
            "revocations/insert_override",
            decision_id=blocked["decision_id"],
            overridden_by=overridden_by,
            because=because,
            overridden_on=on,
        ).rowcount
    if not inserted:
        raise PrakerjaError(f"gelombang-{cohort}: {blocked['overridden_by']} has already overridden this attempt")
