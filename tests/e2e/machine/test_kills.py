"""What dies is started again, and leaves nobody behind."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import Instance
from tests.e2e.machine.conftest import PROCESSES, Victim
from tests.support.running_machine import Machine, alive, processes_of, running

#: Whose health is told by the last sign of life, which may be the dead one's: these must give a new one.
JOBS = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}


def assert_started_again(machine: Machine, name: str, victim: Victim) -> None:
    """Itself gone, what it had started gone, another one there and well."""

    def is_gone() -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(victim.pid).status() == psutil.STATUS_ZOMBIE
        return True

    machine.until(is_gone, f"the end of {name}")
    machine.until(lambda: alive(victim.below) == [], f"the end of what {name} had started")
    machine.until(lambda: machine.pid(name) not in (0, victim.pid), f"another {name}")
    if name in JOBS:
        machine.until(
            lambda: (beat := machine.heartbeat(JOBS[name])) is not None and beat > victim.at, f"life of {name}"
        )
    machine.until(lambda: machine.is_well()[name], f"the health of {name}")
    machine.await_health()
    assert machine.pid(name) != victim.pid


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_what_is_killed_is_started_again_and_leaves_nobody_behind(
    machine: Machine, killed: dict[str, Victim], name: str
) -> None:
    assert_started_again(machine, name, killed[name])


@pytest.mark.soak
def test_two_side_by_side_and_a_killed_one_leaves_no_process(machine: Machine, tmp_path: Path) -> None:
    """The command itself dies by -9: its supervisor, and all that this had started, end by themselves."""
    (tmp_path / "landing").mkdir()
    other = Instance(tmp_path / "home", tmp_path / "landing", machine.instance.calendar)
    with running(other) as second:
        assert second.port != machine.port
        below = second.below()
        second.process.kill()
        machine.until(lambda: alive(below[1:]) == [] and processes_of(other) == [], "the end of the other one")
    machine.await_health()
