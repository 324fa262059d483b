"""Reminders: each once, over real HTTP and SMTP, whatever the provider does; and everybody accounted for."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import httpx
import pytest

from prakerja import serving, warehouse
from prakerja.calendar import Cohort, cohort
from prakerja.cohorts import people
from prakerja.cohorts.roster import take_in_rosters
from prakerja.errors import PrakerjaError
from prakerja.feeds import intake
from prakerja.reminders import channels, choices, outbox, overview, preview, receipts, sending, texts
from prakerja.reminders.channels import Accounts
from prakerja.reminders.traffic import Traffic
from prakerja.sandbox import running
from prakerja.settings import PROJECT, WIB, Settings, program
from tests.landing_zone import Row, deliver, deliver_roster

H7 = date(2021, 3, 6)
NINE = datetime(2021, 3, 6, 9, tzinfo=WIB)
MANY = 30


def person(number: int, phone: str = "", email: str = "", region: str = "31") -> str:
    return f"{10**15 + number},{31 * 10**14 + number},Putri Nama{number},{phone},{email},{region}"


def phone(number: int) -> str:
    return f"0812345{number:05}"


def magic(kind: str, number: int = 0) -> str:
    return f"08110000{kind}{number:02}"


@dataclass
class Desk:
    """A wave of one's own people, a sandbox with both providers and mail, and our receiver of receipts."""

    folder: Path
    at: running.Addresses
    people: dict[int, str] = field(default_factory=dict)

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.at.sms, self.at.sms_fallback, self.at.smtp)

    def roster(self, lines: list[str]) -> Cohort:
        deliver_roster(self.folder / "landing", 12, lines, "2021-03-05", "2021-03-13")
        take_in_rosters(H7)
        return cohort(12)

    def send(self, at: datetime = NINE, on: date = H7, *, is_retry: bool = False, **accounts: Any) -> sending.Progress:
        ways = Accounts(**(vars(self.accounts) | accounts))
        return sending.send_reminders(cohort(12), on, ways, lambda: at, is_retry=is_retry)

    def until_done(self, at: datetime = NINE) -> dict[str, int]:
        """As the task does it: come back until nothing moves; time passes in between."""
        patience = time.monotonic() + 4  # for receipts, which come in their own time
        while at < NINE + timedelta(days=7):
            progress = self.send(at)
            if progress.is_done:
                return {end: count for end, count in progress.counts.items() if count}
            if progress.waiting["awaiting_receipt"] and time.monotonic() < patience:
                time.sleep(0.05)
            else:
                at += timedelta(minutes=5)
        raise AssertionError(progress)

    def messages(self) -> list[tuple[str, str, str]]:
        with sqlite3.connect(self.folder / "inbox.sqlite") as inbox:
            return inbox.execute("select provider, recipient, text from messages order by id").fetchall()

    def rows(self, what: str = "channel, state, failure") -> list[tuple[Any, ...]]:
        with warehouse.transaction(as_owner=True) as connection:
            return [
                tuple(row) for row in connection.exec_driver_sql(f"select {what} from reminders order by reminder_id")
            ]

    def mood(self, provider: str, **mood: Any) -> None:
        httpx.put(f"{self.at.page}providers/{provider}", json=mood).raise_for_status()


@pytest.fixture
def desk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(channels, "TIMEOUT", 1.0)
    secret = Settings.from_environment().receipts_secret()
    with (
        serving.in_thread(receipts.application()) as url,
        running.running(home / "inbox.sqlite", secret) as at,
    ):
        monkeypatch.setenv("PRAKERJA_RECEIPTS_URL", url)
        yield Desk(home, at)


@pytest.fixture
def many(desk: Desk) -> Desk:
    desk.roster([person(n, phone(n)) for n in range(1, MANY + 1)])
    return desk


# -- who and when ------------------------------------------------------------------------------------------------------


def test_everyone_who_has_not_bought_gets_one_message_however_often_it_runs(many: Desk) -> None:
    assert many.until_done() == {"targeted": MANY, "delivered": MANY}
    assert many.until_done() == {"targeted": MANY, "delivered": MANY}
    found = many.messages()
    assert len({to for _, to, _ in found}) == len(found) == MANY
    assert all("13 Maret 2021 pukul 23.59 WIB" in text for *_, text in found)
    assert all(to.startswith("+62812345") for _, to, _ in found)
    assert not any(re.search(r"\d{12}", text) for *_, text in found), "no card, no NIK"


def test_a_date_that_is_over_begins_nothing(many: Desk) -> None:
    assert many.send(NINE + timedelta(days=1)).counts == {}
    assert many.messages() == []


def buys(many: Desk, *numbers: int) -> None:
    noon = datetime(2021, 3, 5, 12, tzinfo=WIB)
    rows = [
        Row(transaction_id=f"id-{n}", event="PAID", occurred_at=noon, card=str(10**15 + n), amount=5000)
        for n in numbers
    ]
    deliver(many.folder / "landing", "tokopedia", "2021-03-05", rows, generated_at="2021-03-06T01:00:00+07:00")
    assert intake.take_in("tokopedia", H7).rejected == []


def test_who_bought_or_was_suspended_or_opted_out_a_second_ago_gets_nothing(
    many: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = outbox.take_over

    def meanwhile(run: outbox.Run, at: datetime) -> None:
        real(run, at)  # everybody is queued by now
        buys(many, 1)
        people.suspend(str(10**15 + 2), H7, is_permanent=False, because="x", suspended_by="Siti")
        people.withdraw(str(10**15 + 3), H7, because="x", recorded_by="Siti")
        choices.choose(str(10**15 + 4), ("sms",), is_opted_out=True, on=H7, recorded_by="Siti")

    monkeypatch.setattr(outbox, "take_over", meanwhile)
    many.send()
    monkeypatch.undo()
    assert {to for _, to, _ in many.messages()} == {f"+62812345{n:05}" for n in range(5, MANY + 1)}
    assert [row[2] for row in many.rows()[:4]] == ["purchased", "suspended", "withdrawn", "opted_out"]
    assert {row[1] for row in many.rows()[:4]} == {"suppressed"}


def test_an_audience_of_all_tells_the_purchased_so(many: Desk) -> None:
    buys(many, 1)
    (many.folder / "calendar.yaml").write_text(
        "cohorts:\n- {cohort: 12, announced_on: 2021-03-05, deadline_on: 2021-03-13, note: short,"
        " audience: all, reminder_days: [7, 0]}\n"
    )
    from prakerja import calendar

    calendar._read.cache_clear()
    assert [event.kind for event in cohort(12).events()] == ["H-7", "H-0", "deadline"]
    many.send()
    (bought,) = [text for _, to, text in many.messages() if to == "+6281234500001"]
    assert "sudah kami terima" in bought
    assert len(many.messages()) == MANY


def test_held_recipients_and_those_who_lack_something_get_their_own_words(desk: Desk) -> None:
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
    assert choices.take_in_hindrances(desk.folder / "lacks.csv", H7) == choices.TakenIn(4, 3, 1)
    desk.send()
    told = {to[-1]: text for _, to, text in desk.messages()}
    for number, words in zip(
        "12345", ("video", "kata sandi", "Caranya", "Masuk ke", "sedang kami periksa"), strict=True
    ):
        assert words in told[number]
    assert len(set(told.values())) == 5


@pytest.mark.parametrize(
    "line",
    ["1234,videos", f"{10**15 + 1},everything", f"{10**15 + 1}", f"{10**15 + 1},videos\n{10**15 + 1},steps"],
)  # fmt: skip
def test_a_report_with_a_bad_line_is_refused_whole_and_names_no_card(desk: Desk, line: str) -> None:
    desk.roster([person(1, phone(1))])
    (desk.folder / "lacks.csv").write_text(f"card_number,lacks\n1000000000000001,videos\n{line}\n")
    with pytest.raises(PrakerjaError, match=r"lacks.csv, line [34]: .*nothing was taken in") as refused:
        choices.take_in_hindrances(desk.folder / "lacks.csv", H7)
    assert "1000000000000001" not in str(refused.value)


# -- exactly one -------------------------------------------------------------------------------------------------------


def test_the_database_keeps_one_per_recipient_date_and_channel(many: Desk) -> None:
    many.send()
    again = (
        "insert into reminders (recipient_id, cohort, remind_on, channel, template, send_before)"
        " values (1, 12, %s, 'sms', 'held', now())"
    )
    with pytest.raises(warehouse.RefusedError, match="reminders_recipient_id_cohort_remind_on_channel_key"), \
            warehouse.transaction("remind") as connection:  # fmt: skip
        connection.exec_driver_sql(again, (H7,))


@pytest.mark.parametrize("state", ["queued", "sending", "accepted", "suppressed"])
def test_the_database_lets_no_delivered_message_begin_anew(many: Desk, state: str) -> None:
    many.until_done()
    with (
        pytest.raises(warehouse.RefusedError, match="message_transitions"),
        warehouse.transaction("remind") as connection,
    ):
        connection.exec_driver_sql("update reminders set state = %s where reminder_id = 1", (state,))


SENDER = """
import sys
from datetime import date, datetime
from threading import Thread
from prakerja.calendar import cohort
from prakerja.reminders import sending
from prakerja.reminders.channels import Accounts
from prakerja.reminders.traffic import Traffic
def send():
    at = datetime.fromisoformat("2021-03-06T09:00:00+07:00")
    sending.send_reminders(cohort(12), date(2021, 3, 6), Accounts(*sys.argv[2:]), lambda: at)
threads = [Thread(target=send) for _ in range(int(sys.argv[1]))]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def sender(desk: Desk, tasks: int = 1) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SENDER, str(tasks), desk.at.sms, desk.at.sms_fallback, desk.at.smtp], cwd=PROJECT,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_killed_at_any_moment_nobody_gets_two(desk: Desk) -> None:
    """Processes are killed with -9 at ever later moments, and the next goes on; the sandbox counts."""
    crowd = 600
    desk.roster([person(n, phone(n)) if n % 3 else person(n, email=f"a{n}@x.example") for n in range(1, crowd + 1)])
    desk.mood("first", seconds=0.05)
    for taken in (1, 100, 250, 380):
        process = sender(desk)
        waits = time.monotonic() + 30
        while len(desk.messages()) < taken and process.poll() is None and time.monotonic() < waits:
            time.sleep(0.005)
        process.kill()
        process.wait()
    assert 0 < len(desk.messages()) < crowd, "killed in the middle"
    try:
        ended = desk.until_done()
    except sending.PartialError:  # an e-mail in flight at a kill: nobody knows, and it is not sent again
        ended = overview.counts_of(12, H7)
    assert max(Counter(to for _, to, _ in desk.messages()).values()) == 1
    unknown = [row for row in desk.rows() if row[1] == "unknown"]
    assert ended["targeted"] == crowd
    assert {row[0] for row in unknown} <= {"email"}
    assert len(unknown) <= 4 * channels.MailServer.in_flight_max
    assert {row[1] for row in desk.rows()} <= {"delivered", "accepted", "unknown"}
    assert len(desk.messages()) + len(unknown) >= crowd
    # Nobody will ever know, once its time is over: that counts as not reached.
    outbox.close(NINE + timedelta(days=3))
    assert overview.counts_of(12, H7)["unsettled"] == 0
    assert overview.counts_of(12, H7).get("permanently_failed", 0) == len(unknown)


def test_fifty_at_once_send_once(many: Desk) -> None:
    processes = [sender(many, tasks=10) for _ in range(5)]
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert (process.returncode, said) == (0, b"")
    assert len(many.messages()) == MANY


def test_two_senders_that_both_believe_to_be_alone_claim_no_message_twice(many: Desk) -> None:
    """What is left where a connection that held the lock was lost: the claims alone."""
    run = outbox.begin(cohort(12), H7, NINE)
    assert run
    claimed: list[int] = []

    def claim() -> None:
        while got := outbox.exchange(run, "sms", [], NINE, provider="sms", after=0, batch=4)[0]:
            claimed.extend(each.reminder_id for each in got)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == list(range(1, MANY + 1))


# -- what a provider may do --------------------------------------------------------------------------------------------

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


def test_whatever_a_provider_does_everybody_is_accounted_for(desk: Desk) -> None:
    """One run with all of them: how each ends, and how often the sandbox took a message for it."""
    given = [(phone, email.replace("@", f".{n}@")) for n, (phone, email, *_) in enumerate(FATES.values(), 1)]
    desk.roster([person(n, phone, email) for n, (phone, email) in enumerate(given, 1)])
    with pytest.raises(
        sending.PartialError, match=r"H-7 owes 2 of 22: 2 may have arrived or not by e-mail \(never [^:]*\)$"
    ):
        desk.until_done()
    with warehouse.transaction(as_owner=True) as connection:
        ended = dict(connection.exec_driver_sql("select recipient_id, state from reminded_people(12, %s)", (H7,)).all())
    as_told = {"permanent_failure": "permanently_failed", "unknown": "unsettled"}
    sent = Counter((to, provider) for provider, to, _ in desk.messages())
    for n, ((name, (_, _, end, taken)), (number, email)) in enumerate(zip(FATES.items(), given, strict=True), 1):
        assert as_told.get(ended[n], ended[n]) == end, name
        here = {p: count for (to, p), count in sent.items() if to in (email, number.replace("08", "+628", 1))}
        assert here == taken, name
    counts = overview.counts_of(12, H7)
    assert counts["targeted"] == len(FATES) == sum(counts.values()) - counts["targeted"]
    # Cleared, it changes nothing and sends nothing: what may have arrived is not sent again on a guess.
    before = len(desk.messages())
    with pytest.raises(sending.PartialError):
        desk.send(NINE + timedelta(hours=5))
    assert len(desk.messages()) == before


def test_what_has_failed_for_now_can_be_tried_again_and_nothing_else(desk: Desk) -> None:
    desk.roster([person(n, phone(n)) for n in range(1, 6)] + [person(n, magic("04", n)) for n in range(6, 11)])
    with sqlite3.connect(desk.folder / "inbox.sqlite") as inbox:  # these five have a long way to go
        inbox.execute("create trigger late after insert on refusals begin update refusals set times = -3; end")
    at = NINE + timedelta(hours=5)
    for hours in range(4):
        assert desk.send(NINE + timedelta(hours=hours)).waiting["to_be_tried_again"] == 5
    with pytest.raises(sending.PartialError, match=r"owes 5 of 10: 5 have failed for now: clear .*retry 12 --on"):
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
    ("changed", "told"),
    [
        (lambda url: url.replace("/sms/first", "/elsewhere"), r"127.0.0.1 \(sms\) answers 404"),
        (lambda url: url.replace(":sandbox@", ":wrong@"), r"127.0.0.1 \(sms\) answers 401"),
    ],
)
def test_a_gateway_that_refuses_us_fails_nobodys_reminder(many: Desk, changed: Callable[[str], str], told: str) -> None:
    with pytest.raises(channels.ProviderRefusesError, match=told):
        many.send(sms=changed(many.at.sms), sms_fallback=None)
    # Of a request whose connection broke off nothing is known: it is asked again, with the same key.
    assert {row[1] for row in many.rows()} <= {"queued", "unknown"}
    assert many.until_done() == {"targeted": MANY, "delivered": MANY}


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://x", "http://", "smtp://u:se/cret@h:587", "http://h:99999", "http://[::1"]
)
def test_an_address_that_is_none_is_refused_before_anything(many: Desk, url: str) -> None:
    for name in ("sms", "smtp"):
        with pytest.raises(PrakerjaError, match=r"is no .* URL with a host") as refused:
            many.send(**{name: url})
        assert "cret" not in str(refused.value)
    assert many.messages() == []


def test_a_proxy_of_the_environment_hears_nothing(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    many.send()
    assert len(many.messages()) == MANY


def test_without_a_provider_nothing_is_queued(many: Desk) -> None:
    with pytest.raises(PrakerjaError, match="PRAKERJA_SMS_URL"):
        many.send(sms=None, sms_fallback=None, smtp=None)
    assert many.rows() == []


def test_an_sms_does_not_wait_for_a_channel_that_is_not_set_and_that_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PRAKERJA_RECEIPTS_URL")  # then no receipt is waited for
    desk.roster([person(1, phone(1)), person(2, email="a@x.example")])
    with pytest.raises(
        sending.PartialError, match=r"owes 1 of 2: 1 have not left yet: .*; no provider is set for email"
    ):
        desk.send(smtp=None)
    assert [to for _, to, _ in desk.messages()] == ["+6281234500001"]


@pytest.mark.parametrize(
    "address",
    ["a:b;@x.example", "a<boss@x.example", "root;b@x.example", "siti;@gmail.com", '"a"@x.example', "a,b@x.example"],
)
def test_an_odd_address_reaches_nobody_else_and_stops_no_other(desk: Desk, address: str) -> None:
    quoted = '"' + address.replace('"', '""') + '"'
    desk.roster([person(1, email="a1@x.example"), person(2, email=quoted), person(3, email="a3@x.example")])
    assert desk.send().counts["permanently_failed"] == 1
    assert sorted(to for _, to, _ in desk.messages()) == ["a1@x.example", "a3@x.example"]


def test_a_gateway_that_asks_for_a_rest_gets_one_and_nobodys_attempts_are_used_up(
    many: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = channels.SmsGateway.submit, []

    async def busy(self: channels.SmsGateway, message: channels.Message) -> channels.Answer:
        asked.append(message.key)
        if len(asked) <= 10:
            return channels.Answer("queued", failure="http_429", pause=0.2)
        return await real(self, message)

    monkeypatch.setattr(channels.SmsGateway, "submit", busy)
    assert many.send(sms_fallback=None).counts["unsettled"] == 0
    assert set(many.rows("attempts")) == {(1,)}
    assert len(many.messages()) == MANY


@pytest.mark.parametrize("code", [None, "unknown_subscriber"])
def test_a_permanent_failure_by_receipt_is_escalated_whatever_its_code(desk: Desk, code: str | None) -> None:
    desk.roster([person(1, magic("10"), "a@x.example")])
    desk.send()
    (key,) = desk.rows("idempotency_key")[0]
    receipts.apply([receipts.Receipt(reference=f"{key}.0", status="permanent_failure", code=code)])
    assert desk.send(NINE + timedelta(minutes=5)).counts["accepted"] == 1
    assert [row[:2] for row in desk.rows()] == [("sms", "permanent_failure"), ("email", "accepted")]


def test_a_receipt_of_an_earlier_round_hides_none_of_this_one(desk: Desk) -> None:
    desk.roster([person(1, magic("10"))])
    desk.send()
    (key,) = desk.rows("idempotency_key")[0]
    receipts.apply([receipts.Receipt(reference=f"{key}.0", status="temporary_failure")])
    desk.send(NINE + timedelta(hours=1))
    old = receipts.Receipt(reference=f"{key}.0", status="permanent_failure")
    receipts.apply([old, receipts.Receipt(reference=f"{key}.1", status="temporary_failure")])
    assert desk.rows("state, round") == [("temporary_failure", 2)]


def test_whoever_buys_between_two_attempts_reads_no_threat(desk: Desk) -> None:
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


def test_answers_that_came_are_written_down_whatever_fails_after(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.roster([person(n, email=f"a{n}@x.example") for n in range(1, 21)])
    real, calls = outbox.exchange, []

    def breaks(*given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise warehouse.UnavailableError("the warehouse broke off")
        return real(*given, **named)

    monkeypatch.setattr(outbox, "exchange", breaks)
    with pytest.raises(warehouse.UnavailableError):
        desk.send()
    monkeypatch.setattr(outbox, "exchange", real)
    with contextlib.suppress(sending.PartialError):
        desk.send(NINE + timedelta(minutes=5))
    assert len([row for row in desk.rows() if row[1] == "unknown"]) <= channels.MailServer.in_flight_max // 2
    assert max(Counter(to for _, to, _ in desk.messages()).values()) == 1


def test_nothing_is_sent_before_its_day(many: Desk) -> None:
    with pytest.raises(PrakerjaError, match="is reminded on 2021-03-10: nothing is sent before its day"):
        many.send(on=date(2021, 3, 10))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PRAKERJA_RECEIPTS_URL", "receipts.example", "PRAKERJA_RECEIPTS_URL is no http:// or https:// URL"),
        ("PRAKERJA_MAIL_FROM", "nonsense", "PRAKERJA_MAIL_FROM is no sender"),
        ("PRAKERJA_MAIL_FROM", "A <a@b>\nBcc: c@d", "PRAKERJA_MAIL_FROM is no sender"),
    ],
)
def test_a_setting_that_would_fail_everybody_fails_nobody(
    many: Desk, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(PrakerjaError, match=told):
        many.send()
    assert {row[1] for row in many.rows()} == {"queued"}


# -- failover ----------------------------------------------------------------------------------------------------------


def test_few_messages_find_the_other_provider_as_well(desk: Desk) -> None:
    desk.roster([person(n, phone(n)) for n in range(1, 6)])
    assert desk.send(sms="http://:x@127.0.0.1:9/sms/first").counts["unsettled"] == 0
    assert Counter(provider for provider, *_ in desk.messages()) == {"second": 5}


def test_a_provider_that_is_down_loses_the_traffic_and_nothing_else(desk: Desk) -> None:
    desk.roster([person(n, phone(n)) for n in range(1, 301)])
    progress = desk.send(sms="http://:x@127.0.0.1:9/sms/first")
    assert Counter(provider for provider, *_ in desk.messages()) == {"second": 300}
    assert progress.counts["unsettled"] == 0


def test_a_provider_with_errors_loses_the_traffic(desk: Desk) -> None:
    desk.roster([person(n, phone(n)) for n in range(1, 1001)])
    desk.mood("first", status=503)
    desk.send()
    taken = Counter(provider for provider, *_ in desk.messages())
    assert taken["second"] > 300, "whatever was claimed before its answers came is tried again"
    desk.mood("first")
    assert desk.until_done(NINE + timedelta(minutes=5)) == {"targeted": 1000, "delivered": 1000}
    assert len(desk.messages()) == 1000


class Minute:
    """Answers by the second, as a sender gets them."""

    def __init__(self) -> None:
        self.traffic, self.now = Traffic(["one", "two"], slow_seconds=5), 1000.0

    def passes(self, seconds: int, **behave: tuple[float, float]) -> list[str]:
        """So many seconds of ten batches; a provider behaves as (share of faults, seconds). Gives who took them."""
        took = []
        for _ in range(seconds * 10):
            provider, batch = self.traffic.choose(self.now, 32)
            faults, slow = behave.get(provider, (0.0, 0.1))
            for number in range(batch):
                self.traffic.record(provider, is_fault=number < faults * batch, seconds=slow, now=self.now)
            took.append(provider)
            self.now += 0.1
        return took


@pytest.mark.parametrize("ill", [(0.5, 0.1), (1.0, 0.1), (0.0, 6.0)])
def test_traffic_leaves_who_is_ill_and_comes_back_once_they_do_well(ill: tuple[float, float]) -> None:
    minute = Minute()
    assert set(minute.passes(60)) == {"one"}
    away = minute.passes(120, one=ill)
    assert away[-100:].count("two") >= 95, "but for a few that try it"
    assert away[-100:].count("one") > 0
    back = minute.passes(120)
    assert set(back[-100:]) == {"one"}
    assert sum(a != b for a, b in pairwise(back)) < 30


@pytest.mark.parametrize("ill", [(0.5, 0.1), (0.0, 6.0)])
def test_where_all_are_ill_nothing_moves(ill: tuple[float, float]) -> None:
    minute = Minute()
    minute.passes(60)
    assert minute.passes(300, one=ill, two=ill).count("two") <= 0.01 * 3000, "but for a few that try it"


def test_a_little_worse_is_no_reason_to_move() -> None:
    minute = Minute()
    assert set(minute.passes(300, one=(0.25, 4.9))) == {"one"}


def test_who_is_left_does_not_get_the_traffic_back_for_doing_a_little_better() -> None:
    minute = Minute()
    minute.passes(120, one=(0.5, 0.1))
    assert minute.passes(300, one=(0.15, 0.1)).count("two") >= 0.94 * 3000


# -- quiet hours, limits -----------------------------------------------------------------------------------------------

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
def test_nobody_is_written_to_at_night_but_before_it_is_too_late(
    connection: warehouse.Connection, at: str, awake: str
) -> None:
    found = connection.exec_driver_sql(
        "select string_agg(who, '' order by place) from (values ('J', '31', 1), ('D', '51', 2), ('P', '94', 3))"
        " as p (who, region, place) where may_leave(%s, region, '2021-03-13', 8, 20)",
        (f"{at}+07:00",),
    ).scalar_one()
    assert (found or "") == awake


def test_what_the_night_holds_back_leaves_in_the_morning(desk: Desk) -> None:
    desk.roster([person(1, phone(1), region="31"), person(2, phone(2), region="94")])
    evening = NINE.replace(hour=18, minute=30)
    progress = desk.send(evening)
    assert [to for _, to, _ in desk.messages()] == ["+6281234500001"]
    assert progress.waiting["held_back"] == 1
    assert not progress.is_done
    while desk.rows("state")[0] == ("accepted",):  # its receipt is on its way
        time.sleep(0.01)
    assert desk.until_done(evening + timedelta(hours=12)) == {"targeted": 2, "delivered": 2}


def test_what_is_too_late_expires(desk: Desk) -> None:
    desk.roster([person(1, phone(1))])
    desk.send(NINE.replace(hour=21))
    assert outbox.close(datetime(2021, 3, 8, tzinfo=WIB) - timedelta(microseconds=1))[0] == 0
    assert outbox.close(datetime(2021, 3, 8, tzinfo=WIB))[0] == 1
    assert desk.until_done(datetime(2021, 3, 8, 9, tzinfo=WIB)) == {"targeted": 1, "expired": 1}
    assert desk.messages() == []


def test_a_number_gets_so_many_a_day_and_the_rest_by_e_mail(desk: Desk) -> None:
    most = program()["reminders"]["per_number_a_day"]
    shared = [person(n, "08123450000" if n % 2 else "+628123450000", f"a{n}@x.example") for n in range(1, most + 3)]
    desk.roster(shared)
    desk.until_done()
    assert Counter(provider for provider, *_ in desk.messages()) == {"first": most, "email": 2}


def test_all_senders_together_keep_a_providers_pace(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.roster([person(n, phone(n)) for n in range(1, 200)])
    monkeypatch.setitem(program()["reminders"]["sms"], "per_second", 100)
    for _ in range(90):
        outbox.pause("sms", 0.5)  # as a provider's answers may ask for, each of them
    assert 0.3 < outbox.free_after("sms") <= 0.5
    began = time.monotonic()
    desk.send()
    assert time.monotonic() - began > 0.5 + 0.96 * 2, "a batch waited for those before it"


# -- receipts ----------------------------------------------------------------------------------------------------------


def test_a_receipt_that_is_not_signed_or_is_rubbish_moves_nothing(desk: Desk) -> None:
    from datetime import UTC

    from standardwebhooks.webhooks import Webhook

    url = Settings.from_environment().receipts_url
    signed = Webhook(Settings.from_environment().receipts_secret())
    body = '{"receipts": []}'

    def post(body: str, at: datetime, signature: str | None = None) -> int:
        headers = {
            "webhook-id": "1", "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature or signed.sign("1", at, body),
        }  # fmt: skip
        return httpx.post(f"{url}/v1/receipts", content=body, headers=headers).status_code

    now = datetime.now(UTC)
    assert post(body, now) == 200
    assert post(body, now, signed.sign("1", now, body + " ")) == 401
    assert post(body, now, "rubbish") == 401
    assert post(body, now, "v1,!!!") == 401
    assert post(body, now - timedelta(minutes=6)) == 401
    assert httpx.post(f"{url}/v1/receipts", content=body).status_code == 401
    assert post("[1]", now) == 422
    assert post('{"receipts": [{"reference": "x", "status": "eaten"}]}', now) == 422
    assert post('{"receipts": [{"reference": "not ours", "status": "delivered"}]}', now) == 200
    assert post(" " * (receipts.BODY_MAX + 1), now) == 413


def test_every_order_of_receipts_ends_alike(many: Desk) -> None:
    many.send()
    keys = [row[0] for row in many.rows("idempotency_key") for _ in (0,)]
    told = ["accepted", "temporary_failure", "permanent_failure", "delivered", "delivered"]
    for key, order in zip(keys, list(permutations(told))[::4], strict=False):
        for status in order:
            receipts.apply([receipts.Receipt(reference=f"{key}.0", status=status)])
    assert {row[1] for row in many.rows()} == {"delivered"}


def test_a_link_in_an_e_mail_asks_before_it_unsubscribes(desk: Desk) -> None:
    desk.roster([person(1, email="a@x.example")])
    desk.send()
    (key,) = desk.rows("idempotency_key")[0]
    url = f"{Settings.from_environment().receipts_url}/v1/unsubscribe/{key}"
    assert "Berhenti" in httpx.get(url).text
    assert httpx.get(url + "x").status_code == 422
    with warehouse.transaction("remind") as connection:
        assert not connection.exec_driver_sql("select opted_out(1, 'email')").scalar_one()
    for _ in range(2):
        assert httpx.post(url, content="List-Unsubscribe=One-Click").status_code == 200
    assert httpx.post(url[:-8] + "00000000").status_code == 404
    with warehouse.transaction(as_owner=True) as connection:
        assert connection.exec_driver_sql("select count(*) from opt_outs where is_opted_out").scalar_one() == 1


# -- texts -------------------------------------------------------------------------------------------------------------


def test_every_text_fits_and_carries_no_number_of_a_person_and_no_short_link() -> None:
    version = texts.Texts(program()["reminders"]["texts"])
    version.require_whole(date(2021, 9, 30))
    for template in texts.TEMPLATES:
        for lacks in texts.LACKS:
            sms = version.sms(template, lacks, "Wolfeschlegelsteinhausen", date(2021, 9, 30))
            assert sms.segments == texts.segments(sms.body) <= 2
            assert set(sms.body) <= texts.GSM_7 | texts.GSM_7_EXTENDED
            email = version.email(template, lacks, "Putri", date(2021, 9, 30))
            for told in (sms.body, email.body, str(email.subject)):
                assert not re.search(r"\d{5}|https?:|bit\.ly|s\.id", told)
    assert len({version.sms("early", lacks, "A", date(2021, 9, 30)).body for lacks in texts.LACKS}) == 4


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Putri Handayani", "Putri"),
        ("  ", "Peserta"),
        ("bit.ly Siti", "bitly"),
        ("1000000000000001 Siti", "Peserta"),
        ("Zoë", "Zoe"),
        ("李", "Peserta"),
        ("D'Ari-Jo {{ 7*7 }}", "D'Ari-Jo"),
        ("A" * 50, "A" * 20),
    ],
)
def test_only_letters_of_a_name_are_told(name: str, first: str) -> None:
    assert texts.first_name(name) == first


@pytest.mark.parametrize(
    ("text", "count"),
    [("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1), ("€" * 81, 2), ("ł" * 70, 1),
     ("ł" * 71, 2), ("😀" * 35, 1), ("😀" * 36, 2)],
)  # fmt: skip
def test_segments_are_those_of_the_standard(text: str, count: int) -> None:
    assert texts.segments(text) == count


def test_a_run_keeps_its_texts(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    many.send()
    monkeypatch.setattr(texts.Texts, "sha256", "0" * 64)
    with pytest.raises(PrakerjaError, match="the texts v1 were changed since gelombang-12 on 2021-03-06 began"):
        many.send(NINE + timedelta(minutes=5))


def test_a_preview_counts_and_shows_and_sends_nothing(desk: Desk) -> None:
    desk.roster([person(1, phone(1)), person(2, phone(2)), person(3, email="a@x.example"), person(4)])
    found = preview.preview(cohort(12), H7, H7)
    assert (found.people, found.messages) == (4, 3)
    assert found.cost_idr == 2 * 2 * program()["reminders"]["sms"]["segment_idr"] + 10
    assert "Siti" in found.texts_shown["sms, not purchased, lacks nothing"]
    assert desk.rows() == []
    with pytest.raises(PrakerjaError, match="no reminder on 2021-03-07: it has H-7 on 2021-03-06, H-3"):
        preview.preview(cohort(12), date(2021, 3, 7), H7)


# -- privacy -----------------------------------------------------------------------------------------------------------


def test_addresses_are_forgotten_and_the_fact_stays(many: Desk) -> None:
    many.until_done()
    keep = timedelta(days=program()["reminders"]["keep_addresses_days"])
    assert outbox.close(NINE + keep) == (0, 0)
    assert outbox.close(NINE + keep + timedelta(days=1)) == (0, MANY)
    assert set(many.rows("address, idempotency_key, provider_id")) == {(None, None, None)}
    assert overview.counts_of(12, H7)["delivered"] == MANY


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


def test_an_e_mail_is_one_that_mail_servers_like(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from email import message_from_bytes

    written: list[bytes] = []
    real = channels.MailServer._written

    def keep(self: channels.MailServer, message: channels.Message) -> bytes:
        written.append(real(self, message))
        return written[-1]

    monkeypatch.setattr(channels.MailServer, "_written", keep)
    desk.roster([person(1, email="a@x.example")])
    desk.send()
    mail = message_from_bytes(written[0])
    assert mail["From"] == "Kartu Prakerja <pengingat@prakerja.go.id>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert re.fullmatch(r"<http://127.0.0.1:\d+/v1/unsubscribe/[0-9a-f-]{36}>", mail["List-Unsubscribe"].strip())
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@prakerja.go.id>")


# -- the command line --------------------------------------------------------------------------------------------------


def test_the_commands_count_show_and_repeat_no_number(many: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    from typer.testing import CliRunner

    from prakerja.cli import app

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, list(arguments))
        told = done.output + (str(done.exception) if isinstance(done.exception, PrakerjaError) else "")
        assert isinstance(done.exception, PrakerjaError | SystemExit | None), done.exception
        assert not re.search(r"\d{10}", told)
        return done.exit_code, told

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
    code, told = run("reminders", "preview", "12", "--on", "2021-03-06")
    assert (code, "30 people, 30 messages, Rp 18,000; texts v1" in told) == (0, True)
    for wrong, why in (
        (("reminders", "retry", "12", "--on", "2021-03-10"), "no reminder run on 2021-03-10"),
        (("reminders", "retry", "99", "--on", "2021-03-06"), "cohort 99 is not in the calendar"),
        (("reminders", "preview", "12", "--on", "2021-03-07"), "no reminder on 2021-03-07"),
        (("reminders", "opt-out", "1234", "--as", "Ani"), "no roster has this card"),
        (("reminders", "opt-out", card, "--channel", "pigeon", "--as", "Ani"), "sms, email or both"),
        (("reminders", "opt-out", card, "--as", " "), "who you are"),
        (("reminders", "lacks", str(many.folder)), "is no CSV that can be read"),
    ):
        code, told = run(*wrong)
        assert code != 0
        assert why in told
