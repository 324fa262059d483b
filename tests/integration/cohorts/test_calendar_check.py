"""What of the calendar needs a person: found by the audit, shown in the monitor and by `prakerja cohorts`, alerted."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prakerja import calendar, tasks, warehouse
from prakerja.calendar import Cohort
from prakerja.cli import app, show
from prakerja.cohorts import standing
from prakerja.cohorts.roster import take_in_rosters
from prakerja.errors import PrakerjaError
from prakerja.monitor import overview
from prakerja.revocations import decision, late_evidence
from prakerja.revocations.run_audit import RunCounts
from prakerja.run_context import RunContext
from prakerja.settings import WIB
from tests.support.landing_zone import deliver_roster, roster_line
from tests.support.small_cohort import DECIDED_ON, carry_out

ENTRY_12 = "{cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13, note: short}"
ENTRY_13 = "{cohort: 13, announced_on: 2021-03-08, deadline_on: 2021-03-16, note: short}"
AFTER = datetime(2021, 3, 15, 7, tzinfo=WIB)


def write(home: Path, *entries: str) -> None:
    (home / "calendar.yaml").write_text("cohorts:\n" + "".join(f"- {entry}\n" for entry in entries))
    calendar._read.cache_clear()


def audited(now: datetime = AFTER) -> list[dict[str, Any]]:
    return tasks.audit.audit_runs(now, lambda _: RunCounts(1, 1, 1))


def told(kind: str, now: datetime = AFTER) -> list[str]:
    """What the audit finds of a kind; it is red for it, and the monitor shows the same as what needs a person."""
    found = [finding["text"] for finding in audited(now) if finding["kind"] == kind]
    needs = [need.what for need in overview.page(now)["needs"]]
    assert [line for line in needs if line in found] == found
    if found:
        with pytest.raises(PrakerjaError) as red:
            tasks.audit.report_audit(audited(now))
        assert all(line in str(red.value).splitlines() for line in found)
    return found


# -- dates that were taken back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_decided", [False, True])
def test_a_cohort_that_was_taken_out_is_named_with_what_to_restore(
    cohort: Cohort, home: Path, is_decided: bool
) -> None:
    if is_decided:
        decision.decide(cohort, DECIDED_ON)
    write(home, ENTRY_13)
    decided = ", decided for 2021-03-13," if is_decided else ""
    assert told("calendar_mismatch") == [
        f"gelombang-12{decided} has a roster but is not in the calendar: "
        "restore {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13}"
    ]
    write(home, ENTRY_12, ENTRY_13)
    assert told("calendar_mismatch") == []


@pytest.mark.parametrize("is_decided", [False, True])
def test_a_deadline_that_was_put_earlier_is_named_with_the_one_to_put_back(
    cohort: Cohort, home: Path, is_decided: bool
) -> None:
    if is_decided:
        carry_out(cohort)
    write(home, ENTRY_12.replace("2021-03-13", "2021-03-12"), ENTRY_13)
    (line,) = told("calendar_mismatch")
    assert "has other dates in the calendar (2021-03-05 to 2021-03-12) than its roster" in line
    assert line.endswith("restore announced_on: 2021-03-05, deadline_on: 2021-03-13")
    assert ("decided for 2021-03-13" in line) == is_decided
    assert audited()[-1]["kind"] != "blocked", "it is told once"


def test_an_extension_that_was_taken_back_is_named_from_its_announcement_on(cohort: Cohort, home: Path) -> None:
    extension = "extensions: [{announced_on: 2021-03-12, deadline_on: 2021-03-20, because: flood}]"
    write(home, ENTRY_12.replace("note: short", f"note: short, {extension}"), ENTRY_13)
    standing.refresh_standings(date(2021, 3, 12))
    assert told("calendar_mismatch") == []
    write(home, ENTRY_12, ENTRY_13)
    assert told("calendar_mismatch", datetime(2021, 3, 11, 7, tzinfo=WIB)) == []
    (line,) = told("calendar_mismatch", datetime(2021, 3, 12, 7, tzinfo=WIB))
    assert line.endswith(f"restore {extension}")


def test_late_evidence_of_a_cohort_that_was_taken_out_is_still_recorded(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    write(home, ENTRY_13)
    with warehouse.transaction() as connection:
        assert [
            made.cohort
            for made in late_evidence.yield_decisions_made_before(connection, DECIDED_ON + timedelta(days=1))
        ] == [12]
        assert late_evidence.current_window(
            connection, next(late_evidence.yield_decisions_made_before(connection, date.max)), DECIDED_ON
        )["deadline_now"] == date(2021, 3, 13)
    assert late_evidence.record_late_evidence(DECIDED_ON + timedelta(days=1)) == 0


# -- rosters that lack -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "line"),
    [
        (datetime(2021, 3, 7, 23, 59, tzinfo=WIB), None),
        (datetime(2021, 3, 8, tzinfo=WIB), "is in 8 days: deliver rosters/gelombang-13"),
        (datetime(2021, 3, 15, 9, 36, tzinfo=WIB), "is in 1 day: deliver rosters/gelombang-13"),  # 1.6 days before
        (datetime(2021, 3, 16, 23, 59, tzinfo=WIB), "is today: deliver rosters/gelombang-13"),
        (datetime(2021, 3, 18, tzinfo=WIB), "is 2 days past: deliver rosters/gelombang-13"),
        (datetime(2022, 4, 22, 12, tzinfo=WIB), "is 402 days past: deliver rosters/gelombang-13"),
        (datetime(2022, 4, 23, 12, tzinfo=WIB), None),
    ],
)
def test_from_its_announcement_on_a_cohort_needs_a_roster(cohort: Cohort, now: datetime, line: str | None) -> None:
    expected = [] if line is None else [f"gelombang-13 has no roster, and its deadline, 2021-03-16, {line}"]
    assert told("no_roster", now) == expected


def test_a_missing_roster_is_urgent_when_the_first_reminder_is_due(cohort: Cohort) -> None:
    def urgent(day: int) -> list[bool]:
        needs = overview.page(datetime(2021, 3, day, 9, tzinfo=WIB))["needs"]
        return [need.is_urgent for need in needs if "has no roster" in need.what]

    assert (urgent(8), urgent(9)) == ([False], [True])


def test_a_rejected_roster_is_reported_with_its_reason_and_nothing_personal(cohort: Cohort, home: Path) -> None:
    line = roster_line(99)
    deliver_roster(home / "landing", 13, [line, line], "2021-03-08", "2021-03-16")
    take_in_rosters(date(2021, 3, 14))
    (found,) = told("no_roster")
    assert "is in 1 day: it was rejected, recipient_twice: the same card number appears in lines 2, 3" in found
    assert not [secret for secret in line.split(",") if len(secret) > 4 and secret in found]
    deliver_roster(home / "landing", 13, [line], "2021-03-08", "2021-03-16")
    take_in_rosters(date(2021, 3, 14))
    assert told("no_roster") == []


@pytest.mark.parametrize("kind", ["H-3", "deadline"])
def test_the_runs_of_a_cohort_without_a_roster_say_so(cohort: Cohort, kind: str) -> None:
    on = date(2021, 3, 13) if kind == "H-3" else date(2021, 3, 16)
    run = RunContext(kind, on, datetime(2021, 3, 13, 9, tzinfo=WIB), 13)
    assert tasks.deadline.choose(run) == "cohort_has_no_roster"
    assert tasks.summaries.summarize_cohort(run) == (
        "gelombang-13 has no roster, and its deadline, 2021-03-16, is in 3 days: deliver rosters/gelombang-13"
    )
    night = RunContext("daily", date(2021, 3, 12), datetime(2021, 3, 13, 2, tzinfo=WIB))
    assert "; gelombang-13 has no roster, and its deadline" in tasks.summaries.summarize_feeds(night, [])


# -- entries that cannot be read ---------------------------------------------------------------------------------------


def test_a_cohort_whose_entry_cannot_be_read_is_not_decided_and_the_others_are(cohort: Cohort, home: Path) -> None:
    write(home, ENTRY_12, ENTRY_13.replace("2021-03-16", "2021-02-30"))
    (line,) = told("entry_unreadable")
    assert line.endswith(
        'calendar.yaml, entry 2 (cohort 13): `deadline_on` is "2021-02-30", not a date: write a day that exists, '
        "without quotes, as 2021-04-08"
    )
    with pytest.raises(PrakerjaError, match="entry 2"):
        RunContext.from_cohort_run("gelombang-13__deadline__2021-03-16", None, AFTER)
    assert decision.decide(calendar.find_cohort(12), DECIDED_ON).overdue == 2


@pytest.mark.parametrize(
    ("wrong", "rejected"),
    [
        (ENTRY_13.replace("2021-03-16", "2021-02-30"), "could not be loaded (the calendar "),
        (ENTRY_13.replace("2021-03-16", "2021-03-17"), "calendar_mismatch"),
        (ENTRY_13.replace("cohort: 13", "cohort: 14"), "cohort_unknown"),
    ],
)
def test_a_roster_is_loaded_once_the_calendar_is_put_right(home: Path, wrong: str, rejected: str) -> None:
    deliver_roster(home / "landing", 13, [roster_line(99)], "2021-03-08", "2021-03-16")
    write(home, ENTRY_12, wrong)
    (line,) = take_in_rosters(DECIDED_ON).rejected
    assert rejected in line
    assert "a defect" not in line
    write(home, ENTRY_12, ENTRY_13)
    assert take_in_rosters(DECIDED_ON).accepted == {13: 1}
    assert take_in_rosters(DECIDED_ON).rejected == []


def test_a_decided_cohort_whose_entry_cannot_be_read_is_reported_only_as_that(cohort: Cohort, home: Path) -> None:
    carry_out(cohort)
    write(home, ENTRY_12.replace("2021-03-13", "2021-03-32"), ENTRY_13)
    assert len(told("entry_unreadable")) == 1
    assert told("calendar_mismatch") == []


# -- the command line --------------------------------------------------------------------------------------------------


def test_the_command_line_names_them(cohort: Cohort, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(show, "today", lambda: date(2021, 3, 15))
    result = CliRunner().invoke(app, ["cohorts"])
    assert result.exit_code == 0
    assert "gelombang-13 has no roster, and its deadline, 2021-03-16, is in 1 day" in result.stderr
    write(home, ENTRY_12, ENTRY_13.replace("2021-03-16", "2021-02-30"))
    result = CliRunner().invoke(app, ["cohorts", "--json"])
    assert result.exit_code == 1, "a cohort lacks"
    assert [row["cohort"] for row in json.loads(result.stdout)] == [12]
    assert 'entry 2 (cohort 13): `deadline_on` is "2021-02-30"' in result.stderr
    write(home, ENTRY_13)
    assert "gelombang-12 has a roster but is not in the calendar" in CliRunner().invoke(app, ["cohorts"]).stderr
