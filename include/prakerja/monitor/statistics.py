"""The statistics that anybody may read: sums by cohort, and no number so small that it is about somebody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from prakerja.blacklist.sources import place_of
from prakerja.blacklist.storage import write_whole
from prakerja.monitor import report
from prakerja.monitor.charts import Chart
from prakerja.settings import WIB, Settings, program

#: Counts that add up: the first to the selected, the last three to each other.
PARTS = ("purchased", "held", "not_bought", "excluded")
QUOTA = ("freed", "reinstated", "revoked")
COUNTS = ("selected", *PARTS, *QUOTA)


def page(now: datetime) -> dict[str, Any]:
    """`as_of`, `cohorts` and `total`, whose counts are numbers, or null where they are too small to tell; `least`."""
    found = report.as_of(now.astimezone(WIB).date())
    least = int(program()["statistics"]["least"])
    rows = [_row(row) for row in found.cohorts]
    told = suppressed(rows, least)
    total = {name: sum(row[name] for row in rows) for name in COUNTS}
    for name in COUNTS:
        if 0 < total[name] < least or sum(row[name] is None for row in told) == 1:
            total[name] = None
    shown = [
        {**row, "cohort": str(row["cohort"]), "share": round(row["revoked"] / row["selected"], 5)}
        for row in told
        if row["is_decided"] and row["revoked"] is not None and row["selected"]
    ]
    summary = "; ".join(f"gelombang {row['cohort']} {row['share']:.1%}" for row in shown) or "Nobody was revoked yet"
    columns = {"cohort": "gelombang", "selected": "selected", "revoked": "revoked", "share": "share"}
    return {
        "as_of": found.as_of.isoformat(),
        "least": least,
        "cohorts": told,
        "total": total,
        "charts": {"statistics": Chart("statistics", "Revoked, by gelombang", summary, columns, shown)},
    }


def publish(now: datetime) -> None:
    """Write the page and its JSON into the published folder, for anybody; nothing where there is nothing to tell."""
    try:
        found = page(now)
    except report.NothingToTellError:
        return
    root = place_of(Settings.from_environment().publish) / "statistics"
    told = {name: value for name, value in found.items() if name != "charts"}
    write_whole(root / "statistics.json", json.dumps(told, indent=2).encode())
    template = (Path(__file__).parent / "templates" / "public.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    write_whole(root / "index.html", environment.from_string(template).render(found).encode())


def suppressed(rows: Sequence[dict[str, Any]], least: int) -> list[dict[str, Any]]:
    """The rows without counts below `least`, nor such as would give one of those away by subtraction.

    A count can be told from its column's total if it is the only one that lacks there, and from its row's sums if it is
    the only part that lacks. So another is left out with it, until nothing lacks alone.
    """
    told = [dict(row) for row in rows]
    for row in told:
        for name in COUNTS:
            if 0 < row[name] < least:
                row[name] = None
    while _hide_another(told):
        pass
    return told


def _hide_another(told: Sequence[dict[str, Any]]) -> bool:
    """Leave out one more count where one lacks alone; gives whether there was such a one."""
    for row in told:
        for parts in (PARTS, QUOTA):
            shown = [name for name in parts if row[name] is not None]
            if len(shown) == len(parts) - 1:
                row[max(shown, key=lambda name: bool(row[name]))] = None
                return True
    for name in COUNTS:
        rest = [row for row in told if row[name]]
        if sum(row[name] is None for row in told) == 1 and rest:
            min(rest, key=lambda row: row[name])[name] = None
            return True
    return False


def _row(row: dict[str, Any]) -> dict[str, Any]:
    counts = {name: row[name] for name in ("selected", "purchased", "held", "not_bought", "revoked", "reinstated")}
    return {
        "cohort": row["cohort"],
        "deadline_on": row["wave"].deadline_on.isoformat(),
        "is_decided": bool(row["decision_id"]),
        **counts,
        "excluded": row["selected"] - row["purchased"] - row["held"] - row["not_bought"],
        "freed": row["revoked"] - row["reinstated"],
    }
