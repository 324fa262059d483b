"""The feeds: a calendar of platforms and dates, and each date's deliveries."""

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
#: What a cell says beside its colour, so that nobody needs to see colours.
SIGNS = {"missing": "?", "rejected": "×", "restated": "r", "late": "l", "unusual": "!", "quarantined": "q"}
QUARANTINED = 0.01  # share of a day's rows from which on the calendar marks it
COLUMNS = {
    "platform": "platform", "date": "business date", "status": "status", "rows": "rows",
    "of_most": "of its largest day",
    "quarantined": "quarantined", "quarantined_share": "share quarantined", "arrived_on": "arrived on",
}  # fmt: skip


def page(last: date | None = None, days: int = DAYS) -> dict[str, Any]:
    """`first`, `last`, `earlier` and `later` (to page by), `rows`, `charts`; without a date the latest."""
    with warehouse.transaction("show") as connection:
        known = warehouse.rows(connection, "monitor/list_platforms")
    newest = max((row["newest"] for row in known), default=None)
    owed = figures.missing()
    last = last or max([newest or date.min, *(day for _, day in owed)], default=date.min)
    first = last - timedelta(days=days - 1) if last != date.min else last
    cells = _cells(overview.list_deliveries(first=first, last=last), {row["platform"]: row["most"] for row in known})
    for platform, day in owed:
        if first <= day <= last and (platform, day.isoformat()) not in cells:
            cells[platform, day.isoformat()] = _cell(platform, day.isoformat(), "missing")
    rows = [cells[key] for key in sorted(cells, key=lambda key: (key[1], key[0]))]
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row["status"]] += 1
    told = ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items())) or "Nothing has arrived yet"
    return {
        "first": first,
        "last": last,
        "earlier": first - timedelta(days=1) if rows else None,
        "later": min(last + timedelta(days=days), newest) if newest and last < newest else None,
        "rows": rows,
        "charts": {"feeds": Chart("feeds", "Deliveries by platform and business date", told, COLUMNS, rows)},
    }


def delivery_page(platform: str, on: date, *, with_rows: bool) -> dict[str, Any]:
    """A date's `deliveries` and `status`; and, for who may see rows, masked: quarantined `rows`, `differences`."""
    if platform not in platforms():
        raise PrakerjaError(f"platform {platform!r} is unknown: known are {', '.join(platforms())}")
    found = overview.list_deliveries(platform, on, on)
    for delivery in found:
        if delivery["data_docs"]:
            site, page = data_docs.folder(), Path(delivery["data_docs"])
            delivery["data_docs"] = str(page.relative_to(site)) if page.is_file() else None
    is_owed = (platform, on) in figures.missing()
    return {
        "platform": platform,
        "on": on,
        "status": overview.day_status(platform, on, found, is_owed=is_owed) or "nothing is owed",
        "most_differences": MOST_DIFFERENCES,
        "is_active": platform in active_on(on),
        "deliveries": found,
        "rows": overview.list_quarantine(platform, on, on) if with_rows else None,
        "differences": overview.list_differences(platform, on, MOST_DIFFERENCES + 1)
        if with_rows and any(delivery["restates"] for delivery in found)
        else [],
        "charts": {},
    }


def _cells(shown: list[dict[str, Any]], most: dict[str, int]) -> dict[tuple[str, str], dict[str, Any]]:
    by_cell: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for delivery in shown:
        by_cell[delivery["platform"], delivery["business_date"]].append(delivery)
    cells = {}
    for (platform, day), found in by_cell.items():
        counted = next((delivery for delivery in found if delivery["is_in_force"]), None)
        status = overview.day_status(platform, date.fromisoformat(day), found, is_owed=False)
        if counted is None:
            cells[platform, day] = _cell(platform, day, status)
            continue
        first = min(d["arrived_on"] for d in found if d["status"] == "accepted")
        if status == "accepted" and first > (date.fromisoformat(day) + timedelta(days=1)).isoformat():
            status = "late"
        quarantined = sum(counted["quarantined"].values())
        share = round(quarantined / counted["rows"], 4) if counted["rows"] else 0
        noted = "unusual" if counted["warnings"] else "quarantined" if share >= QUARANTINED else ""
        cells[platform, day] = _cell(platform, day, status) | {
            "sign": SIGNS.get(status, SIGNS.get(noted, "")),
            "rows": counted["rows"],
            "of_most": round(counted["rows"] / (most[platform] or 1), 3),
            "quarantined": quarantined,
            "quarantined_share": share,
            "arrived_on": counted["arrived_on"],
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
