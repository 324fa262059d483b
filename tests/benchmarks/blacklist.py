"""The published list at two million entries: publishing, the service, and a reader, against bare references."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from upath import UPath

from prakerja import schema, warehouse
from prakerja.blacklist.publisher import configured_keys, publishing, storage, verification
from prakerja.blacklist.service import access
from prakerja.programme import programme
from prakerja.settings import PROJECT, WIB
from prakerja_blacklist.format.snapshot import sha256
from prakerja_blacklist.reader import sync
from prakerja_blacklist.reader.kept_lines import LINES
from prakerja_blacklist.reader.own_folder import map_own_file
from tests.benchmarks.superuser import let_facts_go_unproved

PEOPLE = 2_000_000
ADDED, WITHDRAWN = 10_000, 500  # a wave's revocations, and an extended deadline's first reinstatements
AT = datetime.now(UTC).replace(microsecond=0)
TODAY = AT.astimezone(WIB).date()
CONNECTIONS, SECONDS = 32, 8.0
console = Console(stderr=True)


def run(folder: Path, scale: float, runs: int) -> None:
    """Measure, and print one table: the figure, what it should reach, and what it is made of."""
    people = int(PEOPLE * scale)
    rules = programme().blacklist
    rules.grows_free = rules.shrinks_free = people
    schema.upgrade()
    let_facts_go_unproved()
    table = Table("figure", "reach", "measured", "made of")
    try:
        _world(people + ADDED)
        root = UPath(os.environ["PRAKERJA_HOME"]) / "publish" / "blacklist"
        _publishing(table, folder, root, people, runs)
        _reader(table, folder, root, people, runs)
        _service(table, people, runs)
    finally:
        warehouse.stop_embedded_server()
    Console(width=130).print(table)


def _publishing(table: Table, folder: Path, root: UPath, people: int, runs: int) -> None:
    _revoke(1, people)
    first, _ = _timed(lambda: publishing.publish("first", AT - timedelta(hours=1), TODAY))
    console.print(f"the first version: {first:.1f} s")
    _revoke(people + 1, people + ADDED)
    _reinstate(WITHDRAWN)
    measured, _ = _timed(lambda: publishing.publish("second", AT, TODAY))
    unsorted = folder / "unsorted.csv"
    _unsorted(root, unsorted)
    references = sorted(_timed(lambda: _bare(unsorted, folder))[0] for _ in range(runs))
    reference = references[len(references) // 2]
    manifest = verification.latest_version(root).manifest
    delta = manifest.file("delta.csv.gz")
    table.add_row(
        f"publishing {manifest.counts.entries:,} entries, {delta.rows:,} changed / sort, gzip, hash of the same CSV",
        "at most 3", f"{measured / reference:.1f}", f"{measured:.1f} s / {reference:.1f} s; the first {first:.1f} s",
    )  # fmt: skip
    table.add_row("delta, bytes a change", "", f"{delta.bytes / delta.rows:.1f}",
                  f"{delta.bytes:,} bytes; CRLite: 26.8 kB every six hours")  # fmt: skip


def _reader(table: Table, folder: Path, root: UPath, people: int, runs: int) -> None:
    """A reader that has the first version takes in the second by its delta, and then answers for a NIK."""
    pins, first_folder = [configured_keys.load_signing_key().public], folder / "reader"
    newest = (root / "latest.json").read_bytes()
    first = (root / "v000001" / "manifest.json").read_bytes()
    pointer = f'{{"version":1,"manifest":"v000001/manifest.json","sha256":"{hashlib.sha256(first).hexdigest()}"}}'
    (root / "latest.json").write_bytes(pointer.encode())
    whole, _ = _timed(lambda: sync.Client(first_folder, pins).sync(storage.source_in(root), AT))
    (root / "latest.json").write_bytes(newest)
    found = []
    for number in range(runs):
        own = folder / f"reader {number}"
        shutil.copytree(first_folder, own)
        os.sync()
        (lines,) = own.glob(f"v*/{LINES}")
        reference, _ = _timed(lambda lines=lines: sha256(map_own_file(lines)))
        took, synced = _timed(lambda own=own: sync.Client(own, pins).sync(storage.source_in(root), AT))
        assert synced.how == "delta", synced.how
        found.append((took / reference, took, reference, _check(own, folder, f"{3_100_000_000_000_000 + people}")))
        shutil.rmtree(own)
    ratio, took, reference, _ = sorted(found)[runs // 2]
    table.add_row(
        f"a reader's sync of one delta, {len(synced.changes):,} changes", "0.3 s", f"{took:.2f} s",
        f"{ratio:.1f} times SHA-256 of the list, {reference:.2f} s, which it must have; the whole list {whole:.1f} s",
    )  # fmt: skip
    table.add_row("`prakerja-blacklist check` of one NIK, with its start", "0.2 s",
                  f"{sorted(each[3] for each in found)[runs // 2]:.2f} s", "")  # fmt: skip


def _check(own: Path, folder: Path, nik: str) -> float:
    """Return how long a process takes that verifies a reader's folder and answers."""
    pin = folder / "pin.pem"
    pin.write_bytes(configured_keys.load_signing_key().public.pem)
    key = base64.b64encode(configured_keys.load_subject_key().key).decode()
    command = [sys.executable, "-m", "prakerja_blacklist", "check", "--in", str(own), "--pin", str(pin)]
    # Compiled at the first of the runs, as an installed package is.
    compiled = {"PYTHONPYCACHEPREFIX": str(folder / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
    environment = {**os.environ, **compiled, "PRAKERJA_SUBJECT_KEY": key, "PYTHONPATH": str(PROJECT / "include")}
    took, done = _timed(
        lambda: subprocess.run(command, input=f"{nik}\n".encode(), env=environment, capture_output=True, check=True)
    )
    assert done.stdout == b"listed\n", done
    return float(took)


def _service(table: Table, people: int, runs: int) -> None:
    token = access.create("bench", ["check"], 10**9, None, created_by="bench")
    empties, ours, memory = [], [], 0
    for _ in range(runs):
        with _served([sys.executable, "-c", EMPTY]) as (port, _):
            empties.append(asyncio.run(_load(port, token, people)))
        with _served([str(Path(sys.executable).with_name("prakerja")), "serve", "--port"]) as (port, process):
            ours.append(asyncio.run(_load(port, token, people)))
            memory = max(memory, _peak_memory(process.pid))
        console.print(f"requests a second, p99 ms: empty {empties[-1]}, check {ours[-1]}")
    empty, check = (sorted(found)[len(found) // 2] for found in (empties, ours))
    table.add_row("`check` of one NIK over HTTP / an empty FastAPI route, requests a second", "at least 70 %",
                  f"{check[0] / empty[0]:.0%}", f"{check[0]:,.0f} / {empty[0]:,.0f}")  # fmt: skip
    table.add_row("its p99 / that of the empty route", "at most 3", f"{check[1] / empty[1]:.1f}",
                  f"{check[1]:.1f} ms / {empty[1]:.1f} ms")  # fmt: skip
    table.add_row("the service's memory, at its most", "under 400 MB", f"{memory:.0f} MB", "")


# -- references --------------------------------------------------------------------------------------------------------


def _bare(unsorted: Path, folder: Path) -> None:
    """What a person would type: read, sort, hash, gzip, write."""
    with unsorted.open("rb") as file:
        header = file.readline()
        lines = file.readlines()
    lines.sort()
    data = header + b"".join(lines)
    hashlib.sha256(data).hexdigest()
    with gzip.open(folder / "bare.csv.gz", "wb", compresslevel=6) as out:
        out.write(data)


EMPTY = """
import sys
import uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.post("/v1/blacklist/check")
async def empty():
    return {}
@app.get("/readyz")
async def readyz():
    return {}
uvicorn.run(app, port=int(sys.argv[1]), http="httptools", log_level="error", access_log=False)
"""


# -- the load ----------------------------------------------------------------------------------------------------------


class _Caller(asyncio.Protocol):
    """One connection that asks, awaits the whole answer, and asks again."""

    def __init__(self, questions: list[bytes], until: float, done: asyncio.Future[None]) -> None:
        self.questions, self.until, self.done = questions, until, done
        self.took: list[float] = []
        self._buffer, self._next = b"", 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        self.sent = time.perf_counter()
        self.transport.write(self.questions[self._next % len(self.questions)])
        self._next += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
            return
        assert head.startswith(b"HTTP/1.1 200"), head
        self._buffer = b""
        now = time.perf_counter()
        self.took.append(now - self.sent)
        if now < self.until:
            self._ask()
        elif not self.done.done():
            self.done.set_result(None)


async def _load(port: int, token: str, people: int) -> tuple[float, float]:
    """Requests a second, and the 99th percentile in milliseconds, of connections that each ask without a break."""
    questions = []
    for number in range(1, people, max(people // 997, 1)):
        body = b'{"niks":["%d"]}' % (3_100_000_000_000_000 + number)
        questions.append(
            b"POST /v1/blacklist/check HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            + f"authorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body
        )
    loop = asyncio.get_running_loop()
    for seconds in (1.0, SECONDS):  # the first is a warm-up
        until = time.perf_counter() + seconds
        callers = []
        for each in range(CONNECTIONS):
            done = loop.create_future()
            turned = questions[each:] + questions[:each]
            caller = _Caller(turned, until, done)
            await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", port)  # type: ignore[misc]
            callers.append(caller)
        await asyncio.gather(*(caller.done for caller in callers))
        for caller in callers:
            caller.transport.close()
    took = sorted(each for caller in callers for each in caller.took)
    return len(took) / SECONDS, took[int(len(took) * 0.99)] * 1000


@contextlib.contextmanager
def _served(command: list[str]) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([*command, str(port)], cwd=PROJECT, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            time.sleep(0.1)
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
        else:
            raise RuntimeError("the server does not become ready")
        yield port, process
    finally:
        process.terminate()
        process.wait()


def _peak_memory(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


# -- the world ---------------------------------------------------------------------------------------------------------


def _world(people: int) -> None:
    console.print(f"writing {people:,} people")
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql(
            "insert into rosters (cohort, fingerprint, status, announced_on, deadline_on, arrived_on)"
            " values (12, '', 'accepted', '2021-03-05', '2021-04-03', '2021-03-05')"
        )
        connection.exec_driver_sql(
            "insert into recipients (roster_id, cohort, card_number, nik, contact, phone_token, email_token,"
            " region_code)"
            " select 1, 12, n, 3100000000000000 + n, '', '', '', '31'"
            f" from generate_series(1, {people}) as n order by mod(n::bigint * 7919, 1000003)"
        )
        connection.exec_driver_sql(
            "insert into decisions (decision_id, cohort, roster_id, status, announced_on, deadline_on, settlement_days,"
            " as_of, selected, purchased, held, overdue, excluded) values ('gelombang-12-' || repeat('a', 24), 12, 1,"
            " 'made', '2021-03-05', '2021-04-03', 1, '2021-04-05', 10, 0, 0, 10, 0)"
        )
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("analyze recipients")


def _revoke(first: int, last: int) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql(
            "insert into revocations (recipient_id, decision_id, reason, effective_at, approved_by, revoked_on)"
            " select recipient_id, 'gelombang-12-' || repeat('a', 24), 'NO_FIRST_PURCHASE', '2021-04-03 17:00Z',"
            f" 'Siti', '{date(2021, 4, 5)}' from recipients where card_number between {first} and {last}"
        )
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("analyze revocations")


def _reinstate(people: int) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql(
            "insert into reinstatements (recipient_id, because, approved_by, reinstated_on)"
            f" select recipient_id, 'purchase', 'Siti', '{date(2021, 4, 6)}'"
            f" from recipients where card_number <= {people}"
        )


def _unsorted(root: UPath, path: Path) -> None:
    """The CSV of the newest version, its lines as the warehouse has the people: in no order."""
    header, *lines = verification.snapshot_of(root, 2).splitlines(keepends=True)
    lines.sort(key=lambda line: line[32:48])
    path.write_bytes(header + b"".join(lines))


def _timed(work: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
