"""Whatever a provider does, everybody is accounted for."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.reminders import channels, outbox, overview, receipts, sending
from tests.support.reminder_desk import H7, MANY, NINE, Desk, buys, magic, person, phone

#: A number or an address that misbehaves, with an e-mail or none behind it; how it ends, and what was sent how often.
FATES = {
    "01 late": (magic("01"), "", "delivered", {"first": 1}),
    "02 refused for good": (magic("02"), "", "permanently_failed", {}),
    "02 refused, and there is e-mail": (magic("02"), "a@x.example", "accepted", {"email": 1}),
    "03 failed by receipt, and there is e-mail": (magic("03"), "a@x.example", "accepted", {"first": 1, "email": 1}),
    "04 refused twice for now": (magic("04"), "", "delivered", {"first": 1}),
    "05 failed for now by receipt": (magic("05"), "", "delivered", {"first": 2}),
    "06 said three times": (magic("06"), "", "delivered", {"first": 1}),
    "07 an older failure comes after": (magic("07"), "", "delivered", {"first": 1}),
    "08 never answered": (magic("08"), "", "delivered", {"first": 1}),
    "09 broken off after the body": (magic("09"), "", "delivered", {"first": 1}),
    "10 no receipt": (magic("10"), "", "accepted", {"first": 1}),
    "11 taken, and 500": (magic("11"), "", "delivered", {"first": 1}),
    "12 broken off before the body": (magic("12"), "", "delivered", {"first": 1}),
    "no number": ("12", "", "permanently_failed", {}),
    "no number, and there is e-mail": ("halo", "a@x.example", "accepted", {"email": 1}),
    "no address": ("", "", "permanently_failed", {}),
    "e-mail refused for good": ("", "refused@sandbox.example", "permanently_failed", {}),
    "e-mail refused for now": ("", "later@sandbox.example", "accepted", {"email": 1}),
    "e-mail too large for them": ("", "full@sandbox.example", "permanently_failed", {}),
    "no e-mail address": ("", "a b@x", "permanently_failed", {}),
    "e-mail never answered": ("", "hang@sandbox.example", "unsettled", {"email": 1}),
    "e-mail broken off": ("", "drop@sandbox.example", "unsettled", {"email": 1}),
}  # fmt: skip


def test_every_recipient_is_accounted_for_whatever_a_provider_does(desk: Desk) -> None:
    """One run with all of them: how each ends, and how often the sandbox took a message for it."""
    given = [(phone, email.replace("@", f".{n}@")) for n, (phone, email, *_) in enumerate(FATES.values(), 1)]
    desk.roster([person(n, phone, email) for n, (phone, email) in enumerate(given, 1)])
    with pytest.raises(
        sending.PartialError, match=r"H-7: 2 of 22 unsettled: 2 may have arrived by e-mail \(not [^:]*\)$"
    ):
        desk.until_done()
    with warehouse.transaction(as_owner=True) as connection:
        ended = dict(connection.exec_driver_sql("select recipient_id, state from reminded_people(12, %s)", (H7,)).all())
    ends = {"permanent_failure": "permanently_failed", "unknown": "unsettled"}
    sent = Counter((to, provider) for provider, to, _ in desk.messages())
    for n, ((name, (_, _, end, taken)), (number, email)) in enumerate(zip(FATES.items(), given, strict=True), 1):
        assert ends.get(ended[n], ended[n]) == end, name
        here = {p: count for (to, p), count in sent.items() if to in (email, number.replace("08", "+628", 1))}
        assert here == taken, name
    counts = overview.count_ends(12, H7)
    assert counts["targeted"] == len(FATES) == sum(counts.values()) - counts["targeted"]
    # Cleared, it changes nothing and sends nothing: what may have arrived is not sent again on a guess.
    before = len(desk.messages())
    with pytest.raises(sending.PartialError):
        desk.send(NINE + timedelta(hours=5))
    assert len(desk.messages()) == before


def test_only_messages_that_failed_temporarily_can_be_retried(desk: Desk) -> None:
    desk.roster([person(n, phone(n)) for n in range(1, 6)] + [person(n, magic("04", n)) for n in range(6, 11)])
    with sqlite3.connect(desk.folder / "inbox.sqlite") as inbox:  # these five have a long way to go
        inbox.execute("create trigger late after insert on refusals begin update refusals set times = -3; end")
    at = NINE + timedelta(hours=5)
    for hours in range(4):
        assert desk.send(NINE + timedelta(hours=hours)).waiting["to_be_tried_again"] == 5
    with pytest.raises(sending.PartialError, match=r"5 of 10 unsettled: 5 failed temporarily: clear .*retry 12 --on"):
        desk.send(at)
    assert len(desk.messages()) == 5
    with sqlite3.connect(desk.folder / "inbox.sqlite") as inbox:
        inbox.execute("update refusals set times = 2")
    assert desk.send(at, is_retry=True).counts["unsettled"] == 0
    assert len(desk.messages()) == 10


def test_a_gateway_that_is_overloaded_is_left_alone(many: Desk) -> None:
    """Twenty faults in a row, and nobody else there: the rest of the queue is not burnt through."""
    many.mood("first", status=503)
    for again in range(2):
        with pytest.raises(channels.UnreachableError, match=r"sms gets no answer \(http_503\)"):
            many.send(NINE + timedelta(hours=again), sms_fallback=None)
    many.mood("first")
    assert many.until_done(NINE + timedelta(hours=2)) == {"targeted": MANY, "delivered": MANY}


def test_a_gateway_that_does_not_answer_is_tried_again_later(many: Desk) -> None:
    with pytest.raises(
        channels.UnreachableError, match=r"gelombang-12 H-7: sms gets no answer \(client_connector_error\)"
    ):
        many.send(sms="http://127.0.0.1:9", sms_fallback=None)
    assert {row[1] for row in many.rows()} == {"queued"}
    assert many.until_done() == {"targeted": MANY, "delivered": MANY}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda url: url.replace("/sms/first", "/elsewhere"), r"127.0.0.1 \(sms\) answers 404"),
        (lambda url: url.replace(":sandbox@", ":wrong@"), r"127.0.0.1 \(sms\) answers 401"),
    ],
)
def test_a_gateway_that_refuses_us_fails_no_message(many: Desk, changed: Callable[[str], str], message: str) -> None:
    with pytest.raises(channels.ProviderRefusesError, match=message):
        many.send(sms=changed(many.at.urls["sms"]), sms_fallback=None)
    # Of a request whose connection broke off nothing is known: it is asked again, with the same key.
    assert {row[1] for row in many.rows()} <= {"queued", "unknown"}
    assert many.until_done() == {"targeted": MANY, "delivered": MANY}


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://x", "http://", "smtp://u:se/cret@h:587", "http://h:99999", "http://[::1"]
)
def test_a_malformed_url_is_refused_before_anything_is_sent(many: Desk, url: str) -> None:
    for name in ("sms", "smtp"):
        with pytest.raises(PrakerjaError, match=r"is not an .* URL with a host") as refused:
            many.send(**{name: url})
        assert "cret" not in str(refused.value)
    assert many.messages() == []


def test_a_proxy_of_the_environment_is_not_used(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    many.send()
    assert len(many.messages()) == MANY


def test_without_a_provider_nothing_is_queued(many: Desk) -> None:
    with pytest.raises(PrakerjaError, match="PRAKERJA_SMS_URL"):
        many.send(sms=None, sms_fallback=None, smtp=None)
    assert many.rows() == []


def test_a_channel_without_a_provider_is_reported_and_delays_no_sms(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PRAKERJA_RECEIPTS_URL")  # then no receipt is waited for
    desk.roster([person(1, phone(1)), person(2, email="a@x.example")])
    with pytest.raises(
        sending.PartialError, match=r"1 of 2 unsettled: 1 not sent yet: .*; no provider is configured for email"
    ):
        desk.send(smtp=None)
    assert [to for _, to, _ in desk.messages()] == ["+6281234500001"]


@pytest.mark.parametrize(
    "address",
    ["a:b;@x.example", "a<boss@x.example", "root;b@x.example", "siti;@gmail.com", '"a"@x.example', "a,b@x.example"],
)
def test_an_odd_address_reaches_nobody_else_and_stops_no_other_message(desk: Desk, address: str) -> None:
    quoted = '"' + address.replace('"', '""') + '"'
    desk.roster([person(1, email="a1@x.example"), person(2, email=quoted), person(3, email="a3@x.example")])
    assert desk.send().counts["permanently_failed"] == 1
    assert sorted(to for _, to, _ in desk.messages()) == ["a1@x.example", "a3@x.example"]


def test_a_pause_that_a_gateway_asks_for_uses_up_no_attempts(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = channels.HttpGateway.submit, []

    async def busy(self: channels.HttpGateway, message: channels.Message) -> channels.Answer:
        asked.append(message.key)
        if len(asked) <= 10:
            return channels.Answer("queued", failure="http_429", pause=0.2)
        return await real(self, message)

    monkeypatch.setattr(channels.HttpGateway, "submit", busy)
    assert many.send(sms_fallback=None).counts["unsettled"] == 0
    assert set(many.rows("attempts")) == {(1,)}
    assert len(many.messages()) == MANY


@pytest.mark.parametrize("code", [None, "unknown_subscriber"])
def test_a_permanent_failure_by_receipt_is_escalated_whatever_its_code(desk: Desk, code: str | None) -> None:
    desk.roster([person(1, magic("10"), "a@x.example")])
    desk.send()
    (key,) = desk.rows("idempotency_key")[0]
    receipts.apply_receipts("sms", [receipts.Receipt(reference=f"{key}.0", status="permanent_failure", code=code)])
    assert desk.send(NINE + timedelta(minutes=5)).counts["accepted"] == 1
    assert [row[:2] for row in desk.rows()] == [("sms", "permanent_failure"), ("email", "accepted")]


def test_a_receipt_of_an_earlier_round_does_not_hide_one_of_this_round(desk: Desk) -> None:
    desk.roster([person(1, magic("10"))])
    desk.send()
    (key,) = desk.rows("idempotency_key")[0]
    receipts.apply_receipts("sms", [receipts.Receipt(reference=f"{key}.0", status="temporary_failure")])
    desk.send(NINE + timedelta(hours=1))
    old = receipts.Receipt(reference=f"{key}.0", status="permanent_failure")
    receipts.apply_receipts("sms", [old, receipts.Receipt(reference=f"{key}.1", status="temporary_failure")])
    assert desk.rows("state, round") == [("temporary_failure", 2)]


def test_a_purchase_between_two_attempts_changes_the_text(desk: Desk) -> None:
    """Audience all, and the first submission was refused: other words go under another key."""
    (desk.folder / "calendar.yaml").write_text(
        "cohorts:\n- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13, note: short, audience: all}\n"
    )
    from prakerja import calendar

    calendar._read.cache_clear()
    desk.roster([person(1, phone(1))])
    desk.mood("first", status=503)
    desk.send(sms_fallback=None)
    desk.mood("first")
    buys(desk, 1)
    desk.send(NINE + timedelta(hours=1))
    assert "sudah kami terima" in desk.messages()[0][2]
    assert desk.rows("round") == [(1,)]


def test_answers_are_recorded_whatever_fails_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.roster([person(n, email=f"a{n}@x.example") for n in range(1, 21)])
    real, calls = outbox.settle_and_claim, []

    def breaks(*given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise warehouse.UnavailableError("the warehouse failed")
        return real(*given, **named)

    monkeypatch.setattr(outbox, "settle_and_claim", breaks)
    with pytest.raises(warehouse.UnavailableError):
        desk.send()
    monkeypatch.setattr(outbox, "settle_and_claim", real)
    with contextlib.suppress(sending.PartialError):
        desk.send(NINE + timedelta(minutes=5))
    assert len([row for row in desk.rows() if row[1] == "unknown"]) <= channels.MailServer.in_flight_max // 2
    assert max(Counter(to for _, to, _ in desk.messages()).values()) == 1


def test_nothing_is_sent_before_its_day(many: Desk) -> None:
    with pytest.raises(PrakerjaError, match="is reminded on 2021-03-10: nothing is sent before its day"):
        many.send(on=date(2021, 3, 10))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PRAKERJA_RECEIPTS_URL", "receipts.example", "PRAKERJA_RECEIPTS_URL is not an address: write https://host"),
        ("PRAKERJA_MAIL_FROM", "nonsense", "PRAKERJA_MAIL_FROM is not a sender"),
        ("PRAKERJA_MAIL_FROM", "A <a@b>\nBcc: c@d", "PRAKERJA_MAIL_FROM is not a sender"),
    ],
)
def test_a_setting_that_would_fail_every_message_fails_none(
    many: Desk, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(PrakerjaError, match=message):
        many.send()
    assert {row[1] for row in many.rows()} == {"queued"}
