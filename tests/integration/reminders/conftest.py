"""Reminders over real HTTP and SMTP, to a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prakerja import serving
from prakerja.reminders import channels, receipts
from prakerja.reminders.sms_providers import load_receipt_secrets
from prakerja.sandbox import running
from tests.support.reminder_desk import MANY, Desk, person, phone


@pytest.fixture
def desk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(channels, "TIMEOUT", 1.0)
    with (
        serving.in_thread(receipts.application()) as url,
        running.running(home / "inbox.sqlite", load_receipt_secrets(), url) as at,
    ):
        monkeypatch.setenv("PRAKERJA_RECEIPTS_URL", url)
        monkeypatch.setenv("PRAKERJA_MESSAGE_HOSTS", "127.0.0.1")
        yield Desk(home, at)


@pytest.fixture
def provider(home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Both gateways speak as a provider does, of the test's parameter; asked for before `desk`."""
    name: str = request.param
    for gateway in ("SMS", "SMS_FALLBACK"):
        monkeypatch.setenv(f"PRAKERJA_{gateway}_PROVIDER", name)
        monkeypatch.setenv(f"PRAKERJA_{gateway}_FROM", "+15005550006")
        secret = "" if name == "gateway" else f"the secret of {gateway}"
        monkeypatch.setenv(f"PRAKERJA_RECEIPTS_SECRET_{gateway}", secret)
    return name


@pytest.fixture
def many(desk: Desk) -> Desk:
    desk.roster([person(n, phone(n)) for n in range(1, MANY + 1)])
    return desk


@pytest.fixture
def messages_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages may go to this machine, which is waited for some seconds."""
    monkeypatch.setenv("PRAKERJA_MESSAGE_HOSTS", "127.0.0.1")
    monkeypatch.setattr(channels, "TIMEOUT", 5.0)
