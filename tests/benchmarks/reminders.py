"""A batch of reminders through the sandbox, against a bare asynchronous client that posts the same bodies to it."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx
from rich.console import Console
from rich.table import Table

from prakerja import schema, warehouse
from prakerja.calendar import Cohort, find_cohort
from prakerja.cohorts.contacts import Contact, Contacts
from prakerja.platforms import platforms
from prakerja.settings import WIB, Settings

H7 = date(2021, 4, 1)
AT = datetime(2021, 4, 1, 9, tzinfo=WIB)
PEOPLE = 100_000
CARD = 4_000_000_000_000_000
console = Console(stderr=True)


def run(folder: Path, scale: float, runs: int) -> None:
    """Measure in turns, each in a process of its own, and print one table."""
    os.environ["PRAKERJA_MESSAGE_HOSTS"] = "127.0.0.1"
    os.environ["PRAKERJA_RECEIPTS_SECRET_SMS"] = "c2VjcmV0IG9mIHRoZSBiZW5jaA=="
    os.environ["PRAKERJA_RECEIPTS_SECRET_SMS_FALLBACK"] = "YW5vdGhlciBzZWNyZXQgb2YgdGhlIGJlbmNo"
    schema.upgrade()
    try:
        people = int(PEOPLE * scale)
        _world(people)
        bare, ours, told = [], [], []
        for turn in range(runs):
            for what, found in (("bare", bare), ("ours", ours), ("with receipts", told)):
                with_receipts = what == "with receipts"
                with _Sandbox(folder / f"{what}-{turn}.sqlite", with_receipts=with_receipts) as at:
                    _begin_anew()
                    found.append(_measured("bare" if what == "bare" else "ours", at, people))
                    console.print(f"{what}: {found[-1]}")
        _report(people, bare, ours, told)
    finally:
        warehouse.stop_embedded_server()


def _report(people: int, bare: list[Any], ours: list[Any], told: list[Any]) -> None:
    def median(found: list[Any]) -> Any:
        return sorted(found, key=lambda each: each["seconds"])[len(found) // 2]

    reference, measured, receipts = median(bare), median(ours), median(told)
    table = Table("figure", "reach", "measured", "made of")
    per_second = people / measured["seconds"]
    table.add_row(
        f"{people:,} reminders / a bare client, the same bodies", "at least 60 %",
        f"{reference['seconds'] / measured['seconds']:.0%}",
        f"{per_second:,.0f} a second / {people / reference['seconds']:,.0f}",
    )  # fmt: skip
    table.add_row(
        "the same, every receipt taken in meanwhile", "", f"{reference['seconds'] / receipts['seconds']:.0%}",
        f"{people / receipts['seconds']:,.0f} a second; all receipts in after {receipts['settled']:.0f} s",
    )  # fmt: skip
    table.add_row("the sender's memory", "under 300 MB", f"{measured['peak_mb']:.0f} MB", "")
    Console(width=140).print(table)


def _measured(what: str, at: dict[str, str], people: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name if __spec__ else __name__, what, json.dumps(at), str(people)],
        check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


class _Sandbox:
    """`prakerja sandbox`, and `prakerja receipts` where wanted, as processes."""

    def __init__(self, path: Path, *, with_receipts: bool) -> None:
        self._home, self._with_receipts = path.with_suffix(""), with_receipts
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> dict[str, str]:
        port, smtp_port, receipts_port = (_free_port() for _ in range(3))
        here = os.environ | {"PRAKERJA_HOME": str(self._home)}
        command = str(Path(sys.executable).parent / "prakerja")
        self._start([command, "sandbox", "--port", str(port), "--smtp-port", str(smtp_port)], here, port)
        at = {"sms": f"http://:sandbox@127.0.0.1:{port}/sms/first"}
        if self._with_receipts:
            self._start([command, "receipts", "--port", str(receipts_port)], os.environ, receipts_port)
            at["receipts"] = f"http://127.0.0.1:{receipts_port}"
        return at

    def _start(self, command: list[str], environment: Any, port: int) -> None:
        self._processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
        for _ in range(300):
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz")
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(f"{command} does not answer")

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


# -- what is measured, in processes of their own -----------------------------------------------------------------------


async def _bare(sms: str, people: int) -> float:
    """As many posts as the sender has in flight, of bodies that are ready."""
    from prakerja.reminders.channels import HttpGateway
    from prakerja.reminders.texts import Texts

    texts = Texts("v2")
    bodies = [
        {
            "to": f"+62812{n:08}",
            "text": texts.render("sms", "early", "nothing", f"Siti{n}", date(2021, 4, 8)).body,
            "reference": f"{n}",
        }
        for n in range(people)
    ]
    left = iter(enumerate(bodies))
    address = urlsplit(sms)
    url, many = f"http://{address.hostname}:{address.port}{address.path}/messages", HttpGateway.in_flight_max
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=many)) as client:

        async def post() -> None:
            for number, body in left:
                headers = {"Authorization": "Bearer sandbox", "Idempotency-Key": f"{number}"}
                async with client.post(url, json=body, headers=headers) as answer:
                    assert answer.status == 202
                    await answer.json()

        start = time.perf_counter()
        await asyncio.gather(*(post() for _ in range(many)))
        return time.perf_counter() - start


def _ours(sms: str, people: int) -> dict[str, float]:
    from prakerja.programme import programme
    from prakerja.reminders import sending
    from prakerja.reminders.channels import Accounts

    programme().reminders.channels["sms"].per_second = 100_000
    start = time.perf_counter()
    progress = sending.send_reminders(cohort(), H7, Accounts({"sms": sms}), lambda: AT)
    seconds = time.perf_counter() - start
    while progress.counts["delivered"] < people and Settings.from_environment().receipts_url:
        progress = sending.send_reminders(cohort(), H7, Accounts({"sms": sms}), lambda: AT)
        time.sleep(0.2)
    assert progress.counts["delivered"] + progress.counts["accepted"] == people, progress
    return {"seconds": seconds, "settled": time.perf_counter() - start}


def cohort() -> Cohort:
    """The cohort of the bench."""
    return find_cohort(13)


# -- the world ---------------------------------------------------------------------------------------------------------


def _world(people: int) -> None:
    """A cohort nobody of which has bought, beside a month of others' purchases."""
    from prakerja.cohorts.standing import refresh_standings

    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "insert into rosters (cohort, fingerprint, status, announced_on, deadline_on, sha256, rows, arrived_on)"
            " values (13, 'x', 'accepted', %s, %s, 'y', %s, %s)",
            (cohort().announced_on, cohort().deadline_on, people, cohort().announced_on),
        )
        cards = {CARD + 1009 * i: Contact(f"Siti{i} Aminah", f"0812{i:08}", "") for i in range(1, people + 1)}
        connection.exec_driver_sql(
            "insert into recipients (roster_id, cohort, card_number, nik, contact, phone_token, email_token,"
            " region_code)"
            " select 1, 13, card, card + 1, contact, phone, email, '31' from"
            " unnest(%s::bigint[], %s::bytea[], %s::text[], %s::text[]) as t (card, contact, phone, email)",
            (list(cards), *Contacts.configured().columns(cards.items()).values()),
        )
        connection.exec_driver_sql(
            "insert into deliveries (platform, business_date, revision, fingerprint, status, arrived_on, sha256, rows)"
            " select platform, day, 1, '', 'accepted', day, 'x', 0 from unnest(cast(%s as text[])) as platform,"
            " generate_series(date '2021-01-01', '2021-03-31', '1 day') as day",
            (list(platforms()),),
        )
        connection.exec_driver_sql(
            "insert into transactions (delivery_id, line, event, occurred_at, card_number, transaction_id, amount_idr,"
            " course_id, voucher_code) select 1 + i %% 630, i, 'PAID', '2021-03-20', 8000000000000000 + i * 7,"
            " 'T' || i, 5000, 'K', 'V' from generate_series(1, %s) as i",
            (10 * people,),
        )
        connection.exec_driver_sql("analyze")
    refresh_standings(H7)


def _begin_anew() -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("truncate reminders, reminder_runs, provider_pace")


if __name__ == "__main__":
    what, given, count = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
    if "receipts" in given:
        os.environ["PRAKERJA_RECEIPTS_URL"] = given["receipts"]
    result = {"seconds": asyncio.run(_bare(given["sms"], count))} if what == "bare" else _ours(given["sms"], count)
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps(result))
