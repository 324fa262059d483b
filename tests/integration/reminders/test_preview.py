"""A run's texts, and its preview."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from prakerja.calendar import find_cohort
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.reminders import preview, texts
from tests.support.reminder_desk import H7, NINE, Desk, person, phone


def test_a_run_keeps_its_texts(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    many.send()
    monkeypatch.setattr(texts.Texts, "sha256", "0" * 64)
    with pytest.raises(PrakerjaError, match="the texts v2 were changed since gelombang-12 on 2021-03-06 began"):
        many.send(NINE + timedelta(minutes=5))


def test_a_preview_counts_and_shows_and_sends_nothing(desk: Desk) -> None:
    desk.roster([person(1, phone(1)), person(2, phone(2)), person(3, email="a@x.example"), person(4)])
    found = preview.preview(find_cohort(12), H7, H7)
    assert (found.people, found.messages) == (4, 3)
    assert found.cost_idr == 2 * 2 * programme().reminders.channels["sms"].price_idr + 10
    assert "Siti" in found.texts_shown["sms, not purchased, lacks nothing"]
    assert desk.rows() == []
    with pytest.raises(PrakerjaError, match="no reminder on 2021-03-07: it has H-7 on 2021-03-06, H-3"):
        preview.preview(find_cohort(12), date(2021, 3, 7), H7)
