"""What anybody may see: sums by cohort, without counts so small that they could identify a person.

The published file, the service and the monitor all show what `load_public_statistics` returns, and no other count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prakerja import warehouse
from prakerja.calendar import calendar
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.warehouse import DatabaseRole

#: The counts that add up to each sum.
SUMS = {"selected": ("purchased", "held", "not_bought", "excluded"), "revoked": ("freed", "reinstated")}
COUNTS = ("selected", "purchased", "held", "not_bought", "excluded", "revoked", "freed", "reinstated")
Cell = tuple[int, str]


class NoStatisticsError(PrakerjaError):
    """No cohort was counted yet."""


@dataclass(frozen=True)
class PublicStatistics:
    """The cohorts and their total, by the last counts of the runs. A suppressed count is None.

    Each row of `cohorts` has `cohort`, `deadline_on`, `is_decided` and the `COUNTS`; `total` has the `COUNTS`. No
    published count is between 0 and `least`.
    """

    counted_at: datetime
    least: int
    cohorts: list[dict[str, Any]]
    total: dict[str, Any]


def load_public_statistics(role: DatabaseRole) -> PublicStatistics:
    """Return the statistics, read by a database role. Raise `NoStatisticsError` if no cohort was counted yet."""
    with warehouse.transaction(role) as connection:
        figures = {row["cohort"]: dict(row) for row in warehouse.rows(connection, "monitor/list_figures")}
    counted = [figures[number] for number in calendar() if number in figures and figures[number]["figures"]["as_of"]]
    of = counted_at([(each["refreshed_at"], each["figures"]["status"]) for each in counted])
    if of is None:
        raise NoStatisticsError("there are no statistics yet: no run has counted a cohort after an intake")
    least = programme().statistics.least
    *cohorts, total = suppress_small_counts([_row(each["cohort"], each["figures"]) for each in counted], least)
    return PublicStatistics(of, least, cohorts, total)


def counted_at(cohorts: Sequence[tuple[datetime, str]]) -> datetime | None:
    """Return when counts of cohorts are of, by when each was counted and its status; None without a cohort.

    It is the oldest count of the undecided cohorts; the latest count if all are decided.
    """
    undecided = [at for at, status in cohorts if status != "decided"]
    return min(undecided) if undecided else max((at for at, _ in cohorts), default=None)


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


def _row(cohort: int, figures: dict[str, Any]) -> dict[str, Any]:
    counts = {name: figures[name] for name in ("purchased", "held", "excluded", "revoked", "reinstated")}
    counts["not_bought"] = figures["at_risk"] + figures["overdue"]
    return {
        "cohort": cohort,
        "deadline_on": figures["decided_deadline_on"] or figures["deadline_on"],
        "is_decided": figures["decided_deadline_on"] is not None,
        "selected": sum(counts[name] for name in SUMS["selected"]),
        **counts,
        "freed": counts["revoked"] - counts["reinstated"],
    }
