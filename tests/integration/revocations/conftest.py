"""Gelombang 12 with somebody held, or decided today; and a story of facts that are recorded when a test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prakerja import calendar, schema, tasks, warehouse
from prakerja.blacklist import audit, publishing
from prakerja.calendar import Cohort
from prakerja.cli import app
from prakerja.cli.common import today
from prakerja.cohorts import standing
from prakerja.cohorts.roster import take_in_rosters
from prakerja.feeds import intake
from prakerja.monitor import figures
from prakerja.people import os_login
from prakerja.programme import programme
from prakerja.recheck.facts import Facts
from prakerja.recheck.rule import Reading, SecondReading, read_again
from prakerja.revocations import approval, decision, explanation, reinstatement, revocation, second_reading
from prakerja.revocations.decision import BlockedError
from prakerja.settings import WIB
from tests.conftest import as_superuser
from tests.conftest import begin as begin_in
from tests.support.audit_log import problems
from tests.support.corrections import sign_batch
from tests.support.edge_world import deliver_edges, load_edges
from tests.support.kept_warehouse import KeptWarehouse
from tests.support.landing_zone import deliver, deliver_roster, roster_line
from tests.support.recorded_facts import begin, facts
from tests.support.small_cohort import (
    AT,
    DECIDED_ON,
    PEOPLE,
    bought,
    card,
    carry_out,
    deliver_damaged,
    empty_days,
    restate,
)
from tests.support.stopped_cohort import NOON, remove


@pytest.fixture
def held(cohort: Cohort, home: Path) -> decision.Decision:
    """Number 1 has a damaged row, and is held by a decision that nobody has carried out."""
    deliver_damaged(home)
    return decision.decide(cohort, DECIDED_ON)


@pytest.fixture
def two_approvers(cohort: Cohort) -> Iterator[None]:
    """A rule by which a batch of two people needs two approvers."""
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update approval_rule set one_approver_up_to = 1")
    yield
    schema.upgrade()


@pytest.fixture
def stopped(cohort: Cohort) -> Cohort:
    """Gelombang 12, whose decision two missing deliveries have stopped; the monitor has counted it so."""
    remove("(platform, business_date) in (('sisnaker', '2021-03-10'), ('pintaria', '2021-03-12'))")
    standing.refresh_standings(DECIDED_ON)
    with pytest.raises(BlockedError, match="feeds_missing: pintaria 2021-03-12; sisnaker 2021-03-10"):
        decision.decide(cohort, DECIDED_ON)
    figures.refresh(NOON)
    return cohort


@pytest.fixture
def live_wave(home: Path) -> Cohort:
    """Gelombang 12, whose deadline was two days ago: it is decided today. Two of twenty have not bought."""
    decided_on = today()
    announced_on, deadline_on = decided_on - timedelta(days=8), decided_on - timedelta(days=2)
    (home / "calendar.yaml").write_text(
        f"cohorts:\n- {{cohort: 12, announced_on: {announced_on}, deadline_on: {deadline_on}, recipients: 60000,"
        " note: short for tests}\n"
    )
    calendar._read.cache_clear()
    lines = [roster_line(n) for n in range(1, 21)]
    deliver_roster(home / "landing", 12, lines, announced_on.isoformat(), deadline_on.isoformat())
    take_in_rosters(decided_on)
    on = deadline_on - timedelta(days=3)
    noon = datetime(on.year, on.month, on.day, 12, tzinfo=WIB)
    deliver(home / "landing", "tokopedia", on.isoformat(), [bought(n, occurred_at=noon) for n in range(3, 21)])
    assert intake.take_in("tokopedia", decided_on).rejected == []
    empty_days(
        announced_on.isoformat(),
        (deadline_on + timedelta(days=1)).isoformat(),
        arrives_on=lambda _: decided_on,
        without=[("tokopedia", on.isoformat())],
    )
    return calendar.find_cohort(12)


@pytest.fixture
def recorded(home: Path, empty_warehouse: Callable[[], None]) -> Callable[..., list[dict[str, Any]]]:
    """Let one fact of each kind be recorded at its instant; give the story's events."""

    def record(at: dict[str, datetime], about: date, took: timedelta = timedelta()) -> list[dict[str, Any]]:
        empty_warehouse()
        with as_superuser(database="warehouse") as server:
            begin(server, at["selected"], about)
            for inserts in facts(at, about, took).values():
                for insert in inserts:
                    insert(server)
        found = explanation.explain_recipient(1)
        assert found is not None
        return list(found["events"])

    return record


@pytest.fixture
def list_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write a list of people by their ids and rights; each has a login of Airflow, or is in `without_airflow`."""

    def write(*, without_airflow: Collection[str] = (), **may: list[str]) -> Path:
        path = tmp_path / "listed.yaml"
        entries = [
            {"id": id_, "name": id_, "may": rights, "logins": {"airflow": [] if id_ in without_airflow else [id_]}}
            for id_, rights in may.items()
        ]
        path.write_text(json.dumps({"people": entries}))
        monkeypatch.setenv("PRAKERJA_PEOPLE", str(path))
        return path

    return write


@pytest.fixture
def proposed(cohort: Cohort, home: Path) -> dict[str, Any]:
    """What a run about a proposed reinstatement has as its configuration; one version is published."""
    carry_out(cohort)
    publishing.publish("first", AT, DECIDED_ON)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
    reinstatement.reinstate((AT + timedelta(days=2)).date())
    (run,) = tasks.batches.list_requests(AT + timedelta(days=2))
    return dict(run["conf"])


@pytest.fixture
def decided(cohort: Cohort) -> decision.Decision:
    """Two people revoked, approved by Siti."""
    made = carry_out(cohort)
    assert problems() == ""
    return made


@pytest.fixture
def signed(cohort: Cohort, signers: dict[str, Path]) -> decision.Decision:
    """Two people revoked, by a batch that Siti has signed."""
    made = decision.decide(cohort, DECIDED_ON)
    revocation.request_approval(made, DECIDED_ON)
    ((_, batch),) = approval.waiting_batches()
    CliRunner().invoke(
        app, ["approve", "12", "--digest", batch.digest, "--as", "siti", "--sign-with", str(signers["siti"])]
    )
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2
    verified = audit.verify()
    assert (verified.signatures, verified.problems) == (1, [])
    return made


@pytest.fixture
def office(home: Path, ssh_key: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Ani corrects, Siti approves and signs; gives Siti's key."""
    key = ssh_key("siti")
    public = key.with_suffix(".pub").read_text().strip()
    (home / "people.yaml").write_text(
        "people:\n"
        f"- {{id: ani, name: Ani, logins: {{os: [{os_login()}]}}, may: [correct]}}\n"
        f"- {{id: siti, name: Siti, may: [correct, approve], keys: ['{public}']}}\n"
    )
    monkeypatch.setenv("PRAKERJA_PEOPLE", str(home / "people.yaml"))
    schema.upgrade()
    yield key
    monkeypatch.delenv("PRAKERJA_PEOPLE", raising=False)
    schema.upgrade()


@pytest.fixture
def listed_two(cohort: Cohort, office: Path) -> Path:
    """Recipients 1 and 2 are revoked by a signed batch, and listed."""
    made = decision.decide(cohort, DECIDED_ON)
    revocation.request_approval(made, DECIDED_ON)
    sign_batch(office)
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2
    assert publishing.publish("first", AT, DECIDED_ON) == 1
    return office


@pytest.fixture(scope="module")
def taken_in(session_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptWarehouse]:
    """The world of edges, taken in once."""
    with pytest.MonkeyPatch.context() as patch:
        folder = begin_in(session_home, tmp_path_factory.mktemp("edges"), patch)
        # In this world most are an edge: more rows are damaged, and more people overdue, than is plausible.
        patch.setattr(programme().feeds, "quarantined_share_max", 1)
        patch.setattr(programme().revocations, "overdue_share_max", 1)
        deliver_edges(folder / "landing")
        load_edges()
        kept = KeptWarehouse.keep()
        yield kept
        kept.forget()


@pytest.fixture
def edges(taken_in: KeptWarehouse) -> None:
    """The world of edges, as it was taken in."""
    taken_in.put_back()


@pytest.fixture(scope="module")
def read_once() -> Callable[..., SecondReading]:
    """The second reading, made once of the same facts: nothing that these tests plant in the first is in it."""
    made: dict[Facts, SecondReading] = {}

    def read(root: Any, facts: Facts, progress: Any) -> SecondReading:
        if facts not in made:
            made[facts] = read_again(root, facts, progress)
        return made[facts]

    return read


@pytest.fixture
def differ_freely(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the two readings differ on as many as they will: each of them is held."""
    return lambda: monkeypatch.setattr(programme().revocations, "readings_disagree_share_max", 1)


@pytest.fixture
def bend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the second reading say something else of some people, and let so large a share of the selected differ."""

    def bent(readings: dict[int, Reading], share: float = 1) -> None:
        real = second_reading.read_again

        def read_again(*given: Any, **more: Any) -> SecondReading:
            found = real(*given, **more)
            found.by_card.update({card(number): reading for number, reading in readings.items()})
            return found

        monkeypatch.setattr(second_reading, "read_again", read_again)
        monkeypatch.setattr(programme().revocations, "readings_disagree_share_max", share)

    return bent
