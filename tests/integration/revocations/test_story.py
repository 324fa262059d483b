"""A person's story: each fact when it was recorded, in that order; a played day's at its instants; who was spared."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from prakerja import warehouse
from prakerja.blacklist import publishing
from prakerja.calendar import Cohort
from prakerja.cli import app
from prakerja.cli.common import today
from prakerja.cohorts import people
from prakerja.monitor import story
from prakerja.revocations import appeals, decision, explanation, revocation
from prakerja.settings import WIB
from tests.conftest import as_superuser
from tests.support.recorded_facts import KINDS, OF_A_DAY
from tests.support.small_cohort import DECIDED_ON, PEOPLE, approve, bought, card, carry_out, restate

MINUTE = timedelta(minutes=1)


def told(number: int = 1) -> dict[str, Any]:
    return next(explanation.explain([card(number)]))


def kinds(found: dict[str, Any]) -> list[str]:
    return [event["what"] for event in found["events"]]


def instants(found: dict[str, Any]) -> list[datetime]:
    return [datetime.fromisoformat(event["at"]) for event in found["events"]]


# -- live --------------------------------------------------------------------------------------------------------------


def test_each_fact_is_told_when_it_was_recorded(live_wave: Cohort) -> None:
    """All on one day, in the order in which they happened, and not at hours that nobody has seen."""
    on, began = today(), datetime.now(UTC)
    people.suspend(card(1), on - timedelta(days=6), is_permanent=False, because="an inquiry", suspended_by="ani")
    people.lift_suspension(card(1), on - timedelta(days=5), because="cleared", lifted_by="ani")
    made = decision.decide(live_wave, on)
    approve(made, "siti", on)
    assert revocation.revoke(live_wave, made, on) == 2
    publishing.publish("first", datetime.now(WIB), on)
    appeal = appeals.open_appeal(card(1), "Saya sudah membeli.", opened_by="ani", on=on)
    appeals.decide(appeal, is_upheld=True, because="a receipt", decided_by="budi", on=on)
    assert appeals.apply_upheld_appeals(on) == 1
    publishing.publish("second", datetime.now(WIB), on)

    found = told()
    assert kinds(found) == [
        "selected", "suspended", "suspension_lifted", "decided", "approved", "revoked", "listed", "appealed",
        "appeal_upheld", "reinstated", "withdrawn_from_list",
    ]  # fmt: skip
    assert instants(found)[1:] == sorted(set(instants(found)[1:])), "each at its own"
    assert all(began <= at <= datetime.now(UTC) for at in instants(found)[1:])
    assert all(at.utcoffset() == timedelta(hours=7) for at in instants(found))
    days = [event["about_on"] for event in found["events"][1:4]]
    assert days == [(on - timedelta(days=6)).isoformat(), (on - timedelta(days=5)).isoformat(), on.isoformat()]


def test_what_waited_for_another_fact_comes_after_it(live_wave: Cohort) -> None:
    """A transaction that began before an appeal was upheld, and carries it out."""
    on = today()
    made = decision.decide(live_wave, on)
    approve(made, "siti", on)
    revocation.revoke(live_wave, made, on)
    appeal = appeals.open_appeal(card(1), "Saya sudah membeli.", opened_by="ani", on=on)
    with warehouse.transaction("decide") as connection:
        appeals.decide(appeal, is_upheld=True, because="a receipt", decided_by="budi", on=on)
        warehouse.execute(connection, "revocations/reinstate_upheld", as_of=on)
    assert kinds(told())[-3:] == ["appealed", "appeal_upheld", "reinstated"]


def test_the_page_tells_the_day_that_a_fact_is_about(live_wave: Cohort) -> None:
    on = today()
    people.suspend(card(1), on - timedelta(days=6), is_permanent=False, because="an inquiry", suspended_by="ani")
    for language, word in (("en", "from"), ("id", "mulai")):
        (event,) = (e for e in story.page(1, "siti", language)["events"] if e["what"] == "suspended")  # type: ignore[arg-type]
        assert event["told"].startswith(f"{word} {(on - timedelta(days=6)).day} ")
        assert event["at"].date() == on
        assert "an inquiry" in event["told"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(KINDS),
    minutes=st.lists(st.integers(0, 3000), min_size=len(KINDS), max_size=len(KINDS)),
    days=st.integers(-30, 30),
)
def test_the_order_is_the_order_of_recording(recorded: Any, order: list[str], minutes: list[int], days: int) -> None:
    """Whatever was recorded when, and whatever day it is about; what was recorded at once: causes first."""
    began = datetime.now(WIB) - timedelta(days=5)
    at = {kind: began + minute * MINUTE for kind, minute in zip(order, sorted(minutes), strict=True)}
    about = began.date() + timedelta(days=days)
    events = recorded(at, about)
    assert [event["what"] for event in events] == sorted(KINDS, key=lambda kind: (at[kind], KINDS.index(kind)))
    assert {event["what"]: datetime.fromisoformat(event["at"]) for event in events} == at
    assert {event["about_on"] for event in events if event["what"] in OF_A_DAY} == {about.isoformat()}


def test_recorded_after_midnight_by_a_run_that_began_before(recorded: Any) -> None:
    at = dict.fromkeys(KINDS, datetime.now(WIB).replace(hour=0, minute=10))
    events = recorded(at, date(2021, 3, 5), 20 * MINUTE)
    assert [event["what"] for event in events] == list(KINDS)
    assert {datetime.fromisoformat(event["at"]) for event in events} == {at["decided"]}


# -- played ------------------------------------------------------------------------------------------------------------


def test_a_played_day_is_told_at_the_instants_that_it_played(cohort: Cohort, home: Path) -> None:
    """The days of recording are all today's, and say nothing of what was believed."""
    people.suspend(card(1), date(2021, 3, 9), is_permanent=False, because="an inquiry", suspended_by="ani")
    people.lift_suspension(card(1), date(2021, 3, 11), because="cleared", lifted_by="ani")
    carry_out(cohort)
    publishing.publish("first", datetime(2021, 3, 15, 6, 5, tzinfo=WIB), DECIDED_ON)
    later = date(2021, 3, 18)
    appeal = appeals.open_appeal(card(1), "Saya sudah membeli.", opened_by="ani", on=later)
    appeals.decide(appeal, is_upheld=True, because="a receipt", decided_by="budi", on=later)
    appeals.apply_upheld_appeals(later + timedelta(days=1))
    assert [(event["what"], event["at"][:16]) for event in told()["events"]] == [
        ("selected", "2021-03-05T02:00"),
        ("suspended", "2021-03-09T00:00"),
        ("suspension_lifted", "2021-03-11T00:00"),
        ("decided", "2021-03-15T06:00"),
        ("approved", "2021-03-15T06:00"),
        ("revoked", "2021-03-15T06:00"),
        ("listed", "2021-03-15T06:05"),
        ("appealed", "2021-03-18T02:00"),
        ("appeal_upheld", "2021-03-18T02:00"),
        ("reinstated", "2021-03-19T02:00"),
    ]
    assert [event["about_on"] for event in told()["events"][1:3]] == ["2021-03-09", "2021-03-11"]


def test_a_suspension_from_a_later_day_moves_no_played_fact(cohort: Cohort) -> None:
    people.suspend(card(1), date(2021, 4, 1), is_permanent=False, because="an inquiry", suspended_by="ani")
    carry_out(cohort)
    assert [(event["what"], event["at"][:16]) for event in told()["events"]][1:3] == [
        ("suspended", "2021-03-15T06:00"),
        ("decided", "2021-03-15T06:00"),
    ]


def test_what_a_person_approves_today_comes_before_what_a_replay_then_does(cohort: Cohort) -> None:
    """The day that is played again is over, and is told: nobody seems to be revoked before the approval."""
    made = decision.decide(cohort, DECIDED_ON)
    approve(made, "siti", today())
    revocation.revoke(cohort, made, DECIDED_ON)
    decided, approved, revoked = told()["events"][-3:]
    assert [decided["what"], approved["what"], revoked["what"]] == ["decided", "approved", "revoked"]
    assert decided["at"][:16] == "2021-03-15T06:00"
    assert datetime.fromisoformat(approved["at"]).date() == today()
    assert revoked["at"] >= approved["at"]
    assert revoked["about_on"] == DECIDED_ON.isoformat()
    (page,) = (event for event in story.page(1, "siti", "en")["events"] if event["what"] == "revoked")
    assert page["told"].startswith("for 15 March 2021; with effect from 14 March 2021")


# -- spared ------------------------------------------------------------------------------------------------------------


def spare(cohort: Cohort, home: Path) -> None:
    """Number 2 is overdue by the decision; a revision that comes before the revocation shows their purchase."""
    made = decision.decide(cohort, DECIDED_ON)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
    approve(made, "siti", DECIDED_ON + timedelta(days=1))
    revocation.revoke(cohort, made, DECIDED_ON + timedelta(days=1))


def note_the_row() -> None:
    with as_superuser(database="warehouse") as server:
        server.execute(
            "update late_findings as f set delivery_id = t.delivery_id, line = t.line"
            " from transactions as t inner join deliveries as d using (delivery_id), recipients as r"
            " where f.kind = 'spared' and d.revision = 2 and t.card_number = r.card_number"
            " and r.recipient_id = f.recipient_id"
        )


def test_who_was_spared_is_told_so_and_by_which_row(cohort: Cohort, home: Path) -> None:
    spare(cohort, home)
    note_the_row()
    found = told(2)
    assert (found["state"], found["because"]) == ("spared", "late_purchase")
    assert found["spared_by"] == {"platform": "tokopedia", "business_date": "2021-03-08", "revision": 2, "line": 2}
    (event,) = (event for event in found["events"] if event["what"] == "spared")
    assert {name: event[name] for name in found["spared_by"]} == found["spared_by"]
    page = story.page(2, "siti", "en")
    assert page["state_told"] == "spared (not revoked)"
    assert page["because"].endswith(": tokopedia, feed of 8 March 2021 (revision 2, line 2)")
    assert story.page(2, "siti", "id")["because"].endswith(": tokopedia, data tanggal 8 Maret 2021 (revisi 2, baris 2)")
    assert told(1)["state"] == "revoked"


def test_who_was_spared_by_no_row_is_told_so_all_the_same(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    people.suspend(card(1), date(2021, 3, 13), is_permanent=False, because="fraud inquiry", suspended_by="ani")
    approve(made, "siti", DECIDED_ON)
    revocation.revoke(cohort, made, DECIDED_ON)
    found = told()
    assert (found["state"], found["because"], found["spared_by"]) == ("spared", "known_before_revocation", None)
    assert story.page(1, "siti", "en")["because"] == "what became known before the revocation speaks for them"


def test_the_command_tells_it_in_wib(cohort: Cohort, home: Path) -> None:
    spare(cohort, home)
    note_the_row()
    done = CliRunner().invoke(app, ["explain", card(2)], env={"COLUMNS": "400"})
    assert "gelombang-12: spared (late_purchase, by tokopedia 2021-03-08 revision 2, line 2)" in done.stdout
    assert "at (WIB)" in done.stdout
    assert "2021-03-15 06:00:00" in done.stdout
    assert json.loads(CliRunner().invoke(app, ["explain", card(2), "--json"]).stdout)["state"] == "spared"
