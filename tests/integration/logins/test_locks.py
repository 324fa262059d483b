"""No login stops the work of another: what each can lock while others publish, decide, read feeds and seal."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.conftest import as_superuser
from tests.support.small_cohort import DECIDED_ON, PEOPLE, bought, restate

from prakerja import schema, warehouse
from prakerja.blacklist.publisher import audit, publishing
from prakerja.calendar import Cohort
from prakerja.cohorts import standing
from prakerja.monitor import overview
from prakerja.revocations import decision, freezes
from prakerja.warehouse import UnavailableError

#: Logins that a thief may have come by from outside, or that people have who look.
OUTSIDE = ("warehouse_service", "warehouse_receipts", "warehouse_monitor", "warehouse_reader")
MODES = (
    "access share", "row share", "row exclusive", "share update exclusive", "share", "share row exclusive",
    "exclusive", "access exclusive",
)  # fmt: skip
KEYS = ("prakerja publish", "prakerja audit", "prakerja decide 12", "prakerja intake tokopedia", "prakerja rosters",
        "prakerja evidence 12", "prakerja revoke 12", "prakerja monitor", "prakerja upgrade")  # fmt: skip


def connect(login: str) -> psycopg.Connection[Any]:
    url = warehouse.url(login=login).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url, autocommit=True, application_name="a thief's")


@contextlib.contextmanager
def taking_whatever_it_can(login: str) -> Iterator[list[str]]:
    """Hold every lock that a login can take, in one transaction, until the context ends: keys, tables, rows, seals."""
    with connect(login) as thief:
        tables = [name for (name,) in thief.execute("select tablename from pg_tables where schemaname = 'public'")]
        attempts = [f"select pg_advisory_lock(hashtextextended('{key}', 0))" for key in KEYS]
        attempts += [f"select pg_advisory_lock({number})" for number in range(1, 20)]
        attempts += ["select pg_advisory_xact_lock_shared(7)", "select seal_entries()", "select lock_name('audit')"]
        attempts += [f"lock table {table} in {mode} mode nowait" for table in tables for mode in MODES]
        attempts += [f"select from {table} for {how} nowait" for table in tables for how in ("update", "key share")]
        for duty in ("ingest", "decide", "remind", "publish"):
            attempts += [f"select * from take_lock('{duty}', '{duty}', 1, 'a thief')"]
            attempts += [f"insert into {duty}_locks values ('publish')"]
        for timeout in ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout"):
            thief.execute(f"set {timeout} = 0")
        thief.execute("set default_transaction_isolation = 'repeatable read'")
        thief.execute("begin")
        taken = []
        for attempt in attempts:
            thief.execute("savepoint before")
            with contextlib.suppress(psycopg.Error):
                thief.execute(attempt)
                taken.append(attempt)
                continue
            thief.execute("rollback to before")
        yield taken


@pytest.mark.parametrize("login", OUTSIDE)
def test_work_goes_on_whatever_a_login_takes(cohort: Cohort, home: Path, login: str, caplog: Any) -> None:
    with taking_whatever_it_can(login) as taken:
        assert taken == [each for each in taken if "advisory" not in each and "seal" not in each], "of no use to it"
        standing.refresh_standings(DECIDED_ON)
        restate(home, [bought(n) for n in range(3, PEOPLE + 1)], DECIDED_ON)
        assert decision.decide(cohort, DECIDED_ON).overdue == 2
        assert publishing.publish("first", datetime(2021, 3, 15, tzinfo=UTC), DECIDED_ON) == 1
        freezes.freeze(12, DECIDED_ON, None, because="an earthquake", frozen_by="Siti", on=DECIDED_ON)
        assert audit.verify().problems == []
        with as_superuser(database="warehouse") as server:
            assert server.execute("select count(*) from audit_pending").fetchone() == (0,), "all is sealed"
    assert "sealed" not in caplog.text


@pytest.mark.parametrize("login", OUTSIDE)
def test_only_its_duty_may_hold_a_lock(home: Path, login: str, impatient: None) -> None:
    with taking_whatever_it_can(login):
        for name in ("publish", "decide 12", "revoke 12", "intake tokopedia", "rosters", "monitor", "reminders 12 x"):
            with warehouse.exclusive(name):
                pass


def test_each_duty_locks_what_is_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login with one duty holds no lock of another duty."""
    with as_superuser(database="warehouse") as server:
        for duty in ("ingest", "decide", "remind", "publish"):
            server.execute(f"set session authorization prakerja_{duty}")
            for other in ("ingest", "decide", "remind", "publish"):
                take = f"select * from take_lock('{other}', 'x', 1, 'me')"
                if other == duty:
                    assert server.execute(take).fetchall() == []
                else:
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        server.execute(take)
            for table in ("function_locks", "audit_pending", "audit_log"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    server.execute(f"select from {table} for update")
            server.execute("reset session authorization")


def test_a_waiting_task_names_the_holder_and_is_retried_later(home: Path, impatient: None, caplog: Any) -> None:
    """First in the log, then in an error that the tasks' policy retries."""
    with warehouse.exclusive("publish"), caplog.at_level(logging.WARNING):
        began = time.monotonic()
        with pytest.raises(UnavailableError) as raised, warehouse.exclusive("publish", 1):
            pass
    assert time.monotonic() - began < 10
    holder = r"warehouse_operator \(.+, session \d+, since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ\)"
    assert re.search(f"the lock `publish` was not free within 1 s: {holder} holds it", str(raised.value))
    assert re.search(f"waiting for the lock `publish`, which {holder} holds", caplog.text)
    with warehouse.exclusive("publish", 1):  # it was let go
        pass


def test_two_take_turns(home: Path) -> None:
    inside, most = list[int](), list[int]()

    def work() -> None:
        with warehouse.exclusive("decide 12"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.05)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6


HOLDER = """
import time
from prakerja import warehouse
with warehouse.exclusive("publish"):
    print(flush=True)
    time.sleep(600)
"""


def test_a_killed_process_releases_its_lock_at_once(home: Path, impatient: None) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    with pytest.raises(UnavailableError, match="holds it"), warehouse.exclusive("publish", 1):
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with warehouse.exclusive("publish", 5):
        pass


def test_a_row_alone_holds_no_lock(home: Path) -> None:
    """A session that ended is not the holder, nor is one of another login with the same pid or sign of life."""
    with connect("warehouse_worker") as other, as_superuser(database="warehouse") as server:
        other.execute("select pg_advisory_lock(77)")
        for pid, login in ((other.info.backend_pid, "warehouse_operator"), (server.info.backend_pid, "postgres")):
            server.execute("delete from publish_locks")
            server.execute("insert into publish_locks values ('publish', %s, %s, 'nobody', now(), 77)", (pid, login))
            with warehouse.exclusive("publish", 0):
                pass


def test_a_lock_that_is_held_long_keeps_no_table_from_being_cleaned(home: Path) -> None:
    with (
        connect("warehouse") as owner,
        warehouse.exclusive("publish"),
        as_superuser(database="warehouse") as server,
    ):
        owner.execute(
            "insert into standings (cohort, as_of, selected, purchased, held, at_risk, overdue, excluded)"
            " select 12, date '2021-03-05' + n, 0, 0, 0, 0, 0, 0 from generate_series(1, 1000) as n"
        )
        owner.execute("delete from standings")
        told = list[str]()
        server.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        server.execute("vacuum (verbose) standings")
    assert any("0 are dead but not yet removable" in each for each in told), told


def test_a_waiting_transaction_names_the_holder(home: Path, impatient: None, caplog: Any) -> None:
    """A login that may change a row can lock it. Others wait for a while, name it, and are retried."""
    with connect("warehouse_worker") as other, other.transaction():
        other.execute("insert into provider_pace values ('sms', now()) on conflict do nothing")
        other.execute("lock table provider_pace in exclusive mode")
        wait = "set local lock_timeout = '1s'; lock table provider_pace in exclusive mode"
        with pytest.raises(UnavailableError) as raised, warehouse.transaction("remind") as connection:
            connection.exec_driver_sql(wait)
    assert re.search(r"that warehouse_worker \(a thief's, session \d+\) holds", str(raised.value))
    assert "waiting for a lock that warehouse_worker (a thief's" in caplog.text


def test_the_monitor_names_the_session_that_others_wait_for(home: Path) -> None:
    def wait() -> None:
        with contextlib.suppress(UnavailableError), warehouse.transaction("remind") as connection:
            connection.exec_driver_sql("set local lock_timeout = '3s'; lock table provider_pace in exclusive mode")

    with connect("warehouse_worker") as other, other.transaction():
        other.execute("lock table provider_pace in exclusive mode")
        waiting = threading.Thread(target=wait)
        waiting.start()
        soon = datetime.now(UTC) + timedelta(minutes=1)
        found = list[str]()
        while waiting.is_alive() and not found:
            found += [need.what for need in overview.page(soon + timedelta(seconds=1))["needs"]]
    waiting.join()
    told = r"warehouse_worker \(a thief's, session \d+\) holds a lock that 1 others wait for: end that session"
    assert re.fullmatch(told, found[0])
    left = [need.what for need in overview.page(datetime.now(UTC))["needs"]]
    assert not any("holds a lock" in what for what in left)


def test_sealing_that_must_wait_is_left_to_the_next_process(home: Path, impatient: None, caplog: Any) -> None:
    def freeze() -> None:
        freezes.freeze(12, DECIDED_ON, None, because="an earthquake", frozen_by="Siti", on=DECIDED_ON)

    with as_superuser(database="warehouse") as owner, owner.transaction():
        owner.execute("select lock_name('audit')")
        freeze()
        assert owner.execute("select count(*) from audit_pending").fetchone() == (1,)
    assert "not sealed yet (LockNotAvailable; waited for postgres (" in caplog.text
    freeze()
    assert [len(row["facts"]) for row in audit.list_entries(10)] == [1, 1]


def test_an_upgrade_names_the_sessions_that_block_it(new_database: Any, impatient: None, monkeypatch: Any) -> None:
    new_database("in_the_way")
    schema.upgrade()
    monkeypatch.setitem(warehouse.SESSION, "lock_timeout", "1s")
    warehouse.close_connections()
    with as_superuser(database="in_the_way") as reader, reader.transaction():
        reader.execute("lock table alembic_version in access share mode")
        assert schema.upgrade() == schema.newest_revision(), "who reads is in nobody's way"
        reader.execute("lock table batches in access share mode")
        in_the_way = pytest.raises(UnavailableError, match=r"that postgres \(.*since 20.* holds")
        with in_the_way, warehouse.transaction(as_owner=True) as connection:
            connection.exec_driver_sql("alter table batches add column more text")
    warehouse.close_connections()
