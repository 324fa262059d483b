"""Logins of their own, each a member of one duty, as a deployment has them; and keys of the test's own."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from prakerja import warehouse
from prakerja.blacklist.publisher.configured_keys import load_signing_key
from prakerja_blacklist.reader.sources import Folder
from prakerja_blacklist.witness.following import Follower
from tests.conftest import as_superuser
from tests.support.simulated_publisher import signing_key

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


@pytest.fixture
def statements(told: Path, tmp_path: Path) -> Path:
    """Two versions were published, and a witness has signed both; gives the place of its statements."""
    out = tmp_path / "out"
    follower = Follower(tmp_path / "own", [load_signing_key().public], signing_key("auditor"), out)
    assert follower.follow(Folder(told.parent / "blacklist")).signed == ["v000001.json", "v000002.json"]
    return out
