"""A small nasty world, replayed once over a server with passwords and duties, and every command used there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from prakerja import warehouse
from prakerja.settings import WIB
from prakerja.simulation.writers import Row
from tests.conftest import copy_home
from tests.e2e.conftest import Instance
from tests.support.command_uses import OPERATOR, OWNER, SAID, USES
from tests.support.landing_zone import deliver
from tests.support.own_server import CONTACT_KEY, OwnServer
from tests.support.postgres_and_redis import PASSWORD, Postgres, earlier_programs, pgbouncer, postgres
from tests.support.running_machine import Machine, running
from tests.support.tls import write_certificate

#: The second cohort is so small that the share of its overdue recipients stops its decision.
CALENDAR = """
cohorts:
- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13, recipients: 60000, note: short for tests}
- {cohort: 13, announced_on: 2021-03-05, deadline_on: 2021-03-13, recipients: 25000, note: short for tests}
"""
#: The words of a URL that leads through PgBouncer, and their fixtures.
POOLER = {"pooler": "session_pooler", "certificate": "certificate"}
FIRST, LAST = "2021-03-12", "2021-03-15"
#: Nobody listens there: nothing is left to send.
GATEWAYS = {"PRAKERJA_SMS_URL": "http://:token@127.0.0.1:9/sms", "PRAKERJA_SMTP_URL": "smtp://127.0.0.1:9"}
WORLD = ("--cohorts", "12,13", "--scale", "0.004", "--seed", "5", "--nasty")


@dataclass(frozen=True)
class Used:
    """What a command said to its user and to a login that may not use it, and whether the latter changed the home."""

    done: subprocess.CompletedProcess[str]
    refused: subprocess.CompletedProcess[str] | None
    is_changed: bool


@pytest.fixture(scope="session")
def server(prepared_home: Path) -> Iterator[Postgres]:
    """A server with its logins. It runs as a user that the first start of an embedded one has created."""
    with postgres({}) as started:
        yield started


@pytest.fixture(scope="session")
def made(
    server: Postgres, prepared_home_with_airflow: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[OwnServer, dict[str, subprocess.CompletedProcess[str]]]]:
    """The installation after the replay, and what the commands said that made it.

    A cohort is decided and its overdue recipients are revoked; another one is stopped.
    """
    own = OwnServer(server, tmp_path_factory.mktemp("own-server"))
    copy_home(prepared_home_with_airflow, own.home)
    (own.folder / "calendar.yaml").write_text(CALENDAR)
    done = {"simulate": own.run(None, "simulate", *WORLD, "--out", str(own.landing.parent))}
    for manifest in own.landing.glob("feeds/*/*/*/manifest.json"):
        if json.loads(manifest.read_text())["generated_at"] > LAST + "T02":  # it is not there yet
            shutil.rmtree(manifest.parent)
    doubtful = Row("x", "?", datetime(2021, 3, 2, 12, tzinfo=WIB), f"{10**15:016}", 5000)
    deliver(own.landing, "tokopedia", "2021-03-02", [doubtful])  # over the bound of quarantined rows
    done["db upgrade"] = own.run(OWNER, "db", "upgrade")
    done["replay"] = own.run(OPERATOR, "replay", "--from", FIRST, "--to", LAST, "--approve-as", "siti")
    yield own, done
    own.run(None, "db", "stop")


@pytest.fixture(scope="session")
def own(made: tuple[OwnServer, object]) -> OwnServer:
    return made[0]


@pytest.fixture(scope="session")
def used(own: OwnServer) -> dict[str, Used]:
    """Every use of a command, by its id, one after the other: they are one story."""
    found, words = {}, _words(own)
    for use in USES:
        arguments = [*use.command.split(), *(each.format_map(words) for each in use.arguments)]
        given = use.given.format_map(words)
        before = _keys(own)
        refused = own.run(use.refused, *arguments, given=given, **GATEWAYS) if use.refused else None
        is_changed = _keys(own) != before
        done = own.run(use.login, *arguments, given=given, **GATEWAYS)
        found[use.id] = Used(done, refused, is_changed)
        for name, pattern in SAID.items():
            if said := re.findall(pattern, done.stdout + done.stderr, re.MULTILINE):
                words[name] = said[-1]
    return found


def _words(own: OwnServer) -> dict[str, str]:
    """The people of the story: one who is revoked, two who are held, one who has purchased."""
    person = "select lpad(card_number::text, 16, '0'), lpad(nik::text, 16, '0') from recipients r join outcomes o"
    of = f"{person} using (recipient_id) where r.cohort = 12 and o.outcome = %s order by 1 limit 2"
    with own.server.connect() as connection:
        (revoked, nik), _ = connection.execute(of, ["overdue"]).fetchall()
        (held, _), (doubted, _) = connection.execute(of, ["held"]).fetchall()
        (suspected, _), _ = connection.execute(of, ["purchased"]).fetchall()
    (own.folder / "lacks.csv").write_text(f"card_number,lacks\n{suspected},videos\n")
    (pin,) = (own.home / "publish" / "blacklist" / "keys").glob("*.pem")
    return {
        "pin": str(pin), "revoked": revoked, "nik": nik, "held": held, "doubted": doubted, "suspected": suspected,
        "folder": str(own.folder), "digest": "", "attempt": "", "appeal": "", "freeze": "", "key": "",
        "signing_key": "",
    }  # fmt: skip


def _keys(own: OwnServer) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (own.home / "keys").iterdir()}


@pytest.fixture(scope="session")
def machine(
    own: OwnServer, prepared_home_with_airflow: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """The running system of another home over the same warehouse, by the operator's login; the last test stops it."""
    home = tmp_path_factory.mktemp("machine") / "home"
    copy_home(prepared_home_with_airflow, home)
    instance = Instance(home, own.landing, own.folder / "calendar.yaml")
    url = own.server.url(OPERATOR, "warehouse")
    with running(instance, PRAKERJA_DATABASE_URL=url, PRAKERJA_CONTACT_KEY=CONTACT_KEY) as started:
        yield started


@pytest.fixture(scope="session")
def backup(own: OwnServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the installation, with its keys."""
    folder = tmp_path_factory.mktemp("backups") / "backup"
    done = own.run(OWNER, "backup", str(folder), "--with-keys")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def earlier_server(own: OwnServer) -> Iterator[Postgres]:
    """An empty server of version 16."""
    with postgres({}, earlier_programs()) as started:
        yield started


@pytest.fixture
def empty_database(own: OwnServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of an empty database of the server, which belongs to the warehouse's owner."""
    name = f"empty_{abs(hash(request.node.nodeid))}"
    with own.server.connect(database="postgres") as connection:
        connection.execute(f"create database {name} owner warehouse")
        yield name
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of `localhost` that has signed itself, with its key beside it."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    write_certificate(path, "localhost")
    return path


@pytest.fixture(scope="session")
def session_pooler(own: OwnServer, certificate: Path) -> Iterator[int]:
    with pgbouncer(own.server, "session", certificate) as port:
        yield port


@pytest.fixture(scope="session")
def transaction_pooler(own: OwnServer) -> Iterator[int]:
    with pgbouncer(own.server, "transaction") as port:
        yield port


@pytest.fixture
def passwords(own: OwnServer, tmp_path: Path) -> dict[str, str]:
    """A variable that names a file with the owner's password."""
    path = tmp_path / "pgpass"
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    path.write_text(f"127.0.0.1:{own.server.port}:*:warehouse:{escaped}\n")
    path.chmod(0o600)
    return {"PGPASSFILE": str(path)}


@pytest.fixture
def filled(own: OwnServer, request: pytest.FixtureRequest) -> Callable[[str, str], str]:
    """Fill in a URL's words for a database: the password, and where the server and the pooler are."""

    def fill(url: str, database: str) -> str:
        words = {
            "password": quote(PASSWORD, safe=""), "port": own.server.port, "database": database,
            "folder": own.server.folder, "encoded_folder": quote(str(own.server.folder), safe=""),
        }  # fmt: skip
        if "{pooler}" in url:
            words |= {name: request.getfixturevalue(fixture) for name, fixture in POOLER.items()}
        return url.format_map(words)

    return fill


@pytest.fixture
def pooled(own: OwnServer, session_pooler: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnServer]:
    """The installation in this process, behind the session pooler, by the operator's login."""
    url = own.server.url(OPERATOR, "warehouse").replace(f":{own.server.port}/", f":{session_pooler}/")
    for name, value in own.environment(None, url).items():
        monkeypatch.setenv(name, value)
    warehouse.close_connections()
    yield own
    warehouse.close_connections()
