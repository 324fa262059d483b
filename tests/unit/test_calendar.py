"""The calendar that the project carries: the cohorts, their dates, which of them are estimates."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import yaml

from prakerja.calendar import Cohort
from prakerja.programme import programme
from prakerja.settings import INCLUDE

ENTRIES = {entry["cohort"]: entry for entry in yaml.safe_load((INCLUDE / "cohorts.yaml").read_text())["cohorts"]}


def test_the_waves_are_those_whose_dates_are_known(cohorts: dict[int, Cohort]) -> None:
    assert list(cohorts) == [6, *range(8, 23)]
    announced = {8: "2020-09-17", 10: "2020-10-02", 11: "2020-11-10", 18: "2021-08-24", 21: "2021-09-22"}
    deadlines = {
        8: "2020-10-15",
        10: "2020-10-31",
        13: "2021-04-08",
        16: "2021-04-29",
        20: "2021-10-14",
        21: "2021-10-21",
    }
    assert {n: cohorts[n].announced_on.isoformat() for n in announced} == announced
    assert {n: cohorts[n].deadline_on.isoformat() for n in deadlines} == deadlines


def test_estimates_are_marked(cohorts: dict[int, Cohort]) -> None:
    estimated = {number: entry.get("estimated", []) for number, entry in ENTRIES.items()}
    assert [number for number, dates in estimated.items() if not dates] == [8, 10, 11, 18, 19, 21]
    assert estimated[12] == ["announced_on", "deadline_on", "revoked"]
    assert estimated[13] == ["announced_on", "not_bought"]
    assert estimated[17] == ["announced_on", "deadline_on"]


def test_all_but_wave_eight_have_thirty_days_and_nothing_is_computed(cohorts: dict[int, Cohort]) -> None:
    window = timedelta(days=programme().window_days - 1)
    assert [n for n, cohort in cohorts.items() if cohort.deadline_on != cohort.announced_on + window] == [8]


def test_revoked_is_told_where_history_tells_it_and_takes_no_part_in_comparing(cohorts: dict[int, Cohort]) -> None:
    told = {number: cohort.revoked for number, cohort in cohorts.items() if cohort.revoked is not None}
    assert told == {8: 34_747, 9: 28_786, 10: 9_123, 12: 11_000, 16: 8_200}
    rates = {number: f"{revoked / (cohorts[number].recipients or 0):.1%}" for number, revoked in told.items()}
    assert rates == {8: "4.3%", 9: "3.6%", 10: "7.8%", 12: "1.8%", 16: "2.7%"}
    assert replace(cohorts[10], revoked=None) == cohorts[10]


def test_what_the_press_was_told_before_a_deadline_is_kept(cohorts: dict[int, Cohort]) -> None:
    told = {number: cohort.not_bought for number, cohort in cohorts.items() if cohort.not_bought is not None}
    assert told == {13: (date(2021, 4, 6), 12_000), 16: (date(2021, 4, 23), 12_000)}
    assert [(cohorts[number].deadline_on - as_of).days for number, (as_of, _) in told.items()] == [2, 6]


def test_fourteen_october_2021_is_a_deadline_and_a_reminder_date(cohorts: dict[int, Cohort]) -> None:
    day = date(2021, 10, 14)
    assert [(e.cohort, e.kind) for cohort in cohorts.values() for e in cohort.events() if e.on == day] == [
        (20, "deadline"),
        (21, "H-7"),
    ]
