"""Sessions, locks and waits through PgBouncer with session pooling are as they are at the server."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from prakerja import warehouse
from prakerja.warehouse import UnavailableError
from tests.support.own_server import OwnServer
from tests.support.postgres_and_redis import PGBOUNCER

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="needs pgbouncer (Debian: apt install pgbouncer)")

HOLD = """
import time
from prakerja import warehouse

with warehouse.exclusive("publish"):
    print("held", flush=True)
    time.sleep(600)
"""
PATIENCE = 600.0


def test_a_session_starts_with_its_settings(pooled: OwnServer) -> None:
    names = ("lock_timeout", "search_path", "jit", "work_mem")
    with warehouse.transaction() as connection:
        found = [connection.exec_driver_sql(f"show {name}").scalar_one() for name in names]
    assert found == ["2min", "public,pg_temp", "off", "256MB"]
    with warehouse.plain_session() as session:
        assert session.exec_driver_sql("show search_path").scalar_one() == "pg_catalog, pg_temp"
        assert session.exec_driver_sql("show transaction_read_only").scalar_one() == "on"


def test_what_a_session_has_set_does_not_reach_the_next(pooled: OwnServer) -> None:
    with warehouse.plain_session() as session:
        pid = session.exec_driver_sql("select pg_backend_pid()").scalar_one()
    with pooled.server.connect() as connection:
        until = time.monotonic() + PATIENCE
        state = "select state from pg_stat_activity where pid = %s and query = 'DISCARD ALL'"
        while connection.execute(state, [pid]).fetchone() != ("idle",):
            assert time.monotonic() < until, "PgBouncer has not cleaned the session"
            time.sleep(0.05)


def test_a_lock_is_held_as_long_as_its_session_lives(pooled: OwnServer) -> None:
    """Also if its holder is killed."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        not_free = pytest.raises(UnavailableError, match=r"`publish` was not free within 1 s: warehouse_operator \(")
        with not_free, warehouse.exclusive("publish", 1):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with warehouse.exclusive("publish", int(PATIENCE)):
        pass


def test_a_transaction_that_waits_names_the_session_that_it_waits_for(pooled: OwnServer) -> None:
    """PgBouncer gives a client another number than the server's process has."""
    with pooled.server.connect() as other, other.transaction():
        pid = other.info.backend_pid
        other.execute("lock table provider_pace in exclusive mode")
        wait = "set local lock_timeout = '5s'; lock table provider_pace in exclusive mode"
        named = pytest.raises(UnavailableError, match=rf"that postgres \(.*session {pid}")
        with named, warehouse.transaction("remind") as connection:
            connection.exec_driver_sql(wait)
