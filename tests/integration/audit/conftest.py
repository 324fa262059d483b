"""Logins of their own, each a member of one duty, as a deployment has them; and keys of the test's own."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from prakerja import warehouse
from tests.conftest import as_superuser

PASSWORD = "of the tests"


@pytest.fixture
def login(home: Path) -> Iterator[Callable[[str], psycopg.Connection]]:
    """Connect as a login that is a member of one duty: `login("receive")` is `login_receive`."""
    made: dict[str, psycopg.Connection] = {}
    address = warehouse.url()

    def connect(duty: str) -> psycopg.Connection:
        name = f"login_{duty}"
        with as_superuser() as server:
            server.execute(f"drop role if exists {name}")
            server.execute(f"create role {name} login password '{PASSWORD}' in role prakerja_{duty}")
            server.execute(f"grant connect on database warehouse to {name}")
        made[name] = psycopg.connect(
            host=str(address.query["host"]), dbname=address.database, user=name, password=PASSWORD
        )
        return made[name]

    yield connect
    for name, each in made.items():
        each.close()
        with as_superuser() as server:
            server.execute(f"revoke connect on database warehouse from {name}")
            server.execute(f"drop role {name}")


@pytest.fixture
def own_keys(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a home of the test's own with the same warehouse, and return its folder of keys."""
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", warehouse.url(login="warehouse").render_as_string(hide_password=False))
    monkeypatch.setenv("PRAKERJA_HOME", str(home / "own"))
    monkeypatch.setenv("PRAKERJA_CONTACT_KEY", base64.b64encode(bytes(32)).decode())
    return home / "own" / "keys"
