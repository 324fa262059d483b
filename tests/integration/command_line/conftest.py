"""The command line over the tests' warehouse as the default one, and over a warehouse of its own without anything."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from prakerja import settings
from prakerja.calendar import Cohort
from tests.support.command_line import run_here

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run() -> Run:
    """Run a command with the settings of the test."""

    def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return run_here(*arguments, environment=os.environ, given=given)

    return run


@pytest.fixture
def make_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Path]:
    """Make a home the one that is used without any setting, and return its path."""

    def make_default(home: Path) -> Path:
        (tmp_path / "project").mkdir()
        (tmp_path / "project" / ".prakerja").symlink_to(home)
        monkeypatch.setattr(settings, "PROJECT", tmp_path / "project")
        monkeypatch.delenv("PRAKERJA_HOME")
        return tmp_path / "project" / ".prakerja"

    return make_default


@pytest.fixture
def by_default(cohort: Cohort, session_home: Path, make_default: Callable[[Path], Path]) -> Path:
    """Make the tests' home, with gelombang 12, the one that is used without any setting; return its path."""
    return make_default(session_home)
