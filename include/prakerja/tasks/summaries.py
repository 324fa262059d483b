"""Sentences that say what a run came to. They are the runs' notes. Nothing here changes anything."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prakerja.errors import PrakerjaError
from prakerja.escaping import one_line
from prakerja.run_context import RunContext
from prakerja.tasks import deadline

if TYPE_CHECKING:
    from prakerja.cohorts.roster import RosterIntake
    from prakerja.tasks.feeds import PlatformIntake

log = logging.getLogger(__name__)


def summarize_feeds(run: RunContext, taken: Sequence[Mapping[str, Any]]) -> str:
    """Summarize a night's intake.

    `taken` has the `PlatformIntake.counts` of each `platform` whose task got that far. The other platforms that owe a
    delivery are named.
    """
    from prakerja.platforms import active_on

    sums = {name: sum(count[name] for count in taken) for name in ("deliveries", "rows", "quarantined")}
    parts = [
        f"{sums['deliveries']:,} deliveries of {sum(count['deliveries'] > 0 for count in taken)} platforms",
        f"{sums['rows']:,} rows",
        f"{sums['quarantined']:,} quarantined",
    ]
    for what in ("rejected", "missing"):
        if named := [count["platform"] for count in taken if count[what]]:
            parts.append(f"{what}: {', '.join(named)}")
    untried = sorted({*active_on(run.on)} - {count["platform"] for count in taken})
    if untried:
        parts.append(f"not looked at: {', '.join(untried)}")
    return "; ".join([f"{run.on}: {', '.join(parts)}", *_list_calendar_problems(run)])


def _list_calendar_problems(run: RunContext) -> list[str]:
    from prakerja import warehouse
    from prakerja.cohorts import calendar_check

    try:
        with warehouse.transaction() as connection:
            return [problem.text for problem in calendar_check.list_problems(connection, run.as_of)]
    except PrakerjaError as error:
        return [str(error)]


def summarize_arrivals(taken: Sequence[tuple[str, PlatformIntake]], rosters: RosterIntake | None = None) -> str:
    """Summarize the rosters and deliveries that have arrived late."""
    parts = []
    if rosters:
        parts += [f"roster of gelombang-{number}: {rows:,} taken in" for number, rows in rosters.accepted.items()]
        parts += [f"rejected: {rejected}" for rejected in rosters.rejected]
    for platform, each in taken:
        parts.append(f"{platform}: {len(each.accepted)} taken in")
        parts += [f"rejected: {rejected}" for rejected in each.rejected]
    return one_line(", ".join(parts)) or "nothing has arrived that was missing"


def summarize_cohort(run: RunContext, counts: Mapping[str, Any] | None = None) -> str:
    """Summarize what a run of `cohort_deadline` has done so far.

    `counts` is the result of `reconcile`: a rehearsal leaves nothing else. A summary that fails raises nothing, so that
    it cannot hide how the task itself ended.
    """
    try:
        return _summarize_cohort(run, counts or {})
    except Exception as error:
        log.warning("%s has no summary (%s)", run.name, type(error).__name__)
        return f"{run.name}: no summary: see the logs"


def _summarize_cohort(run: RunContext, counts: Mapping[str, Any]) -> str:
    from prakerja import warehouse
    from prakerja.cohorts import calendar_check
    from prakerja.cohorts import overview as cohorts
    from prakerja.reminders import overview as reminders

    cohort = deadline.cohort_of(run)
    name = f"gelombang-{cohort.number}"
    if not deadline.has_roster(cohort):
        with warehouse.transaction() as connection:
            return calendar_check.describe_missing_roster(connection, cohort, run.as_of)
    if run.is_rehearsal:
        stops = counts.get("stops") or []
        would = ", ".join(f"{counts.get(what, 0):,} {what}" for what in ("purchased", "overdue", "held"))
        return f"{name}, a rehearsal: {would}{f'; it would stop: {stops[0]}' if stops else ''}"
    if run.kind != "deadline":
        runs = reminders.list_runs(cohort.number, run.on)
        ends = ", ".join(
            f"{sent[end]:,} {end.replace('_', ' ')}" for sent in runs for end in reminders.ENDS if sent[end]
        )
        return f"{name} {run.kind}: {ends or 'nobody was reminded'}"
    row = next((row for row in cohorts.cohort_table() if row["cohort"] == cohort.number), None)
    if row is None or row["status"] in ("no_roster", "open"):
        return f"{name} is not decided"
    if row["status"] == "blocked":
        return f"{name} is not decided: {row['reason'].replace('_', ' ')}: {row['detail']}"
    if row["status"] == "awaiting_approval":
        return f"{name}: {row['purchased']:,} purchased, {row['overdue']:,} overdue wait for an approval"
    done = ", ".join(f"{row[what]:,} {what}" for what in ("purchased", "revoked", "held"))
    again = f", {row['reinstated']:,} reinstated" if row["reinstated"] else ""
    return f"{name}: {done}{again}"


def summarize_audit(found: Sequence[Mapping[str, Any]] | None) -> str:
    """Summarize what the audit found; None means that it failed."""
    if found is None:
        return "the audit did not get to its end"
    if not found:
        return "every run that was due has been, and has done its work"
    repaired = sum(bool(finding["repair"]) for finding in found)
    return f"{len(found)} found, {repaired} to be repaired: {'; '.join(finding['text'] for finding in found)}"


def summarize_sync(synced: Mapping[str, Any]) -> str:
    """Summarize which list the example reader has."""
    return f"version {synced['version']} ({synced['how']}): {synced['entries']:,} entries"


def summarize_reader(synced: str | None, reacted: Mapping[str, int]) -> str:
    """Summarize how the example reader reacted. `synced` is the summary of its sync, or None if that failed."""
    return (synced or "the list that it last trusted") + "".join(
        f", {count:,} {what.replace('_', ' ')}" for what, count in reacted.items()
    )
