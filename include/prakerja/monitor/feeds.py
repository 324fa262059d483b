"""The pages of the feeds: a calendar of platforms and dates, and the deliveries of a date."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.feeds import data_docs, overview
from prakerja.monitor import figures
from prakerja.monitor.charts import Chart
from prakerja.platforms import active_on, platforms

DAYS = 45
MOST_DIFFERENCES = 500
#: The sign in a cell, beside its colour, for people who do not see colours.
SIGNS = {"missing": "?", "rejected": "×", "restated": "r", "late": "l", "unusual": "!", "quarantined": "q"}
QUARANTINED = 0.01  # the calendar marks a day from this share of quarantined rows on
COLUMNS = {
    "platform": "platform", "date": "business date", "status": "status", "rows": "rows",
    "of_most": "of its largest day",
    "quarantined": "quarantined", "quarantined_share": "share quarantined", "arrived_on": "arrived on",
}  # fmt: skip


def page(last: date | None = None, days: int = DAYS) -> dict[str, Any]:
    """Return the page's values: `first`, `last`, `earlier` and `later` (days to page to), `rows`, `charts`.

    It ends with `last`, by default the latest day with a delivery or a missing one.
    """
    with warehouse.transaction("show") as connection:
        delivering = warehouse.rows(connection, "monitor/list_platforms")
    newest = max((row["newest"] for row in delivering), default=None)
    missing = figures.missing_deliveries()
    last = last or max([newest or date.min, *(day for _, day in missing)], default=date.min)
    first = last - timedelta(days=days - 1) if last != date.min else last
    most = {row["platform"]: row["most"] for row in delivering}
    cells = _cells(overview.list_deliveries(first=first, last=last), most)
    for platform, day in missing:
        if first <= day <= last and (platform, day.isoformat()) not in cells:
            cells[platform, day.isoformat()] = _cell(platform, day.isoformat(), "missing")
    rows = [cells[key] for key in sorted(cells, key=lambda key: (key[1], key[0]))]
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row["status"]] += 1
    by_status = [f"{count:,} {status}" for status, count in sorted(counts.items())]
    summary = ", ".join(by_status) or "Nothing has arrived yet"
    return {
        "first": first,
        "last": last,
        "earlier": first - timedelta(days=1) if rows else None,
        "later": min(last + timedelta(days=days), newest) if newest and last < newest else None,
        "rows": rows,
        "charts": {"feeds": Chart("feeds", "Deliveries by platform and business date", summary, COLUMNS, rows)},
    }


def delivery_page(platform: str, on: date, *, with_rows: bool) -> dict[str, Any]:
    """Return the values of a date's page: `deliveries`, `status`, and with rows also quarantined `rows`, `differences`.

    Rows and differences are masked. Raise `PrakerjaError` if the platform is unknown.
    """
    if platform not in platforms():
        raise PrakerjaError(f"platform {platform!r} is unknown: give one of {', '.join(platforms())}")
    deliveries = overview.list_deliveries(platform, on, on)
    for delivery in deliveries:
        if delivery["data_docs"]:
            site, page = data_docs.folder(), Path(delivery["data_docs"])
            delivery["data_docs"] = str(page.relative_to(site)) if data_docs.is_readable(page) else None
    is_missing = (platform, on) in figures.missing_deliveries()
    return {
        "platform": platform,
        "on": on,
        "status": overview.day_status(platform, on, deliveries, is_owed=is_missing) or "no delivery expected",
        "most_differences": MOST_DIFFERENCES,
        "is_active": platform in active_on(on),
        "deliveries": deliveries,
        "rows": overview.list_quarantine(platform, on, on) if with_rows else None,
        "differences": overview.list_differences(platform, on, MOST_DIFFERENCES + 1)
        if with_rows and any(delivery["restates"] for delivery in deliveries)
        else [],
        "charts": {},
    }


def _cells(deliveries: list[dict[str, Any]], most: dict[str, int]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the calendar's cells by platform and date. `most` has the rows of each platform's largest day."""
    by_cell: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for delivery in deliveries:
        by_cell[delivery["platform"], delivery["business_date"]].append(delivery)
    cells = {}
    for (platform, day), revisions in by_cell.items():
        in_force = next((delivery for delivery in revisions if delivery["is_in_force"]), None)
        status = overview.day_status(platform, date.fromisoformat(day), revisions, is_owed=False)
        if in_force is None:
            cells[platform, day] = _cell(platform, day, status)
            continue
        first = min(revision["arrived_on"] for revision in revisions if revision["status"] == "accepted")
        if status == "accepted" and first > (date.fromisoformat(day) + timedelta(days=1)).isoformat():
            status = "late"
        quarantined = sum(in_force["quarantined"].values())
        share = round(quarantined / in_force["rows"], 4) if in_force["rows"] else 0
        remark = "unusual" if in_force["warnings"] else "quarantined" if share >= QUARANTINED else ""
        cells[platform, day] = _cell(platform, day, status) | {
            "sign": SIGNS.get(status, SIGNS.get(remark, "")),
            "rows": in_force["rows"],
            "of_most": round(in_force["rows"] / (most[platform] or 1), 3),
            "quarantined": quarantined,
            "quarantined_share": share,
            "arrived_on": in_force["arrived_on"],
        }
    return cells


def _cell(platform: str, day: str, status: str) -> dict[str, Any]:
    return {
        "platform": platform,
        "date": day,
        "status": status,
        "sign": SIGNS.get(status, ""),
        "rows": 0,
        "of_most": None,
        "quarantined": 0,
        "quarantined_share": 0,
        "arrived_on": None,
        "link": f"feeds/{quote(platform, safe='')}/{day}",
    }
