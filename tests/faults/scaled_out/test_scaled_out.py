"""The same DAGs on Celery workers, with PostgreSQL and Redis as servers of their own; workers are killed at work.

The machine lives on the day on which gelombang 12 is decided and gelombang 13 is reminded for the last time.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import sqlite3
import subprocess
from datetime import timedelta
from pathlib import Path

import psutil
import psycopg
import pytest

from prakerja.cohorts.contacts import ContactKey
from tests.faults.scaled_out.conftest import CONTACT_KEY
from tests.support import machine_faults
from tests.support.postgres_and_redis import Postgres
from tests.support.running_machine import BIN, Machine, operators_are_told
from tests.support.workers import WORKERS, kill_worker_of, locked, waiting

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(
        not (shutil.which("redis-server") and machine_faults.COMPILER), reason="needs redis-server and cc"
    ),
]

DEADLINE, LAST_CALL = "gelombang-12__deadline__2021-03-13", "gelombang-13__H-1__2021-03-15"
REPAIR = f"{DEADLINE}__audit-2021-03-15"


def sender(machine: Machine) -> int:
    """Return the task that talks to the SMS gateway."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            to_gateway = [each for each in process.net_connections("tcp4") if each.raddr]
            if any(each.raddr.port == machine.port + 1 for each in to_gateway) and "airflow" in process.name():
                return process.pid
    raise AssertionError("nobody sends")


def test_two_workers_are_there(machine: Machine) -> None:
    machine.await_health()
    assert {*WORKERS} <= machine.is_well().keys()


def test_killed_while_it_loads(machine: Machine, server: Postgres, plain: Path) -> None:
    with locked(server, "transactions"):
        machine.unpause("platform_feeds")  # which begins the day's run
        kill_worker_of(machine, waiting(machine, server, "transactions"))
    (run,) = machine.await_runs("platform_feeds", 1, 300)
    assert run["state"] == "success"
    assert max(task["try_number"] for task in machine.tasks("platform_feeds", run["dag_run_id"])) > 1
    written = sum(1 for _ in plain.glob("feeds/*/*"))
    with server.connect() as connection:
        counted = connection.execute(
            "select count(*), sum(loaded), (select count(*) from transactions) from deliveries"
        ).fetchone()
    assert counted is not None
    assert counted[0] == written
    assert counted[1] == counted[2] > 0


def test_keys_come_from_airflows_secrets_backend(machine: Machine, server: Postgres) -> None:
    with server.connect() as connection:
        number, sealed = connection.execute("select card_number, contact from recipients limit 1").fetchone() or (
            0,
            b"",
        )
    assert ContactKey(base64.b64decode(CONTACT_KEY)).open(number, sealed).full_name


@pytest.mark.parametrize("login", ["service", "receipts", "monitor"])
def test_processes_reachable_from_outside_can_do_their_work(machine: Machine, server: Postgres, login: str) -> None:
    """Run it as the containers do, with their own login."""
    work = {
        "service": "from prakerja.cohorts.overview import cohort_table;"
        "print(len([row for row in cohort_table() if row['selected']]))",
        "receipts": "from prakerja.reminders import receipts; import uuid, datetime as d;"
        "print(receipts.opt_out_by_key(uuid.uuid4(), d.datetime.now(d.UTC)))",
        "monitor": "from prakerja.monitor import overview, story; import datetime as d;"
        "overview.page(d.datetime.now(d.UTC)); print(story.open_page(1, 'siti', 'en')['cohort'])",
    }
    environment = machine.instance.environment | {
        "PRAKERJA_DATABASE_URL": server.url(f"warehouse_{login}", "warehouse")
    }
    done = subprocess.run(
        [BIN / "python", "-c", work[login]], env=environment, text=True, capture_output=True, check=False
    )
    told = {"service": "2", "receipts": "False", "monitor": "12"}[login]
    assert (done.returncode, done.stdout.split()[0]) == (0, told), done.stderr


def test_killed_while_it_decides_and_while_it_reminds(
    machine: Machine, server: Postgres, clock: machine_faults.Clock
) -> None:
    """The gateway has the messages when the worker is killed, and the warehouse does not know it."""
    gateway = psutil.Process(machine.pid("sandbox"))
    sending = "select count(*) from reminders where state = 'sending'"
    gateway.suspend()
    try:
        with locked(server, "outcomes"):
            machine.unpause("cohort_deadline")  # which begins the runs of all that was due until now
            kill_worker_of(machine, waiting(machine, server, "outcomes"))
        with server.connect() as connection:
            machine.until(lambda: connection.execute(sending).fetchone() != (0,), "messages on their way", 120)
        kill_worker_of(machine, sender(machine))
    finally:
        gateway.resume()  # it takes what was written to it
    machine.await_question(DEADLINE)

    def is_sent() -> bool:
        if machine.states("cohort_deadline", LAST_CALL)["send_reminders"] == "up_for_reschedule":
            clock.set(clock.now() + timedelta(minutes=6))  # it looks for receipts every five
        return machine.states("cohort_deadline", LAST_CALL)["send_reminders"] == "success"

    machine.until(is_sent, "the reminders", 300)
    with server.connect() as connection:
        states = connection.execute("select state, count(*) from reminders group by state").fetchall()
    assert [state for state, _ in states] == ["delivered"]
    with sqlite3.connect(machine.instance.home / "inbox.sqlite") as inbox:
        (got,) = inbox.execute("select count(*) from messages where provider = 'first'").fetchone()
    assert got == states[0][1] > 0, "each once"


def test_the_work_of_a_lost_run_is_found_and_asked_again(machine: Machine) -> None:
    """A person has ended the run that waits for an answer. The daily audit starts another one that asks."""
    machine.until(lambda: operators_are_told(machine, "approval"), "that operators are told", 60)
    machine.call("PATCH", f"/dags/cohort_deadline/dagRuns/{DEADLINE}", json={"state": "failed"})
    ended = machine.await_run("cohort_deadline", DEADLINE, 60)
    assert ended["state"] == "failed"
    machine.unpause("daily_audit")  # which begins the run of that morning
    (audit,) = machine.await_runs("daily_audit", 1)
    assert audit["state"] == "success"
    (found,) = machine.xcom("daily_audit", audit["dag_run_id"], "find")
    assert found["kind"] == "not_carried_out"
    assert found["repair"]["trigger_run_id"] == REPAIR
    machine.await_question(REPAIR)


def test_approved_by_an_operator_and_killed_while_it_publishes(
    machine: Machine, server: Postgres, plain_world: Path
) -> None:
    machine.login("operator")
    question = f"/dags/cohort_deadline/dagRuns/{REPAIR}/taskInstances/ask_approval/-1/hitlDetails"
    with locked(server, "published_lists"):
        machine.call("PATCH", question, json={"chosen_options": ["Approve"], "params_input": {}})
        kill_worker_of(machine, waiting(machine, server, "published_lists"))
    machine.login()
    assert machine.await_run("cohort_deadline", REPAIR, 300)["state"] == "success"

    expected = json.loads((plain_world / "expected.json").read_text())
    truth = next(each for each in expected["cohorts"] if each["cohort"] == 12)
    with server.connect() as connection:
        revoked = connection.execute(
            "select lpad(r.card_number::text, 16, '0'), v.approvers from revocations v"
            " join recipients r using (recipient_id)"
        ).fetchall()
        outcomes = connection.execute("select outcome::text, count(*) from outcomes group by 1").fetchall()
        versions = connection.execute("select version from blacklist_versions order by 1").fetchall()
    assert sorted(card for card, _ in revoked) == sorted(truth["cards"]["overdue"])
    assert all(by == ["operator"] for _, by in revoked)
    assert dict(outcomes) == {"purchased": truth["purchased"], "overdue": truth["overdue"]}
    assert machine.instance.list_of_cards() == sorted(truth["cards"]["overdue"])
    assert [version for (version,) in versions] == list(range(1, len(versions) + 1))
    assert machine.instance.run("blacklist", "verify").returncode == 0
    assert machine.instance.run("audit", "verify").returncode == 0


@pytest.mark.parametrize(
    ("login", "may", "may_not"),
    [
        ("service", "select count(*) from api_keys", "select count(*) from recipients"),
        ("receipts", "update reminders set state = state where false", "select nik from recipients"),
        ("receipts", "select count(*) from opt_outs", "delete from evidence_deliveries"),
        ("monitor", "select count(*) from recipients", "delete from looks"),
        ("reader", "select cohort, count(*) from recipients group by 1", "select nik from recipients"),
        ("reader", "select state, count(*) from reminders group by 1", "select address from reminders"),
    ],
)
def test_processes_reachable_from_outside_have_fewer_rights(
    machine: Machine, server: Postgres, login: str, may: str, may_not: str
) -> None:
    with server.connect(f"warehouse_{login}") as connection:
        connection.execute(may)
        with pytest.raises(psycopg.errors.Error):
            connection.execute(may_not)
        for table in ("revocations", "outcomes", "blacklist_changes", "deliveries"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"insert into {table} select * from {table} where false")
