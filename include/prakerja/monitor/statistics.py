"""The page of the public statistics, and its copy in the published folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from prakerja.blacklist.publisher.storage import parse_place, replace
from prakerja.cohorts.public_statistics import NoStatisticsError, load_public_statistics
from prakerja.monitor.charts import Chart
from prakerja.settings import WIB, Settings


def page() -> dict[str, Any]:
    """Return `as_of`, `least`, `cohorts`, `total` and `charts`, by the last counts of the runs.

    A count is a number, or None if it is suppressed. Raise `NoStatisticsError` if no cohort was counted yet.
    """
    known = load_public_statistics("show")
    chart_rows = [
        {**row, "cohort": str(row["cohort"]), "share": round(row["revoked"] / row["selected"], 5)}
        for row in known.cohorts
        if row["is_decided"] and row["revoked"] is not None and row["selected"]
    ]
    shares = [f"gelombang {row['cohort']} {row['share']:.1%}" for row in chart_rows]
    summary = "; ".join(shares) or "Nobody was revoked yet"
    columns = {"cohort": "gelombang", "selected": "selected", "revoked": "revoked", "share": "share"}
    return {
        "as_of": known.counted_at.astimezone(WIB).date().isoformat(),
        "least": known.least,
        "cohorts": known.cohorts,
        "total": known.total,
        "charts": {"statistics": Chart("statistics", "Revoked, by gelombang", summary, columns, chart_rows)},
    }


def without_charts(values: dict[str, Any]) -> dict[str, Any]:
    """Return the page's values without its charts, for programs."""
    return {name: value for name, value in values.items() if name != "charts"}


def publish() -> None:
    """Write the public page and its JSON into the published folder. Write nothing if no cohort was counted yet."""
    try:
        values = page()
    except NoStatisticsError:
        return
    place = parse_place(Settings.from_environment().publish)
    replace(place, "statistics/statistics.json", json.dumps(without_charts(values), indent=2).encode())
    template = (Path(__file__).parent / "templates" / "public.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    replace(place, "statistics/index.html", environment.from_string(template).render(values).encode())
