"""What the DAGs' tasks do: one function per task, each over one or two areas, each safe to run twice."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from prakerja.calendar import Cohort, CohortEvent, find_cohort
from prakerja.errors import NotReadyError, PrakerjaError
from prakerja.escaping import markdown, one_line
from prakerja.run_context import RunContext
from prakerja.settings import WIB, Settings

if TYPE_CHECKING:
    from prakerja.blacklist.reader.freshness import Freshness
    from prakerja.cohorts.roster import RosterIntake
    from prakerja.revocations.run_audit import Finding, SeenRuns

log = logging.getLogger(__name__)


class NotTakenInError(PrakerjaError):
    """Something was rejected, or the day's delivery is missing; everything else was taken in."""

    def __init__(self, rejected: Sequence[str], missing: Sequence[str] = ()) -> None:
        super().__init__("\n".join(map(one_line, [*rejected, *missing])))  # a line each
        self.rejected = rejected


# -- platform_feeds ----------------------------------------------------------------------------------------------------


def take_in_rosters(run: RunContext) -> dict[str, int]:
    """Load the rosters that have arrived; gives recipients by cohort. Raises `NotTakenInError` for the rejected."""
    from prakerja.cohorts import roster

    intake = roster.take_in_rosters(run.as_of, is_replay=run.is_replay)
    if intake.rejected:
        raise NotTakenInError(intake.rejected)
    return {f"gelombang-{number}": rows for number, rows in intake.accepted.items()}


def list_platforms(run: RunContext) -> list[str]:
    """The platforms that owe a feed for the day, and whatever else lies in the landing zone."""
    from prakerja.feeds import intake
    from prakerja.platforms import active_on

    return intake.waiting_platforms(active_on(run.on))


def require_platform(platform: Any, run: RunContext) -> None:
    """Raise `PrakerjaError` where a name is none of `list_platforms`: it leads to no other folder."""
    if not isinstance(platform, str) or platform not in list_platforms(run):
        raise PrakerjaError(
            f"{one_line(str(platform))[:100]}: no platform, and no folder of the landing zone: "
            "clear the task list_platforms"
        )


def has_arrived(platform: str, run: RunContext) -> bool:
    """Whether the platform's delivery of the day lies in the landing zone, or none is owed."""
    from prakerja.feeds import intake
    from prakerja.platforms import active_on

    return platform not in active_on(run.on) or intake.has_arrived(platform, run.on)


@dataclass(frozen=True)
class TakenIn:
    """What was taken in of a platform: the accepted deliveries, and why it is not all that was owed."""

    accepted: list[dict[str, Any]]
    rejected: list[str]
    missing: list[str]

    def counts(self) -> dict[str, int]:
        """What was accepted: deliveries, rows, quarantined rows; deliveries that were rejected, or are missing."""
        return {
            "deliveries": len(self.accepted),
            "rows": sum(delivery["loaded"] for delivery in self.accepted),
            "quarantined": sum(delivery["quarantined"] for delivery in self.accepted),
            "rejected": len(self.rejected),
            "missing": len(self.missing),
        }

    def require_all(self) -> None:
        """Raises `NotTakenInError` where something was rejected, or is still owed to an open cohort."""
        if self.rejected or self.missing:
            raise NotTakenInError(self.rejected, self.missing)


def take_in(platform: str, run: RunContext) -> TakenIn:
    """Take in what has arrived of a platform."""
    from prakerja import warehouse
    from prakerja.cohorts.completeness import missing_feeds
    from prakerja.cohorts.standing import has_open_cohort
    from prakerja.feeds import intake

    taken = intake.take_in(platform, run.as_of, is_replay=run.is_replay)
    with warehouse.transaction() as connection:
        missing = missing_feeds(connection, run.on, run.on, run.as_of)
    is_owed = (platform, run.on) in missing and has_open_cohort(run.on)
    return TakenIn(taken.accepted, taken.rejected, [f"{platform} {run.on}: no accepted delivery"] if is_owed else [])


def build_data_docs() -> str:
    """Write the Data Docs of what was judged; gives the path of their index."""
    from prakerja.feeds import data_docs, expectations  # noqa: F401 - its import knows how to be quick

    return str(data_docs.build())


def refresh_standing(run: RunContext) -> dict[str, dict[str, int]]:
    """Write where every open cohort stands; gives the counts."""
    from prakerja.cohorts import standing

    return standing.refresh_standings(run.as_of)


def notice_late_truth(run: RunContext) -> int | None:
    """Write down what deliveries show about decided cohorts, carry out what people have approved, and publish that.

    Gives the version that was published: also without a change, once a day, so that readers see that it was looked at.
    """
    from prakerja.blacklist.publisher import publishing
    from prakerja.revocations import appeals, holds, late_truth, reinstatement

    late_truth.notice_late_truth(run.as_of)
    holds.carry_out(run.as_of)
    appeals.carry_out(run.as_of)
    reinstatement.reinstate(run.as_of, run.approve_as)
    return publishing.publish(run.name, run.now, run.as_of, is_daily=True, approve_as=run.approve_as)


def close_reminders(run: RunContext) -> dict[str, int]:
    """Close the reminders that are too late to send, and forget the addresses that are too old to keep."""
    from prakerja.reminders import outbox

    closed, forgotten = outbox.close(run.now)
    return {"closed": closed, "forgotten": forgotten}


def tell_of_feeds(run: RunContext, taken: Sequence[Mapping[str, Any]]) -> str:
    """Show what the monitor shows; gives what the run came to, in a sentence.

    `taken` has the `TakenIn.counts` of each `platform` that was looked at; the others that owe a feed are named.
    """
    from prakerja.platforms import active_on

    _show(run)
    sums = {name: sum(count[name] for count in taken) for name in ("deliveries", "rows", "quarantined")}
    told = [
        f"{sums['deliveries']:,} deliveries of {sum(count['deliveries'] > 0 for count in taken)} platforms",
        f"{sums['rows']:,} rows",
        f"{sums['quarantined']:,} quarantined",
    ]
    for what in ("rejected", "missing"):
        if named := [count["platform"] for count in taken if count[what]]:
            told.append(f"{what}: {', '.join(named)}")
    if passed_over := sorted({*active_on(run.on)} - {count["platform"] for count in taken}):
        told.append(f"not looked at: {', '.join(passed_over)}")
    return "; ".join([f"{run.on}: {', '.join(told)}", *_told_of_calendar(run)])


def _told_of_calendar(run: RunContext) -> list[str]:
    """What of the calendar needs a person on the run's day, a line each; the run's work is done whatever it is."""
    from prakerja import warehouse
    from prakerja.cohorts import calendar_check

    try:
        with warehouse.transaction() as connection:
            return [problem.told for problem in calendar_check.list_problems(connection, run.as_of)]
    except PrakerjaError as error:
        return [str(error)]


# -- late_deliveries ---------------------------------------------------------------------------------------------------

NIGHT_IS_OVER = 8  # WIB: until then the night's run waits for the day's deliveries itself


def take_in_late_rosters(now: datetime) -> RosterIntake:
    """Load the rosters that have arrived of cohorts that are announced and have none.

    Only their folders are looked into, and nothing is where every cohort has its roster. A landing zone that cannot be
    reached is looked at again the next time.
    """
    from prakerja import warehouse
    from prakerja.cohorts import calendar_check, roster
    from prakerja.landing import StorageError

    today = now.astimezone(WIB).date()
    with warehouse.transaction() as connection:
        waiting = [cohort.number for cohort in calendar_check.cohorts_without_roster(connection, today)]
    intake = roster.RosterIntake()
    try:
        if waiting:
            intake = roster.take_in_rosters(today, cohorts=waiting)
    except StorageError as error:
        log.warning("%s; it is looked at again in ten minutes", error)
    if intake.accepted:
        _count_anew(now)
    return intake


def take_in_late(now: datetime) -> list[tuple[str, TakenIn]]:
    """Take in what has arrived since of the deliveries that undecided cohorts lack; by platform, what was taken in.

    Only the folders of missing days are listed, and nothing is where nothing is missing. A landing zone that cannot be
    reached is looked at again the next time.
    """
    from prakerja import warehouse
    from prakerja.cohorts import standing
    from prakerja.feeds import intake
    from prakerja.landing import StorageError

    local = now.astimezone(WIB)
    today = local.date()
    before = today if local.hour >= NIGHT_IS_OVER else today - timedelta(days=1)
    with warehouse.transaction() as connection:
        owed = standing.owed_deliveries(connection, before, today)
    taken = []
    try:
        for platform in dict.fromkeys(platform for platform, day in owed if intake.has_news(platform, day)):
            come = intake.take_in(platform, today)
            taken.append((platform, TakenIn(come.accepted, come.rejected, [])))
    except StorageError as error:
        log.warning("%s; it is looked at again in ten minutes", error)
    if any(each.accepted for _, each in taken):
        _count_anew(now)
    return taken


def _count_anew(now: datetime) -> None:
    """Write where the open cohorts stand by now, and show it."""
    from prakerja.cohorts import standing

    today = now.astimezone(WIB).date()
    standing.refresh_standings(today)
    _show(RunContext("daily", today, now))


def list_resumed_runs(now: datetime, seen: Callable[[CohortEvent], SeenRuns]) -> list[dict[str, Any]]:
    """Return the runs that what has arrived makes possible, a mapping each, as they are triggered.

    They go on with cohorts whose missing deliveries have arrived, and remind today whom the day's run did not.
    """
    from prakerja.revocations import run_audit

    resumed = [_run_of(event, run_id, why) for run_id, event, why in run_audit.resume(now, seen)]
    return resumed + [repair for found in run_audit.reminders_to_repair(now, seen) if (repair := _repair(found, now))]


def tell_of_late(taken: Sequence[tuple[str, TakenIn]], rosters: RosterIntake | None = None) -> str:
    """What has arrived late, in a sentence."""
    told = []
    if rosters:
        told += [f"roster of gelombang-{number}: {rows:,} taken in" for number, rows in rosters.accepted.items()]
        told += [f"rejected: {rejected}" for rejected in rosters.rejected]
    for platform, each in taken:
        told.append(f"{platform}: {len(each.accepted)} taken in")
        told += [f"rejected: {rejected}" for rejected in each.rejected]
    return one_line(", ".join(told)) or "nothing has arrived that was missing"


# -- cohort_deadline ---------------------------------------------------------------------------------------------------


def has_complete_feeds(run: RunContext) -> bool:
    """The gate: whether every delivery that the run needs is in.

    A deadline run of the past does not wait: it raises `BlockedError`, naming platforms and dates. Reminders wait for
    nothing: one too many harms nobody.
    """
    from prakerja.revocations import decision

    cohort = _cohort(run)
    if run.kind != "deadline" or run.is_rehearsal or not _has_roster(cohort):
        return True
    try:
        decision.require_complete_feeds(cohort, run.as_of)
    except decision.BlockedError as blocked:
        if run.is_replay or run.as_of > cohort.decided_on:
            raise
        log.warning("%s; waiting", blocked)
        return False
    return True


def reconcile(run: RunContext) -> dict[str, Any]:
    """Where the cohort's recipients stand: the counts, after the deadline those that its decision is to be made of.

    A rehearsal's is what would be decided today, with what would stop that.
    """
    from prakerja.cohorts import standing
    from prakerja.revocations import decision

    cohort = _cohort(run)
    if not _has_roster(cohort):
        return {}
    if run.is_rehearsal:
        return decision.rehearse(cohort, run.as_of)
    if run.kind != "deadline":
        return dict(standing.refresh_standings(run.as_of).get(f"gelombang-{cohort.number}", {}))
    return decision.reconcile(cohort, run.as_of)


def recheck(run: RunContext) -> dict[str, Any]:
    """Read the cohort's files a second time, by other means, and decide the cohort where both readings agree.

    Gives the decision's id and totals; nothing before the deadline, and of a rehearsal, which has both behind it.
    """
    from prakerja.revocations import decision

    cohort = _cohort(run)
    if run.kind != "deadline" or run.is_rehearsal or not _has_roster(cohort):
        return {}
    made = decision.decide(cohort, run.as_of)
    return {"decision_id": made.decision_id, "selected": made.selected, **made.totals}


def choose(run: RunContext) -> str:
    """The task that comes next."""
    cohort = _cohort(run)
    if not _has_roster(cohort):
        return "cohort_has_no_roster"
    if run.is_rehearsal:
        return "rehearsal_is_over"
    if run.kind != "deadline":
        return "reminder_date_is_over" if run.is_late else "send_reminders"
    made = _decision(cohort)
    if made.deadline_on > cohort.deadline_on or (made.is_carried_out and made.deadline_on < cohort.deadline_on):
        return "cohort_was_decided"  # for another deadline, that was extended: nobody is decided twice
    if not made.overdue:
        return "nobody_is_overdue"
    if run.is_replay:  # nobody is there to answer
        return "approve_revocation"
    return "ask_approval" if request_approval(run) else "approve_revocation"


def request_approval(run: RunContext) -> dict[str, Any] | None:
    """Propose the revocations and return what approvers are asked (`revocations.requests.Request`), or None."""
    from prakerja.revocations import revocation

    _require_real(run)
    cohort = _cohort(run)
    made = _decision(cohort)
    made.require_unmoved(cohort)
    asked = revocation.request_approval(made, run.as_of)
    return asdict(asked) if asked else None


def send_reminders(run: RunContext, connections: Mapping[str, str] | None = None) -> tuple[bool, dict[str, int]]:
    """Remind whom the run is for, as far as may leave now; gives whether that is all, and people by how it ended.

    `connections` are the providers' URLs (`reminders.channels.Accounts`); none: those of the environment. A replay goes
    by the environment, which its player has pointed at a sandbox, and waits for the receipts itself.
    """
    import time

    from prakerja.reminders import sending
    from prakerja.reminders.channels import Accounts

    _require_real(run)
    accounts = Accounts.of({} if run.is_replay else connections or {})

    def send() -> sending.Progress:
        return sending.send_reminders(_cohort(run), run.on, accounts, run.read_clock)

    progress = send()
    if run.is_replay:
        patience = time.monotonic() + 30
        while progress.waiting.get("awaiting_receipt") and time.monotonic() < patience:
            time.sleep(0.05)
            progress = send()
        if not progress.is_done:
            waits = ", ".join(
                f"{count:,} {what.replace('_', ' ')}" for what, count in progress.waiting.items() if count
            )
            raise sending.PartialError(f"{run.name}: {waits}, and a replayed day does not wait")
    return progress.is_done, progress.counts


def record_approval(cohort: int, digest: str, login: str, on: date) -> str:
    """Record that the person of an Airflow user approves the batch that they were shown, and return that in a sentence.

    Raises `PrakerjaError` where they may not, or have done so before.
    """
    from prakerja import warehouse
    from prakerja.revocations import approval

    person_id = _answering(login)
    _, batch = approval.find_waiting(cohort, digest)
    with warehouse.transaction("decide") as connection:
        is_new = approval.approve(connection, batch, person_id, on)
    approval.require_new(is_new, batch, person_id)
    return f"{person_id} approves {batch.described} of gelombang-{cohort}"


def record_rejection(cohort: int, digest: str, login: str, on: date) -> str:
    """Record that the person of an Airflow user rejects the batch that they were shown, and return that in a sentence.

    Raises `PrakerjaError` for whoever may not approve, and where the batch does not wait any more.
    """
    from prakerja import warehouse
    from prakerja.revocations import approval, rejections

    person_id = _answering(login)
    _, batch = approval.find_waiting(cohort, digest)
    with warehouse.transaction("decide") as connection:
        rejections.reject(connection, batch, person_id, on)
    return f"{person_id} rejects {batch.described} of gelombang-{cohort}"


def _answering(login: str) -> str:
    """Return the id of the person of an Airflow user whose answers count. Raises `PrakerjaError`."""
    from prakerja.people import load_people

    people = load_people()
    if people.must_sign:
        raise PrakerjaError("approvals are signed here: an answer in Airflow does not count")
    return people.find_by_airflow_login(login, "approve").id


def is_approval_missing(cohort: int, digest: str) -> bool:
    """Return whether a batch still waits for an approval: not where it has them all, or is not proposed any more."""
    from prakerja import warehouse
    from prakerja.revocations import approval
    from prakerja.revocations.decision import made_decision

    with warehouse.transaction() as connection:
        made = made_decision(connection, cohort)
        return made is not None and any(batch.digest == digest for batch in approval.waiting(connection, made))


def approve_revocation(run: RunContext) -> list[str]:
    """Propose the batch and return who has approved it; in a replay, `approve_as` does so in advance.

    Raises `AwaitingApprovalError` where approvals are missing, also where another batch stands by now than the one that
    was approved.
    """
    from prakerja.revocations import revocation

    _require_real(run)
    cohort = _cohort(run)
    made = _decision(cohort)
    made.require_unmoved(cohort)
    return revocation.require_approval(made, run.as_of, approve_as=run.approve_as)


def revoke(run: RunContext) -> int:
    """Revoke the overdue of the approved decision; gives how many this run revoked."""
    from prakerja.revocations import revocation

    _require_real(run)
    cohort = _cohort(run)
    return revocation.revoke(cohort, _decision(cohort), run.as_of)


def publish_blacklist(run: RunContext) -> int:
    """Publish the list as it stands after this run; gives its version."""
    from prakerja.blacklist.publisher import publishing

    _require_real(run)
    version = publishing.publish(run.name, run.now, run.as_of, approve_as=run.approve_as)
    if version is None:
        raise PrakerjaError(f"{run.name}: nothing was published")
    return version


def tell_of_cohort(run: RunContext, counts: Mapping[str, Any] | None = None) -> str:
    """Show what the monitor shows of the cohort; gives what the run has come to so far, in a sentence.

    `counts` is what `reconcile` gave: of a rehearsal nothing else is kept. What was done stays done where it cannot be
    told of.
    """
    try:
        return _told_of_cohort(run, counts or {})
    except Exception as error:  # whatever it is: it comes after the work, and may hide how that ended
        log.warning("%s is not told of (%s)", run.name, type(error).__name__)
        return f"{run.name}: not told of, see the logs"


def _told_of_cohort(run: RunContext, counts: Mapping[str, Any]) -> str:
    from prakerja import warehouse
    from prakerja.cohorts import calendar_check
    from prakerja.cohorts import overview as cohorts
    from prakerja.reminders import overview as reminders

    cohort = _cohort(run)
    name = f"gelombang-{cohort.number}"
    if not _has_roster(cohort):
        with warehouse.transaction() as connection:
            return calendar_check.describe_missing_roster(connection, cohort, run.as_of)
    if run.is_rehearsal:
        stops = counts.get("stops") or []
        would = ", ".join(f"{counts.get(what, 0):,} {what}" for what in ("purchased", "overdue", "held"))
        return f"{name}, a rehearsal: {would}{f'; it would stop: {stops[0]}' if stops else ''}"
    _show(run)
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


def _show(run: RunContext) -> None:
    """Count what the monitor shows, and publish the statistics. Nobody waits for a picture: what fails is logged."""
    from prakerja.monitor import figures, statistics

    try:
        figures.refresh(run.now, run.cohort)
        statistics.publish()
    except Exception as error:  # as above
        log.warning("the monitor and the statistics do not show this yet (%s)", type(error).__name__)


def _require_real(run: RunContext) -> None:
    if run.is_rehearsal:
        raise PrakerjaError(f"{run.name} is a rehearsal: it ends with its report")


# -- batch_approval ----------------------------------------------------------------------------------------------------


def list_requests(now: datetime) -> list[dict[str, Any]]:
    """Return the runs of `batch_approval` that waiting reinstatements and resolved holds need today.

    Revocations are asked about by their cohort's own run. `trigger_run_id`, `conf` and `note`, a mapping each.
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
    """Return what approvers are asked about the batch that a run names, or None where it is approved or carried out.

    Raises `PrakerjaError` for one that was never proposed, or does not stand any more.
    """
    from prakerja import warehouse
    from prakerja.revocations.requests import build_request, find_batch

    with warehouse.transaction() as connection:
        made, batch = find_batch(connection, *named_batch(conf))
        return asdict(build_request(connection, made, batch)) if batch.approvals_needed else None


def carry_out_batch(conf: Mapping[str, Any] | None, now: datetime) -> dict[str, int | None]:
    """Revoke or reinstate whoever is in an approved batch, and publish the list; return how many, and the version.

    Raises `AwaitingApprovalError` where the batch that the run names lacks approvals, `PrakerjaError` for one that was
    never proposed, or does not stand any more.
    """
    from prakerja import warehouse
    from prakerja.blacklist.publisher import publishing
    from prakerja.revocations import holds, reinstatement
    from prakerja.revocations.approval import AwaitingApprovalError
    from prakerja.revocations.requests import find_batch

    with warehouse.transaction() as connection:
        _, batch = find_batch(connection, *named_batch(conf))
    if batch.approvals_needed:
        raise AwaitingApprovalError(f"gelombang-{batch.cohort}: see `prakerja approve {batch.cohort}`")
    today = now.astimezone(WIB).date()
    revoked, reinstated = holds.carry_out(today), reinstatement.reinstate(today)
    # By the batch: whoever triggers a run gives it any id, also one that another publication has.
    version = publishing.publish(f"batch_approval__{batch.digest}", now, today)
    return {"revoked": revoked, "reinstated": reinstated, "version": version}


def named_batch(conf: Mapping[str, Any] | None) -> tuple[int, str]:
    """Return the cohort and digest of the batch that a run's configuration names. Raises `PrakerjaError`."""
    cohort_number, digest = str((conf or {}).get("cohort")), str((conf or {}).get("digest"))
    if not re.fullmatch(r"[0-9]{1,4}", cohort_number) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise PrakerjaError("this run names no batch: daily_audit triggers it, with `cohort` and `digest`")
    return int(cohort_number), digest


# -- daily_audit -------------------------------------------------------------------------------------------------------


def audit_runs(now: datetime, seen: Callable[[CohortEvent], SeenRuns]) -> list[dict[str, Any]]:
    """What lacks among the cohorts' runs, a mapping each: `kind`, `told`, and `repair`, the run that mends it."""
    from prakerja.revocations import run_audit

    found = []
    for finding in run_audit.audit(now, seen):
        log.warning("%s", finding.told)
        repair = _repair(finding, now)
        found.append({"kind": finding.kind, "told": finding.told, "repair": repair})
    return found


def recheck_list(now: datetime) -> list[dict[str, Any]]:
    """Read the cohorts whose turn it is tonight again, and compare the published list with that.

    Return what differs as `audit_runs` does; no run mends it. Every listed person has their turn within four weeks.
    """
    from prakerja.blacklist.publisher import rechecking

    cohorts = rechecking.due_on(now.astimezone(WIB).date(), rechecking.decided_cohorts())
    if not cohorts or not has_list():
        return []
    report = rechecking.check_own(cohorts, now.astimezone(WIB).date())
    for number, counts in report.counts.items():
        told = ", ".join(f"{people:,} {what}" for what, people in counts.items() if people)
        log.info("gelombang-%d was read again: %s", number, told or "nobody of it is listed")
    by_what = Counter((each.cohort, each.what) for each in report.differences)
    return [
        {
            "kind": "list_differs",
            "told": f"gelombang-{number}: the list and the second reading differ on {people:,}: {what}: "
            f"see `prakerja recheck {number}`",
            "repair": None,
        }
        for (number, what), people in by_what.items()
    ]


def list_repairs(now: datetime, seen: Callable[[CohortEvent], SeenRuns]) -> list[dict[str, Any]]:
    """Return the runs of `cohort_deadline` that are lacking by now: `trigger_run_id`, `conf` and `note` of each."""
    from prakerja.revocations import run_audit

    return [repair for finding in run_audit.audit(now, seen) if (repair := _repair(finding, now))]


def _repair(finding: Finding, now: datetime) -> dict[str, Any] | None:
    """Return the run that mends a finding, or None where a person is needed."""
    from prakerja.revocations.run_audit import repair_run_id

    if finding.event is None:
        return None
    return _run_of(finding.event, repair_run_id(finding.event, now), finding.told)


def _run_of(event: CohortEvent, run_id: str, why: str) -> dict[str, Any]:
    return {"trigger_run_id": run_id, "conf": {"cohort": event.cohort, "kind": event.kind}, "note": markdown(why)}


def report_audit(*found: list[dict[str, Any]] | None) -> None:
    """Raises `PrakerjaError` where something was found that no run mends, or nothing is known: a person is needed.

    Of each task that looks what it found: those of `audit_runs` and `recheck_list`.
    """
    if any(each is None for each in found):
        raise PrakerjaError("the audit did not get to its end, or its findings were altered: clear find and recheck")
    if left := [finding["told"] for each in found for finding in each or [] if not finding["repair"]]:
        raise PrakerjaError("\n".join(left))


# -- blacklist_readers -------------------------------------------------------------------------------------------------


def has_list() -> bool:
    """Whether a list is published at all."""
    from prakerja.blacklist.publisher import storage

    try:
        storage.find_list(Settings.from_environment().publish)
    except NotReadyError:
        return False
    return True


def has_fresh_list(version: int = 0) -> bool:
    """Whether a list is published, of this version at least, and the next one not overdue: for DAGs that await it."""
    published = _published()
    return published is not None and published.version >= version and not published.is_stale


def published_version() -> int:
    """Return the version of the list that is published, 0 if there is none."""
    published = _published()
    return published.version if published else 0


def _published() -> Freshness | None:
    from prakerja.blacklist.publisher import storage
    from prakerja.blacklist.publisher.freshness import load_freshness

    try:
        return load_freshness(storage.find_list(Settings.from_environment().publish), datetime.now(UTC))
    except NotReadyError:
        return None


def measure_list() -> dict[str, float]:
    """The published list in numbers: its version, and how old it is, in seconds; nothing, where none can be read."""
    from prakerja.blacklist.publisher import storage
    from prakerja.blacklist.publisher.freshness import load_freshness

    now = datetime.now(UTC)
    try:
        found = load_freshness(storage.find_list(Settings.from_environment().publish), now)
    except PrakerjaError as error:
        log.warning("the published list is not measured: %s", error)
        return {}
    return {"version": found.version, "age_seconds": (now - found.created_at).total_seconds()}


def tell_of_audit(found: Sequence[Mapping[str, Any]] | None) -> str:
    """What the audit has found, in a sentence; nothing is known where it did not get to its end."""
    if found is None:
        return "the audit did not get to its end"
    if not found:
        return "every run that was due has been, and has done its work"
    repaired = sum(bool(finding["repair"]) for finding in found)
    return f"{len(found)} found, {repaired} to be repaired: {'; '.join(finding['told'] for finding in found)}"


def tell_of_sync(synced: Mapping[str, Any]) -> str:
    """Which list the example reader has by now, in a sentence."""
    return f"version {synced['version']} ({synced['how']}): {synced['entries']:,} entries"


def tell_of_reader(synced: str | None, reacted: Mapping[str, int]) -> str:
    """What the example reader made of the list that `synced` tells of, in a sentence."""
    told = synced or "the list that it last trusted"
    return told + "".join(f", {count:,} {what.replace('_', ' ')}" for what, count in reacted.items())


def sync_list() -> dict[str, Any]:
    """Bring the example reader's copy up to the published version; gives the version, how, and what deltas changed."""
    from prakerja.blacklist.publisher import storage

    synced = _reader().sync(storage.source_in(storage.find_list(Settings.from_environment().publish)))
    return {
        "version": synced.trusted.version,
        "how": synced.how,
        "entries": synced.trusted.entries,
        "added": sum(change.op == "ADD" for change in synced.changes),
        "withdrawn": sum(change.op == "WITHDRAW" for change in synced.changes),
    }


def react_to_list() -> dict[str, int]:
    """What the example registration does about the list that it trusts: applications refused, and taken up again."""
    from prakerja.blacklist.reader.registration import Registration

    reader = _reader()
    return Registration(reader.folder.parent / "registration.sqlite").react(reader.open_list(), datetime.now(UTC))


def _reader() -> Any:
    from prakerja.blacklist.publisher import configured_keys
    from prakerja.blacklist.reader.sync import Client

    folder = Settings.from_environment().make_home() / "readers" / "registration" / "list"
    return Client(folder, [configured_keys.load_signing_key().public], configured_keys.load_subject_keys())


# ----------------------------------------------------------------------------------------------------------------------


def _cohort(run: RunContext) -> Cohort:
    if run.cohort is None:
        raise PrakerjaError(f"the run {run.name} names no cohort")
    return find_cohort(run.cohort).as_known_on(run.as_of)


def _has_roster(cohort: Cohort) -> bool:
    from prakerja import warehouse

    with warehouse.transaction() as connection:
        return any(row["cohort"] == cohort.number for row in warehouse.rows(connection, "cohorts/known_cohorts"))


def _decision(cohort: Cohort) -> Any:
    from prakerja import warehouse
    from prakerja.revocations.decision import made_decision

    with warehouse.transaction() as connection:
        made = made_decision(connection, cohort.number)
    if made is None:
        raise PrakerjaError(f"gelombang-{cohort.number} is not decided: clear the task `recheck` first")
    return made
