"""The commands about reminders: they count, show, and repeat no number."""

from __future__ import annotations

import re

import pytest

from prakerja.errors import PrakerjaError
from tests.support.reminder_desk import MANY, Desk


def test_the_commands_count_and_show_without_a_number(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    from typer.testing import CliRunner

    from prakerja.cli import app

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, list(arguments))
        output = done.output + (str(done.exception) if isinstance(done.exception, PrakerjaError) else "")
        assert isinstance(done.exception, PrakerjaError | SystemExit | None), done.exception
        assert not re.search(r"\d{10}", output)
        return done.exit_code, output

    card = str(10**15 + 1)
    assert run("reminders", "opt-out", card, "--channel", "sms", "--as", "Ani") == (0, "no more reminders by sms\n")
    many.until_done()
    (shown,) = json.loads(run("reminders", "12", "--json")[1])
    assert (shown["targeted"], shown["delivered"], shown["suppressed"], shown["status"]) == (
        MANY,
        MANY - 1,
        1,
        "complete",
    )
    assert f" {MANY} │" in run("reminders")[1]
    (row,) = [row for row in json.loads(run("cohorts", "--json")[1]) if row["cohort"] == 12]
    assert row["reminded"] == MANY - 1
    assert row["reminder_runs"] == [shown]
    assert "state suppressed, why opted_out" in run("explain", card)[1]
    assert run("reminders", "opt-out", card, "--undo", "--as", "Ani") == (0, "reminders again\n")
    code, output = run("reminders", "preview", "12", "--on", "2021-03-06")
    assert (code, "30 people, 30 messages, Rp 18,000; texts v2" in output) == (0, True)
    for wrong, why in (
        (("reminders", "retry", "12", "--on", "2021-03-10"), "no reminder run on 2021-03-10"),
        (("reminders", "retry", "99", "--on", "2021-03-06"), "cohort 99 is not in the calendar"),
        (("reminders", "preview", "12", "--on", "2021-03-07"), "no reminder on 2021-03-07"),
        (("reminders", "opt-out", "1234", "--as", "Ani"), "no roster has this card"),
        (("reminders", "opt-out", card, "--channel", "pigeon", "--as", "Ani"), "sms, email or both"),
        (("reminders", "opt-out", card, "--as", " "), "give a reason and a person"),
        (("reminders", "lacks", str(many.folder)), "is not readable as CSV"),
    ):
        code, output = run(*wrong)
        assert code != 0
        assert why in output
