"""Two readings must agree: a difference holds the recipient, and unreadable evidence stops the decision."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prakerja import tasks, warehouse
from prakerja.calendar import Cohort
from prakerja.cli import app
from prakerja.errors import PrakerjaError
from prakerja.feeds import intake
from prakerja.monitor import overview
from prakerja.programme import programme
from prakerja.recheck.rule import Reading, SecondReading
from prakerja.revocations import approval, decision, explanation, holds, overrides, requests, revocation, second_reading
from prakerja.revocations.decision import BlockedError, MovedError
from prakerja.run_context import RunContext
from prakerja.settings import WIB
from prakerja.warehouse import RefusedError
from tests.conftest import as_superuser
from tests.support.landing_zone import deliver
from tests.support.small_cohort import DECIDED_ON, PEOPLE, approve, bought, card, carry_out, extend, revoked

NOON = datetime(2021, 3, 15, 12, tzinfo=WIB)
ROW = re.compile(r"\d{10,}")


BOUGHT = Reading("purchased", "purchase", "tokopedia", DECIDED_ON - timedelta(days=7), 1, 2)
OVERDUE = Reading("overdue", "no_purchase")


class KilledError(Exception):
    """What ends a process in the middle."""


def kept(statement: str) -> list[tuple[Any, ...]]:
    with warehouse.transaction() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def outcomes() -> dict[int, tuple[str, str]]:
    found = kept("select recipient_id, outcome::text, because from outcomes where because <> 'purchase'")
    return {number: (outcome, because) for number, outcome, because in found}


# -- where they agree --------------------------------------------------------------------------------------------------


def test_the_result_of_both_readings_is_decided_and_shown(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    assert kept("select decision_id, recipients, differing from second_readings") == [(made.decision_id, PEOPLE, 0)]
    assert kept("select * from reading_differences") == []
    with warehouse.transaction("decide") as connection:
        batch = approval.propose(connection, made, "revocation", DECIDED_ON, "cohort_deadline")
        assert batch
        assert "- two readings agree on 50 of 50 selected\n" in requests.build_request(connection, made, batch).text
    shown = CliRunner().invoke(app, ["approve", "12"])
    assert "two readings agree on 50 of 50 selected" in shown.output
    (story,) = explanation.explain([card(1)])
    (decided,) = [event for event in story["events"] if event["what"] == "decided"]
    assert (decided["second_reading"]["agrees"], decided["second_reading"]["outcome"]) == (True, "overdue")


def test_the_second_reading_makes_another_decision(cohort: Cohort, bend: Callable[..., None]) -> None:
    """An approval is for both readings: the batch's digest covers the decision's id, and that what they say."""
    made = decision.decide(cohort, DECIDED_ON)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("truncate decisions, outcomes cascade")
    bend({50: OVERDUE})
    assert decision.decide(cohort, DECIDED_ON).decision_id != made.decision_id


# -- where they differ -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "reading", "first"),
    [(1, BOUGHT, "overdue"), (50, OVERDUE, "purchased"), (2, Reading("excluded", "withdrawn"), "overdue")],
)
def test_recipients_on_whom_the_readings_differ_are_held(
    cohort: Cohort, bend: Callable[..., None], number: int, reading: Reading, first: str
) -> None:
    bend({number: reading})
    made = decision.decide(cohort, DECIDED_ON)
    assert (made.selected, made.held) == (PEOPLE, 1)
    assert outcomes()[number] == ("held", "readings_disagree")
    (hold,) = holds.list_holds(12)
    assert hold["because"] == "readings_disagree"
    assert hold["readings"]["first"]["outcome"] == first
    assert hold["readings"]["second"] == {
        "outcome": reading.outcome,
        "platform": reading.platform,
        "business_date": reading.business_date and reading.business_date.isoformat(),
        "line": reading.line,
    }
    shown = CliRunner().invoke(app, ["holds", "list", "12"]).output
    assert "readings_disagree" in shown
    assert not ROW.search(shown), "masked"
    (story,) = explanation.explain([card(number)])
    assert (story["state"], story["because"]) == ("held", "readings_disagree")
    (decided,) = [event for event in story["events"] if event["what"] == "decided"]
    assert decided["second_reading"]["agrees"] is False
    assert (decided["second_reading"]["first_outcome"], decided["second_reading"]["outcome"]) == (
        first,
        reading.outcome,
    )


def test_a_difference_needs_a_person_until_it_is_resolved(cohort: Cohort, bend: Callable[..., None]) -> None:
    bend({1: BOUGHT, 2: Reading("excluded", "withdrawn")} | dict.fromkeys(range(40, 45), OVERDUE))
    decision.decide(cohort, DECIDED_ON)
    told = [need.what for need in overview.page(NOON)["needs"] if "readings differ" in need.what]
    assert told[0].startswith("gelombang 12: two readings differ on ")
    assert told[0].endswith("0001: overdue and purchased, tokopedia 2021-03-08, line 2")
    assert told[1].endswith("0002: overdue and excluded")
    assert told[-1] == "two readings differ on 2 more: see `prakerja holds`"
    assert not ROW.search("".join(told)), "masked"
    for number in (1, 2, *range(40, 45)):
        holds.resolve(card(number), is_purchased=True, because="seen", resolved_by="ani", on=DECIDED_ON)
    assert not [need for need in overview.page(NOON)["needs"] if "readings differ" in need.what]


def test_nobody_on_whom_they_differ_is_revoked_and_the_hold_is_resolved_like_any(
    cohort: Cohort, bend: Callable[..., None]
) -> None:
    bend({1: BOUGHT})
    made = carry_out(cohort)
    assert revoked() == [2]
    with warehouse.transaction() as connection:
        (batch,) = approval.list_batches(connection, made, "revocation")
        seen = approval.load_review(connection, made, batch)["second_reading"]
    assert second_reading.describe(seen) == "two readings agree on 49 of 50 selected; 1 held where they differ"
    proposed = holds.resolve(card(1), is_purchased=False, because="asked them", resolved_by="ani", on=DECIDED_ON)
    assert proposed
    assert holds.apply_resolved_holds(DECIDED_ON) == 0, "another person has not approved"
    with warehouse.transaction("decide") as connection:
        approval.approve(connection, proposed, "siti", DECIDED_ON)
    assert holds.apply_resolved_holds(DECIDED_ON) == 1
    assert revoked() == [1, 2]


def test_a_hold_that_was_a_purchase_is_cleared(cohort: Cohort, bend: Callable[..., None]) -> None:
    bend({1: BOUGHT})
    decision.decide(cohort, DECIDED_ON)
    assert holds.resolve(card(1), is_purchased=True, because="line 2", resolved_by="ani", on=DECIDED_ON) is None
    (story,) = explanation.explain([card(1)])
    assert (story["state"], story["because"]) == ("purchased", "hold_resolved")


def test_no_held_recipient_is_revoked_whom_a_second_reading_clears(
    held: decision.Decision,
    bend: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = second_reading.read_again
    bend({1: BOUGHT})
    with pytest.raises(
        PrakerjaError, match=r"this person is purchased \(tokopedia 2021-03-08, line 2\), and stays held"
    ):
        holds.resolve(card(1), is_purchased=False, because="asked them", resolved_by="ani", on=DECIDED_ON)
    assert kept("select count(*) from hold_resolutions") == [(0,)]
    monkeypatch.setattr(second_reading, "read_again", real)
    proposed = holds.resolve(card(1), is_purchased=False, because="asked them", resolved_by="ani", on=DECIDED_ON)
    assert proposed
    with warehouse.transaction("decide") as connection:
        approval.approve(connection, proposed, "siti", DECIDED_ON)
    bend({1: BOUGHT})
    assert holds.apply_resolved_holds(DECIDED_ON) == 0, "what came since speaks for them"
    assert "gelombang-12: 1 stay held: a second reading finds that they are not overdue" in caplog.text
    monkeypatch.setattr(second_reading, "read_again", real)
    assert holds.apply_resolved_holds(DECIDED_ON) == 1


def test_nobody_held_is_revoked_by_evidence_that_is_gone(
    held: decision.Decision, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    proposed = holds.resolve(card(1), is_purchased=False, because="asked them", resolved_by="ani", on=DECIDED_ON)
    assert proposed
    with warehouse.transaction("decide") as connection:
        approval.approve(connection, proposed, "siti", DECIDED_ON)
    folder = home / "landing" / "feeds" / "tokopedia" / "2021-03-08" / "r1"
    folder.rename(home / "gone")
    assert holds.apply_resolved_holds(DECIDED_ON) == 0
    assert "gelombang-12: nobody held is revoked" in caplog.text
    (home / "gone").rename(folder)
    assert holds.apply_resolved_holds(DECIDED_ON) == 1


def test_what_came_since_the_decision_is_read_again_before_anybody_is_revoked(
    cohort: Cohort, home: Path, bend: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    real, later = second_reading.read_again, DECIDED_ON + timedelta(days=1)
    monkeypatch.setattr(second_reading, "read_again", lambda *_, **__: pytest.fail("nothing has come"))
    approve(made)
    with monkeypatch.context() as patch:
        patch.setattr(revocation, "_carry_out_decision", lambda *_: (0, 0))
        revocation.revoke(cohort, made, DECIDED_ON)
    monkeypatch.setattr(second_reading, "read_again", real)
    deliver(home / "landing", "tokopedia", "2021-03-09", [bought(50, transaction_id="more")], revision=2)
    assert intake.take_in("tokopedia", later).rejected == []
    bend({2: BOUGHT})
    approve(made, on=later)
    told = r"nobody is revoked: readings_disagree: .* clears 1 of 2, one by tokopedia 2021-03-08, line 2"
    with pytest.raises(BlockedError, match=told):
        revocation.revoke(cohort, made, later)
    assert revoked() == []
    monkeypatch.setattr(second_reading, "read_again", real)
    assert revocation.revoke(cohort, made, later) == 2


# -- where nobody is decided -------------------------------------------------------------------------------------------


def test_more_than_one_in_a_thousand_stop_the_decision_and_cannot_be_overridden(
    cohort: Cohort, bend: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    bend({1: BOUGHT}, share=0.001)
    told = (
        r"readings_disagree: the two readings differ on 1 of 50: \S*0001: the first says overdue, "
        r"the second purchased \(tokopedia 2021-03-08, line 2\)"
    )
    with pytest.raises(BlockedError, match=told) as stopped:
        decision.decide(cohort, DECIDED_ON)
    assert not ROW.search(str(stopped.value) + caplog.text)
    assert kept("select count(*) from outcomes") == [(0,)]
    assert kept("select recipient_id, first_outcome, second_outcome, second_line from reading_differences") == [
        (1, "overdue", "purchased", 2)
    ]
    attempt = overrides.attempt_name(overrides.find_blocked_attempt(12)["decision_id"])
    with pytest.raises(PrakerjaError, match="readings disagree is a defect, which cannot be overridden"):
        overrides.override(12, attempt, because="x", overridden_by="siti", on=DECIDED_ON)
    with warehouse.transaction("decide") as connection:  # also where somebody has written it down all the same
        connection.exec_driver_sql(
            "insert into overrides (decision_id, overridden_by, because, overridden_on)"
            " select decision_id, 'siti', 'x', '2021-03-15' from decisions"
        )
    with pytest.raises(BlockedError, match="readings_disagree"):
        decision.decide(cohort, DECIDED_ON)


def test_a_stopped_cohort_is_blocked_everywhere_and_decided_once_it_is_mended(
    cohort: Cohort, bend: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = second_reading.read_again
    bend({1: BOUGHT}, share=0.001)
    with pytest.raises(BlockedError):
        decision.decide(cohort, DECIDED_ON)
    shown = json.loads(CliRunner().invoke(app, ["cohorts", "--json"]).output)
    assert (shown[0]["status"], shown[0]["reason"]) == ("blocked", "readings_disagree")
    assert decision.rehearse(cohort, DECIDED_ON)["stops"][0].startswith("readings_disagree: ")
    monkeypatch.setattr(second_reading, "read_again", real)
    assert decision.decide(cohort, DECIDED_ON).overdue == 2


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda folder: (folder / "transactions.csv").unlink(), "the file is gone"),
        (lambda folder: (folder / "manifest.json").unlink(), "the file is gone"),
        (lambda folder: [*map(Path.unlink, folder.iterdir()), folder.rmdir()], "the file is gone"),
        (
            lambda folder: (folder / "transactions.csv").write_bytes(
                (folder / "transactions.csv").read_bytes().replace(b"5000", b"6000", 1)
            ),
            "another size or SHA-256",
        ),
    ],
)
def test_evidence_that_cannot_be_read_again_stops(
    cohort: Cohort, home: Path, harm: Callable[[Path], Any], told: str
) -> None:
    harm(home / "landing" / "feeds" / "tokopedia" / "2021-03-08" / "r1")
    with pytest.raises(BlockedError, match=f"evidence_unreadable: feeds/tokopedia/2021-03-08/r1.*{told}"):
        decision.decide(cohort, DECIDED_ON)
    assert kept("select reason from decisions") == [("evidence_unreadable",)]
    attempt = overrides.attempt_name(overrides.find_blocked_attempt(12)["decision_id"])
    with pytest.raises(PrakerjaError, match="evidence unreadable is a defect"):
        overrides.override(12, attempt, because="x", overridden_by="siti", on=DECIDED_ON)


def test_a_roster_that_was_exchanged_stops(cohort: Cohort, home: Path) -> None:
    (home / "landing" / "rosters" / "gelombang-12" / "roster.csv.gz").write_bytes(b"x")
    with pytest.raises(BlockedError, match="evidence_unreadable: rosters/gelombang-12"):
        decision.decide(cohort, DECIDED_ON)


@pytest.mark.parametrize("is_more", [True, False])
def test_another_number_of_recipients_stops(cohort: Cohort, monkeypatch: pytest.MonkeyPatch, is_more: bool) -> None:
    real = second_reading.read_again

    def read_again(*given: Any, **more: Any) -> SecondReading:
        found = real(*given, **more)
        if is_more:
            found.by_card["9" * 16] = OVERDUE
        else:
            del found.by_card[card(50)]
        return found

    monkeypatch.setattr(second_reading, "read_again", read_again)
    monkeypatch.setattr(programme().revocations, "readings_disagree_share_max", 1)
    read = PEOPLE + (1 if is_more else -1)
    with pytest.raises(BlockedError, match=f"readings_disagree: 50 are selected, by the second reading {read}"):
        decision.decide(cohort, DECIDED_ON)


def test_a_deadline_that_only_one_reading_knows_stops(cohort: Cohort, home: Path) -> None:
    extend(home, "2021-03-12")
    with pytest.raises(BlockedError, match="readings_disagree: the window is 2021-03-05 to 2021-03-13"):
        decision.decide(cohort, DECIDED_ON)  # by a calendar that was read before


# -- what moves meanwhile ----------------------------------------------------------------------------------------------


def test_a_delivery_that_comes_while_it_reads_is_read_too(
    cohort: Cohort, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, readings = second_reading.read_again, []

    def read_again(*given: Any, **more: Any) -> SecondReading:
        readings.append(real(*given, **more))
        if len(readings) == 1:
            deliver(home / "landing", "tokopedia", "2021-03-09", [bought(1)], revision=2)
            assert intake.take_in("tokopedia", DECIDED_ON).rejected == []
        return readings[-1]

    monkeypatch.setattr(second_reading, "read_again", read_again)
    made = decision.decide(cohort, DECIDED_ON)
    assert (len(readings), made.purchased, made.overdue) == (2, PEOPLE - 1, 1)


def test_facts_that_keep_changing_are_not_decided(cohort: Cohort, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, revision = second_reading.read_again, iter(range(2, 9))

    def read_again(*given: Any, **more: Any) -> SecondReading:
        found = real(*given, **more)
        deliver(home / "landing", "tokopedia", "2021-03-09", [], revision=next(revision))
        assert intake.take_in("tokopedia", DECIDED_ON).rejected == []
        return found

    monkeypatch.setattr(second_reading, "read_again", read_again)
    with pytest.raises(MovedError, match="facts keep changing while it is read"):
        decision.decide(cohort, DECIDED_ON)
    assert kept("select count(*) from decisions") == [(0,)]


def test_the_second_reading_blocks_nobody(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a killed reading leaves nothing behind, and the next one starts again."""
    real, waiting = second_reading.read_again, []

    def read_again(*given: Any, **more: Any) -> SecondReading:
        with as_superuser(database="warehouse") as server:
            waiting.append(
                server.execute(
                    "select state, query from pg_stat_activity"
                    " where datname = 'warehouse' and pid <> pg_backend_pid() and backend_type = 'client backend'"
                    " and (state <> 'idle' or exists (select from pg_locks as l where l.pid = pg_stat_activity.pid))"
                ).fetchall()
            )
        if len(waiting) == 1:
            raise KilledError
        return real(*given, **more)

    monkeypatch.setattr(second_reading, "read_again", read_again)
    with pytest.raises(KilledError):
        decision.decide(cohort, DECIDED_ON)
    assert decision.decide(cohort, DECIDED_ON).overdue == 2
    assert waiting == [[], []]


def test_a_decided_cohort_is_not_read_again(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    monkeypatch.setattr(second_reading, "read_again", lambda *_, **__: pytest.fail("it is decided"))
    assert decision.decide(cohort, DECIDED_ON) == made


# -- the database's last word ------------------------------------------------------------------------------------------


def test_nobody_is_revoked_by_a_decision_that_was_read_once(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql("delete from second_readings")
    approve(made)
    with pytest.raises(RefusedError, match="revocations_read_twice"):
        decision_revokes(cohort, made)
    assert revoked() == []


def test_nobody_is_revoked_on_whom_they_differ(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    approve(made)
    with warehouse.transaction("decide") as connection:
        connection.exec_driver_sql(
            "insert into reading_differences (decision_id, recipient_id, first_outcome, first_because, second_outcome,"
            " second_because) select decision_id, 1, 'overdue', 'no_purchase', 'purchased', 'purchase' from decisions"
        )
    with pytest.raises(RefusedError, match="revocations_readings_agree"):
        decision_revokes(cohort, made)
    assert revoked() == []


def decision_revokes(cohort: Cohort, made: decision.Decision) -> None:
    revocation.revoke(cohort, made, DECIDED_ON)


SEEN = {
    "rosters", "deliveries", "recipients", "suspensions", "suspension_lifts", "withdrawals", "extensions", "overrides",
    "hold_resolutions", "corrections", "correction_decisions", "correction_values", "decisions", "revocations",
    "reinstatements",
    "decision_deliveries",
}  # fmt: skip


def test_its_role_reads_those_facts_and_nothing_else(cohort: Cohort) -> None:
    with warehouse.transaction("recheck") as connection:
        seen = connection.exec_driver_sql(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'p')"
            " and has_any_column_privilege(oid, 'select')"
        ).scalars()
        assert {*seen} == SEEN
    for statement in (
        "select * from standing(12, '2021-03-13', '2021-03-15')",
        "select * from evidence_of('{1}', '{1}', '2021-03-05', '2021-03-13', 1, now())",
        "select * from deliveries_in_force('2021-03-15')",
        "select * from niks_in_force",
        "select nik from recipients",
    ):
        with (
            pytest.raises(RefusedError, match="may not do this in the warehouse"),
            warehouse.transaction("recheck") as connection,
        ):
            connection.exec_driver_sql(statement)


# -- its task ----------------------------------------------------------------------------------------------------------


def test_the_second_reading_logs_its_progress(cohort: Cohort, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "prakerja")
    decision.decide(cohort, DECIDED_ON)
    assert "gelombang-12: read again 50 of 70 deliveries" in caplog.text
    assert "gelombang-12: read again 70 of 70 deliveries" in caplog.text


def test_before_the_deadline_there_is_nothing_to_read(cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_reading, "read_again", lambda *_, **__: pytest.fail("nothing is decided"))
    reminder = RunContext(
        "H-3", cohort.deadline_on - timedelta(days=3), datetime(2021, 3, 10, 9, tzinfo=WIB), cohort=12
    )
    assert tasks.deadline.recheck(reminder) == {}
