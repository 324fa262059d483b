"""Reminders: written first, unique, sent once over real HTTP, taken up again after a kill."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import pytest

from prakerja import warehouse
from prakerja.calendar import Cohort, cohort
from prakerja.cohorts.roster import take_in_rosters
from prakerja.errors import PrakerjaError
from prakerja.reminders import channels, outbox, sandbox
from tests.landing_zone import deliver_roster, roster_line

H7 = date(2021, 3, 6)
PEOPLE = 30


@pytest.fixture
def wave(home: Path) -> Cohort:
    deliver_roster(home / "landing", 12, [roster_line(n) for n in range(1, PEOPLE + 1)], "2021-03-05", "2021-03-13")
    take_in_rosters(H7)
    return cohort(12)


@pytest.fixture
def inbox(home: Path) -> Iterator[Path]:
    with sandbox.running(home / "sandbox.sqlite"):
        yield home / "sandbox.sqlite"


def messages(inbox: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(inbox) as connection:
        return connection.execute("select recipient, text from messages").fetchall()


def test_everyone_who_has_not_bought_gets_one_message_however_often_it_runs(wave: Cohort, inbox: Path) -> None:
    assert outbox.send_reminders(wave, H7, H7) == {"accepted": PEOPLE}
    assert outbox.send_reminders(wave, H7, H7) == {"accepted": PEOPLE}
    found = messages(inbox)
    assert len({to for to, _ in found}) == len(found) == PEOPLE
    assert all("13 Maret 2021 pukul 23.59 WIB (7 hari lagi)" in text for _, text in found)
    assert not any(f"{10**15 + n}" in text for n in range(PEOPLE + 1) for _, text in found)


def test_a_date_that_is_over_sends_nothing(wave: Cohort, inbox: Path) -> None:
    assert outbox.send_reminders(wave, H7, date(2021, 3, 7)) == {}
    assert messages(inbox) == []


def test_the_database_keeps_one_per_recipient_date_and_channel(wave: Cohort, inbox: Path) -> None:
    outbox.send_reminders(wave, H7, H7)
    again = (
        "insert into reminders (recipient_id, cohort, remind_on, channel, template) values (1, 12, %s, 'sms', 'held')"
    )
    with pytest.raises(warehouse.RefusedError, match="reminders_recipient_id_cohort_remind_on_channel_key"), \
            warehouse.transaction() as connection:  # fmt: skip
        connection.exec_driver_sql(again, (H7,))


def test_a_kill_after_the_gateway_accepted_sends_no_second_message(
    wave: Cohort, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, sent = channels.SmsGateway.submit, []

    def dies_after_ten(self: channels.SmsGateway, to: str, text: str, key: str) -> channels.Receipt:
        receipt = real(self, to, text, key)
        sent.append(key)
        if len(sent) == 10:
            raise KeyboardInterrupt
        return receipt

    monkeypatch.setattr(channels.SmsGateway, "submit", dies_after_ten)
    with pytest.raises(KeyboardInterrupt):
        outbox.send_reminders(wave, H7, H7)
    assert len(messages(inbox)) == 10
    monkeypatch.setattr(channels.SmsGateway, "submit", real)
    assert outbox.send_reminders(wave, H7, H7) == {"accepted": PEOPLE}
    assert len(messages(inbox)) == PEOPLE


def test_ten_at_once_send_once(wave: Cohort, inbox: Path) -> None:
    threads = [threading.Thread(target=outbox.send_reminders, args=(wave, H7, H7)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(messages(inbox)) == PEOPLE


def test_a_gateway_that_does_not_answer_is_tried_again_later(
    wave: Cohort, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("PRAKERJA_SANDBOX_URL", "http://127.0.0.1:9")
    with pytest.raises(channels.UnreachableError, match=r"http://127.0.0.1:9 gives no answer \(ConnectError\)"):
        outbox.send_reminders(wave, H7, H7)
    with sandbox.running(home / "sandbox.sqlite"):
        assert outbox.send_reminders(wave, H7, H7) == {"accepted": PEOPLE}


def test_a_gateway_at_a_wrong_address_fails_nobodys_reminder(
    wave: Cohort, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRAKERJA_SANDBOX_URL", os.environ["PRAKERJA_SANDBOX_URL"] + "/elsewhere")
    with pytest.raises(channels.UnreachableError, match="answers 404"):
        outbox.send_reminders(wave, H7, H7)
    monkeypatch.undo()


def test_a_proxy_of_the_environment_hears_nothing(wave: Cohort, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert outbox.send_reminders(wave, H7, H7) == {"accepted": PEOPLE}


def test_without_a_gateway_nothing_is_queued(wave: Cohort) -> None:
    with pytest.raises(PrakerjaError, match="PRAKERJA_SANDBOX_URL"):
        outbox.send_reminders(wave, H7, H7)
    with warehouse.transaction(as_owner=True) as connection:
        assert connection.exec_driver_sql("select count(*) from reminders").scalar_one() == 0


def test_what_the_gateway_refuses_is_a_failure_and_kept(wave: Cohort, inbox: Path) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update recipients set phone = '1' where recipient_id = 1")
    assert outbox.send_reminders(wave, H7, H7) == {"accepted": PEOPLE - 1, "failed": 1}


def test_held_recipients_get_their_own_words() -> None:
    wave = Cohort(date(2021, 3, 5), 12, date(2021, 3, 13))
    text = outbox.text_of("held", "Putri Handayani", wave, H7)
    assert "sedang memeriksa" in text
    assert "Putri" in text
    assert "Handayani" not in text


def test_the_sandbox_counts_a_key_once_and_its_inbox_is_private(home: Path) -> None:
    with sandbox.running(home / "sandbox.sqlite") as url, httpx.Client(base_url=url) as client:
        message = {"to": "08123456789", "text": "halo"}
        ids = {
            client.post("/v1/messages", json=message, headers={"Idempotency-Key": "k"}).json()["id"] for _ in range(3)
        }
        assert ids == {"sandbox-1"}
        assert client.get("/v1/messages/count").json() == {"messages": 1}
        assert client.post("/v1/messages", json=message).status_code == 422
    assert (home / "sandbox.sqlite").stat().st_mode & 0o077 == 0
