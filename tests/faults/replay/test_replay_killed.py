"""A replay that is killed repeatedly, and two at once: both have the result of a complete replay."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Any

import pytest

from tests.e2e.conftest import FIRST, LAST, Instance

pytestmark = pytest.mark.soak

Replayed = tuple[Instance, subprocess.CompletedProcess[str]]

#: Moments to be killed at, and what shows that they have come.
MOMENTS = {
    "first feeds": "select count(*) from deliveries",
    "approved": "select count(*) from approvals",
    "revoked": "select count(*) from carried_out",
    "a version decided": "select count(*) from blacklist_versions",
}


def test_a_killed_replay_that_is_repeated_has_the_same_result(replayed: Replayed, instances: Any) -> None:
    reference, _ = replayed
    instance = instances()
    assert instance.run("db", "upgrade").returncode == 0
    for moment, reached in MOMENTS.items():
        process = instance.start("replay", "--from", FIRST, "--to", LAST, "--approve-as", "Siti")
        with instance.database("warehouse") as connection:
            connection.autocommit = True
            while connection.execute(reached).fetchone() == (0,):
                assert process.poll() is None, moment
                time.sleep(0.01)
        assert process.poll() is None, moment
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    instance.replay("--approve-as", "Siti")
    assert instance.state() == reference.state()
    assert instance.list_of_cards() == reference.list_of_cards()
    assert instance.run("blacklist", "verify").returncode == 0


def test_two_replays_at_once_have_the_same_result(replayed: Replayed, instances: Any) -> None:
    reference, first = replayed
    instance = instances()
    both = [instance.start("replay", "--from", FIRST, "--to", LAST, "--approve-as", "Siti") for _ in range(2)]
    for process in both:
        _, told = process.communicate(timeout=600)
        assert process.returncode == first.returncode, told
    assert instance.state() == reference.state()
    assert instance.list_of_cards() == reference.list_of_cards()
