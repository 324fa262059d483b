"""Where deliveries are judged: the Data Docs' site, a home for rows laid aside, a bound of memory."""

from __future__ import annotations

import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prakerja.cohorts.roster import take_in_rosters
from prakerja.feeds import intake
from prakerja.programme import programme
from tests.support.landing_zone import deliver_roster, roster_line
from tests.support.small_cohort import DECIDED_ON, empty_days
from tests.support.workbook_mutants import CASES

#: Who has bought in each of the delivered cases.
BUYERS = range(10**15 + 1, 10**15 + 41)


@pytest.fixture
def site(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the Data Docs."""
    monkeypatch.setenv("PRAKERJA_DATA_DOCS", str(home / "data-docs"))
    return home / "data-docs"


@pytest.fixture
def volume(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same on a volume that another user of the group can enter, which a test's own folder does not allow."""
    with tempfile.TemporaryDirectory(prefix="prakerja-volume-") as folder:
        Path(folder).chmod(0o750)
        monkeypatch.setenv("PRAKERJA_DATA_DOCS", f"{folder}/data-docs")
        yield Path(folder) / "data-docs"


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


@pytest.fixture
def lay_down(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Lay a case into a cohort in which its people, and nobody else, have not simply bought; return who paid."""
    monkeypatch.setattr(programme().revocations, "overdue_share_max", 1)

    def lay(number: str, held: tuple[int, ...], overdue: tuple[int, ...]) -> list[int]:
        (folder,) = CASES.glob(f"{number}-*")
        shutil.copytree(folder / "landing", home / "landing", dirs_exist_ok=True)
        people = list(dict.fromkeys([*BUYERS, *held, *overdue]))
        lines = [roster_line(n, card=f"{card:016}") for n, card in enumerate(people)]
        deliver_roster(home / "landing", 12, lines, "2021-03-05", "2021-03-13")
        assert take_in_rosters(DECIDED_ON).rejected == []
        (platform,) = folder.glob("landing/feeds/*")
        without = [(platform.name, day.name) for day in platform.iterdir()]
        empty_days("2021-03-05", "2021-03-14", arrives_on=lambda day: day, without=without)
        return [*BUYERS[:39], *held]

    return lay
