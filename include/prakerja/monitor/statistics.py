"""The public statistics: sums by cohort, without counts so small that they could identify a person."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from prakerja.blacklist.publisher.storage import parse_place, write_whole
from prakerja.errors import PrakerjaError
from prakerja.monitor import figures
from prakerja.monitor.charts import Chart
from prakerja.monitor.figures import CohortFigures
from prakerja.programme import programme
from prakerja.settings import WIB, Settings

#: The counts that add up to each sum.
SUMS = {"selected": ("purchased", "held", "not_bought", "excluded"), "revoked": ("freed", "reinstated")}
COUNTS = ("selected", "purchased", "held", "not_bought", "excluded", "revoked", "freed", "reinstated")
Cell = tuple[int, str]


class NoStatisticsError(PrakerjaError):
    """No cohort was counted yet."""


def page() -> dict[str, Any]:
    """Return `as_of`, `least`, `cohorts`, `total` and `charts`, by the last counts of the runs.

    A count is a number, or None if it is suppressed. Raise `NoStatisticsError` if no cohort was counted yet.
    """
    known = {number: counted for number, counted in figures.load_figures().items() if counted.counts["as_of"]}
    counted_at = figures.counted_at(known)
    if counted_at is None:
        raise NoStatisticsError("there are no statistics yet: no run has counted a cohort after an intake")
    least = programme().statistics.least
    rows = [_row(counted) for counted in known.values()]
    *cohort_rows, total = suppress_small_counts(rows, least)
    chart_rows = [
        {**row, "cohort": str(row["cohort"]), "share": round(row["revoked"] / row["selected"], 5)}
        for row in cohort_rows
        if row["is_decided"] and row["revoked"] is not None and row["selected"]
    ]
    shares = [f"gelombang {row['cohort']} {row['share']:.1%}" for row in chart_rows]
    summary = "; ".join(shares) or "Nobody was revoked yet"
    columns = {"cohort": "gelombang", "selected": "selected", "revoked": "revoked", "share": "share"}
    return {
        "as_of": counted_at.astimezone(WIB).date().isoformat(),
        "least": least,
        "cohorts": cohort_rows,
        "total": total,
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
    root = parse_place(Settings.from_environment().publish) / "statistics"
    write_whole(root / "statistics.json", json.dumps(without_charts(values), indent=2).encode())
    template = (Path(__file__).parent / "templates" / "public.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    write_whole(root / "index.html", environment.from_string(template).render(values).encode())


def suppress_small_counts(rows: Sequence[dict[str, Any]], least: int) -> list[dict[str, Any]]:
    """Return the rows and then their total, without counts below `least` and without counts that would reveal them.

    The suppressed counts of a published sum must be at least two, and `least` together: otherwise subtraction reveals
    them. Further counts are therefore suppressed until no suppressed count can be derived.
    """
    total = {name: sum(row[name] for row in rows) for name in COUNTS}
    table = [*rows, total]
    sums = [((i, whole), [(i, part) for part in parts]) for i in range(len(table)) for whole, parts in SUMS.items()]
    sums += [((len(rows), name), [(i, name) for i in range(len(rows))]) for name in COUNTS]
    hidden = {(i, name) for i, row in enumerate(table) for name in COUNTS if 0 < row[name] < least}
    is_complete = False
    while not is_complete:
        is_complete = True
        for whole, parts in sums:
            if _reveals(whole, parts, table, hidden, least):
                shown = [cell for cell in parts if cell not in hidden and table[cell[0]][cell[1]]]
                hidden.add(min(shown, key=lambda cell: table[cell[0]][cell[1]]) if shown else whole)
                is_complete = False
    return [
        {**row, **{name: None if (i, name) in hidden else row[name] for name in COUNTS}} for i, row in enumerate(table)
    ]


def _reveals(
    whole: Cell, parts: Sequence[Cell], table: Sequence[dict[str, Any]], hidden: set[Cell], least: int
) -> bool:
    """Whether a sum and its published parts reveal what is hidden among them."""
    hidden_parts = [cell for cell in parts if cell in hidden]
    if whole in hidden:
        return not hidden_parts
    return bool(hidden_parts) and (len(hidden_parts) == 1 or sum(table[i][name] for i, name in hidden_parts) < least)


def _row(cohort_figures: CohortFigures) -> dict[str, Any]:
    counted = cohort_figures.counts
    counts = {name: counted[name] for name in ("purchased", "held", "excluded", "revoked", "reinstated")}
    counts["not_bought"] = counted["at_risk"] + counted["overdue"]
    return {
        "cohort": cohort_figures.cohort,
        "deadline_on": counted["decided_deadline_on"] or counted["deadline_on"],
        "is_decided": counted["decided_deadline_on"] is not None,
        "selected": sum(counts[name] for name in SUMS["selected"]),
        **counts,
        "freed": counts["revoked"] - counts["reinstated"],
    }
