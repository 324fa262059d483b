"""Calendars of one's own: what they may say, and what is warned of."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from prakerja import calendar
from prakerja.errors import PrakerjaError


@pytest.mark.parametrize(
    ("not_bought", "told"),
    [
        ("{as_of: 2021-04-09, recipients: 5}", "from after 2021-03-10 to 2021-04-08"),
        ("{as_of: 2021-03-10, recipients: 5}", "from after 2021-03-10 to 2021-04-08"),
        ("12000", "not a mapping with as_of and recipients"),
        ("{as_of: 2021-04-06}", "a number"),
        ("{as_of: 2021-04-06, recipients: 3}", "from those revoked to those selected"),
        ("{as_of: 2021-04-06, recipients: 51}", "from those revoked to those selected"),
    ],
)
def test_what_was_told_must_be_possible(
    home: Path, monkeypatch: pytest.MonkeyPatch, not_bought: str, told: str
) -> None:
    file = home / "calendar.yaml"
    file.write_text(
        "cohorts:\n- {cohort: 13, announced_on: 2021-03-10, deadline_on: 2021-04-08, recipients: 50, revoked: 4,"
        f" not_bought: {not_bought}}}\n"
    )
    monkeypatch.setenv("PRAKERJA_CALENDAR", str(file))
    with pytest.raises(PrakerjaError, match=told):
        calendar.find_cohort(13)


def test_a_deadline_that_is_not_the_thirtieth_day_is_warned_of_and_taken_as_given(
    home: object, caplog: pytest.LogCaptureFixture
) -> None:
    text = "cohorts:\n- {cohort: 1, announced_on: 2021-03-05, deadline_on: 2021-03-20}\n"
    path = calendar.Settings.from_environment().calendar
    path.write_text(text)
    calendar._read.cache_clear()
    assert calendar.find_cohort(1).deadline_on == date(2021, 3, 20)
    assert "not day 30 of the window, 2021-04-03" in caplog.text
