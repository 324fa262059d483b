"""Addresses are forgotten, the sandbox's inbox is private, an e-mail is one that mail servers like."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest

from prakerja.programme import programme
from prakerja.reminders import channels, outbox, overview
from tests.support.reminder_desk import H7, MANY, NINE, Desk, person


def test_addresses_are_forgotten_and_messages_stay(many: Desk) -> None:
    many.until_done()
    keep = timedelta(days=programme().reminders.keep_addresses_days)
    assert outbox.close_overdue_and_forget(NINE + keep) == (0, 0)
    assert outbox.close_overdue_and_forget(NINE + keep + timedelta(days=1)) == (0, MANY)
    assert set(many.rows("address, idempotency_key, provider_id")) == {(None, None, None)}
    assert overview.count_ends(12, H7)["delivered"] == MANY


def test_the_sandbox_takes_a_key_once_and_its_inbox_is_private(desk: Desk) -> None:
    url = f"{desk.at.page}sms/first/messages"
    message = {"to": "+6281234567890", "text": "halo", "reference": "k"}
    given = {"Authorization": "Bearer sandbox", "Idempotency-Key": "k"}
    with httpx.Client() as client:
        ids = {client.post(url, json=message, headers=given).json()["id"] for _ in range(3)}
        assert ids == {"first-1"}
        assert client.get(f"{desk.at.page}messages/count").json() == {"messages": 1}
        assert client.post(url, json=message | {"text": "other"}, headers=given).json() == {"code": "key_reused"}
        assert client.post(url, json=message, headers=given | {"Authorization": ""}).status_code == 401
        assert client.post(url, json=message, headers={"Authorization": "Bearer sandbox"}).status_code == 422
        assert "Sandbox inbox" in client.get(desk.at.page).text
    assert (desk.folder / "inbox.sqlite").stat().st_mode & 0o077 == 0


def test_an_e_mail_has_the_headers_that_mail_servers_expect(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from email import message_from_bytes

    written: list[bytes] = []
    real = channels.MailServer._build_mail

    def keep(self: channels.MailServer, message: channels.Message) -> bytes:
        written.append(real(self, message))
        return written[-1]

    monkeypatch.setattr(channels.MailServer, "_build_mail", keep)
    desk.roster([person(1, email="a@x.example")])
    desk.send()
    mail = message_from_bytes(written[0])
    assert mail["From"] == "Kartu Prakerja <pengingat@prakerja.go.id>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert re.fullmatch(r"<http://127.0.0.1:\d+/v1/unsubscribe/[0-9a-f-]{36}>", mail["List-Unsubscribe"].strip())
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@prakerja.go.id>")
