"""The statistics that anybody may read: sums by cohort, and no number so small that it is about somebody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from prakerja.blacklist.sources import place_of
from prakerja.blacklist.storage import write_whole
from prakerja.errors import PrakerjaError
from prakerja.monitor import figures
from prakerja.monitor.charts import Chart
from prakerja.monitor.figures import CohortFigures
from prakerja.programme import programme
from prakerja.settings import WIB, Settings

#: Counts that add up: each to the sum before it.
SUMS = {"selected": ("purchased", "held", "not_bought", "excluded"), "revoked": ("freed", "reinstated")}
COUNTS = ("selected", "purchased", "held", "not_bought", "excluded", "revoked", "freed", "reinstated")
Cell = tuple[int, str]


class NothingToTellError(PrakerjaError):
    """No cohort was counted yet."""


def page() -> dict[str, Any]:
    """`as_of`, `cohorts` and `total`, whose counts are numbers, or null where they are too small to tell; `least`.

    By what the runs have counted last. Raises `NothingToTellError` where they have counted nobody yet.
    """
    known = {number: found for number, found in figures.of_cohorts().items() if found.counts["as_of"]}
    counted_at = figures.counted_at(known)
    if counted_at is None:
        raise NothingToTellError("nothing can be told yet: no run has counted a cohort after an intake")
    least = programme().statistics.least
    rows = [_row(found) for found in known.values()]
    *told, total = suppressed(rows, least)
    shown = [
        {**row, "cohort": str(row["cohort"]), "share": round(row["revoked"] / row["selected"], 5)}
        for row in told
        if row["is_decided"] and row["revoked"] is not None and row["selected"]
    ]
    summary = "; ".join(f"gelombang {row['cohort']} {row['share']:.1%}" for row in shown) or "Nobody was revoked yet"
    columns = {"cohort": "gelombang", "selected": "selected", "revoked": "revoked", "share": "share"}
    return {
        "as_of": counted_at.astimezone(WIB).date().isoformat(),
        "least": least,
        "cohorts": told,
        "total": total,
        "charts": {"statistics": Chart("statistics", "Revoked, by gelombang", summary, columns, shown)},
    }


def without_charts(found: dict[str, Any]) -> dict[str, Any]:
    """The page for programs."""
    return {name: value for name, value in found.items() if name != "charts"}


def publish() -> None:
    """Write the page and its JSON into the published folder, for anybody; nothing where there is nothing to tell."""
    try:
        found = page()
    except NothingToTellError:
        return
    root = place_of(Settings.from_environment().publish) / "statistics"
    write_whole(root / "statistics.json", json.dumps(without_charts(found), indent=2).encode())
    template = (Path(__file__).parent / "templates" / "public.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    write_whole(root / "index.html", environment.from_string(template).render(found).encode())


def suppressed(rows: Sequence[dict[str, Any]], least: int) -> list[dict[str, Any]]:
    """The rows, and then their total, without counts below `least` and without such as would give one of those away.

    Whatever lacks in a sum that is told must be two counts at least, and `least` together: else subtraction tells them.
    So another is left out with it, until nothing can be told.
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
            if _gives_away(whole, parts, table, hidden, least):
                shown = [cell for cell in parts if cell not in hidden and table[cell[0]][cell[1]]]
                hidden.add(min(shown, key=lambda cell: table[cell[0]][cell[1]]) if shown else whole)
                is_complete = False
    return [
        {**row, **{name: None if (i, name) in hidden else row[name] for name in COUNTS}} for i, row in enumerate(table)
    ]


def _gives_away(
    whole: Cell, parts: Sequence[Cell], table: Sequence[dict[str, Any]], hidden: set[Cell], least: int
) -> bool:
    lacking = [cell for cell in parts if cell in hidden]
    if whole in hidden:
        return not lacking
    return bool(lacking) and (len(lacking) == 1 or sum(table[i][name] for i, name in lacking) < least)


def _row(found: CohortFigures) -> dict[str, Any]:
    counts = {name: found.counts[name] for name in ("purchased", "held", "excluded", "revoked", "reinstated")}
    counts["not_bought"] = found.counts["at_risk"] + found.counts["overdue"]
    return {
        "cohort": found.cohort,
        "deadline_on": found.counts["decided_deadline_on"] or found.counts["deadline_on"],
        "is_decided": found.counts["decided_deadline_on"] is not None,
        "selected": sum(counts[name] for name in SUMS["selected"]),
        **counts,
        "freed": counts["revoked"] - counts["reinstated"],
    }
