"""No login stops another's work: what each can lock, while others publish, decide, read feeds and seal."""

from __future__ import annotations

import contextlib
import logging
import os
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

from prakerja import embedded_postgres, warehouse
from prakerja.blacklist import audit, publishing
from prakerja.calendar import Cohort
from prakerja.cohorts import standing
from prakerja.revocations import decision, freezes
from prakerja.warehouse import UnavailableError
from tests.conftest import as_superuser
from tests.support.small_cohort import DECIDED_ON, PEOPLE, bought, restate

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
    """A login holds all that it is let, in one transaction, until left: keys, tables in every mode, rows, seals."""
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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who must wait does so for a second, not for minutes."""
    for name in ("EXCLUSIVE_SECONDS", "SEAL_SECONDS", "LOCK_SECONDS"):
        monkeypatch.setattr(warehouse, name, 1)
    monkeypatch.setattr(warehouse, "NOTICE_SECONDS", 0.2)


@pytest.mark.parametrize("login", OUTSIDE)
def test_work_goes_on_whatever_a_login_takes(wave: Cohort, home: Path, login: str, caplog: Any) -> None:
    with taking_whatever_it_can(login) as taken:
        assert taken == [each for each in taken if "advisory" not in each and "seal" not in each], "of no use to it"
        standing.refresh_standings(DECIDED_ON)
        restate(home, [bought(n) for n in range(3, PEOPLE + 1)], DECIDED_ON)
        assert decision.decide(wave, DECIDED_ON).overdue == 2
        assert publishing.publish("first", datetime(2021, 3, 15, tzinfo=UTC), DECIDED_ON) == 1
        freezes.freeze(12, DECIDED_ON, None, because="an earthquake", frozen_by="Siti", on=DECIDED_ON)
        assert audit.verify().problems == []
        with as_superuser(database="warehouse") as server:
            assert server.execute("select count(*) from audit_pending").fetchone() == (0,), "all is sealed"
    assert "sealed" not in caplog.text
