"""Databases for tests that need more than the emptied warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from prakerja import warehouse


@pytest.fixture
def new_database(session_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Make an empty database of the tests' server by name, and let it be the warehouse from then on."""
    monkeypatch.delenv("PRAKERJA_DATABASE_URL", raising=False)
    folder = warehouse.url().query["host"]
    made: list[str] = []

    def make(name: str) -> None:
        with psycopg.connect(host=str(folder), user="postgres", autocommit=True) as server:
            server.execute(f"create database {name}")
        made.append(name)
        monkeypatch.setenv("PRAKERJA_DATABASE_URL", f"postgresql://postgres@/{name}?host={folder}")

    yield make
    for name in made:
        with psycopg.connect(host=str(folder), user="postgres", autocommit=True) as server:
            server.execute(f"drop database {name} with (force)")
