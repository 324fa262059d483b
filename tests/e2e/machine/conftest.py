"""One running system for all tests of this folder, over the nasty world: first it is looked at, last it is stopped.

Each test finds it as it needs it, whichever others have run: what it stands on is a fixture.
"""

from __future__ import annotations

import csv
import gzip
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser

from prakerja.machine import supervision
from prakerja.machine.environment import Ports
from tests.e2e.conftest import Instance
from tests.support.browser import CHROMIUM, Visitor, chromium
from tests.support.collector import Collector, collecting
from tests.support.running_machine import PATIENCE, Machine, free_ports, running

#: From what changes nothing, over what decides, to what kills and stops it.
ORDER = (
    "test_start", "test_monitor_pages", "test_monitor_rights", "test_monitor_and_runs", "test_backfill", "test_runs",
    "test_operators_guide", "test_kills", "test_stop",
)  # fmt: skip

#: Days that are backfilled, the last of the world's: the first run takes in whatever lies in the landing zone.
DAYS = int(os.environ.get("BACKFILLED_DAYS", "2"))  # 31 by `make soak`
FIRST_DAY = max(date(2021, 3, 5), date(2021, 3, 21) - timedelta(days=DAYS))
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)
DEADLINE_12, DEADLINE_13 = "gelombang-12__deadline__2021-03-13", "gelombang-13__deadline__2021-03-16"

PAGES = ("/", "/cohorts/12", "/cohorts/12?with=13", "/feeds", "/feeds/tokopedia/2021-03-08", "/statistics")
PROCESSES = {
    "postgres", "api-server", "scheduler", "dag-processor", "triggerer", "sandbox", "receipts", "blacklist",
}  # fmt: skip

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""

#: A busy machine's heartbeats are late, and nothing here waits for one that has stopped.
UNHURRIED = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files by what they do to the machine."""
    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    in_order = iter(sorted(ours, key=lambda item: ORDER.index(item.path.stem)))
    for index, item in enumerate(items):
        if item in ours:
            items[index] = next(in_order)


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    with collecting() as started:
        yield started


@pytest.fixture(scope="package")
def machine(tmp_path_factory: pytest.TempPathFactory, world: Path, collector: Collector) -> Iterator[Machine]:
    """A running system, healthy; it has begun to take in the nasty world."""
    home = tmp_path_factory.mktemp("machine") / "home"
    instance = Instance(home, world / "landing", world / "calendar.yaml")
    with running(instance, **UNHURRIED, **collector.environment) as started:
        started.begin_backfill("platform_feeds", f"{FIRST_DAY}", f"{LAST_DAY}", max_active_runs=2)
        # The day's own run has nothing to do with this world, and would wait for its feeds until the morning.
        own = "select run_id from dag_run where dag_id = 'platform_feeds' and run_type = 'scheduled'"
        started.until(lambda: bool(started.metadata(own)), "the day's own run")
        ((run_id,),) = started.metadata(own)
        started.call("PATCH", f"/dags/platform_feeds/dagRuns/{run_id}", json={"state": "failed"})
        yield started


@pytest.fixture(scope="package")
def fed(machine: Machine) -> Machine:
    """The machine once it has taken in the world; it has decided nothing yet, unless `decided` came first."""
    ((intake,),) = machine.metadata("select min(id) from backfill where dag_id = 'platform_feeds'")
    machine.await_backfill(intake, PATIENCE + 60 * DAYS)
    return machine


def begin_deadlines(machine: Machine) -> None:
    """The reminders before the first deadline are backfilled; the scheduler itself begins the events after them."""
    if not machine.runs("cohort_deadline"):
        machine.unpause("blacklist_readers")  # which hears of what is published from here on
        machine.begin_backfill("cohort_deadline", "2021-03-01", "2021-03-12")


@pytest.fixture(scope="package")
def decided(fed: Machine) -> Machine:
    """Both cohorts are decided: one by the admin's answer; the other by a backfill that two people must approve.

    Between the answer of one and the command of the other, the scheduler is killed.
    """
    begin_deadlines(fed)
    fed.until(lambda: fed.state("cohort_deadline", DEADLINE_12) is not None, "the first deadline's run")
    if fed.state("cohort_deadline", DEADLINE_12) != "success":
        fed.answer(DEADLINE_12, "Approve", "admin")
        assert fed.await_run("cohort_deadline", DEADLINE_12)["state"] == "success"
    fed.await_question(DEADLINE_13)
    fed.call("PATCH", f"/dags/cohort_deadline/dagRuns/{DEADLINE_13}", json={"state": "failed"})
    set_approvers(fed, 2)
    again = fed.begin_backfill(
        "cohort_deadline", "2021-03-01", "2021-03-31",
        reprocess_behavior="failed",
    )  # fmt: skip
    fed.until(lambda: fed.state("cohort_deadline", DEADLINE_13) == "running", "the second deadline's run, again")
    fed.answer(DEADLINE_13, "Approve", "operator")
    fed.until(lambda: approved_by(fed, 13) == ["operator"], "the first of two approvals")
    scheduler = fed.pid("scheduler")
    psutil.Process(scheduler).kill()
    fed.until(lambda: fed.pid("scheduler") not in (0, scheduler), "another scheduler")
    with fed.instance.database("warehouse") as connection:
        waiting = "select b.digest from batches b join decisions d using (decision_id) where d.cohort = 13"
        ((digest,),) = connection.execute(waiting).fetchall()
    done = fed.instance.run("approve", "13", "--digest", digest, "--as", "admin")
    assert done.stdout.startswith("admin approves "), done.stderr
    fed.await_backfill(again)  # the request that is open in Airflow ends with it
    set_approvers(fed, 1)
    return fed


def set_approvers(machine: Machine, number: int) -> None:
    """Let so many people approve a batch. The warehouse's owner alone may."""
    with machine.instance.database("warehouse") as connection:
        connection.execute("update approval_rule set approvers = %s", [number])


def approved_by(machine: Machine, cohort: int) -> list[str]:
    """Those who have approved batches of a cohort."""
    query = "select approved_by from approvals join decisions using (decision_id) where cohort = %s order by 1"
    with machine.instance.database("warehouse") as connection:
        return [row[0] for row in connection.execute(query, [cohort])]


@pytest.fixture(scope="package")
def people(decided: Machine) -> dict[str, str]:
    """The card of the person of each chapter of the operators' guide."""
    with decided.instance.database("warehouse") as connection:
        cards = "select lpad(r.card_number::text, 16, '0') from recipients r join"
        held = f"{cards} outcomes o using (recipient_id) where o.outcome = 'held' and o.cohort = 12 order by 1 limit 2"
        listed = f"{cards} revocations v using (recipient_id) where v.approvers = '{{admin}}' limit 1"
        (held_card,), (doubted,) = connection.execute(held).fetchall()
        ((listed_card,),) = connection.execute(listed).fetchall()
    return {"held": held_card, "doubted": doubted, "listed": listed_card}


@pytest.fixture(scope="package")
def secrets(machine: Machine) -> set[str]:
    """Every number, name and address of the world's people."""
    found = set()
    for path in machine.instance.landing.glob("rosters/*/roster.csv.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for person in csv.DictReader(file):
                found |= {person[name] for name in ("card_number", "nik", "full_name", "phone", "email")}
    return {secret for secret in found if len(secret) > 8}


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs chromium (Debian: apt install chromium)")
    with chromium() as started:
        yield started


@pytest.fixture(scope="package")
def visitor(browser: Browser, machine: Machine) -> Visitor:
    """Somebody who looks at the monitor's pages alone."""
    return Visitor(browser, machine, "admin")


@pytest.fixture(scope="package")
def admin_visitor(browser: Browser, machine: Machine) -> Visitor:
    return Visitor(browser, machine, "admin")


@pytest.fixture
def admin(admin_visitor: Visitor) -> Iterator[Visitor]:
    """Somebody who looks at Airflow as well; between two tests at nothing, for its pages ask every few seconds."""
    yield admin_visitor
    admin_visitor.page.goto("about:blank")


@dataclass(frozen=True)
class Victim:
    """A process that was killed: when, and what it had started."""

    pid: int
    below: list[psutil.Process]
    at: datetime


@pytest.fixture(scope="package")
def killed(machine: Machine) -> dict[str, Victim]:
    """All processes, killed at once: none of them needs another one to be started again.

    What keeps the database is killed, and the database stays: its death is one of `tests/faults/machine`.
    """
    machine.until(lambda: {*machine.processes()} == PROCESSES, "all of its processes")
    pids = {name: machine.pid(name) for name in sorted(PROCESSES)}
    below = {name: psutil.Process(pid).children(recursive=True) for name, pid in pids.items()}
    at = datetime.now(UTC)
    for pid in pids.values():
        psutil.Process(pid).kill()
    return {name: Victim(pid, below[name], at) for name, pid in pids.items()}


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ports:
    """Of a home of its own, where two processes run, one of which does not stop when it is asked to."""
    monkeypatch.setenv("PRAKERJA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PRAKERJA_PORT", str(free_ports()))
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    both = {"willing": ["sleep", "600"], "stubborn": [sys.executable, f"{tmp_path / 'stubborn.py'}"]}
    monkeypatch.setattr(supervision, "commands", lambda *_, **__: both)
    monkeypatch.setattr(supervision, "SLOW_SECONDS", 1.0)
    return Ports.from_environment()
