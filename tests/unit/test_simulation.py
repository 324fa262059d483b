"""How many of a simulated cohort are overdue: a count where the calendar tells one, else a share by chance."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from functools import cache
from statistics import median

import pytest

from prakerja.calendar import Cohort
from prakerja.programme import programme
from prakerja.simulation.world import SHARE_OVERDUE, _World


@cache
def populated(cohort: Cohort, scale: float, seed: int = 7, *, is_nasty: bool = False) -> _World:
    """Return a world of one cohort. Making it takes seconds: who asks for the same one gets the same one."""
    made = _World([cohort], scale, seed, is_nasty=is_nasty)
    made.populate()
    return made


def outcomes(cohort: Cohort, scale: float, seed: int = 7, *, is_nasty: bool = False) -> Counter[str]:
    made = populated(cohort, scale, seed, is_nasty=is_nasty)
    return Counter(truth.outcome for _, truth in made.truths)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("number", "scale", "selected", "overdue"),
    [(8, 0.01, 8_000, 347), (9, 0.01, 8_000, 288), (10, 0.1, 11_626, 912), (10, 0.003, 349, 27), (10, 0.00001, 1, 0)],
)
def test_a_plain_world_has_the_official_count_whatever_its_seed(
    cohorts: dict[int, Cohort], number: int, scale: float, selected: int, overdue: int, seed: int
) -> None:
    assert outcomes(cohorts[number], scale, seed) == Counter(overdue=overdue, purchased=selected - overdue)


def test_the_overdue_stand_anywhere_in_the_roster(cohorts: dict[int, Cohort]) -> None:
    made = populated(cohorts[10], 0.05)
    halves = [Counter(truth.outcome for _, truth in part) for part in (made.truths[:2906], made.truths[2906:])]
    assert min(half["overdue"] for half in halves) > 0.4 * 456


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("number", "scale", "overdue", "not_bought"),
    [(13, 0.02, 198, 240), (13, 0.01, 99, 120), (16, 0.02, 164, 240), (13, 0.00001, 0, 0)],
)
def test_a_plain_world_has_as_many_who_have_not_bought_as_were_told(
    cohorts: dict[int, Cohort], number: int, scale: float, overdue: int, not_bought: int, seed: int
) -> None:
    cohort = cohorts[number]
    assert cohort.not_bought is not None
    made = populated(cohort, scale, seed)
    assert sum(truth.outcome == "overdue" for _, truth in made.truths) == overdue
    assert len(made.truths) - buyers(made, cohort.not_bought.as_of - timedelta(days=1)) == not_bought
    assert len(made.truths) - buyers(made, cohort.deadline_on) == overdue


def test_a_third_of_those_who_have_not_bought_a_week_before_buy_in_that_week(cohorts: dict[int, Cohort]) -> None:
    for number in (10, 12, 13, 16):  # by count, and by count with what was told before
        cohort = cohorts[number]
        made = populated(cohort, 0.02, 1)
        overdue = sum(truth.outcome == "overdue" for _, truth in made.truths)
        before = len(made.truths) - buyers(made, cohort.deadline_on - timedelta(days=7))
        assert 0.28 < 1 - overdue / before < 0.38, number


def test_platforms_sell_on_when_no_cohort_must_buy(cohorts: dict[int, Cohort]) -> None:
    """Else a cohort's last day, with no other cohort open, would look like a feed that broke off."""
    made = _World([cohorts[number] for number in (8, 9, 10, 11, 12, 13)], 0.01, 7, is_nasty=False)
    made.populate()
    for cohort in made.cohorts:
        days = [
            cohort.announced_on + timedelta(days=n)
            for n in range((cohort.last_business_date - cohort.announced_on).days + 1)
        ]
        rows = [len(made.feeds["tokopedia", day]) for day in days]
        assert min(rows) > 1.5 * programme().revocations.shrunk_share_least * median(rows), cohort.number


def buyers(made: _World, day: date) -> int:
    """How many have a purchase that is not undone in the feeds up to a day."""
    found = 0
    for _, truth in made.truths:
        rows = [reported.row for reported in truth.rows if reported.business_date <= day]
        undone = {row.transaction_id for row in rows if row.event != "PAID"}
        found += any(row.event == "PAID" and row.transaction_id not in undone for row in rows)
    return found


def test_where_no_count_is_told_it_is_a_share_by_chance(cohorts: dict[int, Cohort]) -> None:
    assert cohorts[14].revoked is cohorts[14].not_bought is None
    found = {seed: outcomes(cohorts[14], 0.01, seed)["overdue"] for seed in (1, 2, 3)}
    assert len(set(found.values())) > 1
    assert all(abs(overdue - 6_000 * SHARE_OVERDUE) < 50 for overdue in found.values())


def test_a_nasty_world_has_its_cases_and_no_official_count(cohorts: dict[int, Cohort]) -> None:
    found = outcomes(cohorts[10], 0.01, is_nasty=True)
    assert found.total() == 1_163
    assert found["held"] > 0
    assert found["overdue"] != 91
