"""A backup and a restore that fail leave nothing half-done, say why, and show no password to other users."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import psutil
import pytest

from prakerja import embedded_postgres, schema, warehouse
from prakerja.airflow_home import METADATA
from prakerja.errors import PrakerjaError
from prakerja.machine import backup as backups
from prakerja.warehouse import addresses
from tests.support.command_uses import OPERATOR, OWNER
from tests.support.own_server import OwnServer, messages, only_line
from tests.support.postgres_and_redis import PASSWORD, Postgres, earlier_programs

PATIENCE = 600.0
#: What another session does first, so that a program waits: pg_dump for a table, pg_restore for a name.
OBSTACLES = {
    "pg_dump": "lock table rosters in access exclusive mode",
    "pg_restore": "create table alembic_version (version_num text)",
}
TABLES = "select count(*) from pg_tables where schemaname = 'public'"


@contextlib.contextmanager
def waiting(own: OwnServer, program: str, database: str, *command: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """Yield a command whose program waits, with nothing in its way afterwards."""
    with own.server.connect(database=database) as connection, connection.transaction(force_rollback=True):
        connection.execute(OBSTACLES[program])
        process = own.start(None, *command, **{"PRAKERJA_DATABASE_URL": own.server.url(OWNER, database), **more})
        until = time.monotonic() + PATIENCE
        while not sessions(own, program):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until, f"{program} does not wait"
            time.sleep(0.05)
        yield process


def sessions(own: OwnServer, program: str) -> list[int]:
    """Return the server's processes of a program that wait for a lock."""
    query = "select pid from pg_stat_activity where application_name = %s and wait_event_type = 'Lock'"
    with own.server.connect(database="postgres") as connection:
        return [pid for (pid,) in connection.execute(query, [program])]


def end(own: OwnServer, program: str) -> None:
    """Let the server end a program's sessions, as an administrator or its own stop does."""
    with own.server.connect(database="postgres") as connection:
        for pid in sessions(own, program):
            connection.execute("select pg_terminate_backend(%s)", [pid])


def elsewhere(own: OwnServer, home: Path) -> dict[str, str]:
    """Return the settings of an empty home beside the published list, without Airflow's metadata."""
    return {
        "PRAKERJA_HOME": str(home),
        "PRAKERJA_PUBLISH": str(own.home / "publish"),
        METADATA: "postgresql://elsewhere",
    }


def shown() -> list[str]:
    """Return the command lines that every user of the machine can read."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found.append(" ".join(process.cmdline()))
    return found


def test_a_backup_shows_no_password_and_stops_for_nobody(own: OwnServer, tmp_path: Path) -> None:
    with waiting(own, "pg_dump", "warehouse", "backup", str(tmp_path / "backup")) as process:
        lines = shown()
    assert any("pg_dump --dbname=" in line and "user=warehouse" in line for line in lines)
    assert not [line for line in lines if PASSWORD in line or "100%25" in line]
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told


def test_a_restore_shows_no_password(own: OwnServer, backup: Path, empty_database: str, tmp_path: Path) -> None:
    more = elsewhere(own, tmp_path / "home")
    with waiting(own, "pg_restore", empty_database, "restore", str(backup), **more) as process:
        lines = shown()
    assert any("pg_restore --dbname=" in line and "user=warehouse" in line for line in lines)
    assert not [line for line in lines if PASSWORD in line or "100%25" in line]
    said, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, messages(told)) == (0, []), told
    assert said.startswith("restored the state of ")


def test_a_backup_that_fails_leaves_no_folder(own: OwnServer, tmp_path: Path) -> None:
    with waiting(own, "pg_dump", "warehouse", "backup", str(tmp_path / "backup")) as process:
        end(own, "pg_dump")
        said, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (1, "")
    assert "pg_dump of the database warehouse failed: query failed: FATAL:  terminating connection" in told
    assert len(messages(told)) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_restore_that_fails_is_repeated(own: OwnServer, backup: Path, empty_database: str, tmp_path: Path) -> None:
    more, url = elsewhere(own, tmp_path / "home"), own.server.url(OWNER, empty_database)
    with waiting(own, "pg_restore", empty_database, "restore", str(backup), **more) as process:
        end(own, "pg_restore")
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert f"pg_restore of the database {empty_database} failed: " in told
    assert "terminating connection due to administrator command" in told
    assert len(messages(told)) == 1
    with own.server.connect(database=empty_database) as connection:
        assert connection.execute(TABLES).fetchone() == (0,)
    again = own.run(None, "restore", str(backup), url=url, **more)
    assert (again.returncode, messages(again.stderr)) == (0, [])
    assert "is not empty: restore into an empty" in only_line(own.run(None, "restore", str(backup), url=url, **more))


def test_a_restore_continues_after_the_database(
    own: OwnServer, backup: Path, empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended after the warehouse was restored and before all of its keys were there."""
    for name, value in (
        own.environment(None, own.server.url(OWNER, empty_database)) | elsewhere(own, tmp_path)
    ).items():
        monkeypatch.setenv(name, value)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "upgrade", mock.Mock(side_effect=PrakerjaError("not today")))
        with pytest.raises(PrakerjaError, match="not today"):
            backups.restore(backup)
    shutil.rmtree(tmp_path / "keys")
    assert backups.restore(backup).revision == schema.newest_revision()
    assert (tmp_path / "keys" / "signing_key.pem").read_bytes() == (own.home / "keys" / "signing_key.pem").read_bytes()
    with pytest.raises(PrakerjaError, match="is not empty"):
        backups.restore(backup)
    warehouse.close_connections()


def test_airflows_metadata_of_the_home_are_a_part_of_its_backup(
    own: OwnServer, backup: Path, empty_database: str, tmp_path: Path
) -> None:
    more = {"PRAKERJA_HOME": str(tmp_path / "home"), "PRAKERJA_PUBLISH": str(own.home / "publish")}
    assert {path.name for path in backup.iterdir()} == {"airflow.dump", "backup.json", "keys", "warehouse.dump"}
    done = own.run(None, "restore", str(backup), url=own.server.url(OWNER, empty_database), **more)
    try:
        assert (done.returncode, messages(done.stderr)) == (0, [])
        with own.metadata(tmp_path / "home") as connection:
            assert connection.execute("select count(*) from dag_run").fetchone() == (8,)
    finally:
        own.run(None, "db", "stop", **more)


def test_a_login_without_the_rights_is_told_before(own: OwnServer, backup: Path, tmp_path: Path) -> None:
    """Nothing is begun. (The login that backs up is tried with every command.)"""
    line = only_line(own.run(OPERATOR, "restore", str(backup), **elsewhere(own, tmp_path / "home")))
    assert line == (
        "the login warehouse_operator may not restore the warehouse: it may not create tables: use the login of the "
        "database's owner, warehouse"
    )


def test_a_server_that_is_newer_than_pg_dump_is_named(
    own: OwnServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (own.environment(OWNER) | elsewhere(own, tmp_path / "home")).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(embedded_postgres, "program_of_server", lambda name: earlier_programs() / name)
    with pytest.raises(PrakerjaError) as raised:
        backups.back_up(tmp_path / "backup", with_keys=False)
    warehouse.close_connections()
    assert "failed: aborting because of server version mismatch; server version: 18." in str(raised.value)
    assert not (tmp_path / "backup").exists()


def test_a_backup_is_restored_into_an_earlier_server(
    own: OwnServer, backup: Path, earlier_server: Postgres, tmp_path: Path
) -> None:
    """pg_restore sets what PostgreSQL 15 and 16 do not know."""
    url, more = earlier_server.url(OWNER, "warehouse"), elsewhere(own, tmp_path / "home")
    done = own.run(None, "restore", str(backup), url=url, **more)
    assert (done.returncode, messages(done.stderr)) == (0, [])
    assert own.run(None, "cohorts", "--json", url=url, **more).stdout == own.run(OWNER, "cohorts", "--json").stdout


@pytest.mark.parametrize("version", [16, 18])
def test_a_dump_that_ends_early_restores_nothing(
    own: OwnServer, backup: Path, earlier_server: Postgres, tmp_path: Path, version: int
) -> None:
    server = own.server if version == 18 else earlier_server
    whole = (backup / "warehouse.dump").read_bytes()
    (tmp_path / "dump").write_bytes(whole[: len(whole) * 3 // 4])
    with server.connect(database="postgres") as connection:
        connection.execute("create database ends_early owner warehouse")
    address = addresses.parse_url(server.url(OWNER, "ends_early")).set(drivername="postgresql+psycopg")
    with pytest.raises(PrakerjaError, match=r"pg_restore.* failed: could not read from input file"):
        warehouse.restore_database(address, tmp_path / "dump")
    warehouse.close_connections()
    with server.connect(database="ends_early") as connection:
        assert connection.execute(TABLES).fetchone() == (0,)


def test_a_backup_of_a_later_version_is_refused(
    own: OwnServer, backup: Path, empty_database: str, tmp_path: Path
) -> None:
    later = tmp_path / "later"
    shutil.copytree(backup, later)
    index = json.loads((later / "backup.json").read_text())
    (later / "backup.json").write_text(json.dumps(index | {"revision": "9999"}))
    url, more = own.server.url(OWNER, empty_database), elsewhere(own, tmp_path / "home")
    assert "the backup is of revision 9999" in only_line(own.run(None, "restore", str(later), url=url, **more))
