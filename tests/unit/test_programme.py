"""The programme's rules: read as a whole, and what does not fit is told with file, line and field."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from prakerja.errors import PrakerjaError
from prakerja.platforms import platforms
from prakerja.programme import Programme, programme
from prakerja.settings import INCLUDE, Settings, programme_path
from prakerja.typed_yaml import load_typed

TEXT = (INCLUDE / "program.yaml").read_text(encoding="utf-8")


def load(tmp_path: Path, text: str) -> str:
    """Return what loading a file of this text says is wrong with it."""
    path = tmp_path / "program.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PrakerjaError) as refused:
        load_typed(path, Programme, "the programme")
    told = str(refused.value)
    assert "\n" not in told
    assert told.startswith(f"the programme {path}")
    return told.removeprefix(f"the programme {path}")


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("settlement_days: 1 ", "setlement_days: 1 ", "`setlement_days`: Extra inputs are not permitted"),
        ("settlement_days: 1 ", "settlement_days: 31 ", "`settlement_days`: Input should be less than or equal to 30"),
        ("settlement_days: 1 ", "settlement_days: one ", "`settlement_days`: Input should be a valid integer"),
        ("settlement_days: 1 ", "settlement_days: 1.0 ", "`settlement_days`: Input should be a valid integer"),
        ("settlement_days: 1 ", "settlement_days: yes ", "`settlement_days`: Input should be a valid integer"),
        ("overdue_share_max: 0.12", "overdue_share_max: 12", "`revocations.overdue_share_max`: Input should be less"),
        ("overdue_share_max: 0.12", "overdue_share_max: .nan", "`revocations.overdue_share_max`: Input should be"),
        ("  approvers: 1 ", "  approvers: 0 ", "`approvals.approvers`: Input should be greater than or equal to 1"),
        ("  approvers: 1 ", "  approvers: 3 ", "`approvals`: approvers_above is 2, fewer than approvers, 3"),
        ("days: [7, 3, 1]", "days: [7, 3, 3]", "`reminders`: days has a day twice"),
        ("days: [7, 3, 1]", "days: [7, 61, 1]", "`reminders.days.1`: Input should be less than or equal to 60"),
        ("days: [7, 3, 1]", "days: []", "`reminders.days`: List should have at least 1 item"),
        ("leave_from_hour: 8 ", "leave_from_hour: 20 ", "`reminders`: leave_from_hour is 20, not before"),
        ("audience: not_purchased", "audience: nobody", "`reminders.audience`: Input should be"),
        ("price_idr: 300", "price_idr: -1", "`reminders.channels.sms.price_idr`: Input should be greater"),
        ("  texts: v2", "  texts: ../v2", "`reminders.texts`: String should match pattern"),
    ],
)  # fmt: skip
def test_an_invalid_programme_is_reported_by_line_and_field(tmp_path: Path, was: str, now: str, told: str) -> None:
    assert TEXT.count(was) == 1
    found = load(tmp_path, TEXT.replace(was, now))
    field = told.partition("`")[2].partition("`")[0]
    # A rule about several fields is told at the mapping that has them.
    begins = f"{field}:" if "." not in field and found.count("`: ") and f"\n{field}:" in TEXT else now
    line = next(n for n, each in enumerate(TEXT.replace(was, now).split("\n"), 1) if begins in each)
    assert found.startswith(f", line {line}: {told}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TEXT.replace("settlement_days: 1 ", ""), ", line 1: `settlement_days`: Field required"),
        (f"{TEXT}window_days: 15\n", ", line 3: `window_days` stands there twice: take one away"),
        (TEXT.replace("  approvers: 1 ", "  approvers: 1\n  approvers: 2 "), ", line 24: `approvals.approvers` stands"),
        ("window_days: [", " is not YAML at line"),
        ("- 30\n", " is not a mapping"),
        ("", " is not a mapping"),
        ("[" * 10_000, " is not YAML"),
        ("a: &a [*a]\n", " is not YAML"),
        ("a: !!timestamp x\n", " is not YAML"),
        ('a: !!int ""\n', " is not YAML"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_programme_is_told(tmp_path: Path, text: str, told: str) -> None:
    assert load(tmp_path, text).startswith(told)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PrakerjaError, match=r"cannot be read \(No such file or directory\)"):
        load_typed(tmp_path / "program.yaml", Programme, "the programme")


def test_the_rule_of_a_day_is_the_one_of_then(tmp_path: Path) -> None:
    earlier = "earlier: [{until: 2026-12-31, one_approver_up_to: 10, approvers: 1, approvers_above: 3}]"
    path = tmp_path / "program.yaml"
    path.write_text(TEXT.replace("  answer_within_hours", f"  {earlier}\n  answer_within_hours"), encoding="utf-8")
    approvals, until = load_typed(path, Programme, "the programme").approvals, date(2026, 12, 31)
    assert [approvals.as_of(until).count_approvers(people) for people in (10, 11)] == [1, 3]
    assert [approvals.as_of(until + timedelta(days=1)).count_approvers(people) for people in (50_000, 50_001)] == [1, 2]
    assert programme().approvals.as_of(until) == programme().approvals


def test_reminders_outside_the_window_are_refused(tmp_path: Path) -> None:
    assert "`reminders.days`: has 7, which is not inside a window of 7 days" in load(
        tmp_path, TEXT.replace("window_days: 30 ", "window_days: 7 ")
    )
    (tmp_path / "program.yaml").write_text(TEXT.replace("window_days: 30 ", "window_days: 8 "))
    assert load_typed(tmp_path / "program.yaml", Programme, "the programme").window_days == 8


def test_another_programme_is_a_folder_and_what_it_lacks_is_that_of_include(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program.yaml").write_text(TEXT.replace("settlement_days: 1 ", "settlement_days: 3 "))
    (tmp_path / "platforms").mkdir()
    monkeypatch.setenv("PRAKERJA_PROGRAMME", str(tmp_path))
    monkeypatch.delenv("PRAKERJA_CALENDAR", raising=False)
    assert programme().settlement_days == 3
    assert platforms() == {}
    assert programme_path("messages") == INCLUDE / "messages"
    assert Settings.from_environment().calendar == INCLUDE / "cohorts.yaml"
    (tmp_path / "cohorts.yaml").write_text("cohorts: []")
    assert Settings.from_environment().calendar == tmp_path / "cohorts.yaml"
    monkeypatch.delenv("PRAKERJA_PROGRAMME")
    assert (programme().settlement_days, len(platforms())) == (1, 7)


def test_a_folder_without_rules_is_no_programme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAKERJA_PROGRAMME", str(tmp_path))
    with pytest.raises(PrakerjaError, match=r"program.yaml is not there: correct PRAKERJA_PROGRAMME or --programme"):
        programme()
