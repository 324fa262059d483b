"""A cohort's page: its curve with all that happened on the way, what may be expected, and where people stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from typing import Any

from prakerja import warehouse
from prakerja.calendar import Cohort, find_cohort
from prakerja.errors import PrakerjaError
from prakerja.monitor import curves, figures, overview
from prakerja.monitor.charts import Chart
from prakerja.monitor.figures import CohortFigures
from prakerja.settings import WIB, programme_path

ENDS = ("delivered", "accepted", "suppressed", "permanently_failed", "expired", "unsettled")


def page(number: int, now: datetime, other: int | None = None) -> dict[str, Any]:
    """`row`, `forecast`, `others` (to compare with), `charts`. Raises `PrakerjaError` where unknown."""
    day = now.astimezone(WIB).date()
    cohort, known = find_cohort(number).as_known_on(day), figures.of_cohorts()
    if number not in known:
        raise PrakerjaError(f"gelombang {number} has no roster yet: it is announced on {cohort.announced_on}")
    found = known[number]
    drawn = curves.every(known, day)
    before, points = curves.earlier(cohort, drawn), drawn[number]
    expected = curves.forecast(points, found.counts["selected"], before)
    charts = {
        "curve": _curve(cohort, found, points, expected, before, _compared(other, drawn)),
        "platforms": _platforms(found),
        "regions": _regions(number),
    }
    if found.counts["reminder_runs"]:
        charts["reminders"] = _reminders(found)
    return {
        "row": overview.row_of(cohort, found, now),
        "forecast": expected,
        "others": [n for n in reversed(known) if n != number],
        "other": other,
        "refreshed_at": found.refreshed_at,
        "charts": charts,
    }


@cache
def provinces() -> dict[str, str]:
    """Return the provinces' names by their code."""
    import yaml

    loaded: dict[str, str] = yaml.safe_load(programme_path("provinces.yaml").read_text(encoding="utf-8"))
    return loaded


def _compared(number: int | None, drawn: Mapping[int, list[curves.Point]]) -> list[dict[str, Any]]:
    """The points of another cohort, where one is to be compared with."""
    if number is None:
        return []
    if number not in drawn:
        raise PrakerjaError(f"gelombang {number} has no figures to compare with: choose another")
    return overview.points(number, drawn[number])


def _curve(
    cohort: Cohort,
    found: CohortFigures,
    points: list[curves.Point],
    expected: curves.Forecast | None,
    before: Mapping[int, list[curves.Point]],
    compared: list[dict[str, Any]],
) -> Chart:
    rows = overview.points(cohort.number, points) + compared
    selected = found.counts["selected"]
    forecast = []
    if expected:
        forecast.append(
            {
                "days_left": 0,
                "what": f"from {expected.cohorts} earlier cohorts",
                "low": expected.low,
                "high": expected.high,
                "least": round(1 - expected.high / selected, 5),
                "most": round(1 - expected.low / selected, 5),
                "likely": round(1 - expected.middle / selected, 5),
            }
        )
    told = "Nothing is in yet."
    if points:
        told = f"By {points[-1].on}, {points[-1].bought:,} of {selected:,} ({points[-1].share:.1%}) had bought"
        told += f"; the grey band: {len(before)} earlier." if before else "."
    return Chart(
        "curve",
        f"Purchases of gelombang {cohort.number} by day",
        told,
        {"cohort": "gelombang", **overview.POINTS},
        rows,
        {"band": overview.band(before), "marks": _marks(cohort), "forecast": forecast},
    )


def _marks(cohort: Cohort) -> list[dict[str, Any]]:
    """What happened on the way: reminders, the deadline, and deliveries that were late, rejected or restated."""
    marks = [
        {
            "days_left": (cohort.deadline_on - event.on).days,
            "on": event.on.isoformat(),
            "kind": "deadline" if event.kind == "deadline" else "reminder",
            "what": f"reminder {event.kind}"
            if event.kind != "deadline"
            else "the deadline, 23:59 WIB"
            if event.on == cohort.deadline_on
            else "the earlier deadline, 23:59 WIB",
        }
        for event in cohort.events()
    ]
    with warehouse.transaction("show") as connection:
        troubled = warehouse.rows(
            connection, "monitor/list_troubled", first_date=cohort.announced_on, last_date=cohort.deadline_on
        )
    by_day: dict[date, list[str]] = {}
    for row in troubled:
        by_day.setdefault(row["business_date"], []).append(f"{row['platform']} {row['what']}")
    return marks + [
        {
            "days_left": (cohort.deadline_on - on).days,
            "on": on.isoformat(),
            "kind": "delivery",
            "what": ", ".join(what),
        }
        for on, what in sorted(by_day.items())
    ]


def _platforms(found: CohortFigures) -> Chart:
    rows = [
        {"on": on.isoformat(), "platform": platform, "purchases": count}
        for on, by_platform in sorted(found.by_day.items())
        for platform, count in by_platform.items()
    ]
    totals: Counter[str] = Counter()
    for by_platform in found.by_day.values():
        totals.update(by_platform)
    told = "; ".join(f"{platform} {count:,}" for platform, count in totals.most_common()) or "Nobody has bought yet"
    columns = {"on": "day", "platform": "platform", "purchases": "first purchases"}
    return Chart("platforms", "First purchases by platform and day", told, columns, rows)


def _regions(number: int) -> Chart:
    rows = []
    for row in figures.regions_of(number):
        not_bought = row["overdue"] + row["held"]
        rows.append(
            {
                "region": provinces().get(row["region_code"], row["region_code"]),
                **{name: row[name] for name in ("selected", "purchased", "held", "revoked", "reinstated")},
                "not_bought": not_bought,
                "share": round(not_bought / row["selected"], 5),
            }
        )
    rows.sort(key=lambda row: -row["share"])
    told = f"Most in {rows[0]['region']}: {rows[0]['share']:.1%}" if rows else "Nothing is counted yet"
    columns = {
        "region": "province", "selected": "selected", "purchased": "purchased", "held": "held",
        "not_bought": "have not bought", "revoked": "revoked", "reinstated": "reinstated", "share": "share",
    }  # fmt: skip
    return Chart("regions", "Who has not bought, by province", told, columns, rows)


def _reminders(found: CohortFigures) -> Chart:
    rows = [
        {
            "run": f"H-{run['days_before']} ({run['remind_on']})",
            "end": end.replace("_", " "),
            "people": run[end],
            "place": place,
        }
        for run in found.counts["reminder_runs"]
        for place, end in enumerate(ENDS)
        if run[end]
    ]
    runs = found.counts["reminder_runs"]
    targeted, reached = (sum(run[name] for run in runs) for name in ("targeted", "delivered"))
    return Chart(
        "reminders",
        "What became of reminders",
        f"{reached:,} of {targeted:,} were delivered",
        {"run": "reminder", "end": "how it ended", "people": "people"},
        rows,
    )
