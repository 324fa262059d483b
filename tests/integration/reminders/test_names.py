"""What recipients are called, as their messages arrive: no letter of a name is lost on the way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from prakerja.programme import programme
from tests.support.reminder_desk import NINE, Desk, magic, person, phone


def named(name: str, line: str) -> str:
    first, _, rest = line.partition(",Putri Nama")
    return f"{first},{name},{rest.partition(',')[2]}"


def test_a_name_arrives_whole_or_as_participant(desk: Desk) -> None:
    desk.roster(
        [
            named("Łukasz Nowak", person(1, phone(1))),
            named("Łukasz Nowak", person(2, email="a@x.example")),
            named("محمد علي", person(3, phone(3))),
            named("محمد علي", person(4, email="b@x.example")),
            named("M. Rizki", person(5, phone(5))),
        ]
    )
    desk.until_done()
    texts = {to: text for _, to, text in desk.messages()}
    assert "Kartu Prakerja: Lukasz, Anda" in texts[phone(1).replace("08", "+628", 1)]
    assert "Halo Łukasz," in texts["a@x.example"]
    assert "Kartu Prakerja: Peserta, Anda" in texts[phone(3).replace("08", "+628", 1)]
    assert "Halo محمد," in texts["b@x.example"]
    assert "Kartu Prakerja: Rizki, Anda" in texts[phone(5).replace("08", "+628", 1)]
    assert {segments for (segments,) in desk.rows("segments")} == {1, 2}, "an e-mail, an SMS"


def test_a_message_that_a_gateway_may_have_keeps_its_name_when_texts_change(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway refuses another text under a key that it has."""
    desk.roster([named("Łukasz Nowak", person(1, magic("09")))])
    monkeypatch.delenv("PRAKERJA_RECEIPTS_URL")  # nobody else says that it arrived
    monkeypatch.setattr(programme().reminders, "texts", "v1")
    assert desk.send().waiting["to_be_tried_again"] == 1
    assert desk.rows("state") == [("unknown",)]
    monkeypatch.setattr(programme().reminders, "texts", "v2")
    assert desk.until_done(NINE + timedelta(minutes=5)) == {"targeted": 1, "accepted": 1}
    ((_, _, text),) = desk.messages()
    assert "Kartu Prakerja: ukasz," in text
