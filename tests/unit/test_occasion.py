"""What a run is about: from its configuration, its id, or a cohort alone; never guessed."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from prakerja.errors import PrakerjaError
from prakerja.occasion import Occasion
from prakerja.settings import WIB

NOW = datetime(2021, 4, 10, 6, tzinfo=WIB)
DEADLINES = {13: date(2021, 4, 8)}


@pytest.mark.parametrize(
    ("run_id", "conf", "name"),
    [
        ("gelombang-13__H-7__2021-04-01", None, "gelombang-13__H-7__2021-04-01"),
        ("gelombang-13__deadline__2021-04-08", {}, "gelombang-13__deadline__2021-04-08"),
        ("manual__x", {"cohort": 13}, "gelombang-13__deadline__2021-04-08"),
        ("manual__x", {"cohort": 13, "kind": None, "on": None}, "gelombang-13__deadline__2021-04-08"),
        ("manual__x", {"cohort": "13", "kind": "H-7", "on": "2021-04-01"}, "gelombang-13__H-7__2021-04-01"),
    ],
)
def test_a_run_says_what_it_is_for(run_id: str, conf: dict[str, Any] | None, name: str) -> None:
    assert Occasion.from_run(run_id, conf, NOW, DEADLINES).name == name


@pytest.mark.parametrize(
    "conf",
    [{}, {"cohort": 99}, {"cohort": "x"}, {"cohort": 13, "kind": "H-7"}, {"cohort": 13, "on": "soon"}, {"at": 7}],
)
def test_a_run_that_does_not_say_is_refused(conf: dict[str, Any]) -> None:
    with pytest.raises(PrakerjaError, match="does not say what it is for"):
        Occasion.from_run("manual__2021-04-08", conf, NOW, DEADLINES)


def test_a_replays_configuration_is_read_back() -> None:
    occasion = Occasion("deadline", date(2021, 4, 8), NOW, 13, is_replay=True, approve_as="Siti")
    assert Occasion.from_run("x", occasion.conf(), NOW + timedelta(days=2000)) == occasion
    daily = Occasion("daily", date(2021, 4, 9), NOW, is_replay=True)
    assert Occasion.daily(daily.conf(), date(2026, 1, 1), NOW + timedelta(days=2000)) == daily
    assert daily.name == "daily__2021-04-09"


def test_the_clock_is_the_wib_day() -> None:
    assert Occasion("H-7", date(2021, 4, 10), datetime(2021, 4, 9, 17, tzinfo=WIB)).clock == date(2021, 4, 9)
    late = Occasion("H-7", date(2021, 4, 9), NOW)
    assert late.clock == date(2021, 4, 10)
    assert late.is_late
    assert not Occasion("H-7", date(2021, 4, 10), NOW).is_late
