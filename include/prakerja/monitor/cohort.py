"""A cohort's page: its curve with the events on the way, its forecast, and the standing of its recipients."""

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
    """Return the page's values: `row`, `forecast`, `others` (to compare with), `charts`.

    Raise `PrakerjaError` if the cohort is unknown or has no figures yet.
    """
    day = now.astimezone(WIB).date()
    cohort, known = find_cohort(number).as_known_on(day), figures.load_figures()
    if number not in known:
        raise PrakerjaError(f"gelombang {number} has no roster yet: it is announced on {cohort.announced_on}")
    cohort_figures = known[number]
    all_curves = curves.build_curves(known, day)
    earlier, points = curves.earlier_curves(cohort, all_curves), all_curves[number]
    forecast = curves.forecast(points, cohort_figures.counts["selected"], earlier)
    charts = {
        "curve": _curve_chart(cohort, cohort_figures, points, forecast, earlier, _compared_points(other, all_curves)),
        "platforms": _platforms_chart(cohort_figures),
        "regions": _regions_chart(number),
    }
    if cohort_figures.counts["reminder_runs"]:
        charts["reminders"] = _reminders_chart(cohort_figures)
    return {
        "row": overview.cohort_row(cohort, cohort_figures, now),
        "forecast": forecast,
        "others": [n for n in reversed(known) if n != number],
        "other": other,
        "refreshed_at": cohort_figures.refreshed_at,
        "charts": charts,
    }


@cache
def provinces() -> dict[str, str]:
    """Return the names of the provinces, by code."""
    import yaml

    loaded: dict[str, str] = yaml.safe_load(programme_path("provinces.yaml").read_text(encoding="utf-8"))
    return loaded


def _compared_points(number: int | None, all_curves: Mapping[int, list[curves.Point]]) -> list[dict[str, Any]]:
    """Return the chart rows of another cohort, or none. Raise `PrakerjaError` if that cohort has no figures."""
    if number is None:
        return []
    if number not in all_curves:
        raise PrakerjaError(f"gelombang {number} has no figures to compare with: choose another")
    return overview.curve_rows(number, all_curves[number])


def _curve_chart(
    cohort: Cohort,
    cohort_figures: CohortFigures,
    points: list[curves.Point],
    forecast: curves.Forecast | None,
    earlier: Mapping[int, list[curves.Point]],
    compared: list[dict[str, Any]],
) -> Chart:
    rows = overview.curve_rows(cohort.number, points) + compared
    selected = cohort_figures.counts["selected"]
    forecast_rows = []
    if forecast:
        forecast_rows.append(
            {
                "days_left": 0,
                "what": f"from {forecast.cohorts} earlier cohorts",
                "low": forecast.low,
                "high": forecast.high,
                "least": round(1 - forecast.high / selected, 5),
                "most": round(1 - forecast.low / selected, 5),
                "likely": round(1 - forecast.middle / selected, 5),
            }
        )
    summary = "No data has arrived yet."
    if points:
        summary = f"By {points[-1].on}, {points[-1].bought:,} of {selected:,} ({points[-1].share:.1%}) had purchased"
        summary += f"; the grey band shows {len(earlier)} earlier cohorts." if earlier else "."
    return Chart(
        "curve",
        f"Purchases of gelombang {cohort.number} by day",
        summary,
        {"cohort": "gelombang", **overview.POINTS},
        rows,
        {"band": overview.band_rows(earlier), "marks": _marks(cohort), "forecast": forecast_rows},
    )


def _marks(cohort: Cohort) -> list[dict[str, Any]]:
    """Return the events on the curve: reminders, deadlines, and deliveries that were late, rejected or restated."""
    marks = []
    for event in cohort.events():
        if event.kind != "deadline":
            what = f"reminder {event.kind}"
        elif event.on == cohort.deadline_on:
            what = "the deadline, 23:59 WIB"
        else:
            what = "the earlier deadline, 23:59 WIB"
        marks.append(
            {
                "days_left": (cohort.deadline_on - event.on).days,
                "on": event.on.isoformat(),
                "kind": "deadline" if event.kind == "deadline" else "reminder",
                "what": what,
            }
        )
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


def _platforms_chart(cohort_figures: CohortFigures) -> Chart:
    rows = [
        {"on": on.isoformat(), "platform": platform, "purchases": count}
        for on, by_platform in sorted(cohort_figures.by_day.items())
        for platform, count in by_platform.items()
    ]
    totals: Counter[str] = Counter()
    for by_platform in cohort_figures.by_day.values():
        totals.update(by_platform)
    by_total = [f"{platform} {count:,}" for platform, count in totals.most_common()]
    summary = "; ".join(by_total) or "Nobody has purchased yet"
    columns = {"on": "day", "platform": "platform", "purchases": "first purchases"}
    return Chart("platforms", "First purchases by platform and day", summary, columns, rows)


def _regions_chart(number: int) -> Chart:
    rows = []
    for row in figures.list_regions(number):
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
    summary = f"Highest share in {rows[0]['region']}: {rows[0]['share']:.1%}" if rows else "Nothing is counted yet"
    columns = {
        "region": "province", "selected": "selected", "purchased": "purchased", "held": "held",
        "not_bought": "not purchased", "revoked": "revoked", "reinstated": "reinstated", "share": "share",
    }  # fmt: skip
    return Chart("regions", "Recipients without a purchase, by province", summary, columns, rows)


def _reminders_chart(cohort_figures: CohortFigures) -> Chart:
    rows = [
        {
            "run": f"H-{run['days_before']} ({run['remind_on']})",
            "end": end.replace("_", " "),
            "people": run[end],
            "place": place,
        }
        for run in cohort_figures.counts["reminder_runs"]
        for place, end in enumerate(ENDS)
        if run[end]
    ]
    runs = cohort_figures.counts["reminder_runs"]
    targeted, delivered = (sum(run[name] for run in runs) for name in ("targeted", "delivered"))
    return Chart(
        "reminders",
        "Reminders by outcome",
        f"{delivered:,} of {targeted:,} were delivered",
        {"run": "reminder", "end": "outcome", "people": "people"},
        rows,
    )
