"""What a platform owes on a day."""

from __future__ import annotations

from datetime import date

from prakerja.feeds import overview


def test_a_day_of_a_platform_that_is_not_active_owes_nothing() -> None:
    day = date(2021, 3, 10)
    assert overview.day_status("tokopedia", day, [], is_owed=True) == "missing"
    assert overview.day_status("tokopedia", day, [], is_owed=False) == ""
    assert overview.day_status("tokopedia", date(2020, 4, 10), [], is_owed=False) == "not active"
