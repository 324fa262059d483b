"""The limits of a login, and the reason that a refused login gets."""

from __future__ import annotations

import contextlib
import socket
import struct
from pathlib import Path
from typing import Any

import psycopg
import pytest

from prakerja import embedded_postgres, warehouse
from prakerja.errors import PrakerjaError
from prakerja.settings import Settings
from prakerja.warehouse import RefusedError, UnavailableError
from prakerja.warehouse.errors import refusal_error

LOGINS = [each for each in embedded_postgres.LOGINS if each.startswith("warehouse_")]
OUTSIDE = ("warehouse_service", "warehouse_receipts", "warehouse_monitor", "warehouse_reader")


def connect(login: str) -> psycopg.Connection[Any]:
    url = warehouse.url(login=login).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url, autocommit=True)


@pytest.mark.parametrize("login", [*LOGINS, "warehouse"])
@pytest.mark.parametrize("call", ["lo_create(0)", "lo_creat(-1)", "lo_from_bytea(0, 'x')", "lo_put(1, 0, 'x')"])
def test_no_login_keeps_large_objects(home: Path, login: str, call: str) -> None:
    with connect(login) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"select {call}")


@pytest.mark.parametrize("login", LOGINS)
def test_a_login_has_bounded_room_for_temporary_files(home: Path, login: str) -> None:
    with connect(login) as connection:
        ((limit,),) = connection.execute("show temp_file_limit").fetchall()
        assert limit == ("1GB" if login in OUTSIDE else "64GB")
        for statement in ("set temp_file_limit = -1", "alter role current_user set temp_file_limit = -1"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


@pytest.mark.parametrize("login", ["warehouse_reader", "warehouse_service"])
def test_a_login_that_adds_no_facts_creates_no_entry(home: Path, login: str) -> None:
    with connect(login) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select current_entry()")


def test_a_client_without_a_password_is_disconnected_after_seconds(home: Path) -> None:
    with connect("warehouse_reader") as connection:
        assert connection.execute("show authentication_timeout").fetchone() == ("10s",)
    folder = embedded_postgres.start(Settings.from_environment())
    body = b"user\0warehouse_reader\0database\0warehouse\0\0"
    with socket.socket(socket.AF_UNIX) as half_open:
        half_open.settimeout(60)
        half_open.connect(f"{folder}/.s.PGSQL.5432")
        half_open.sendall(struct.pack("!II", 8 + len(body), 196608) + body)
        with contextlib.suppress(ConnectionResetError):
            while half_open.recv(1000):
                pass


def told(monkeypatch: pytest.MonkeyPatch, url: Any) -> PrakerjaError:
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", url.render_as_string(hide_password=False))
    warehouse.close_connections()
    with pytest.raises(PrakerjaError) as raised, warehouse.transaction():
        pass
    return raised.value


def test_a_refused_login_gets_a_reason(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = warehouse.url(login="warehouse_reader")
    wrong = told(monkeypatch, right.set(password="of before"))  # noqa: S106
    assert isinstance(wrong, RefusedError)
    assert "the login warehouse_reader has another password: correct PRAKERJA_DATABASE_URL" in str(wrong)
    assert "of before" not in str(wrong)
    assert "the server has no such database" in str(told(monkeypatch, right.set(database="nowhere")))
    assert "the login warehouse_reader may not connect to this database" in str(
        told(monkeypatch, right.set(database="airflow"))
    )
    with contextlib.ExitStack() as held:
        monkeypatch.delenv("PRAKERJA_DATABASE_URL")
        for _ in range(5):
            held.enter_context(connect("warehouse_reader"))
        full = told(monkeypatch, right)
    assert isinstance(full, UnavailableError), "it is tried again"
    assert "the login warehouse_reader has all its connections in use" in str(full)
    nobody = told(monkeypatch, right.set(host="127.0.0.1", port=1, query={}))
    assert "cannot be reached at 127.0.0.1:1, database warehouse (Connection refused): start it" in str(nobody)
    monkeypatch.delenv("PRAKERJA_DATABASE_URL")
    warehouse.close_connections()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("FATAL:  sorry, too many clients already", "the server has all its connections in use"),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
         "the server has all its connections in use"),
        ('FATAL:  too many connections for role "x"', "the login x has all its connections in use"),
        ('FATAL:  role "x" does not exist', "the server has no login x"),
        ("FATAL:  the database system is starting up", "the server is starting"),
        ("connection refused", None),
    ],
)  # fmt: skip
def test_messages_of_the_server_are_translated(said: str, why: str | None) -> None:
    error = refusal_error(said, "db.example", None)
    assert (error is None) if why is None else (why in str(error))
