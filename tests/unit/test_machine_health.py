"""Which processes are reported as hanging, and so are restarted."""

from __future__ import annotations

from prakerja.machine.health import HangDetector

WELL = {"api-server": True, "postgres": True, "scheduler": True, "triggerer": True}


def test_process_that_is_unwell_for_long_is_reported_once() -> None:
    detector = HangDetector(60)
    ill = WELL | {"scheduler": False}
    assert [detector.observe(ill, now) for now in (0, 30, 60, 65)] == [[], [], ["scheduler"], []]


def test_process_that_recovers_starts_from_zero() -> None:
    detector = HangDetector(60)
    ill = WELL | {"scheduler": False}
    assert detector.observe(ill, 0) == detector.observe(WELL, 40) == detector.observe(ill, 70) == []


def test_no_process_is_reported_because_of_another() -> None:
    """Without the API server nothing is known of the others; without the database they cannot be well."""
    detector = HangDetector(60)
    nothing_known = dict.fromkeys(WELL, False)
    assert [detector.observe(nothing_known, now) for now in (0, 60)] == [[], ["api-server"]]
    without_database = nothing_known | {"api-server": True}
    assert [detector.observe(without_database, now) for now in (100, 160, 220)] == [[], [], []]
