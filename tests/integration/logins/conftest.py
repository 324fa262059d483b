"""The embedded server with the logins of `make up`."""

from __future__ import annotations

from pathlib import Path

import pytest

from prakerja import warehouse
from prakerja.airflow_home import METADATA
from prakerja.warehouse import locks, session_settings, transactions


@pytest.fixture
def embedded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Return the environment of `prakerja up` after it has created the databases."""
    monkeypatch.delenv("PRAKERJA_DATABASE_URL", raising=False)
    monkeypatch.setenv(METADATA, warehouse.url("airflow", "psycopg2").render_as_string(hide_password=False))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every wait end after a second, not after minutes."""
    monkeypatch.setattr(locks, "EXCLUSIVE_SECONDS", 1)
    monkeypatch.setattr(transactions, "SEAL_SECONDS", 1)
    monkeypatch.setattr(session_settings, "LOCK_SECONDS", 1)
    monkeypatch.setattr(locks, "NOTICE_SECONDS", 0.2)
