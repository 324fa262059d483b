"""Whom a reminder is for, and when: each once, however often it runs."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from prakerja.calendar import find_cohort
from prakerja.cohorts import people
from prakerja.errors import PrakerjaError
from prakerja.feeds import intake
from prakerja.reminders import outbox, preferences
from prakerja.settings import WIB
from tests.support.landing_zone import Row, deliver
from tests.support.reminder_desk import H7, MANY, NINE, Desk, buys, person, phone


def test_everyone_who_has_not_bought_gets_one_message_in_repeated_runs(many: Desk) -> None:
    assert many.until_done() == {"targeted": MANY, "delivered": MANY}
    assert many.until_done() == {"targeted": MANY, "delivered": MANY}
    found = many.messages()
    assert len({to for _, to, _ in found}) == len(found) == MANY
    assert all("13 Maret 2021 pukul 23.59 WIB" in text for *_, text in found)
    assert all(to.startswith("+62812345") for _, to, _ in found)
    assert not any(re.search(r"\d{12}", text) for *_, text in found), "no card, no NIK"


def test_no_run_begins_after_its_date(many: Desk) -> None:
    assert many.send(NINE + timedelta(days=1)).counts == {}
    assert many.messages() == []


def test_a_run_does_not_begin_before_its_roster_is_there(desk: Desk) -> None:
    """Whom a run is for is settled when it begins: one that had begun with nobody would stay without anybody."""
    assert desk.send().counts == {}
    desk.roster([person(1, phone(1))])
    assert desk.until_done(NINE) == {"targeted": 1, "delivered": 1}


def test_a_recipient_who_has_just_bought_opted_out_or_been_suspended_gets_nothing(
    many: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = outbox.recover_orphans

    def meanwhile(run: outbox.Run, at: datetime) -> None:
        real(run, at)  # every message is queued here
        buys(many, 1)
        people.suspend(str(10**15 + 2), H7, is_permanent=False, because="x", suspended_by="siti")
        people.withdraw(str(10**15 + 3), H7, because="x", recorded_by="siti")
        preferences.record_opt_out(str(10**15 + 4), ("sms",), is_opted_out=True, on=H7, recorded_by="siti")

    monkeypatch.setattr(outbox, "recover_orphans", meanwhile)
    many.send()
    monkeypatch.undo()
    assert {to for _, to, _ in many.messages()} == {f"+62812345{n:05}" for n in range(5, MANY + 1)}
    assert [row[2] for row in many.rows()[:4]] == ["purchased", "suspended", "withdrawn", "opted_out"]
    assert {row[1] for row in many.rows()[:4]} == {"suppressed"}


def test_an_audience_of_all_includes_those_who_have_bought(many: Desk) -> None:
    buys(many, 1)
    (many.folder / "calendar.yaml").write_text(
        "cohorts:\n- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13, note: short,"
        " audience: all, reminder_days: [7, 0]}\n"
    )
    from prakerja import calendar

    calendar._read.cache_clear()
    assert [event.kind for event in find_cohort(12).events()] == ["H-7", "H-0", "deadline"]
    many.send()
    (bought,) = [text for _, to, text in many.messages() if to == "+6281234500001"]
    assert "sudah kami terima" in bought
    assert len(many.messages()) == MANY


def test_held_recipients_and_those_with_a_missing_step_get_their_own_text(desk: Desk) -> None:
    desk.roster([person(n, phone(n)) for n in range(1, 6)])
    noon = datetime(2021, 3, 5, 12, tzinfo=WIB)
    damaged = Row(transaction_id="x", event="PAID", occurred_at=noon, card=f"{10**15 + 5}.0", amount=5000)
    good = [
        Row(transaction_id=f"g{n}", event="PAID", occurred_at=noon, card=f"{9 * 10**15 + n}", amount=5)
        for n in range(30)
    ]
    deliver(
        desk.folder / "landing", "tokopedia", "2021-03-05", [damaged, *good], generated_at="2021-03-06T01:00:00+07:00"
    )
    assert intake.take_in("tokopedia", H7).rejected == []
    (desk.folder / "lacks.csv").write_text(
        f"card_number,lacks\n{10**15 + 1},videos\n{10**15 + 2},password\n{10**15 + 3},steps\n{8 * 10**15},steps\n"
    )
    assert preferences.load_missing_steps(desk.folder / "lacks.csv", H7) == preferences.StepsIntake(4, 3, 1)
    desk.send()
    texts = {to[-1]: text for _, to, text in desk.messages()}
    for number, words in zip(
        "12345", ("video", "kata sandi", "Caranya", "Masuk ke", "sedang kami periksa"), strict=True
    ):
        assert words in texts[number]
    assert len(set(texts.values())) == 5


@pytest.mark.parametrize(
    "line",
    ["1234,videos", f"{10**15 + 1},everything", f"{10**15 + 1}", f"{10**15 + 1},videos\n{10**15 + 1},steps"],
)  # fmt: skip
def test_a_report_with_a_bad_line_is_refused_whole_and_names_no_card(desk: Desk, line: str) -> None:
    desk.roster([person(1, phone(1))])
    (desk.folder / "lacks.csv").write_text(f"card_number,lacks\n1000000000000001,videos\n{line}\n")
    with pytest.raises(PrakerjaError, match=r"lacks.csv, line [34]: .*nothing was loaded") as refused:
        preferences.load_missing_steps(desk.folder / "lacks.csv", H7)
    assert "1000000000000001" not in str(refused.value)
