"""A service that is killed: its lookups are loaded by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from prakerja.blacklist.service.lookups import Lookups
from tests.support.running_service import lookups

DIES = """
import os, signal, sys
from pathlib import Path
from prakerja.blacklist.service.list_store import ListStore
from prakerja.blacklist.service.lookups import Lookups
from prakerja.serving.problems import ProblemError
spool = Lookups(Path(sys.argv[1]))
for number in range(5):
    spool.record("key", "check", number, 0, 1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_services_lookups_are_loaded_by_the_next_and_a_living_ones_are_left_alone(home: Path) -> None:
    folder = home / "lookups"
    killed = subprocess.run([sys.executable, "-c", DIES, str(folder)], env=os.environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    living, other = Lookups(folder), Lookups(folder)
    living.record("key", "check", 7, 0, 1)
    other.load()
    assert [row[2] for row in lookups()] == [0, 1, 2, 3, 4]
    living.load()
    assert [row[2] for row in lookups()] == [0, 1, 2, 3, 4, 7]
