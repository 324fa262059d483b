"""A cohort of a test's own people, a sandbox with both providers and mail, and the receipts service."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from prakerja import warehouse
from prakerja.calendar import Cohort, find_cohort
from prakerja.cohorts.roster import take_in_rosters
from prakerja.feeds import intake
from prakerja.reminders import sending
from prakerja.reminders.channels import Accounts
from prakerja.sandbox.addresses import Addresses
from prakerja.settings import WIB
from tests.support.landing_zone import Row, deliver, deliver_roster

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
    """A cohort of a test's own people, a sandbox with both providers and mail, and the receipts service."""

    folder: Path
    at: Addresses
    people: dict[int, str] = field(default_factory=dict)

    def roster(self, lines: list[str]) -> Cohort:
        deliver_roster(self.folder / "landing", 12, lines, "2021-03-05", "2021-03-13")
        take_in_rosters(H7)
        return find_cohort(12)

    def send(self, at: datetime = NINE, on: date = H7, *, is_retry: bool = False, **accounts: Any) -> sending.Progress:
        ways = Accounts({gateway: url for gateway, url in {**self.at.urls, **accounts}.items() if url})
        return sending.send_reminders(find_cohort(12), on, ways, lambda: at, is_retry=is_retry)

    def until_done(self, at: datetime = NINE) -> dict[str, int]:
        """Send until nothing changes, as the task does; no time passes while receipts are awaited."""
        while at < NINE + timedelta(days=7):
            progress = self.send(at)
            if progress.is_done:
                return {end: count for end, count in progress.counts.items() if count}
            if not (progress.waiting["awaiting_receipt"] and self.await_receipts()):
                at += timedelta(minutes=5)
        raise AssertionError(progress)

    def await_receipts(self) -> bool:
        """Wait until the sandbox has posted the receipts that are due; return whether there were any."""
        were_due, until = False, time.monotonic() + 600
        while self._receipts_due():
            assert time.monotonic() < until, "receipts are not taken in"
            were_due = True
            time.sleep(0.02)
        return were_due

    def _receipts_due(self) -> int:
        with sqlite3.connect(self.folder / "inbox.sqlite") as inbox:
            query = "select count(*) from receipts where not is_posted and due_at <= ?"
            return int(inbox.execute(query, (time.time() + 1,)).fetchone()[0])

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


def buys(many: Desk, *numbers: int) -> None:
    noon = datetime(2021, 3, 5, 12, tzinfo=WIB)
    rows = [
        Row(transaction_id=f"id-{n}", event="PAID", occurred_at=noon, card=str(10**15 + n), amount=5000)
        for n in numbers
    ]
    deliver(many.folder / "landing", "tokopedia", "2021-03-05", rows, generated_at="2021-03-06T01:00:00+07:00")
    assert intake.take_in("tokopedia", H7).rejected == []
