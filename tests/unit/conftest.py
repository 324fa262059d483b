"""What every unit test may ask for."""

from __future__ import annotations

import pytest

from prakerja import calendar
from prakerja.calendar import Cohort


@pytest.fixture
def waves(monkeypatch: pytest.MonkeyPatch) -> dict[int, Cohort]:
    monkeypatch.delenv("PRAKERJA_CALENDAR", raising=False)
    return calendar.calendar()
