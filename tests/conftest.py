"""What every test stands on: a home of its own, the real embedded PostgreSQL, and worlds in the contract."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

# Settings of whoever runs the tests must not reach them.
for _name in [name for name in os.environ if name.startswith(("PRAKERJA_", "AIRFLOW", "OPENLINEAGE", "OTEL"))]:
    del os.environ[_name]
# What the tests start must find the package where it is not installed, as pytest's `pythonpath` lets themselves.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parents[1] / "include"), *filter(None, [os.environ.get("PYTHONPATH")])]
)

from prakerja import calendar, settings, warehouse  # noqa: E402

CALENDAR = """
cohorts:
- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13, recipients: 60000, note: short for tests}
- {cohort: 13, announced_on: 2021-03-08, deadline_on: 2021-03-16, recipients: 60000, note: short for tests}
"""


@pytest.fixture(scope="session")
def session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One embedded PostgreSQL for all tests of this process."""
    home = tmp_path_factory.mktemp("home")
    os.environ["PRAKERJA_HOME"] = str(home)
    warehouse.upgrade()
    yield home
    os.environ["PRAKERJA_HOME"] = str(home)
    warehouse.stop_embedded_server()


def empty() -> None:
    """Empty the warehouse, but for what its schema brings."""
    with warehouse.transaction(as_owner=True) as connection:
        tables = connection.exec_driver_sql(
            "select string_agg(tablename, ', ') from pg_tables"
            " where schemaname = 'public'"
            " and tablename not in ('alembic_version', 'transitions', 'message_transitions', 'audited')"
        ).scalar_one()
        connection.exec_driver_sql(f"truncate {tables} restart identity cascade")


@pytest.fixture
def empty_warehouse() -> Callable[[], None]:
    """For tests that begin anew many times."""
    return empty


@pytest.fixture
def home(session_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty warehouse, an empty landing zone, the short calendar; gives the test's own folder."""
    monkeypatch.setenv("PRAKERJA_HOME", str(session_home))
    monkeypatch.setenv("PRAKERJA_LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(tmp_path / "publish"))
    monkeypatch.setenv("PRAKERJA_CALENDAR", str(tmp_path / "calendar.yaml"))
    (tmp_path / "landing").mkdir()
    (tmp_path / "calendar.yaml").write_text(CALENDAR)
    calendar._read.cache_clear()
    empty()
    return tmp_path


@pytest.fixture
def connection(home: Path) -> Iterator[warehouse.Connection]:
    """A connection to the empty warehouse, as its owner; what the test does is committed at its end."""
    with warehouse.transaction(as_owner=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def wib() -> object:
    return settings.WIB


def day(text: str) -> date:
    """A date."""
    return date.fromisoformat(text)
