"""The tasks of `platform_feeds`: take in rosters and deliveries, then refresh what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prakerja.errors import PrakerjaError
from prakerja.escaping import one_line
from prakerja.run_context import RunContext


class IncompleteIntakeError(PrakerjaError):
    """A delivery was rejected, or the day's delivery is missing. Everything else was taken in."""

    def __init__(self, rejected: Sequence[str], missing: Sequence[str] = ()) -> None:
        super().__init__("\n".join(map(one_line, [*rejected, *missing])))  # a line each
        self.rejected = rejected


def take_in_rosters(run: RunContext) -> dict[str, int]:
    """Load the rosters that have arrived and return the recipients by cohort.

    Raise `IncompleteIntakeError` if one was rejected.
    """
    from prakerja.cohorts import roster

    intake = roster.take_in_rosters(run.as_of, is_replay=run.is_replay)
    if intake.rejected:
        raise IncompleteIntakeError(intake.rejected)
    return {f"gelombang-{number}": rows for number, rows in intake.accepted.items()}


def list_platforms(run: RunContext) -> list[str]:
    """Return the platforms that owe a delivery of the day, and every other folder of the landing zone."""
    from prakerja.feeds import intake
    from prakerja.platforms import active_on

    return intake.waiting_platforms(active_on(run.on))


def require_platform(platform: Any, run: RunContext) -> None:
    """Raise `PrakerjaError` if a name is not one of `list_platforms`. No other folder is ever read."""
    if not isinstance(platform, str) or platform not in list_platforms(run):
        raise PrakerjaError(
            f"{one_line(str(platform))[:100]}: not a platform and not a folder of the landing zone: "
            "clear the task list_platforms"
        )


def has_arrived(platform: str, run: RunContext) -> bool:
    """Return whether the platform's delivery of the day has arrived, or none is owed."""
    from prakerja.feeds import intake
    from prakerja.platforms import active_on

    return platform not in active_on(run.on) or intake.has_arrived(platform, run.on)


@dataclass(frozen=True)
class PlatformIntake:
    """What a run has taken in of one platform.

    `accepted` describes the accepted deliveries; `rejected` and `missing` are one line for each of the others.
    """

    accepted: list[dict[str, Any]]
    rejected: list[str]
    missing: list[str]

    def counts(self) -> dict[str, int]:
        """Return the number of accepted `deliveries`, of their `rows` and `quarantined` rows, and of the others."""
        return {
            "deliveries": len(self.accepted),
            "rows": sum(delivery["loaded"] for delivery in self.accepted),
            "quarantined": sum(delivery["quarantined"] for delivery in self.accepted),
            "rejected": len(self.rejected),
            "missing": len(self.missing),
        }

    def require_all(self) -> None:
        """Raise `IncompleteIntakeError` if a delivery was rejected, or is missing and an open cohort needs it."""
        if self.rejected or self.missing:
            raise IncompleteIntakeError(self.rejected, self.missing)


def take_in(platform: str, run: RunContext) -> PlatformIntake:
    """Validate and load every delivery of a platform that has arrived and is not known."""
    from prakerja import warehouse
    from prakerja.cohorts.completeness import missing_feeds
    from prakerja.cohorts.standing import has_open_cohort
    from prakerja.feeds import intake

    taken = intake.take_in(platform, run.as_of, is_replay=run.is_replay)
    with warehouse.transaction() as connection:
        missing = missing_feeds(connection, run.on, run.on, run.as_of)
    is_owed = (platform, run.on) in missing and has_open_cohort(run.on)
    return PlatformIntake(
        taken.accepted, taken.rejected, [f"{platform} {run.on}: no accepted delivery"] if is_owed else []
    )


def build_data_docs() -> str:
    """Write the Data Docs and return the path of their index."""
    from prakerja.feeds import data_docs, expectations  # noqa: F401 - imported first, it silences Great Expectations

    return str(data_docs.build())


def refresh_standing(run: RunContext) -> dict[str, dict[str, int]]:
    """Refresh every open cohort's standing and return the counts by cohort."""
    from prakerja.cohorts import standing

    return standing.refresh_standings(run.as_of)


def apply_late_evidence(run: RunContext) -> int | None:
    """Record late evidence about decided cohorts, apply what people have approved, and publish the list.

    Return the published version, or None if nothing was published. A version without a change is published once a day:
    it shows readers that the list is up to date.
    """
    from prakerja.blacklist.publisher import publishing
    from prakerja.revocations import appeals, holds, late_evidence, reinstatement

    late_evidence.record_late_evidence(run.as_of)
    holds.apply_resolved_holds(run.as_of)
    appeals.apply_upheld_appeals(run.as_of)
    reinstatement.reinstate(run.as_of, run.approve_as)
    return publishing.publish(run.name, run.now, run.as_of, is_daily=True, approve_as=run.approve_as)


def close_reminders(run: RunContext) -> dict[str, int]:
    """Close reminders that are too late to send, and delete addresses that are too old to keep."""
    from prakerja.reminders import outbox

    closed, forgotten = outbox.close_overdue_and_forget(run.now)
    return {"closed": closed, "forgotten": forgotten}
