"""The status of a platform's business date."""

from __future__ import annotations

from datetime import date

from prakerja.feeds import overview


def test_an_inactive_platform_has_no_due_day() -> None:
    day = date(2021, 3, 10)
    assert overview.day_status("tokopedia", day, [], is_owed=True) == "missing"
    assert overview.day_status("tokopedia", day, [], is_owed=False) == ""
    assert overview.day_status("tokopedia", date(2020, 4, 10), [], is_owed=False) == "not active"
