"""The embedded server with the logins of `make up`."""

from __future__ import annotations

from pathlib import Path

import pytest

from prakerja import warehouse
from prakerja.machine.environment import METADATA


@pytest.fixture
def embedded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Return the environment of `prakerja up` after it has created the databases."""
    monkeypatch.delenv("PRAKERJA_DATABASE_URL", raising=False)
    monkeypatch.setenv(METADATA, warehouse.url("airflow", "psycopg2").render_as_string(hide_password=False))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let waits for a lock end after a second instead of minutes."""
    for name in ("EXCLUSIVE_SECONDS", "SEAL_SECONDS", "LOCK_SECONDS"):
        monkeypatch.setattr(warehouse, name, 1)
    monkeypatch.setattr(warehouse, "NOTICE_SECONDS", 0.2)
