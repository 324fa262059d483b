"""Runs of `batch_approval`: about a batch that stands, under names of the product's own, whatever a trigger says."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from prakerja import tasks, warehouse
from prakerja.blacklist import publishing
from prakerja.errors import PrakerjaError
from prakerja.revocations import approval, reinstatement
from prakerja.run_context import RunContext
from prakerja.settings import WIB
from tests.support.small_cohort import AT, PEOPLE, bought, restate

LATER = datetime(2021, 3, 17, 7, tzinfo=WIB)


def occasions() -> list[str]:
    with warehouse.transaction() as connection:
        return list(connection.exec_driver_sql("select occasion from blacklist_versions order by version").scalars())


def test_a_digest_that_was_never_proposed_is_refused(proposed: dict[str, Any]) -> None:
    with warehouse.transaction() as connection:
        revocation = connection.exec_driver_sql("select digest from batches where subject = 'revocation'").scalar_one()
    for conf in ({"cohort": 12, "digest": "1" * 64}, {**proposed, "cohort": 13}, {"cohort": 12, "digest": revocation}):
        for step in (tasks.batches.request_batch_approval, lambda conf: tasks.batches.apply_batches(conf, LATER)):
            with pytest.raises(PrakerjaError, match="no reinstatement and no hold was ever proposed as batch") as error:
                step(conf)
            assert "\n" not in str(error.value)
    assert occasions() == ["first"], "nothing is published"


def test_a_batch_that_another_has_replaced_carries_nothing_out(proposed: dict[str, Any], home: Path) -> None:
    restate(home, [bought(n) for n in range(1, PEOPLE + 1)], revision=3)
    reinstatement.reinstate(LATER.date())
    with pytest.raises(PrakerjaError, match="is not proposed any more: nothing is carried out"):
        tasks.batches.request_batch_approval(proposed)
    with pytest.raises(PrakerjaError, match="is not proposed any more: nothing is carried out"):
        tasks.batches.apply_batches(proposed, LATER)
    assert occasions() == ["first"]


def test_what_it_publishes_has_the_batchs_name_and_keeps_no_days_publication_from_being_made(
    proposed: dict[str, Any],
) -> None:
    tasks.answers.record_approval(12, proposed["digest"], "siti", LATER.date())
    done = tasks.batches.apply_batches(proposed, LATER)
    assert done == {"revoked": 0, "reinstated": 1, "version": 2}
    assert tasks.batches.apply_batches(proposed, LATER) == {"revoked": 0, "reinstated": 0, "version": 2}
    assert occasions() == ["first", f"batch_approval__{proposed['digest']}"]
    assert tasks.batches.request_batch_approval(proposed) is None
    tomorrow = datetime(2021, 3, 18, 2, tzinfo=WIB)
    assert publishing.publish("daily__2021-03-17", tomorrow, tomorrow.date(), is_daily=True) == 3


def test_a_request_reads_what_waits_once(proposed: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = approval.batches
    monkeypatch.setattr(approval, "batches", lambda c, d, subject: (read.append(subject), real(c, d, subject))[1])
    assert tasks.batches.request_batch_approval(proposed) is not None
    assert read == ["reinstatement"]


@pytest.mark.parametrize("cohort", ["\u0661\u0662", "１２", "12\n", " 12", "+12", 12.0, True, [12]])
def test_a_cohort_is_ascii_digits(home: Path, cohort: Any) -> None:
    with pytest.raises(PrakerjaError, match="this run names no batch"):
        tasks.batches.read_batch_conf({"cohort": cohort, "digest": "1" * 64})
    with pytest.raises(PrakerjaError, match="names no cohort"):
        RunContext.from_cohort_run("x", {"cohort": cohort}, AT)


def test_a_day_that_is_not_over_is_nobodys_business_date(home: Path) -> None:
    """Its name would be taken when the day's own run comes, which would then publish nothing."""
    now = datetime(2021, 3, 17, 23, 59, tzinfo=WIB)
    for on in ("2021-03-17", "2021-03-18"):
        with pytest.raises(PrakerjaError, match=f"the business date {on} is not over yet"):
            RunContext.from_daily_run({"on": on}, None, now)
    with pytest.raises(PrakerjaError, match="is not over yet"):
        RunContext.from_daily_run({}, date(2021, 3, 17), now)
    assert RunContext.from_daily_run({"on": "2021-03-16"}, None, now).name == "daily__2021-03-16"
