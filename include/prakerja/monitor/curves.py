"""How a cohort's recipients buy, day by day, beside those before; and what may be expected at the deadline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median, quantiles

from prakerja.calendar import Cohort, calendar
from prakerja.monitor.figures import CohortFigures

MANY = 10  # earlier cohorts, from which on the outermost tenths are left out of a range


@dataclass(frozen=True)
class Point:
    """How many had bought at the end of a day, and their share of the selected (0 to 1)."""

    days_left: int
    on: date
    bought: int
    share: float


@dataclass(frozen=True)
class Band:
    """The shares of earlier cohorts, so many days before their deadlines."""

    days_left: int
    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """How many may have bought nothing at the deadline, as `cohorts` earlier ones went on from here.

    `low` and `high` are the least and the most of them, of ten or more their 10th and 90th percentiles.
    """

    low: int
    middle: int
    high: int
    cohorts: int
    not_bought_now: int
    days_left: int


def curve(cohort: Cohort, figures: CohortFigures) -> list[Point]:
    """A cohort's curve, a point a day from its announcement to its deadline, or to the last day that is in."""
    selected = figures.counts["selected"]
    as_of = figures.counts["as_of"]
    if not selected or as_of is None:
        return []
    last = min(cohort.deadline_on, date.fromisoformat(as_of) - timedelta(days=1))
    points, bought, day = [], 0, cohort.announced_on
    while day <= last:
        bought += sum(figures.by_day.get(day, {}).values())
        points.append(Point((cohort.deadline_on - day).days, day, bought, bought / selected))
        day += timedelta(days=1)
    return points


def every(known: Mapping[int, CohortFigures], day: date) -> dict[int, list[Point]]:
    """The curve of every cohort, towards the deadline that is known on a day."""
    cohorts = calendar()
    return {number: curve(cohorts[number].as_known_on(day), figures) for number, figures in known.items()}


def earlier(cohort: Cohort, drawn: Mapping[int, list[Point]]) -> dict[int, list[Point]]:
    """Of the curves the whole ones, of cohorts whose deadline was over when this one's was to come."""
    return {
        number: points
        for number, points in drawn.items()
        if points and points[-1].days_left == 0 and points[-1].on < cohort.deadline_on
    }


def band(curves: Mapping[int, Sequence[Point]]) -> list[Band]:
    """What curves have in common: from the least to the most, by days before the deadline."""
    shares: dict[int, list[float]] = {}
    for points in curves.values():
        for point in points:
            shares.setdefault(point.days_left, []).append(point.share)
    return [
        Band(days_left, low, median(found), high)
        for days_left, found in sorted(shares.items(), reverse=True)
        for low, high in [_range(found)]
    ]


def forecast(points: Sequence[Point], selected: int, curves: Mapping[int, Sequence[Point]]) -> Forecast | None:
    """What earlier cohorts let expect; nothing after the deadline, or where none of them is known.

    Each is asked: of who had not bought so many days before, how many had not bought at the end?
    """
    if not points or points[-1].days_left == 0:
        return None
    now = points[-1]
    left = selected - now.bought
    went_on = []
    for others in curves.values():
        then = next((point for point in others if point.days_left == now.days_left), None)
        if then is not None and then.share < 1:
            went_on.append((1 - others[-1].share) / (1 - then.share))
    if not went_on:
        return None
    low, high = _range(went_on)
    return Forecast(
        round(left * low), round(left * median(went_on)), round(left * high), len(went_on), left, now.days_left
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < MANY:
        return min(values), max(values)
    tenths = quantiles(values, n=10)
    return tenths[0], tenths[-1]
