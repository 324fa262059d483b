"""What every unit test may ask for; and a guard that fails a unit test which needs a process or a database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from multiprocessing import util
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy

from prakerja import calendar, people, serving
from prakerja.calendar import Cohort
from prakerja.reminders import receipts
from prakerja.serving import protocol
from prakerja.serving import running as server
from prakerja.settings import list_settings
from tests.support.people_list import LIST

STARTS_A_PROCESS = {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Guard:
    """Fails a unit test that starts a process or opens a connection.

    It is switched on for each unit test: an audit hook cannot be removed, and other tests run in this process too.
    """

    def __init__(self) -> None:
        self.is_on = False
        self.refused: list[str] = []

    def refuse(self, what: str) -> None:
        """Fail the test at once, where one is guarded."""
        if self.is_on:
            self.refused.append(f"a unit test {what}: it belongs in tests/integration, tests/faults or tests/e2e")
            pytest.fail(self.refused[-1])

    def require_nothing_refused(self) -> None:
        """Fail the test if what was refused did not: in a thread, or where the failure was caught."""
        if self.refused:
            pytest.fail(self.refused[0])

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event in STARTS_A_PROCESS:
            self.refuse(f"starts a process ({event})")
        elif event == "socket.connect" and (isinstance(args[1], str | bytes) or args[1][0] not in LOOPBACK):
            self.refuse(f"connects to {args[1]!r}")

    def connect(self, *_: Any, **__: Any) -> None:
        self.refuse("opens a connection to a database")

    def spawn(self, *arguments: Any) -> Any:
        """Of multiprocessing, which is not audited."""
        self.refuse("starts a process (multiprocessing)")
        return _spawn(*arguments)


GUARD = Guard()
_spawn = util.spawnv_passfds
util.spawnv_passfds = GUARD.spawn  # type: ignore[assignment]
sys.addaudithook(GUARD.audit)
sqlalchemy.event.listen(sqlalchemy.Engine, "do_connect", GUARD.connect)
sqlalchemy.event.listen(sqlalchemy.Pool, "checkout", GUARD.connect)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin to guard, before any fixture of the test is set up."""
    GUARD.is_on, GUARD.refused = True, []
    if "session_home" in getattr(item, "fixturenames", ()):
        GUARD.refuse("asks for the database")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    GUARD.require_nothing_refused()
    yield
    GUARD.require_nothing_refused()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """End to guard: fixtures of other tests may be torn down now as well, and stop their processes."""
    GUARD.is_on = False
    yield


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections past SQLAlchemy are refused as well."""
    monkeypatch.setattr(psycopg, "connect", GUARD.connect)
    monkeypatch.setattr(psycopg.Connection, "connect", GUARD.connect)


@pytest.fixture
def guard() -> Guard:
    """The guard itself, for its own test."""
    return GUARD


@pytest.fixture
def cohorts(monkeypatch: pytest.MonkeyPatch) -> dict[int, Cohort]:
    monkeypatch.delenv("PRAKERJA_CALENDAR", raising=False)
    return calendar.calendar()


@pytest.fixture
def calendar_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The calendar's file, which is to be written."""
    monkeypatch.setenv("PRAKERJA_CALENDAR", str(tmp_path / "calendar.yaml"))
    return tmp_path / "calendar.yaml"


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The list of people of this home, where the operating-system user is Siti's."""
    path = tmp_path / "people.yaml"
    path.write_text(LIST, encoding="utf-8")
    monkeypatch.setenv("PRAKERJA_PEOPLE", str(path))
    monkeypatch.setenv("PRAKERJA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(people, "os_login", lambda: "siti")
    return path


@pytest.fixture
def unlisted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without a list of people."""
    monkeypatch.delenv("PRAKERJA_PEOPLE", raising=False)
    monkeypatch.setenv("PRAKERJA_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder_of_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of secrets, empty, in an environment without settings."""
    for setting in list_settings().values():
        monkeypatch.delenv(setting.name, raising=False)
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("PRAKERJA_SECRETS", str(folder))
    return folder


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The receiver of receipts in this process, with room for sixty connections, which applies nothing; its URL."""
    monkeypatch.setenv("PRAKERJA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(server, "CONNECTIONS_AT_ONCE", 60)
    monkeypatch.setattr(
        receipts,
        "record_receipts",
        lambda _, found, odd: receipts.ReceiptCounts(moved=len(found), unmoved=0, odd=odd.total()),
    )
    with serving.in_thread(receipts.application()) as url:
        yield url


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is let go for being slow."""
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 3_600.0)
    monkeypatch.setattr(protocol, "SEND_SECONDS", 3_600.0)
