"""Gelombang 8 to 13 at a hundredth of their size: exactly the official figures are revoked, published and reported."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja import calendar
from prakerja.blacklist.publisher.storage import find_list
from prakerja.blacklist.publisher.verification import verify_versions
from prakerja.cohorts import overview
from prakerja.monitor import report
from tests.support.day_player import Player

#: A hundredth of 34,747, 28,786 and 9,123 revoked of 800,000, 800,000 and 116,261 selected.
REVOKED = {8: 347, 9: 288, 10: 91}
SELECTED = {8: 8_000, 9: 8_000, 10: 1_163}


@pytest.mark.parametrize("is_whole", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_as_many_are_revoked_and_published_as_were_in_2020(
    make: Callable[..., dict[int, Any]], home: Path, is_whole: bool
) -> None:
    truths = make(list(REVOKED), is_whole=is_whole)
    assert {number: truth["overdue"] for number, truth in truths.items()} == REVOKED
    assert {number: truth["selected"] for number, truth in truths.items()} == SELECTED

    # The mornings of the decisions, and the one after the last: each takes in what came since the one before, as after
    # an outage. Those between would refresh standings that nothing here asks for, and take half as long again.
    decided = [cohort.decided_on for cohort in calendar.calendar().values()]
    Player("Siti").play([*decided, decided[-1] + timedelta(days=1)])

    for row in overview.cohort_table():
        truth = truths[row["cohort"]]
        names = ("status", "selected", "purchased", "held", "overdue", "excluded", "reinstated")
        assert {name: row[name] for name in names} == {name: truth[name] for name in names}
        assert row["revoked"] == REVOKED[row["cohort"]]
    versions = list(verify_versions(find_list(str(home / "publish"))))
    published = [version.counts.entries for version in versions if version.counts.added]
    assert published == [347, 347 + 288, 347 + 288 + 91]


@pytest.mark.parametrize("first", [12, pytest.param(8, marks=pytest.mark.soak)])
def test_the_report_has_the_figures_of_6_april_2021(make: Callable[..., dict[int, Any]], first: int) -> None:
    told_on = date(2021, 4, 6)
    truths = make(list(range(first, 14)), is_whole=first == 8)
    decided = [cohort.decided_on for cohort in calendar.calendar().values() if cohort.decided_on < told_on]
    Player("Louisa").play([*decided, told_on])

    told = report.build_report(told_on)
    revoked = {row["cohort"]: row["revoked"] for row in told.cohorts}
    assert revoked == {number: truth["overdue"] for number, truth in truths.items()} | {13: 0}
    assert all(revoked[number] == count for number, count in REVOKED.items() if number in revoked)
    statement = told.as_text("id")
    assert "Gelombang 12: kepesertaan 110 dari 6.000 penerima (1,8 %) dicabut" in statement
    assert "Gelombang 13: 120 dari 6.000 penerima (2,0 %) belum membeli pelatihan pertama." in statement
    assert "Batas waktunya Kamis, 8 April 2021 pukul 23.59 WIB." in statement
    assert "Gelombang 13: 120 of 6,000 recipients (2.0 %) have not bought a first training yet." in told.as_text("en")
