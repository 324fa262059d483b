"""Deciding and revoking while others change the same: it waits for them, sees what they did, and comes to an end."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja import warehouse
from prakerja.blacklist import publishing
from prakerja.calendar import Cohort
from prakerja.cohorts import evidence, standing
from prakerja.cohorts.standing import window_of
from prakerja.errors import TransientError
from prakerja.feeds import intake
from prakerja.revocations import decision, late_evidence, revocation
from prakerja.revocations.decision import BlockedError
from prakerja.warehouse import ConflictError
from tests.conftest import as_superuser
from tests.support.landing_zone import deliver
from tests.support.small_cohort import DECIDED_ON, PEOPLE, approve, bought, revoked


def wait_until(is_so: Callable[[], bool], *, or_ended: threading.Thread) -> None:
    patience = time.monotonic() + 120
    while not is_so() and or_ended.is_alive():
        assert time.monotonic() < patience, "nobody has come to wait"
        time.sleep(0.01)


def somebody_waits() -> bool:
    with as_superuser(database="warehouse") as server:
        found = server.execute("select count(*) from pg_stat_activity where wait_event_type = 'Lock'").fetchone()
        return found is not None and found[0] > 0


def meets(work: Callable[[], Any], other: Callable[[], contextlib.AbstractContextManager[Any]]) -> Any:
    """Do the work while `other` is in the middle of a transaction, which commits once the work waits for it."""
    ended = list[Any]()

    def run() -> None:
        try:
            ended.append(work())
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    with other():
        thread.start()
        wait_until(somebody_waits, or_ended=thread)
    thread.join()
    if isinstance(ended[0], Exception):
        raise ended[0]
    return ended[0]


@contextlib.contextmanager
def refreshing(cohort: Cohort, clock: date = DECIDED_ON) -> Iterator[None]:
    """In the middle of `refresh_standing`: the evidence is brought up to date, and not committed."""
    with warehouse.transaction("ingest") as connection:
        evidence.refresh(connection, window_of(cohort), clock, is_decided=False)
        yield


@contextlib.contextmanager
def noticing(made: decision.Decision, clock: date = DECIDED_ON) -> Iterator[None]:
    """In the middle of `notice_late_truth`."""
    with warehouse.transaction("decide") as connection:
        late_evidence.record_findings(connection, made, clock)
        yield


def let_come(home: Path, first: int, revision: int) -> None:
    """Let a revision come, by which everybody from `first` on has bought."""
    rows = [bought(n) for n in range(first, PEOPLE + 1)]
    at = f"{DECIDED_ON}T01:00:00+07:00"
    deliver(home / "landing", "tokopedia", "2021-03-08", rows, revision=revision, generated_at=at)
    assert intake.take_in("tokopedia", DECIDED_ON).rejected == []


@pytest.mark.parametrize("is_known", [False, True], ids=["no evidence yet", "a revision came"])
def test_a_decision_that_meets_a_refresh_waits_for_it(cohort: Cohort, home: Path, caplog: Any, is_known: bool) -> None:
    if is_known:
        standing.refresh_standings(DECIDED_ON)
        let_come(home, 2, 2)
    with caplog.at_level(logging.INFO):
        made = meets(lambda: decision.decide(cohort, DECIDED_ON), lambda: refreshing(cohort))
    assert (made.purchased, made.overdue) == ((49, 1) if is_known else (48, 2))
    assert "began anew" in caplog.text


def test_a_rehearsal_that_meets_a_refresh_waits_for_it(cohort: Cohort) -> None:
    found = meets(lambda: decision.rehearse(cohort, DECIDED_ON), lambda: refreshing(cohort))
    assert (found["overdue"], found["stops"]) == (2, [])


def test_revoking_that_meets_a_refresh_waits_for_it(cohort: Cohort, home: Path) -> None:
    """Whom the other's deliveries speak for is spared, though they came while it waited."""
    made = decision.decide(cohort, DECIDED_ON)
    let_come(home, 2, 2)
    approve(made)
    let_come(home, 2, 3)
    tomorrow = DECIDED_ON + timedelta(days=1)
    assert meets(lambda: revocation.revoke(cohort, made, tomorrow), lambda: noticing(made, tomorrow)) == 1
    assert revoked() == [1]


def test_a_gap_that_two_find_at_once_is_recorded_once(cohort: Cohort) -> None:
    """A task and a command, whose attempts have the same content."""
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "delete from deliveries where platform = 'sekolahmu' and business_date = '2021-03-14'"
        )

    @contextlib.contextmanager
    def finding() -> Iterator[None]:
        with warehouse.transaction("decide") as connection:
            roster = decision._roster(connection, cohort, DECIDED_ON)
            assert decision._Attempt(connection, cohort, roster, DECIDED_ON).gap()
            yield

    with pytest.raises(BlockedError, match="sekolahmu 2021-03-14"):
        meets(lambda: decision.require_complete_feeds(cohort, DECIDED_ON), finding)
    with warehouse.transaction() as connection:
        assert connection.exec_driver_sql("select count(*) from decisions").scalar_one() == 1


def test_deciding_and_refreshing_over_and_over(cohort: Cohort, home: Path) -> None:
    """Many at once, as fast as they can, while revisions come: nobody fails, and all agree in the end."""
    failed, is_over = list[Exception](), threading.Event()

    def over_and_over(work: Callable[[], Any]) -> None:
        while not is_over.is_set() and not failed:
            try:
                work()
            except TransientError:
                pass  # a task would be tried again
            except Exception as error:
                failed.append(error)

    work: list[Callable[[], Any]] = [
        lambda: standing.refresh_standings(DECIDED_ON),
        lambda: standing.refresh_standings(DECIDED_ON + timedelta(days=1)),
        lambda: decision.rehearse(cohort, DECIDED_ON),
    ]
    threads = [threading.Thread(target=over_and_over, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for revision in range(2, 8):
        let_come(home, 2 + revision % 2, revision)
        assert decision.rehearse(cohort, DECIDED_ON)["overdue"] == 1 + revision % 2
    made = decision.decide(cohort, DECIDED_ON)
    is_over.set()
    for thread in threads:
        thread.join()
    assert (failed, made.overdue) == ([], 2)


def test_whoever_is_always_late_is_told_to_try_again(home: Path) -> None:
    """Bounded: then it is an error that the tasks' policy retries."""
    began = list[int]()

    def work(connection: warehouse.Connection) -> None:
        began.append(connection.exec_driver_sql("select count(*) from went_live").scalar_one())
        with as_superuser(database="warehouse") as server:
            server.execute("delete from went_live")
            server.execute("insert into went_live default values")
        connection.exec_driver_sql("insert into went_live default values")

    with pytest.raises(ConflictError, match="changed the same at the same time") as raised:
        warehouse.write_in_one_snapshot("decide", work)
    assert isinstance(raised.value, TransientError)
    assert began == [0, 1, 1, 1, 1][: warehouse.SNAPSHOT_ATTEMPTS]


@pytest.mark.parametrize("duty", ["ingest", "decide", "publish"])
def test_who_looks_at_one_snapshot_writes_nothing(home: Path, duty: Any) -> None:
    """Who writes by what one snapshot showed must be able to begin anew: `write_in_one_snapshot` does."""
    with (
        pytest.raises(warehouse.RefusedError, match="ReadOnlySqlTransaction"),
        warehouse.transaction(duty, one_snapshot=True) as connection,
    ):
        connection.exec_driver_sql("select nextval('audit_entries'), current_entry()")


def test_what_waits_for_publication_is_looked_at_and_not_kept(cohort: Cohort) -> None:
    assert publishing.waiting_jumps(DECIDED_ON) == []
    with warehouse.transaction() as connection:
        assert connection.exec_driver_sql("select count(*) from blacklist_versions").scalar_one() == 0
