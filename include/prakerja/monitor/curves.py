"""A cohort's purchases day by day, compared with earlier cohorts, and the forecast for its deadline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median, quantiles

from prakerja.calendar import Cohort, calendar
from prakerja.monitor.figures import CohortFigures

MANY = 10  # from so many earlier cohorts on, a range leaves out the lowest and the highest tenth


@dataclass(frozen=True)
class Point:
    """The number of recipients who had purchased at the end of a day, and their share of the selected (0 to 1)."""

    days_left: int
    on: date
    bought: int
    share: float


@dataclass(frozen=True)
class Band:
    """The shares of earlier cohorts at the same number of days before their deadlines."""

    days_left: int
    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """The expected number of recipients without a purchase at the deadline, from the course of `cohorts` earlier ones.

    `low` and `high` are the minimum and maximum; from `MANY` cohorts on, the 10th and 90th percentiles.
    """

    low: int
    middle: int
    high: int
    cohorts: int
    not_bought_now: int
    days_left: int


def build_curve(cohort: Cohort, figures: CohortFigures) -> list[Point]:
    """Return a cohort's curve: a point a day from its announcement to its deadline, or to the last counted day."""
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


def build_curves(known: Mapping[int, CohortFigures], day: date) -> dict[int, list[Point]]:
    """Return the curve of every cohort, up to the deadline that is known on a day."""
    cohorts = calendar()
    return {number: build_curve(cohorts[number].as_known_on(day), figures) for number, figures in known.items()}


def earlier_curves(cohort: Cohort, curves: Mapping[int, list[Point]]) -> dict[int, list[Point]]:
    """Return the complete curves of cohorts whose deadline was before this cohort's."""
    return {
        number: points
        for number, points in curves.items()
        if points and points[-1].days_left == 0 and points[-1].on < cohort.deadline_on
    }


def build_band(curves: Mapping[int, Sequence[Point]]) -> list[Band]:
    """Return the range and median of curves for each number of days before the deadline."""
    shares: dict[int, list[float]] = {}
    for points in curves.values():
        for point in points:
            shares.setdefault(point.days_left, []).append(point.share)
    bands = []
    for days_left, values in sorted(shares.items(), reverse=True):
        low, high = _range(values)
        bands.append(Band(days_left, low, median(values), high))
    return bands


def forecast(points: Sequence[Point], selected: int, curves: Mapping[int, Sequence[Point]]) -> Forecast | None:
    """Return the forecast from earlier cohorts, or None after the deadline or without a comparable cohort.

    Each earlier cohort contributes a rate: of its recipients without a purchase at this number of days before its
    deadline, the share without one at the deadline.
    """
    if not points or points[-1].days_left == 0:
        return None
    now = points[-1]
    not_bought = selected - now.bought
    rates = []
    for earlier in curves.values():
        then = next((point for point in earlier if point.days_left == now.days_left), None)
        if then is not None and then.share < 1:
            rates.append((1 - earlier[-1].share) / (1 - then.share))
    if not rates:
        return None
    low, high = _range(rates)
    return Forecast(
        low=round(not_bought * low),
        middle=round(not_bought * median(rates)),
        high=round(not_bought * high),
        cohorts=len(rates),
        not_bought_now=not_bought,
        days_left=now.days_left,
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < MANY:
        return min(values), max(values)
    tenths = quantiles(values, n=10)
    return tenths[0], tenths[-1]
