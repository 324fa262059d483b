"""Everything is stopped, from elsewhere or by Ctrl-C; what holds that up is named."""

from __future__ import annotations

import re
import signal
import subprocess
import time

import psutil
import pytest

from prakerja.errors import PrakerjaError
from prakerja.machine import subreaper, supervision
from prakerja.machine.environment import Ports
from tests.support.running_machine import Machine, alive, processes_of


def test_down_stops_it_from_elsewhere_and_names_what_is_slow(machine: Machine) -> None:
    """A process that does not move is named; once it moves, everything ends."""
    below, slow = machine.below(), psutil.Process(machine.pid("sandbox"))
    slow.suspend()
    down = machine.instance.start("down")
    assert down.stderr.readline() == "stopping\n"
    said = down.stderr.readline()
    assert re.fullmatch(rf"still running after \d+ s: .*\bsandbox \(process {slow.pid}\).*\n", said)
    slow.resume()
    _, rest = down.communicate(timeout=600)
    assert (down.returncode, rest.splitlines()[-1]) == (0, "everything is stopped")
    _, said = machine.process.communicate(timeout=600)
    assert machine.process.returncode == 0, said
    assert "healthy after" in said
    assert alive(below) == []
    assert processes_of(machine.instance) == []
    again = machine.instance.run("down")
    assert (again.returncode, again.stderr.strip()) == (
        1, f"nothing runs in {machine.instance.home}: `make up` starts it",
    )  # fmt: skip


def stubborn_below(supervisor: subprocess.Popen[bytes]) -> psutil.Process:
    """The process that ignores signals, once it does."""
    log = supervision.logs() / "stubborn.log"
    while not (log.exists() and log.read_text()):
        assert supervisor.poll() is None
        time.sleep(0.05)
    below = psutil.Process(supervisor.pid).children(recursive=True)
    return next(each for each in below if each.cmdline()[-1].endswith("stubborn.py") and not each.children())


def test_what_ignores_a_stop_is_named_and_killed(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "PROCESS_SECONDS", 3)
    said: list[str] = []
    with supervision.supervised(ports, has_own_server=False, report=said.append) as supervisor:
        stubborn = stubborn_below(supervisor)
        below = psutil.Process(supervisor.pid).children(recursive=True)
    assert re.fullmatch(rf"still running after \d+ s: .*\bstubborn \(process {stubborn.pid}\).*", said[0])
    assert alive(below) == []


def test_what_does_not_stop_at_all_is_an_error_that_names_it(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor's subreaper is suspended, so nothing is asked to stop; then everything is killed."""
    monkeypatch.setattr(supervision, "SUPERVISOR_SECONDS", 1)
    monkeypatch.setattr(subreaper, "GRACE_SECONDS", 0)
    below: list[psutil.Process] = []

    def hold_it() -> None:
        with supervision.supervised(ports, has_own_server=False, report=lambda _: None) as supervisor:
            stubborn_below(supervisor)
            below.extend(psutil.Process(supervisor.pid).children(recursive=True))
            supervisor.send_signal(signal.SIGSTOP)

    both = r"^not stopped after \d+ s: (?=.*willing \(process \d+\))(?=.*stubborn \(process \d+\))"
    with pytest.raises(PrakerjaError, match=both):
        hold_it()
    assert len(below) == 5
    assert alive(below) == []
