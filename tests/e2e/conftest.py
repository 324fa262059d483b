"""The command line in homes of its own, and a nasty world that was written with the truth beside it."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from prakerja.machine import supervision
from tests.conftest import CALENDAR, copy_home, prepared
from tests.support.command_line import run_here

#: The replayed days, and the calendar of their world: from the first reminder to what came to light after a decision.
FIRST, LAST = "2021-03-06", "2021-03-18"
REPLAYED_CALENDAR = """
cohorts:
- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13, recipients: 60000, note: short for tests}
- {cohort: 13, announced_on: 2021-03-06, deadline_on: 2021-03-14, recipients: 60000, note: short for tests}
"""

#: What two homes must have in common, told without row ids and hours of recording.
STATE = {
    "ledger": "select f.platform, f.business_date, f.revision, t.line, t.event::text, t.occurred_at, t.card_number,"
    " t.amount_idr, t.transaction_id, t.course_id, t.voucher_code"
    " from transactions t join deliveries_in_force('infinity') f using (delivery_id)",
    "deliveries": "select platform, business_date, revision, status, reason, loaded, quarantined, duplicates,"
    " arrived_on from deliveries",
    "restatements": "select d.platform, d.business_date, d.revision, r.added, r.vanished, r.changed"
    " from restatements r join deliveries d using (delivery_id)",
    "quarantine": "select d.platform, d.business_date, d.revision, q.line, q.reasons, q.might_be::text"
    " from quarantine q join deliveries d using (delivery_id)",
    "standings": "select cohort, as_of, selected, purchased, held, at_risk, overdue, excluded from standings",
    "decisions": "select decision_id, status, reason, as_of, selected, purchased, held, overdue, excluded"
    " from decisions",
    "outcomes": "select r.card_number, o.deadline_on, o.outcome::text, o.because, o.line"
    " from outcomes o join recipients r using (recipient_id)",
    "approvals": "select digest, decision_id, subject, approved_by, approved_on, is_recorded_in_advance from approvals",
    "revocations": "select r.card_number, v.decision_id, v.effective_at, v.approvers, v.revoked_on"
    " from revocations v join recipients r using (recipient_id)",
    "findings": "select r.card_number, f.kind, f.found_on, f.line"
    " from late_findings f join recipients r using (recipient_id)",
    "reinstatements": "select r.card_number, e.approvers, e.reinstated_on"
    " from reinstatements e join recipients r using (recipient_id)",
    "reminders": "select r.card_number, m.remind_on, m.channel, m.template, m.state"
    " from reminders m join recipients r using (recipient_id)",
    "versions": "select version, occasion, created_at, changed_at, data_as_of::text from blacklist_versions",
    "changes": "select c.version, c.op, r.card_number, c.reason"
    " from blacklist_changes c join recipients r using (recipient_id)",
}


@dataclass
class Instance:
    """One home with one landing zone, used as its user would: through `prakerja`."""

    home: Path
    landing: Path
    calendar: Path
    command: list[str] = field(default_factory=lambda: supervision.program("prakerja"))
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return (
            {
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("PRAKERJA_", "AIRFLOW", "OPENLINEAGE", "OTEL"))
            }
            | {
                "PRAKERJA_HOME": str(self.home),
                "PRAKERJA_LANDING": str(self.landing),
                "PRAKERJA_CALENDAR": str(self.calendar),
                "COLUMNS": "200",
            }
            | self.more
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments], env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.command, *arguments], env=self.environment, text=True, input=given,
            capture_output=True, timeout=600, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr + done.stdout
        return done

    def ask(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run as the instance's own `run` does."""
        return self.run(*arguments, given=given)

    def replay(self, *more: str) -> subprocess.CompletedProcess[str]:
        return self.run("replay", "--from", FIRST, "--to", LAST, *more)

    def cohorts(self) -> dict[int, dict[str, Any]]:
        return {row["cohort"]: row for row in json.loads(self.ask("cohorts", "--json").stdout)}

    def state(self) -> dict[str, list[str]]:
        """The tables, in an order of their own."""
        with self.database("warehouse") as connection:
            return {name: sorted(map(str, connection.execute(query).fetchall())) for name, query in STATE.items()}

    def published(self) -> dict[str, str]:
        """The published files' hashes; keys and signatures differ from home to home, lists must not."""
        root = self.home / "publish" / "blacklist"
        return {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    def list_of_cards(self) -> list[str]:
        """The newest list as cards: subjects differ from home to home with the key, people must not."""
        people = {person["nik"]: person["card_number"] for person in self.people()}
        answers = self.ask("blacklist", "check", given="\n".join(people)).stdout.split("\n")
        return sorted(card for card, answer in zip(people.values(), answers, strict=False) if answer == "listed")

    def people(self) -> list[dict[str, str]]:
        found = []
        for path in sorted(self.landing.glob("rosters/*/roster.csv.gz")):
            with gzip.open(path, "rt", encoding="utf-8") as file:
                found += list(csv.DictReader(file))
        return found

    def database(self, name: str) -> psycopg.Connection[tuple[Any, ...]]:
        folder = (self.home / "postgres" / "postmaster.pid").read_text().splitlines()[4].strip()
        password = (self.home / "keys" / "database_postgres.txt").read_text()
        return psycopg.connect(host=folder, user="postgres", password=password, dbname=name)


class InstanceInThisProcess(Instance):
    """An instance that is asked without a process for each question. What replays or serves is run."""

    def ask(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return run_here(*arguments, environment=self.environment, given=given)


@pytest.fixture(scope="session")
def calendar_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calendar") / "calendar.yaml"
    path.write_text(CALENDAR)
    return path


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, calendar_file: Path) -> Path:
    """A nasty world of two short cohorts; `expected.json` says what must come out of it."""
    out = tmp_path_factory.mktemp("worlds") / "nasty"
    maker = Instance(out.parent / "home", out, calendar_file)
    done = maker.run("simulate", "--cohorts", "12,13", "--scale", "0.02", "--seed", "11", "--nasty", "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def replayed_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smaller nasty world, of fewer days: everything that happens in the other one happens in it."""
    out = tmp_path_factory.mktemp("worlds") / "replayed"
    out.with_suffix(".yaml").write_text(REPLAYED_CALENDAR)
    maker = Instance(out.parent / "home", out, out.with_suffix(".yaml"))
    done = maker.run("simulate", "--cohorts", "12,13", "--scale", "0.005", "--seed", "11", "--nasty", "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def plain_world(tmp_path_factory: pytest.TempPathFactory, calendar_file: Path) -> Path:
    """The same cohorts without anything nasty."""
    out = tmp_path_factory.mktemp("worlds") / "plain"
    maker = Instance(out.parent / "home", out, calendar_file)
    done = maker.run("simulate", "--cohorts", "12,13", "--scale", "0.02", "--seed", "5", "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="session")
def prepared_home_with_airflow(prepared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose warehouse and whose Airflow metadata are made, and whose server is stopped."""
    upgrade = "from prakerja import airflow_home as a; a.configure(); a.upgrade_metadata()"

    def make() -> None:
        subprocess.run([sys.executable, "-c", upgrade], check=True, capture_output=True)

    return prepared(tmp_path_factory, "prepared_with_airflow", make, of=prepared_home)


@pytest.fixture(scope="session")
def instances(
    tmp_path_factory: pytest.TempPathFactory, replayed_world: Path, prepared_home_with_airflow: Path
) -> Iterator[Callable[..., Instance]]:
    """Make instances over the replayed world (or another landing zone), and stop their databases at the end.

    Their databases are made already, unless a test asks for an empty home.
    """
    made: list[Instance] = []

    def make(landing: Path | None = None, *, is_empty: bool = False) -> Instance:
        home = tmp_path_factory.mktemp("instance") / "home"
        if not is_empty:
            copy_home(prepared_home_with_airflow, home)
        landing = replayed_world / "landing" if landing is None else landing
        instance = InstanceInThisProcess(home, landing, replayed_world / "calendar.yaml")
        made.append(instance)
        return instance

    yield make
    for instance in made:
        instance.run("db", "stop")


@pytest.fixture(scope="session")
def replayed(instances: Any) -> tuple[Instance, subprocess.CompletedProcess[str]]:
    """The world replayed with a pre-approval: the reference that the others are held against."""
    instance = instances()
    return instance, instance.replay("--approve-as", "Siti")


@pytest.fixture(scope="session")
def searched(replayed: tuple[Instance, subprocess.CompletedProcess[str]]) -> dict[str, str]:
    """All that a replay has said, logged, recorded in Airflow and published, by where it is."""
    instance, done = replayed
    found = {"standard output": done.stdout, "standard error": done.stderr}
    card = instance.people()[0]["card_number"]
    for command in (["cohorts"], ["feeds"], ["feeds", "--json"], ["explain", card]):
        shown = instance.ask(*command)
        found[f"prakerja {' '.join(command).removesuffix(card)}"] = shown.stdout + shown.stderr
    for path in (instance.home / "publish").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found[str(path)] = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("latin-1")
    for path in [*(instance.home / "logs").rglob("*"), *(instance.home / "airflow").rglob("*")]:
        if path.is_file():
            found[str(path)] = path.read_text(errors="replace")
    found["the database's log"] = (instance.home / "postgres" / "log").read_text(errors="replace")
    with instance.database("airflow") as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        for (table,) in tables:
            found[f"airflow.{table}"] = str(connection.execute(f'select * from "{table}"').fetchall())
    return found


@pytest.fixture(scope="session")
def expected(world: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((world / "expected.json").read_text())
    return loaded


@pytest.fixture(scope="session")
def foreseen(replayed_world: Path) -> dict[str, Any]:
    """What must come out of the replayed world."""
    loaded: dict[str, Any] = json.loads((replayed_world / "expected.json").read_text())
    return loaded
