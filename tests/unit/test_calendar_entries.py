"""Entries of the calendar that cannot be read: each told in a line, and no other cohort stops for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from prakerja import calendar
from prakerja.errors import PrakerjaError

GOOD = "- {cohort: 13, announced_on: 2021-03-10, deadline_on: 2021-04-08}\n"
DATES = "announced_on: 2021-03-05, deadline_on: 2021-04-03"


@pytest.mark.parametrize(
    ("entry", "cohort", "field", "value"),
    [
        ("cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-02-30", 12, "deadline_on", '"2021-02-30"'),
        ("cohort: 12, announced_on: 2021-13-05, deadline_on: 2021-04-03", 12, "announced_on", '"2021-13-05"'),
        ("cohort: 12, announced_on: 2021-03-05, deadline_on: '2021-04-03'", 12, "deadline_on", '"2021-04-03"'),
        ("cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-04-03 23:59:00", 12, "deadline_on", "2021-04-03 23"),
        ("cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-04-31 23:59:00", 12, "deadline_on", '"2021-04-31 23'),
        ("cohort: 12, announced_on: 2021-03-05, deadline_on: 0001-01-01 00:00:00+23:00", 12, "deadline_on", "0001-01"),
        ("cohort: 12, announced_on: 2021-03-05, deadline_on: 20210403", 12, "deadline_on", "20210403"),
        ("cohort: 12, announced_on: 2021-03-05, deadline_on: 9999-12-31", 12, "deadline_on", "9999-12-31"),
        ("cohort: 12, announced_on: 0001-01-01, deadline_on: 2021-04-03", 12, "announced_on", "0001-01-01"),
        ("cohort: 12, announced_on: 2021-03-05", 12, "deadline_on", "not there"),
        ("cohort: 12, announced_on: 2021-03-05, deadline_on: [2021-04-03]", 12, "deadline_on", "a list"),
        ("cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-05", 12, "deadline_on", "2021-03-05"),
        (f"cohort: true, {DATES}", None, "cohort", "true"),
        (f"cohort: '12', {DATES}", None, "cohort", '"12"'),
        (f"cohort: 12.0, {DATES}", None, "cohort", "12.0"),
        (f"cohort: 0, {DATES}", None, "cohort", "0"),
        (f"cohort: 0x_, {DATES}", None, "cohort", '"0x_"'),
        (f"cohort: 0b_, {DATES}", None, "cohort", '"0b_"'),
        (f"cohort: {'9' * 5000}, {DATES}", None, "cohort", '"999'),
        (f"cohort: 0x{'f' * 5000}, {DATES}", None, "cohort", "a number of more than"),
        (DATES, None, "cohort", "not there"),
        (f"cohort: 12, cohort: 11, {DATES}", None, "cohort", "stands there twice"),
        (f"cohort: 12, {DATES}, deadline_on: 2021-04-04", 12, "deadline_on", "stands there twice"),
        (f"cohort: 12, {DATES}, recipients: 600.000", 12, "recipients", "600.0"),
        (f"cohort: 12, {DATES}, recipients: yes", 12, "recipients", "true"),
        (f"cohort: 12, {DATES}, recipients: -1", 12, "recipients", "-1"),
        (f"cohort: 12, {DATES}, revoked: about 11000", 12, "revoked", '"about 11000"'),
        (f"cohort: 12, {DATES}, reminder_days: 7", 12, "reminder_days", "7"),
        (f"cohort: 12, {DATES}, reminder_days: [7, true]", 12, "reminder_days", "a list"),
        (f"cohort: 12, {DATES}, reminder_days: no", 12, "reminder_days", "false"),
        (f"cohort: 12, {DATES}, audience: everybody", 12, "audience", '"everybody"'),
        (f"cohort: 12, {DATES}, audience: [all]", 12, "audience", "a list"),
        (f"cohort: 12, {DATES}, not_bought: 12000", 12, "not_bought", "12000"),
        (f"cohort: 12, {DATES}, not_bought: {{as_of: 2021-02-30, recipients: 1}}", 12, "not_bought.as_of", '"2021-02'),
        (f"cohort: 12, {DATES}, not_bought: {{as_of: 2021-04-01, recipients: yes}}", 12, "not_bought.recipients", "tr"),
        (f"cohort: 12, {DATES}, extensions: 2021-04-10", 12, "extensions", "2021-04-10"),
        (f"cohort: 12, {DATES}, extensions: no", 12, "extensions", "false"),
        (f"cohort: 12, {DATES}, extensions: [2021-04-10]", 12, "extensions[1]", "2021-04-10"),
        (
            f"cohort: 12, {DATES}, extensions: [{{announced_on: 2021-04-01, deadline_on: 2021-04-31, because: flood}}]",
            12, "extensions[1].deadline_on", '"2021-04-31"',
        ),
        (
            f"cohort: 12, {DATES}, extensions: [{{announced_on: 2021-04-01, deadline_on: 2021-04-03, because: flood}}]",
            12, "extensions[1].deadline_on", "2021-04-03",
        ),
        (
            f"cohort: 12, {DATES}, extensions: [{{announced_on: 2021-04-01, deadline_on: 2021-04-10}}]",
            12, "extensions[1].because", "not there",
        ),
        (
            f"cohort: 12, {DATES}, extensions: [{{announced_on: 2021-04-01, deadline_on: 2021-04-10, because: a,"
            " because: b}]",
            12, "extensions[1].because", "stands there twice",
        ),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_read_is_told_in_a_line_and_the_others_are_read(
    calendar_file: Path, entry: str, cohort: int | None, field: str, value: str
) -> None:
    calendar_file.write_text(f"cohorts:\n- {{{entry}}}\n{GOOD}")
    assert list(calendar.calendar()) == [13]
    (unreadable,) = calendar.unreadable_entries()
    assert (unreadable.position, unreadable.cohort) == (1, cohort)
    named = f" (cohort {cohort})" if cohort else ""
    assert unreadable.text.startswith(f"the calendar {calendar_file}, entry 1{named}: `{field}` ")
    assert value in unreadable.text
    assert unreadable.text.isprintable()
    assert len(unreadable.text) < len(str(calendar_file)) + 220
    if cohort is not None:
        with pytest.raises(PrakerjaError, match="entry 1"):
            calendar.find_cohort(cohort)


@pytest.mark.parametrize("entry", ["2021-03-05", "[12]", "null", "gelombang"])
def test_an_entry_that_is_no_mapping_is_told(calendar_file: Path, entry: str) -> None:
    calendar_file.write_text(f"cohorts:\n{GOOD}- {entry}\n")
    assert list(calendar.calendar()) == [13]
    (unreadable,) = calendar.unreadable_entries()
    assert "entry 2: " in unreadable.text
    assert "has no cohort, announced_on and deadline_on" in unreadable.text


def test_a_cohort_that_stands_there_twice_is_neither_of_them(calendar_file: Path) -> None:
    calendar_file.write_text(f"cohorts:\n- {{cohort: 12, {DATES}}}\n{GOOD}- {{cohort: 12, {DATES}}}\n")
    assert list(calendar.calendar()) == [13]
    (unreadable,) = calendar.unreadable_entries()
    assert unreadable.text.endswith("entries 1 and 3 (cohort 12): both have `cohort` 12: take one away")
    calendar_file.write_text(f"cohorts:\n- {{cohort: 13, announced_on: 2021-03-10, deadline_on: 2021-02-30}}\n{GOOD}")
    assert list(calendar.calendar()) == [], "which of them is meant, nobody knows"
    assert len(calendar.unreadable_entries()) == 2


def test_a_value_is_told_in_one_line_whatever_it_is(calendar_file: Path) -> None:
    calendar_file.write_text('cohorts:\n- {cohort: 12, announced_on: "a\\nb\\e[2J", deadline_on: 2021-04-03}\n' + GOOD)
    (unreadable,) = calendar.unreadable_entries()
    assert unreadable.text.isprintable()
    assert r'"a\nb\x1b[2J"' in unreadable.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cohorts: [", "is not YAML at line 1: correct it"),
        ("cohorts: " + "[" * 5000, "is not YAML"),
        ("cohorts: !!python/object:os.system {}", "is not YAML at line 1"),
        ("- 1", "has no list `cohorts`"),
        ("cohorts: 2021-02-30", "has no list `cohorts`"),
        (f"cohorts:\n{GOOD}cohorts:\n{GOOD}", "has `cohorts` twice"),
    ],
)
def test_a_file_that_is_no_calendar_is_told_whole(calendar_file: Path, text: str, told: str) -> None:
    calendar_file.write_text(text)
    for asked in (calendar.calendar, calendar.unreadable_entries):
        with pytest.raises(PrakerjaError, match=told):
            asked()


def test_a_key_that_is_not_known_is_warned_of(calendar_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    calendar_file.write_text(f"cohorts:\n- {{cohort: 12, {DATES}, extension: soon}}\n")
    assert list(calendar.calendar()) == [12]
    assert '"extension" is not known, and ignored' in caplog.text
