"""Where deliveries are judged: the Data Docs' site, a home for rows laid aside, a bound of memory."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from prakerja.feeds import data_docs, intake


@pytest.fixture
def site(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(data_docs, "folder", lambda: home / "data-docs")
    return home / "data-docs"


@pytest.fixture
def somewhere(home: Path) -> None:
    """Rows are laid aside in the home."""


MEMORY = 700_000_000


@pytest.fixture
def bounded() -> Iterator[None]:
    """A file that takes more memory than this above what is in use ends in a MemoryError, and the test in a failure."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture
def laid_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home for rows laid aside, for tests that need no warehouse; its log says nothing of thousands of files."""
    monkeypatch.setattr(intake.log, "disabled", True)
    monkeypatch.setenv("PRAKERJA_HOME", str(tmp_path / "home"))
