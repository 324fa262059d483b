"""The first page: what needs a person, then every cohort, then the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist import freshness, sources
from prakerja.calendar import Cohort, calendar
from prakerja.cohorts import calendar_check, missed_reminders
from prakerja.errors import PrakerjaError
from prakerja.feeds.overview import mask
from prakerja.monitor import curves, figures
from prakerja.monitor.charts import Chart
from prakerja.monitor.figures import CohortFigures
from prakerja.people import unlisted
from prakerja.reminders import receipts
from prakerja.settings import WIB, Settings

DIFFERING_SHOWN = 5
ODD_RECEIPTS_SHOWN_FOR = timedelta(days=7)  # after the last one
LOCK_PATIENCE = timedelta(minutes=1)  # nothing that goes well holds others up for longer
POINTS = {"on": "day", "days_left": "days left", "bought": "have bought", "share": "share of the selected"}


@dataclass(frozen=True)
class ActionItem:
    """Something that waits for a person: what, where in the monitor, and whether benefits hang on it."""

    what: str
    path: str
    is_urgent: bool


def page(now: datetime) -> dict[str, Any]:
    """`needs`, `cohorts` (the latest first), `to_come` (cohorts without a roster), `published`, `charts`."""
    known, day = figures.of_cohorts(), now.astimezone(WIB).date()
    published = published_list(now)
    drawn = curves.every(known, day)
    rows, charts = [], {}
    for number, found in reversed(known.items()):
        cohort = calendar()[number].as_known_on(day)
        name = f"spark_{number}"
        charts[name] = _spark(name, cohort, drawn)
        rows.append(row_of(cohort, found, now))
    return {
        "needs": sorted(
            [
                *_needs_of_calendar(known, day),
                *_needs(known, day),
                *_needs_of_reminders(known, now),
                *_needs_of_feeds(known, day),
                *_needs_of_list(published, day),
                *_needs_of_people(),
                *_needs_of_corrections(),
                *_needs_of_readings(),
                *_needs_of_receipts(now),
                *_needs_of_locks(now),
            ],
            key=lambda need: not need.is_urgent,
        ),
        "cohorts": rows,
        "to_come": [cohort for number, cohort in calendar().items() if number not in known],
        "published": published,
        "refreshed_at": figures.counted_at(known),
        "charts": charts,
    }


def row_of(cohort: Cohort, found: CohortFigures, now: datetime) -> dict[str, Any]:
    """A cohort in numbers: its counts, its dates, `closes_at` (the end of its deadline) and whether that is to come."""
    counts = found.counts
    return {
        **counts,
        "cohort": cohort.number,
        "deadline_on": cohort.deadline_on,
        "announced_on": cohort.announced_on,
        "closes_at": cohort.effective_at,
        "is_open": now < cohort.effective_at,
        "not_bought": counts["at_risk"] + counts["overdue"],
        "status": counts["status"].replace("_", " "),
    }


def published_list(now: datetime) -> freshness.Freshness | None:
    """The published version and how fresh it is; nothing where none can be read."""
    try:
        root: UPath = sources.folder_of(Settings.from_environment().publish)
        return freshness.published(root, now)
    except PrakerjaError:
        return None


def points(cohort: int, curve: list[curves.Point]) -> list[dict[str, Any]]:
    """A curve as a chart's rows."""
    return [
        {
            "cohort": str(cohort),
            "on": point.on.isoformat(),
            "days_left": point.days_left,
            "bought": point.bought,
            "share": round(point.share, 5),
        }
        for point in curve
    ]


def band(known: Mapping[int, list[curves.Point]]) -> list[dict[str, Any]]:
    """What earlier cohorts have in common, as a chart's rows."""
    return [
        {"days_left": b.days_left, "low": round(b.low, 5), "middle": round(b.middle, 5), "high": round(b.high, 5)}
        for b in curves.band(known)
    ]


def _spark(name: str, cohort: Cohort, drawn: Mapping[int, list[curves.Point]]) -> Chart:
    rows = points(cohort.number, drawn[cohort.number])
    told = f"{rows[-1]['share']:.1%} have bought by {rows[-1]['on']}" if rows else "Nothing is in yet"
    return Chart(
        name,
        f"Purchases of gelombang {cohort.number} by day",
        told,
        POINTS,
        rows,
        {"band": band(curves.earlier(cohort, drawn))},
        file="spark",
    )


def _needs_of_calendar(known: Mapping[int, CohortFigures], day: date) -> Iterator[ActionItem]:
    with warehouse.transaction("show") as connection:
        for problem in calendar_check.list_problems(connection, day):
            yield ActionItem(
                problem.text, f"cohorts/{problem.cohort}" if problem.cohort in known else "", problem.is_urgent
            )


def _needs(known: Mapping[int, CohortFigures], day: date) -> Iterator[ActionItem]:
    for number, found in known.items():
        counts, path = found.counts, f"cohorts/{number}"
        name = f"gelombang {number}"
        if counts["status"] == "awaiting_approval":
            yield ActionItem(f"{name}: {counts['overdue']:,} overdue wait for an approval", path, True)
        if counts["status"] == "blocked":
            yield ActionItem(
                f"{name} is not decided: {counts['reason'].replace('_', ' ')}: {counts['detail']}", path, True
            )
        elif counts.get("reason") == "feeds_arrived":
            yield ActionItem(f"{name} is not decided yet: {counts['detail']}", path, False)
        elif counts["missing_feeds"]:
            owed = counts["missing_feeds"]
            more = f" and {len(owed) - 3} more" if len(owed) > 3 else ""
            yield ActionItem(f"{name} waits for feeds: {', '.join(owed[:3])}{more}", path, False)
        for name_of, what in (
            ("reinstatements_proposed", "reinstatements are proposed"),
            ("holds_resolvable", "holds can be resolved: a later delivery shows a purchase"),
            ("cases", "cases wait for a decision"),
        ):
            if counts[name_of]:
                yield ActionItem(f"{name}: {counts[name_of]:,} {what}", path, name_of == "reinstatements_proposed")
        if counts["appeals"]["open"]:
            yield ActionItem(f"{name}: {counts['appeals']['open']:,} appeals wait for an answer", path, True)
        owed_messages = sum(run["unsettled"] for run in counts["reminder_runs"])
        if owed_messages:
            yield ActionItem(f"{name}: {owed_messages:,} reminders are not settled", path, False)
        impossible = _told_of_contacts(counts.get("impossible_contacts", {}))
        if impossible and day <= calendar()[number].as_known_on(day).deadline_on:
            commands = f"`prakerja reminders unreachable {number}`, then `prakerja correct`"
            yield ActionItem(f"{name}: {impossible} none, and cannot be written to: see {commands}", path, True)


def _told_of_contacts(impossible: Mapping[str, int]) -> str:
    """Return how many phone numbers and e-mail addresses are meant, with the verb; nothing for none."""
    told = [
        f"{count:,} {what}{'' if count == 1 else plural}"
        for name, what, plural in (("phones", "phone number", "s"), ("emails", "e-mail address", "es"))
        if (count := impossible.get(name, 0))
    ]
    return f"{' and '.join(told)} {'is' if sum(impossible.values()) == 1 else 'are'}" if told else ""


def _needs_of_reminders(known: Mapping[int, CohortFigures], now: datetime) -> Iterator[ActionItem]:
    """Reminder dates that no run makes up for, until a later one reaches the same people or the deadline has passed."""
    with warehouse.transaction("show") as connection:
        for number, found in known.items():
            cohort = calendar()[number].as_known_on(now.astimezone(WIB).date())
            due = _count_due(cohort, found.counts)
            for event, is_over in missed_reminders.list_missed(connection, cohort, now) if due else []:
                if is_over:
                    yield ActionItem(missed_reminders.describe(cohort, event, due, now), f"cohorts/{number}", True)


def _count_due(cohort: Cohort, counts: Mapping[str, Any]) -> int:
    """Whom a reminder is for, as of the last count: the suspended get none."""
    states = ("at_risk", "overdue", "held", *(["purchased"] if cohort.reminded_audience == "all" else []))
    return int(sum(counts[state] for state in states) - counts["held_for"].get("suspended", 0))


def _needs_of_feeds(known: Mapping[int, CohortFigures], day: date) -> Iterator[ActionItem]:
    """Deliveries whose latest revision was rejected, and freezes in effect on the day."""
    open_from = min(
        (calendar()[n].announced_on for n, found in known.items() if found.counts["status"] != "decided"), default=None
    )
    with warehouse.transaction("show") as connection:
        rejected = warehouse.rows(connection, "monitor/list_rejected", first_date=open_from or date.max)
        frozen = warehouse.rows(connection, "revocations/freezes_in_effect", day=day, cohort=None)
    for row in rejected:
        where = f"{row['platform']} {row['business_date']}"
        reason = row["reason"].replace("_", " ")
        path = f"feeds/{quote(row['platform'], safe='')}/{row['business_date']}"
        yield ActionItem(f"{where}: rejected, {reason}", path, False)
    for row in frozen:
        whose = f"gelombang {row['cohort']}" if row["cohort"] else "every cohort"
        yield ActionItem(f"revocations of {whose} are frozen: {row['because']}", "", False)


def _needs_of_people() -> Iterator[ActionItem]:
    try:
        told = unlisted()
    except PrakerjaError as error:
        yield ActionItem(str(error), "", True)
    else:
        if told:
            yield ActionItem(told, "", False)


def _needs_of_corrections() -> Iterator[ActionItem]:
    """Corrected NIKs that another person must approve: until then the wrong person has a benefit or a listing."""
    with warehouse.transaction("show") as connection:
        count = warehouse.execute(connection, "monitor/count_waiting_corrections").scalar_one()
    if count:
        yield ActionItem(
            f"{count:,} requests of corrected NIKs wait for another person: see `prakerja correct`", "", True
        )


def _needs_of_readings() -> Iterator[ActionItem]:
    """People on whom two readings of the same files differ: one of the two is wrong, and they wait for a person."""
    with warehouse.transaction("show") as connection:
        rows = warehouse.rows(connection, "monitor/list_differing", most=DIFFERING_SHOWN)
    for row in rows:
        place = f", {row['platform']} {row['business_date']}, line {row['line']}" if row["platform"] else ""
        yield ActionItem(
            f"gelombang {row['cohort']}: two readings differ on {mask('card_number', row['card_number'])}: "
            f"{row['first_outcome']} and {row['second_outcome']}{place}",
            f"cohorts/{row['cohort']}",
            True,
        )
    if rows and rows[0]["people"] > len(rows):
        yield ActionItem(
            f"two readings differ on {rows[0]['people'] - len(rows):,} more: see `prakerja holds`", "", True
        )


def _needs_of_receipts(now: datetime) -> Iterator[ActionItem]:
    """Receipts of providers that nobody here understands: what they are about is waited for in vain."""
    says = {
        "entry": "that are none",
        "reference": "that name no message in our form",
        "status": "with the status {word}: say in {file} what it means",
        "code": "with the code {word}: say in {file} what it means",
    }
    try:
        odd = receipts.list_odd_receipts(now - ODD_RECEIPTS_SHOWN_FOR)
    except PrakerjaError as error:  # a provider's file that does not fit
        yield ActionItem(str(error), "", True)
        return
    for row in odd:
        what = says[row["what"]].format(word=row["word"] or "(not kept)", file=row["file"])
        yield ActionItem(f"the gateway {row['provider']} has sent {row['receipts']:,} receipts {what}", "", False)


def _needs_of_locks(now: datetime) -> Iterator[ActionItem]:
    """Sessions that others wait for. Each wait ends by itself and is tried again: in vain, until the session ends."""
    with warehouse.transaction("show") as connection:
        blocking = warehouse.rows(connection, "monitor/list_blocking_sessions", since=now - LOCK_PATIENCE)
    for row in blocking:
        who = f"{row['login']} ({row['application'] or 'no name'}, session {row['pid']})"
        yield ActionItem(f"{who} holds a lock that {row['waiting']:,} others wait for: end that session", "", True)


def _needs_of_list(published: freshness.Freshness | None, day: date) -> Iterator[ActionItem]:
    """A list that is late, and changes of it that wait for an approval or a signature."""
    with warehouse.transaction("show") as connection:
        (waiting,) = warehouse.rows(connection, "monitor/count_unlisted", before=day)
    if waiting["not_withdrawn"]:
        what = f"{waiting['not_withdrawn']:,} reinstated are still listed"
        yield ActionItem(f"{what}: see `prakerja blacklist approve`, and the last run that published", "", True)
    if waiting["not_added"]:
        what = f"{waiting['not_added']:,} revoked are not listed"
        yield ActionItem(f"{what}: see `prakerja blacklist approve`, and the last run that published", "", False)
    if published and published.is_expired:
        yield ActionItem(f"the published list, version {published.version}, has expired: readers refuse it", "", True)
    elif published and published.is_stale:
        yield ActionItem(
            f"the list's next version is overdue since {published.next_version_by:%Y-%m-%d %H:%M} WIB", "", True
        )
