"""Which day has which events of a cohort whose deadline is extended: those of the deadline that is known on it."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from prakerja.calendar import Cohort, Extension
from prakerja.replay import days
from prakerja.run_context import RunContext
from prakerja.settings import WIB

FIRST, SECOND = date(2021, 4, 20), date(2021, 5, 4)


def extended(announced_on: date, deadline_on: date = SECOND) -> Cohort:
    """Gelombang 12, until 20 April; extended to 4 May, as is announced on a day."""
    extension = Extension(announced_on, deadline_on, "flood")
    return Cohort(date(2021, 3, 22), 12, deadline_on, extensions=(extension,), first_deadline_on=FIRST)


def names(cohort: Cohort) -> list[str]:
    return [f"{event.kind} {event.on:%m-%d}" for event in cohort.events()]


def test_an_event_belongs_to_the_deadline_that_it_was_for() -> None:
    first, second = ["H-7", "H-3", "H-1", "deadline"], ["H-7", "H-3", "H-1", "deadline"]
    events = extended(date(2021, 4, 23)).events()
    assert [(event.kind, event.deadline_on) for event in events] == [
        *((kind, FIRST) for kind in first),
        *((kind, SECOND) for kind in second),
    ]


@pytest.mark.parametrize(
    ("announced_on", "expected"),
    [
        # The last day of the first deadline's H-7 is the one before the announcement.
        (date(2021, 4, 13), ["H-7 04-27", "H-3 05-01", "H-1 05-03", "deadline 05-04"]),
        (date(2021, 4, 14), ["H-7 04-13", "H-7 04-27", "H-3 05-01", "H-1 05-03", "deadline 05-04"]),
        (date(2021, 4, 17), ["H-7 04-13", "H-7 04-27", "H-3 05-01", "H-1 05-03", "deadline 05-04"]),
        (date(2021, 4, 18), ["H-7 04-13", "H-3 04-17", "H-7 04-27", "H-3 05-01", "H-1 05-03", "deadline 05-04"]),
        # The first deadline is decided on 22 April: announced on that day, it is not decided any more.
        (
            date(2021, 4, 22),
            ["H-7 04-13", "H-3 04-17", "H-1 04-19", "H-7 04-27", "H-3 05-01", "H-1 05-03", "deadline 05-04"],
        ),
        (
            date(2021, 4, 23),
            ["H-7 04-13", "H-3 04-17", "H-1 04-19", "deadline 04-20", "H-7 04-27", "H-3 05-01", "H-1 05-03",
             "deadline 05-04"],
        ),
        # What lies before the announcement is not made up for: nobody was reminded of a deadline that nobody knew.
        (date(2021, 5, 2), ["H-7 04-13", "H-3 04-17", "H-1 04-19", "deadline 04-20", "H-1 05-03", "deadline 05-04"]),
    ],
)  # fmt: skip
def test_each_day_has_the_events_of_the_deadline_that_is_known_on_it(announced_on: date, expected: list[str]) -> None:
    assert names(extended(announced_on)) == expected


def test_a_deadline_that_is_announced_after_its_decision_was_due_is_decided_that_day() -> None:
    events = extended(date(2021, 5, 20)).events()
    assert (events[-1].on, events[-1].run_at) == (SECOND, datetime(2021, 5, 20, 6, tzinfo=WIB))


def test_a_reminder_of_both_deadlines_on_one_day_is_one_run() -> None:
    """H-3 of the first deadline and H-7 of the second fall on one day, and on one logical date."""
    cohort = extended(date(2021, 4, 17), FIRST + timedelta(days=4))
    assert [(e.kind, e.on) for e in cohort.events() if e.run_at.date() == date(2021, 4, 17)] == [
        ("H-7", date(2021, 4, 17))
    ]
    later = extended(date(2021, 4, 18), FIRST + timedelta(days=4))
    assert [e.kind for e in later.events() if e.on == date(2021, 4, 17)] == ["H-3"]
    for each in (cohort, later):
        assert len({event.logical_date for event in each.events()}) == len(each.events())


def test_two_extensions_each_begin_with_their_own_announcement() -> None:
    third = Extension(date(2021, 4, 28), date(2021, 5, 18), "flood again")
    first = extended(date(2021, 4, 15))
    cohort = Cohort(
        first.announced_on, 12, third.deadline_on, extensions=(*first.extensions, third), first_deadline_on=FIRST
    )
    assert names(cohort) == ["H-7 04-13", "H-7 04-27", "H-7 05-11", "H-3 05-15", "H-1 05-17", "deadline 05-18"]


@pytest.mark.parametrize("announced_on", [date(2021, 4, 13), date(2021, 4, 14), date(2021, 4, 23), date(2021, 5, 20)])
def test_the_timetable_a_replay_and_a_run_agree_on_every_day(
    announced_on: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the scheduler makes, a replay plays, and each such run finds its event on its own day."""
    from prakerja import calendar, run_context

    cohort = extended(announced_on)
    monkeypatch.setattr(run_context, "find_cohort", lambda _: cohort)
    monkeypatch.setattr(calendar, "calendar", lambda: {12: cohort})
    played = []
    for number in range(90):
        due = days.list_due_runs(cohort.announced_on + timedelta(days=number), [cohort], None)
        played += [each.run_id for each in due if each.dag_id == "cohort_deadline"]
    assert played == [event.name for event in cohort.events()]
    for event in cohort.events():
        found = RunContext.from_cohort_run(event.name, None, event.run_at)
        assert (found.kind, found.on, found.name) == (event.kind, event.on, event.name)


def test_a_run_that_names_the_cohort_alone_is_for_the_deadline_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    from prakerja import run_context

    cohort = extended(date(2021, 4, 23))
    monkeypatch.setattr(run_context, "find_cohort", lambda _: cohort)
    for day, deadline_on in ((22, FIRST), (23, SECOND)):
        now = datetime(2021, 4, day, 12, tzinfo=WIB)
        assert RunContext.from_cohort_run("manual__x", {"cohort": 12}, now).on == deadline_on
    earlier = RunContext.from_cohort_run("gelombang-12__H-7__2021-04-13", None, datetime(2021, 4, 25, tzinfo=WIB))
    assert earlier.is_late, "a run of the past is for its own date, and reminds nobody"
