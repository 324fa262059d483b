"""The first page: what needs a person, every cohort, and the published list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import storage
from prakerja.blacklist.publisher.freshness import load_freshness
from prakerja.calendar import Cohort, calendar
from prakerja.cohorts import calendar_check, missed_reminders
from prakerja.cohorts.public_statistics import counted_at
from prakerja.errors import PrakerjaError
from prakerja.feeds.overview import mask
from prakerja.monitor import curves, figures
from prakerja.monitor.charts import Chart
from prakerja.monitor.figures import CohortFigures
from prakerja.people import unlisted
from prakerja.reminders import receipts
from prakerja.settings import WIB, Settings
from prakerja_blacklist.reader.freshness import Freshness

DIFFERING_SHOWN = 5
ODD_RECEIPTS_SHOWN_FOR = timedelta(days=7)  # after the last one
LOCK_PATIENCE = timedelta(minutes=1)  # no healthy session blocks others for longer
POINTS = {"on": "day", "days_left": "days left", "bought": "purchased", "share": "share of the selected"}


@dataclass(frozen=True)
class ActionItem:
    """Something that waits for a person: what it is, its page in the monitor, and whether benefits depend on it."""

    what: str
    path: str
    is_urgent: bool


def page(now: datetime) -> dict[str, Any]:
    """Return the page's values.

    They are `needs` (the urgent ones first), `cohorts` (the latest first), `to_come` (cohorts without a roster),
    `published`, `refreshed_at` and `charts`.
    """
    known, day = figures.load_figures(), now.astimezone(WIB).date()
    published = published_list(now)
    all_curves = curves.build_curves(known, day)
    rows, charts = [], {}
    for number, cohort_figures in reversed(known.items()):
        cohort = calendar()[number].as_known_on(day)
        name = f"spark_{number}"
        charts[name] = _spark(name, cohort, all_curves)
        rows.append(cohort_row(cohort, cohort_figures, now))
    return {
        "needs": sorted(
            [
                *_needs_of_calendar(known, day),
                *_needs_of_cohorts(known, day),
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
        "refreshed_at": counted_at([(each.refreshed_at, each.counts["status"]) for each in known.values()]),
        "charts": charts,
    }


def cohort_row(cohort: Cohort, cohort_figures: CohortFigures, now: datetime) -> dict[str, Any]:
    """Return a cohort's counts and dates, with `closes_at` (the end of its deadline) and `is_open` (before it)."""
    counts = cohort_figures.counts
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


def published_list(now: datetime) -> Freshness | None:
    """Return the published version and its freshness, or None if none can be read."""
    try:
        root: UPath = storage.find_list(Settings.from_environment().publish)
        return load_freshness(root, now)
    except PrakerjaError:
        return None


def curve_rows(cohort: int, curve: list[curves.Point]) -> list[dict[str, Any]]:
    """Return a curve as rows of a chart."""
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


def band_rows(earlier: Mapping[int, list[curves.Point]]) -> list[dict[str, Any]]:
    """Return the band of earlier cohorts as rows of a chart."""
    return [
        {
            "days_left": band.days_left,
            "low": round(band.low, 5),
            "middle": round(band.middle, 5),
            "high": round(band.high, 5),
        }
        for band in curves.build_band(earlier)
    ]


def _spark(name: str, cohort: Cohort, all_curves: Mapping[int, list[curves.Point]]) -> Chart:
    rows = curve_rows(cohort.number, all_curves[cohort.number])
    summary = f"{rows[-1]['share']:.1%} have purchased by {rows[-1]['on']}" if rows else "No data has arrived yet"
    return Chart(
        name,
        f"Purchases of gelombang {cohort.number} by day",
        summary,
        POINTS,
        rows,
        {"band": band_rows(curves.earlier_curves(cohort, all_curves))},
        file="spark",
    )


def _needs_of_calendar(known: Mapping[int, CohortFigures], day: date) -> Iterator[ActionItem]:
    with warehouse.transaction("show") as connection:
        for problem in calendar_check.list_problems(connection, day):
            yield ActionItem(
                problem.text, f"cohorts/{problem.cohort}" if problem.cohort in known else "", problem.is_urgent
            )


def _needs_of_cohorts(known: Mapping[int, CohortFigures], day: date) -> Iterator[ActionItem]:
    for number, cohort_figures in known.items():
        counts, path = cohort_figures.counts, f"cohorts/{number}"
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
            missing = counts["missing_feeds"]
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            yield ActionItem(f"{name} waits for feeds: {', '.join(missing[:3])}{more}", path, False)
        for count_name, what in (
            ("reinstatements_proposed", "reinstatements are proposed"),
            ("holds_resolvable", "holds can be resolved: a later delivery shows a purchase"),
            ("cases", "cases wait for a decision"),
        ):
            if counts[count_name]:
                is_urgent = count_name == "reinstatements_proposed"
                yield ActionItem(f"{name}: {counts[count_name]:,} {what}", path, is_urgent)
        if counts["appeals"]["open"]:
            yield ActionItem(f"{name}: {counts['appeals']['open']:,} appeals wait for an answer", path, True)
        unsettled = sum(run["unsettled"] for run in counts["reminder_runs"])
        if unsettled:
            yield ActionItem(f"{name}: {unsettled:,} reminders are unsettled", path, False)
        contacts = _describe_contacts(counts.get("impossible_contacts", {}))
        if contacts and day <= calendar()[number].as_known_on(day).deadline_on:
            commands = f"`prakerja reminders unreachable {number}`, then `prakerja correct`"
            yield ActionItem(f"{name}: {contacts} invalid and cannot be written to: see {commands}", path, True)


def _describe_contacts(counts: Mapping[str, int]) -> str:
    """Return the counts of phone numbers and e-mail addresses with their verb, or an empty text if all are zero."""
    parts = []
    for name, noun, plural in (("phones", "phone number", "s"), ("emails", "e-mail address", "es")):
        count = counts.get(name, 0)
        if count:
            parts.append(f"{count:,} {noun}{'' if count == 1 else plural}")
    if not parts:
        return ""
    return f"{' and '.join(parts)} {'is' if sum(counts.values()) == 1 else 'are'}"


def _needs_of_reminders(known: Mapping[int, CohortFigures], now: datetime) -> Iterator[ActionItem]:
    """Yield missed reminder dates that no run makes up for, until a later run reaches the same people."""
    with warehouse.transaction("show") as connection:
        for number, cohort_figures in known.items():
            cohort = calendar()[number].as_known_on(now.astimezone(WIB).date())
            due = _count_due(cohort, cohort_figures.counts)
            for event, is_over in missed_reminders.list_missed(connection, cohort, now) if due else []:
                if is_over:
                    yield ActionItem(missed_reminders.describe(cohort, event, due, now), f"cohorts/{number}", True)


def _count_due(cohort: Cohort, counts: Mapping[str, Any]) -> int:
    """Return the number of recipients of a reminder, as of the last count. Suspended recipients get none."""
    states = ("at_risk", "overdue", "held", *(["purchased"] if cohort.reminded_audience == "all" else []))
    return int(sum(counts[state] for state in states) - counts["held_for"].get("suspended", 0))


def _needs_of_feeds(known: Mapping[int, CohortFigures], day: date) -> Iterator[ActionItem]:
    """Yield deliveries whose latest revision was rejected, and freezes in effect on the day."""
    undecided = [number for number, cohort_figures in known.items() if cohort_figures.counts["status"] != "decided"]
    open_from = min((calendar()[number].announced_on for number in undecided), default=None)
    with warehouse.transaction("show") as connection:
        rejected = warehouse.rows(connection, "monitor/list_rejected", first_date=open_from or date.max)
        freezes = warehouse.rows(connection, "revocations/freezes_in_effect", day=day, cohort=None)
    for row in rejected:
        delivery = f"{row['platform']} {row['business_date']}"
        reason = row["reason"].replace("_", " ")
        path = f"feeds/{quote(row['platform'], safe='')}/{row['business_date']}"
        yield ActionItem(f"{delivery}: rejected, {reason}", path, False)
    for row in freezes:
        scope = f"gelombang {row['cohort']}" if row["cohort"] else "every cohort"
        yield ActionItem(f"revocations of {scope} are frozen: {row['because']}", "", False)


def _needs_of_people() -> Iterator[ActionItem]:
    try:
        warning = unlisted()
    except PrakerjaError as error:
        yield ActionItem(str(error), "", True)
    else:
        if warning:
            yield ActionItem(warning, "", False)


def _needs_of_corrections() -> Iterator[ActionItem]:
    """Yield corrected NIKs that another person must approve: until then the wrong person has a benefit or a listing."""
    with warehouse.transaction("show") as connection:
        count = warehouse.execute(connection, "monitor/count_waiting_corrections").scalar_one()
    if count:
        yield ActionItem(
            f"{count:,} requests of corrected NIKs wait for another person: see `prakerja correct`", "", True
        )


def _needs_of_readings() -> Iterator[ActionItem]:
    """Yield people on whom two readings of the same files differ: one reading is wrong, and a person must decide."""
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
    """Yield receipts of providers that were not understood: their messages wait for a receipt in vain."""
    descriptions = {
        "entry": "that are malformed",
        "reference": "with a reference that is not ours",
        "status": "with the status {word}: define it in {file}",
        "code": "with the code {word}: define it in {file}",
    }
    try:
        odd = receipts.list_odd_receipts(now - ODD_RECEIPTS_SHOWN_FOR)
    except PrakerjaError as error:  # the file of a provider is invalid
        yield ActionItem(str(error), "", True)
        return
    for row in odd:
        description = descriptions[row["what"]].format(word=row["word"] or "(not kept)", file=row["file"])
        what = f"the gateway {row['provider']} has sent {row['receipts']:,} receipts {description}"
        yield ActionItem(what, "", False)


def _needs_of_locks(now: datetime) -> Iterator[ActionItem]:
    """Yield sessions that block others. A blocked session times out and is retried, in vain until the blocker ends."""
    with warehouse.transaction("show") as connection:
        blocking = warehouse.rows(connection, "monitor/list_blocking_sessions", since=now - LOCK_PATIENCE)
    for row in blocking:
        holder = f"{row['login']} ({row['application'] or 'no name'}, session {row['pid']})"
        yield ActionItem(f"{holder} holds a lock that {row['waiting']:,} others wait for: end that session", "", True)


def _needs_of_list(published: Freshness | None, day: date) -> Iterator[ActionItem]:
    """Yield a list that is late, and changes that are not in it because they wait for an approval or a signature."""
    with warehouse.transaction("show") as connection:
        (waiting,) = warehouse.rows(connection, "monitor/count_unlisted", before=day)
    if waiting["not_withdrawn"]:
        what = f"{waiting['not_withdrawn']:,} reinstated are still listed"
        yield ActionItem(f"{what}: see `prakerja blacklist approve`, and the last publishing run", "", True)
    if waiting["not_added"]:
        what = f"{waiting['not_added']:,} revoked are not listed"
        yield ActionItem(f"{what}: see `prakerja blacklist approve`, and the last publishing run", "", False)
    if published and published.is_expired:
        yield ActionItem(f"the published list, version {published.version}, has expired: readers refuse it", "", True)
    elif published and published.is_stale:
        yield ActionItem(
            f"the list's next version has been overdue since {published.next_version_by:%Y-%m-%d %H:%M} WIB", "", True
        )
