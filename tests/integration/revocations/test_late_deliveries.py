"""Deliveries that were missing arrive: what is shown is what is missing by now, and who was stopped goes on."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prakerja import landing, tasks, warehouse
from prakerja.calendar import Cohort
from prakerja.cli import app
from prakerja.cohorts import overview, standing
from prakerja.errors import PrakerjaError
from prakerja.feeds import intake
from prakerja.monitor import feeds, figures
from prakerja.monitor import overview as monitor
from prakerja.revocations import decision, overrides, run_audit
from prakerja.revocations.run_audit import SeenRuns
from prakerja.run_context import RunContext
from prakerja.settings import WIB
from tests.support.landing_zone import deliver
from tests.support.small_cohort import DECIDED_ON
from tests.support.stopped_cohort import MISSING, NOON, remove

ENDED, ACTIVE = SeenRuns(1, 0, 1), SeenRuns(1, 1, 1)


def arrive(home: Path, *which: tuple[str, str]) -> None:
    """Deliveries come into the landing zone; nobody has looked there yet."""
    for platform, day in which:
        deliver(home / "landing", platform, day, [], generated_at="2021-03-15T10:00:00+07:00")


def loaded(home: Path, *which: tuple[str, str]) -> None:
    arrive(home, *which)
    for platform, _ in which:
        assert intake.take_in(platform, DECIDED_ON).rejected == []


def resumed(runs: SeenRuns = ENDED) -> list[dict[str, Any]]:
    return tasks.arrivals.list_resumed_runs(NOON, lambda _: runs)


def needs() -> str:
    return "\n".join(need.what for need in monitor.page(NOON)["needs"])


def shown() -> str:
    """What the three ways to look say of gelombang 12."""
    table = CliRunner().invoke(app, ["cohorts"])
    override = CliRunner().invoke(app, ["override", "12"])
    told = [override.output, str(override.exception or ""), table.stderr, needs()]
    return "\n".join(line for text in told for line in text.splitlines() if "12" in line)


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_what_is_shown_is_what_is_missing_by_now(stopped: Cohort, home: Path) -> None:
    assert shown().count("pintaria 2021-03-12; sisnaker 2021-03-10") == 3
    loaded(home, MISSING[0])
    assert shown().count("pintaria 2021-03-12") == 3
    assert "sisnaker" not in shown()
    assert overview.cohort_table()[0]["missing_feeds"] == ["pintaria 2021-03-12"]
    assert overview.missing_now() == figures_missing() == [("pintaria", date(2021, 3, 12))]
    loaded(home, MISSING[1])
    told = shown()
    assert "missing:" not in told
    assert told.count("the deliveries that were missing have arrived") == 3
    row = overview.cohort_table()[0]
    assert (row["status"], row["missing_feeds"]) == ("open", [])
    assert overview.missing_now() == figures_missing() == []
    assert "missing" not in {row["status"] for row in feeds.page()["rows"]}


def figures_missing() -> list[tuple[str, date]]:
    return sorted(figures.missing())


def test_an_open_cohort_owes_what_is_missing_by_now(cohort: Cohort, home: Path) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "delete from deliveries where (platform, business_date) = ('sisnaker', '2021-03-10')"
        )
    standing.refresh_standings(date(2021, 3, 11))
    figures.refresh(datetime(2021, 3, 11, 3, tzinfo=WIB))
    assert "gelombang 12 waits for feeds: sisnaker 2021-03-10" in needs()
    loaded(home, MISSING[0])
    assert "waits for feeds" not in needs()
    assert overview.cohort_table()[0]["missing_feeds"] == []


def test_an_override_is_for_what_is_missing_by_now(stopped: Cohort, home: Path) -> None:
    first = overrides.attempt_name(overrides.blocked_attempt(12)["decision_id"])
    loaded(home, MISSING[0])
    with pytest.raises(PrakerjaError, match="other deliveries are missing by now, pintaria 2021-03-12"):
        overrides.override(12, first, because="closed", overridden_by="ani", on=DECIDED_ON)
    told = CliRunner().invoke(app, ["override", "12"]).output  # asks the gate again, and names its attempt
    attempt = told.split("--attempt ")[1].split()[0]
    assert attempt != first
    overrides.override(12, attempt, because="closed", overridden_by="ani", on=DECIDED_ON)
    assert decision.decide(stopped, DECIDED_ON).overdue == 2


# -- what goes on ------------------------------------------------------------------------------------------------------


def test_a_cohort_goes_on_once_the_last_of_them_is_loaded(stopped: Cohort, home: Path) -> None:
    assert resumed() == []
    loaded(home, MISSING[0])
    assert resumed() == [], "one is missing still"
    loaded(home, MISSING[1])
    assert resumed(ACTIVE) == [], "its own run waits, and looks itself"
    (run,) = resumed()
    attempt = attempts()[-1]
    assert run["trigger_run_id"] == f"gelombang-12__deadline__2021-03-13__after-{attempt}"
    about = RunContext.from_cohort_run(run["trigger_run_id"], run["conf"], NOON)
    assert (about.cohort, about.kind, about.on) == (12, "deadline", date(2021, 3, 13))
    assert tasks.deadline.has_complete_feeds(about)
    assert resumed()[0]["trigger_run_id"] == run["trigger_run_id"], "one run an attempt"
    decision.decide(stopped, DECIDED_ON)
    assert resumed() == []


def attempts() -> list[str]:
    with warehouse.transaction(as_owner=True) as connection:
        found = connection.exec_driver_sql(
            "select decision_id from decisions where status = 'blocked' order by attempt"
        )
        return [overrides.attempt_name(each) for each in found.scalars()]


def test_a_run_that_goes_on_counts_as_a_run_of_its_event(stopped: Cohort, home: Path) -> None:
    loaded(home, *MISSING)
    (run,) = resumed()
    (event,) = (event for event in stopped.events() if event.kind == "deadline")
    assert run["trigger_run_id"] in run_audit.repair_run_ids(event, NOON)


def test_what_is_missing_by_now_is_recorded_when_some_of_it_has_arrived(stopped: Cohort, home: Path) -> None:
    loaded(home, MISSING[0])
    assert overrides.blocked_attempt(12)["is_outdated"]
    assert resumed() == []
    found = overrides.blocked_attempt(12)
    assert (found["detail"], found["is_outdated"]) == ("pintaria 2021-03-12", False)
    assert len(attempts()) == 2
    resumed()
    assert len(attempts()) == 2, "it is recorded once"


def test_a_cohort_that_something_else_stops_does_not_go_on(stopped: Cohort, home: Path) -> None:
    loaded(home, *MISSING)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update decisions set reason = 'overdue_share_implausible'")
    assert resumed() == []


def test_a_later_deadline_is_not_decided_before_its_day(stopped: Cohort, home: Path) -> None:
    loaded(home, *MISSING)
    calendar_file = home / "calendar.yaml"
    extension = "extensions: [{announced_on: 2021-03-15, deadline_on: 2021-03-20, because: flood}]"
    calendar_file.write_text(calendar_file.read_text().replace("note: short for tests}", f"note: s, {extension}}}", 1))
    assert resumed() == []


# -- what is looked for ------------------------------------------------------------------------------------------------


def test_what_has_arrived_of_the_missing_is_taken_in(stopped: Cohort, home: Path) -> None:
    assert tasks.arrivals.take_in_late(NOON) == []
    arrive(home, *MISSING)
    deliver(home / "landing", "tokopedia", "2021-03-09", [], 2, generated_at="2021-03-15T10:00:00+07:00")
    taken = dict(tasks.arrivals.take_in_late(NOON))
    assert set(taken) == {"sisnaker", "pintaria"}, "what nobody lacks is left to the night"
    assert [each["business_date"] for each in taken["sisnaker"].accepted] == ["2021-03-10"]
    assert tasks.summaries.summarize_arrivals(list(taken.items())) == "pintaria: 1 taken in, sisnaker: 1 taken in"
    assert resumed()
    assert tasks.arrivals.take_in_late(NOON) == []
    assert tasks.summaries.summarize_arrivals([]) == "nothing has arrived that was missing"


def test_the_days_own_deliveries_are_the_nights_until_eight(cohort: Cohort, home: Path) -> None:
    """On 15 March at 07:59 the night's run waits for those of the 14th still; before, it has given up on none."""
    remove("business_date >= '2021-03-13' and platform = 'sisnaker'")
    arrive(home, ("sisnaker", "2021-03-14"))
    eight = datetime(2021, 3, 15, 8, tzinfo=WIB)
    assert tasks.arrivals.take_in_late(eight - timedelta(microseconds=1)) == []
    arrive(home, ("sisnaker", "2021-03-13"))
    assert len(tasks.arrivals.take_in_late(eight - timedelta(microseconds=1))) == 1, "of the day before it has"
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "delete from deliveries where business_date = '2021-03-14' and platform = 'sisnaker'"
        )
    assert len(tasks.arrivals.take_in_late(eight)) == 1


def test_nothing_is_looked_for_where_nothing_is_missing_or_all_is_decided(
    cohort: Cohort, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> bool:
        raise AssertionError("the landing zone is listed")

    monkeypatch.setattr(intake, "has_news", never)
    assert tasks.arrivals.take_in_late(NOON) == []
    decision.decide(cohort, DECIDED_ON)
    remove("platform = 'sisnaker'")
    assert tasks.arrivals.take_in_late(NOON) == []


def test_a_delivery_that_was_rejected_is_looked_at_again_when_it_was_mended(
    stopped: Cohort, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(home / "landing", "sisnaker", "2021-03-10", [], file={"rows": 3})
    ((platform, taken),) = tasks.arrivals.take_in_late(NOON)
    assert (platform, taken.accepted) == ("sisnaker", [])
    assert "row_count_mismatch" in taken.rejected[0]
    assert "rejected: sisnaker 2021-03-10 r1: row_count_mismatch" in tasks.summaries.summarize_arrivals(
        [(platform, taken)]
    )
    with monkeypatch.context() as patch:
        patch.setattr(intake, "take_in", lambda *_: pytest.fail("it is known, and was not mended"))
        assert tasks.arrivals.take_in_late(NOON) == []
    arrive(home, MISSING[0])
    assert len(tasks.arrivals.take_in_late(NOON)[0][1].accepted) == 1


def test_a_landing_zone_that_has_gone_is_looked_at_again(
    stopped: Cohort, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "landing").rename(home / "gone")
    assert tasks.arrivals.take_in_late(NOON) == []
    assert "tries again in ten minutes" in caplog.text
    (home / "gone").rename(home / "landing")
    arrive(home, MISSING[0])
    assert len(tasks.arrivals.take_in_late(NOON)) == 1


def test_only_the_folders_of_missing_days_are_listed(
    stopped: Cohort, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(home / "landing", "sisnaker", "2021-03-09", [])
    (home / "landing" / "feeds" / "pintaria" / "2021-03-11").mkdir(parents=True, exist_ok=True)
    listed: list[str] = []
    real = landing.listed
    monkeypatch.setattr(landing, "listed", lambda folder: (listed.append(folder.name), real(folder))[1])
    assert tasks.arrivals.take_in_late(NOON) == []
    assert sorted(listed) == ["2021-03-10", "2021-03-12"]
