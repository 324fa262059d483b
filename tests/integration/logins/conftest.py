"""The embedded server as `make up` hands it out."""

from __future__ import annotations

from pathlib import Path

import pytest

from prakerja import warehouse
from prakerja.machine.environment import METADATA


@pytest.fixture
def embedded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of `prakerja up` once it has made the databases."""
    monkeypatch.delenv("PRAKERJA_DATABASE_URL", raising=False)
    monkeypatch.setenv(METADATA, warehouse.url("airflow", "psycopg2").render_as_string(hide_password=False))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who must wait does so for a second, not for minutes."""
    for name in ("EXCLUSIVE_SECONDS", "SEAL_SECONDS", "LOCK_SECONDS"):
        monkeypatch.setattr(warehouse, name, 1)
    monkeypatch.setattr(warehouse, "NOTICE_SECONDS", 0.2)
