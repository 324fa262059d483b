"""Each process of `make up` can do its own work with its login, and not the work of others."""

from __future__ import annotations

import contextlib
import shlex
import stat
import time
from configparser import RawConfigParser
from pathlib import Path

import psycopg
import pytest
from tests.conftest import as_superuser

from prakerja import embedded_postgres, warehouse
from prakerja.airflow_home import METADATA
from prakerja.machine import environment, supervision
from prakerja.machine.environment import WAREHOUSE, Ports

PROCESSES = (
    "postgres", "api-server", "scheduler", "dag-processor", "triggerer", "sandbox", "receipts", "blacklist",
)  # fmt: skip
WITH_WAREHOUSE = {
    "api-server": "warehouse_monitor",
    "scheduler": "warehouse_worker",
    "receipts": "warehouse_receipts",
    "blacklist": "warehouse_service",
}
#: What would make a thief more than the login that was stolen, or change what is kept.
REFUSED = (
    "set role postgres",
    "set role warehouse",
    "set role warehouse_operator",
    "set session authorization postgres",
    "set session authorization warehouse",
    "alter role current_user superuser",
    "alter role current_user connection limit 1000",
    "create role thief",
    "grant warehouse to current_user",
    "create table mine (n integer)",
    "create function mine() returns integer language sql as 'select 1'",
    "alter table decisions disable trigger user",
    "drop table decisions",
    "truncate decisions",
    "update decisions set overdue = 0",
    "delete from audit_log",
    "delete from audit_pending",
    "set session_replication_role = replica",
    "select pg_read_file('postgresql.conf')",
    "copy decisions to program 'true'",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'warehouse'",
    "alter system set fsync = off",
)


def handed_out(process: str) -> dict[str, str]:
    return environment.database_environment(process)


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url.replace("+psycopg2", ""), autocommit=True)


def test_each_process_has_the_login_of_its_work(embedded: None) -> None:
    found = {process: handed_out(process) for process in PROCESSES}
    users = {process: psycopg.conninfo.conninfo_to_dict(url[WAREHOUSE]).get("user")
             for process, url in found.items() if WAREHOUSE in url}  # fmt: skip
    assert users == {**dict.fromkeys(PROCESSES[1:]), **WITH_WAREHOUSE}
    assert {process for process, url in found.items() if METADATA in url} == set(PROCESSES[1:5])
    told = str(found)
    for login in ("postgres", "warehouse", "warehouse_operator"):
        assert embedded_postgres.password(login) not in told


@pytest.mark.parametrize("process", [each for each in PROCESSES if each not in {*WITH_WAREHOUSE, "postgres"}])
def test_a_login_without_work_in_the_warehouse_is_refused(embedded: None, process: str) -> None:
    with pytest.raises(psycopg.OperationalError):
        connect(handed_out(process)[WAREHOUSE])


@pytest.mark.parametrize("process", WITH_WAREHOUSE)
@pytest.mark.parametrize("statement", REFUSED)
def test_a_stolen_login_is_that_login(embedded: None, process: str, statement: str) -> None:
    with connect(handed_out(process)[WAREHOUSE]) as connection:
        for duty in ("decide", "ingest", "publish", "receive", "serve", "show", "remind"):  # as any that it may be
            try:
                connection.execute(f"set role prakerja_{duty}")
            except psycopg.errors.InsufficientPrivilege:
                continue
            is_harmless = statement.startswith("select pg_terminate")  # nobody of that name is there: none is ended
            if not is_harmless:
                with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidGrantOperation)):
                    connection.execute(statement)
            connection.execute("reset role")
            who = connection.execute("select current_user, usesuper from pg_user where usename = current_user")
            assert who.fetchone() == (WITH_WAREHOUSE[process], False)
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidGrantOperation)):
                connection.execute(statement)


@pytest.mark.parametrize("process", WITH_WAREHOUSE)
def test_a_login_of_the_warehouse_connects_to_no_other_database(embedded: None, process: str) -> None:
    place = handed_out(process)[WAREHOUSE]
    for database in ("airflow", "postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connect(place.replace("/warehouse?", f"/{database}?"))


def test_airflows_login_cannot_read_the_warehouse(embedded: None) -> None:
    place = handed_out("scheduler")[METADATA]
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect(place.replace("/airflow?", "/warehouse?"))
    with connect(place) as connection:
        connection.execute("create table of_its_own (n integer); drop table of_its_own")
        for statement in ("set role postgres", "set role warehouse", "create role thief", "create database other"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_passwords_are_in_no_command_line_and_in_no_file_for_others(embedded: None) -> None:
    """supervisord reads them from a file that only its user can read, and gives each process its own."""
    commands = supervision.commands(Ports(*range(5)), has_own_server=True)
    path = supervision._write_configuration(commands)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    configuration = RawConfigParser()
    configuration.read(path)
    for process in PROCESSES:
        section = configuration[f"program:{process}"]
        given = dict(each.split("=", 1) for each in shlex.split(section["environment"].replace('",', '" ')))
        assert {name: value.replace("%%", "%") for name, value in given.items()} == handed_out(process)
        assert not [each for each in embedded_postgres.LOGINS if embedded_postgres.password(each) in section["command"]]
    assert environment.withheld() == {METADATA}, "what only some are told is not in the supervisor's environment"


def test_servers_of_ones_own_need_no_embedded_one(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAKERJA_HOME", str(tmp_path / "other"))
    monkeypatch.setenv(WAREHOUSE, "postgresql://warehouse@db.example/warehouse")
    monkeypatch.setenv(METADATA, "postgresql+psycopg2://airflow@db.example/airflow")
    given = environment.database_environment("scheduler")
    assert given == {METADATA: "postgresql+psycopg2://airflow@db.example/airflow"}
    assert environment.withheld() == {METADATA}
    assert not (tmp_path / "other" / "postgres").exists(), "a server was started that nobody uses"


def test_no_login_may_have_all_connections(embedded: None) -> None:
    with warehouse.transaction() as connection:
        limits = dict(
            connection.exec_driver_sql(
                "select rolname, rolconnlimit from pg_roles where rolcanlogin and rolname <> 'postgres'"
            ).all()
        )
        most = int(connection.exec_driver_sql("show max_connections").scalar_one())
    assert set(limits) == set(embedded_postgres.LOGINS) - {"postgres"}
    assert min(limits.values()) > 0
    assert sum(limits.values()) < most - 3


def test_a_login_that_takes_all_its_connections_keeps_nobody_out(embedded: None) -> None:
    """A session may change its timeouts, but neither this limit nor those of others."""
    place = warehouse.url(login="warehouse_reader").set(drivername="postgresql").render_as_string(hide_password=False)
    reader = "from pg_stat_activity where usename = 'warehouse_reader'"
    with as_superuser() as server:  # those of tests before: an engine keeps some
        server.execute(f"select pg_terminate_backend(pid) {reader}")
        for _ in range(500):
            if not server.execute(f"select {reader}").fetchall():
                break
            time.sleep(0.01)
        else:
            pytest.fail("they do not end")
    with contextlib.ExitStack() as held:
        connections = [held.enter_context(connect(place)) for _ in range(5)]
        connections[0].execute("set statement_timeout = 0")
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            connect(place)
        for process in WITH_WAREHOUSE:
            connect(handed_out(process)[WAREHOUSE]).close()


@pytest.mark.parametrize("login", [each for each in embedded_postgres.LOGINS if each.startswith("warehouse_")])
def test_each_login_has_bounds_of_time(embedded: None, login: str) -> None:
    is_outside = login not in ("warehouse_worker", "warehouse_operator")
    place = warehouse.url(login=login).set(drivername="postgresql").render_as_string(hide_password=False)
    with connect(place) as connection:
        for setting in ("statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"):
            value = str((connection.execute(f"show {setting}").fetchone() or ("",))[0])
            assert (value != "0") or (setting == "idle_session_timeout" and not is_outside), setting
