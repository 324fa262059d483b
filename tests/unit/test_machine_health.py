"""Which processes are reported as hanging, and so are restarted."""

from __future__ import annotations

from collections.abc import Mapping

from prakerja.machine.health import HangDetector

WELL = {"api-server": True, "postgres": True, "scheduler": True, "triggerer": True}
PIDS = {"api-server": 10, "postgres": 20, "scheduler": 30, "triggerer": 40}


class Watch:
    """A detector with the bounds of 60 and 300 seconds, which is told of processes."""

    def __init__(self) -> None:
        self._detector, self._pids = HangDetector(60, 300), dict(PIDS)

    def start(self, name: str) -> None:
        self._pids[name] += 1

    def observe(self, is_well: Mapping[str, bool | None], *seconds: float) -> list[list[str]]:
        return [self._detector.observe(is_well, dict(self._pids), now) for now in seconds]


def test_process_that_is_unwell_for_long_is_reported_once() -> None:
    assert Watch().observe(WELL | {"scheduler": False}, 0, 30, 59.999, 60, 65) == [[], [], [], ["scheduler"], []]


def test_process_that_recovers_starts_from_zero() -> None:
    watch, ill = Watch(), WELL | {"scheduler": False}
    assert watch.observe(ill, 0) == watch.observe(WELL, 40) == watch.observe(ill, 70) == [[]]


def test_process_that_starts_slowly_is_not_restarted_meanwhile() -> None:
    """On a busy machine a start takes longer than a process may be unwell; what is reported is restarted."""
    watch, ill = Watch(), WELL | {"api-server": False}
    assert watch.observe(ill, 0, 59.999) == [[], []]
    watch.start("api-server")  # it had died
    assert watch.observe(ill, 60, 120, 359.999, 360) == [[], [], [], ["api-server"]]
    watch.start("api-server")
    assert watch.observe(ill, 361, 660.999, 661) == [[], [], ["api-server"]]
    watch.start("api-server")
    assert watch.observe(ill, 662) == watch.observe(WELL, 900) == [[]]
    assert watch.observe(ill, 1000, 1059.999, 1060) == [[], [], ["api-server"]], "it had started"


def test_no_process_is_reported_because_of_another() -> None:
    """Without the API server nothing is known of the others; without the database they cannot be well."""
    watch, nothing_known = Watch(), dict.fromkeys(WELL, False)
    assert watch.observe(nothing_known, 0, 60) == [[], ["api-server"]]
    assert watch.observe(nothing_known | {"api-server": True}, 100, 160, 220) == [[], [], []]
