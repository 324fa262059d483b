"""Who is said to hang, and so is started again."""

from __future__ import annotations

from prakerja.machine.health import Hanging

WELL = {"api-server": True, "postgres": True, "scheduler": True, "triggerer": True}


def test_who_is_unwell_for_long_hangs_and_is_told_once() -> None:
    hanging = Hanging(60)
    ill = WELL | {"scheduler": False}
    assert [hanging.among(ill, now) for now in (0, 30, 60, 65)] == [[], [], ["scheduler"], []]


def test_who_recovers_begins_anew() -> None:
    hanging = Hanging(60)
    ill = WELL | {"scheduler": False}
    assert hanging.among(ill, 0) == hanging.among(WELL, 40) == hanging.among(ill, 70) == []


def test_nobody_is_blamed_for_the_one_who_is_asked() -> None:
    """Without the API server nothing is known of the others; without the database they cannot be well."""
    hanging = Hanging(60)
    nothing_known = dict.fromkeys(WELL, False)
    assert [hanging.among(nothing_known, now) for now in (0, 60)] == [[], ["api-server"]]
    without_database = nothing_known | {"api-server": True}
    assert [hanging.among(without_database, now) for now in (100, 160, 220)] == [[], [], []]
