"""Faults beside the rule itself: dates, the roster, the gate, the holds; and what the two readings have in common."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from prakerja import warehouse
from prakerja.calendar import Cohort, find_cohort
from prakerja.cohorts.roster import take_in_rosters
from prakerja.feeds import intake
from prakerja.programme import programme
from prakerja.revocations import decision, revocation
from prakerja.revocations.decision import BlockedError
from prakerja.settings import WIB
from prakerja.warehouse import RefusedError
from tests.support.landing_zone import deliver, deliver_roster, roster_line
from tests.support.planted import Bug, StalePlantError, planted
from tests.support.small_cohort import DECIDED_ON, PEOPLE, approve, bought, empty_days, extend, revoked

LAST_SECOND = datetime(2021, 3, 13, 23, 59, 59, tzinfo=WIB)
NO_DEADLINE_DAY = Bug(
    "sql/definitions/cohorts/is_in_window.sql", "at < wib_midnight(deadline_on + 1)", "at < wib_midnight(deadline_on)"
)


def outcomes() -> dict[int, tuple[str, str]]:
    """Return the outcomes that were decided, and why, of whoever has not simply bought."""
    with warehouse.transaction(as_owner=True) as connection:
        found = connection.exec_driver_sql(
            "select recipient_id, outcome::text, because from outcomes where because <> 'purchase'"
        )
        return {number: (outcome, because) for number, outcome, because in found}


def forget(platform: str, business_date: str) -> None:
    """Take a day's deliveries out of the warehouse."""
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "delete from deliveries where platform = %s and business_date = %s", (platform, business_date)
        )


def test_a_plant_that_has_gone_stale_is_noticed() -> None:
    for text, becomes in (("no such text", ""), ("is", "is not"), ('"""The calendar of', '"""A calendar of')):
        with pytest.raises(StalePlantError), planted(Bug("prakerja/calendar.py", text, becomes)):
            pass


def test_an_extension_that_the_first_reading_does_not_see_stops(cohort: Cohort, home: Path) -> None:
    decided_on = date(2021, 3, 22)
    late = bought(1, occurred_at=datetime(2021, 3, 18, 12, tzinfo=WIB))
    deliver(home / "landing", "tokopedia", "2021-03-18", [late])
    assert intake.take_in("tokopedia", decided_on).rejected == []
    empty_days("2021-03-15", "2021-03-21", arrives_on=lambda day: day, without=[("tokopedia", "2021-03-18")])
    with planted(
        Bug(
            "prakerja/calendar.py",
            "for each in entry.extensions or [])",
            "for each in [])",
        )
    ):
        blind = extend(home, "2021-03-12")
        assert blind.deadline_on == cohort.deadline_on
        with pytest.raises(BlockedError, match="readings_disagree: the window is 2021-03-05 to 2021-03-13"):
            decision.decide(blind, decided_on)
    assert outcomes() == {}
    decision.decide(extend(home, "2021-03-12"), decided_on)
    assert outcomes() == {2: ("overdue", "no_purchase")}


def test_a_roster_without_one_recipient_stops(home: Path) -> None:
    deliver_roster(home / "landing", 12, [roster_line(n) for n in range(1, 4)], "2021-03-05", "2021-03-13")
    roster = "prakerja/cohorts/roster.py"
    lost = Bug(roster, "_records(frame)", "_records(frame[1:])")
    with planted(lost, Bug(roster, "rows=file.rows,", "rows=file.rows - 1,")):
        assert take_in_rosters(DECIDED_ON).rejected == []
    deliver(home / "landing", "tokopedia", "2021-03-08", [bought(n) for n in range(1, 4)])
    intake.take_in("tokopedia", DECIDED_ON)
    empty_days("2021-03-05", "2021-03-14", arrives_on=lambda day: day, without=[("tokopedia", "2021-03-08")])
    with pytest.raises(BlockedError, match="readings_disagree: 2 are selected, by the second reading 3"):
        decision.decide(find_cohort(12), DECIDED_ON)


def test_a_gate_that_lets_a_gap_pass_stops(cohort: Cohort, home: Path) -> None:
    forget("sisnaker", "2021-03-10")
    bug = Bug(
        "prakerja/cohorts/completeness.py",
        "return missing_feeds(connection, cohort.announced_on, cohort.last_business_date, as_of)",
        "return []",
    )
    with planted(bug), pytest.raises(BlockedError, match="evidence_unreadable: feeds/sisnaker/2021-03-10: no delivery"):
        decision.decide(cohort, DECIDED_ON)
    assert outcomes() == {}


def test_a_hold_that_is_not_recorded_revokes_nobody(
    cohort: Cohort, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two bugs at once: the first reading misses a purchase, and what holds for the difference is not written."""
    monkeypatch.setattr(programme().revocations, "readings_disagree_share_max", 1)
    forget("tokopedia", "2021-03-13")
    deliver(home / "landing", "tokopedia", "2021-03-13", [bought(1, occurred_at=LAST_SECOND)])
    assert intake.take_in("tokopedia", DECIDED_ON).rejected == []
    no_hold = Bug(
        "sql/revocations/insert_outcomes.sql",
        "case when f.recipient_id is null then s.outcome else 'held' end",
        "s.outcome",
    )
    with planted(NO_DEADLINE_DAY, no_hold):
        made = decision.decide(cohort, DECIDED_ON)
        assert outcomes()[1] == ("overdue", "readings_disagree")
        approve(made)
        with pytest.raises(RefusedError, match="revocations_readings_agree"):
            revocation.revoke(cohort, made, DECIDED_ON)
    assert revoked() == []


def test_a_cancellation_in_a_delivery_from_before_the_announcement_holds(
    cohort: Cohort, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contract says whatever its order, in any delivery in force; the second reading goes by those since A alone.

    To read those before, for an id that was cancelled before it was used, would take it a year of deliveries.
    """
    monkeypatch.setattr(programme().revocations, "readings_disagree_share_max", 1)
    cancelled = bought(3, event="CANCELLED", occurred_at=datetime(2021, 3, 4, 9, tzinfo=WIB))
    deliver(home / "landing", "tokopedia", "2021-03-04", [cancelled])
    assert intake.take_in("tokopedia", DECIDED_ON).rejected == []
    decision.decide(cohort, DECIDED_ON)
    assert outcomes()[3] == ("held", "readings_disagree")


# -- deliveries that should count, and do not --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bug",
    [
        Bug(
            "prakerja/feeds/intake.py", "earlier = known[delivery.business_date, delivery.revision]",
            "earlier = known[delivery.business_date, delivery.revision] or known[delivery.business_date, 1]",
        ),
        Bug(
            "prakerja/feeds/intake.py", 'if rows.count != entry.rows:\n        raise RejectedError("row_count',
            'if rows.count != entry.rows or entry.revision > 1:\n        raise RejectedError("row_count',
        ),
        Bug(
            "prakerja/feeds/intake.py", "arrived_on=min(delivery.arrived_on, as_of),",
            "arrived_on=as_of + timedelta(days=1),",
        ),
    ],
    ids=["a higher revision is passed over", "a higher revision is rejected", "a higher revision arrives a day late"],
)  # fmt: skip
def test_a_revision_that_the_intake_passes_over_stops_the_decision(cohort: Cohort, home: Path, bug: Bug) -> None:
    rows = [bought(n) for n in range(1, PEOPLE + 1)]
    at = f"{DECIDED_ON - timedelta(days=1)}T01:00:00+07:00"
    deliver(home / "landing", "tokopedia", "2021-03-08", rows, revision=2, generated_at=at)
    with planted(bug):
        intake.take_in("tokopedia", DECIDED_ON)
    with pytest.raises(BlockedError, match="delivery_passed_over: feeds/tokopedia/2021-03-08/r2: it has arrived"):
        decision.decide(cohort, DECIDED_ON)
    assert outcomes() == {}
