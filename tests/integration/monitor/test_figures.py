"""The monitor's figures and curves against the facts."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from prakerja import warehouse
from prakerja.calendar import Cohort, calendar, find_cohort
from prakerja.cohorts import standing
from prakerja.monitor import curves, figures
from prakerja.monitor.figures import CohortFigures
from tests.support.monitor_viewer import NOW
from tests.support.small_cohort import PEOPLE, bought, restate

# -- figures -----------------------------------------------------------------------------------------------------------


def test_days_and_regions_add_up_to_the_cohort(shown: Cohort) -> None:
    found = figures.load_figures()[12]
    assert found.by_day == {date(2021, 3, 8): {"tokopedia": PEOPLE - 2}}
    (region,) = figures.list_regions(12)
    assert region["selected"] == PEOPLE == found.counts["selected"]
    assert region["purchased"] == PEOPLE - 2 == found.counts["purchased"]
    assert (region["revoked"], region["reinstated"]) == (2, 0)
    assert (found.counts["status"], found.counts["revoked"]) == ("decided", 2)


def test_counted_again_where_something_has_changed_and_only_there(home: Path, shown: Cohort) -> None:
    assert figures.refresh(NOW) == []
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])  # the second has bought after all
    assert figures.refresh(NOW) == [12]
    assert figures.load_figures()[12].counts["reinstatements_proposed"] == 1


def test_counting_does_not_wait_for_ever_and_changes_no_other_timeout(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "PATIENCE_SECONDS", 1)
    with warehouse.exclusive("monitor"), pytest.raises(warehouse.UnavailableError):
        figures.refresh(NOW)
    for _ in range(3):  # every connection that the pool may give
        with warehouse.exclusive("rosters", 1), warehouse.transaction() as connection:
            assert connection.exec_driver_sql("show lock_timeout").scalar_one() == "2min"


def test_an_open_cohort_is_counted_by_its_latest_intake(cohort: Cohort) -> None:
    day = date(2021, 3, 10)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update deliveries set arrived_on = '2021-03-09' where business_date = '2021-03-08'")
        connection.exec_driver_sql("update rosters set arrived_on = '2021-03-05'")
    standing.refresh_standings(day)
    assert figures.refresh(NOW) == [12]
    found = figures.load_figures()[12]
    assert (found.counts["as_of"], found.counts["at_risk"]) == ("2021-03-10", 2)
    assert curves.build_curve(find_cohort(12), found)[-1] == curves.Point(
        4, date(2021, 3, 9), PEOPLE - 2, (PEOPLE - 2) / PEOPLE
    )


# -- curves ------------------------------------------------------------------------------------------------------------


def figures_of(number: int, bought_by_days_left: dict[int, int], selected: int = 100) -> CohortFigures:
    cohort = calendar()[number]
    by_day = {cohort.deadline_on - timedelta(days=left): {"x": count} for left, count in bought_by_days_left.items()}
    last = min(bought_by_days_left)
    as_of = cohort.deadline_on - timedelta(days=last - 1)
    return CohortFigures(number, NOW, {"selected": selected, "as_of": as_of.isoformat()}, by_day)


def test_the_forecast_goes_on_as_earlier_cohorts_did(home: Path) -> None:
    known = {
        12: figures_of(12, {8: 60, 3: 20, 0: 10}),  # of 20 who had not bought three days before, 10 had not at the end
        13: figures_of(13, {8: 40, 3: 20}, selected=200),
    }
    cohort = find_cohort(13)
    before = curves.earlier_curves(cohort, curves.build_curves(known, date.max))
    assert list(before) == [12]
    expected = curves.forecast(curves.build_curve(cohort, known[13]), 200, before)
    assert expected == curves.Forecast(low=70, middle=70, high=70, cohorts=1, not_bought_now=140, days_left=3)


def test_without_earlier_cohorts_nothing_is_forecast(home: Path) -> None:
    points = curves.build_curve(find_cohort(12), figures_of(12, {8: 10, 3: 5}))
    assert curves.forecast(points, 100, {}) is None
