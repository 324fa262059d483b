"""Quiet hours, expiry, and limits per number and provider."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta

import pytest

from prakerja import warehouse
from prakerja.programme import programme
from prakerja.reminders import outbox
from prakerja.settings import WIB
from tests.support.reminder_desk import NINE, Desk, person, phone

AT_NIGHT = [  # instants in WIB; who may be written to: Jakarta, Denpasar, Jayapura
    ("2021-03-06T05:59:59.999999", ""),
    ("2021-03-06T06:00:00", "P"),
    ("2021-03-06T07:00:00", "DP"),
    ("2021-03-06T08:00:00", "JDP"),
    ("2021-03-06T17:59:59.999999", "JDP"),
    ("2021-03-06T18:00:00", "JD"),
    ("2021-03-06T19:00:00", "J"),
    ("2021-03-06T20:00:00", ""),
    # On the deadline's day the next morning is too late.
    ("2021-03-13T05:00:00", ""),
    ("2021-03-13T18:00:00", "JDP"),
    ("2021-03-13T23:59:59.999999", "JDP"),
]


@pytest.mark.parametrize(("at", "awake"), AT_NIGHT)
def test_nothing_is_sent_at_night_unless_the_morning_is_too_late(
    connection: warehouse.Connection, at: str, awake: str
) -> None:
    found = connection.exec_driver_sql(
        "select string_agg(who, '' order by place) from (values ('J', '31', 1), ('D', '51', 2), ('P', '94', 3))"
        " as p (who, region, place) where may_leave(%s, region, '2021-03-13', 8, 20)",
        (f"{at}+07:00",),
    ).scalar_one()
    assert (found or "") == awake


def test_messages_held_back_at_night_leave_in_the_morning(desk: Desk) -> None:
    desk.roster([person(1, phone(1), region="31"), person(2, phone(2), region="94")])
    evening = NINE.replace(hour=18, minute=30)
    progress = desk.send(evening)
    assert [to for _, to, _ in desk.messages()] == ["+6281234500001"]
    assert progress.waiting["held_back"] == 1
    assert not progress.is_done
    while desk.rows("state")[0] == ("accepted",):  # its receipt is on its way
        time.sleep(0.01)
    assert desk.until_done(evening + timedelta(hours=12)) == {"targeted": 2, "delivered": 2}


def test_a_message_that_is_too_late_expires(desk: Desk) -> None:
    desk.roster([person(1, phone(1))])
    desk.send(NINE.replace(hour=21))
    assert outbox.close_overdue_and_forget(datetime(2021, 3, 8, tzinfo=WIB) - timedelta(microseconds=1))[0] == 0
    assert outbox.close_overdue_and_forget(datetime(2021, 3, 8, tzinfo=WIB))[0] == 1
    assert desk.until_done(datetime(2021, 3, 8, 9, tzinfo=WIB)) == {"targeted": 1, "expired": 1}
    assert desk.messages() == []


def test_a_number_over_its_daily_limit_is_reached_by_e_mail(desk: Desk) -> None:
    most = programme().reminders.per_number_a_day
    shared = [person(n, "08123450000" if n % 2 else "+628123450000", f"a{n}@x.example") for n in range(1, most + 3)]
    desk.roster(shared)
    desk.until_done()
    assert Counter(provider for provider, *_ in desk.messages()) == {"first": most, "email": 2}


def test_all_senders_together_keep_a_providers_pace(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.roster([person(n, phone(n)) for n in range(1, 200)])
    monkeypatch.setattr(programme().reminders.channels["sms"], "per_second", 100)
    for _ in range(90):
        outbox.pause_provider("another", 600)  # as a provider's answers may ask for, each of them
    assert 300 < outbox.seconds_until_free("another") <= 600
    outbox.pause_provider("sms", 0.5)
    began = time.monotonic()
    desk.send()
    assert time.monotonic() - began > 0.5 + 0.96 * 2, "a batch waited for those before it"
