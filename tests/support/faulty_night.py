"""The night in which the feeds of 14 March 2021 are due."""

from __future__ import annotations

from datetime import datetime

from prakerja.settings import WIB

NIGHT = datetime(2021, 3, 15, 1, 40, tzinfo=WIB)
DUE = NIGHT.replace(hour=2, minute=1)
DAY_BEFORE, DAY = "2021-03-13", "2021-03-14"
