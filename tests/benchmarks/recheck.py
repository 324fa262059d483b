"""The second reading of a large cohort, against reading the bytes of the same files; in a process of its own."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table
from upath import UPath

from prakerja.calendar import Cohort
from prakerja.platforms import platforms
from prakerja.recheck.facts import Delivery, Facts
from prakerja.recheck.rule import read_again
from prakerja.settings import WIB
from prakerja.simulation.writers import Row
from tests.support.landing_zone import deliver, deliver_roster, roster_line

COHORT = Cohort(date(2021, 3, 10), 13, date(2021, 4, 8))
DAYS = (COHORT.last_business_date - COHORT.announced_on).days + 1
PEOPLE, ROWS = 600_000, 4_000_000
SHARE_BOUGHT = 0.967
console = Console(stderr=True)


def run(folder: Path, scale: float, runs: int) -> None:
    """Measure, and print one table: the figure, what it should reach, and what it is made of."""
    people, rows = int(PEOPLE * scale), int(ROWS * scale)
    _world(folder, people, rows)
    references, measured = [], []
    for _ in range(runs):
        references.append(_read_bytes(folder))
        measured.append(_child(folder))
        console.print(f"read again in {measured[-1]['seconds']:.0f} s, {measured[-1]['peak_mb']:.0f} MB")
    seconds, reference = (statistics.median(each) for each in ([m["seconds"] for m in measured], references))
    table = Table("figure", "reach", "measured", "made of")
    table.add_row(
        f"the second reading, {people:,} people, {rows:,} rows", "at most 240 s", f"{seconds:.0f} s",
        f"{1e6 * seconds / rows:.1f} µs a row, {measured[0]['deliveries']:.0f} deliveries",
    )  # fmt: skip
    table.add_row(
        "the same / hashing and splitting the same bytes", "", f"{seconds / reference:.1f}", f"/ {reference:.1f} s"
    )
    table.add_row("peak memory", "under 2,500 MB", f"{max(m['peak_mb'] for m in measured):.0f} MB", "")
    Console(width=120).print(table)


def _child(folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.recheck", str(folder)], check=True, capture_output=True, text=True
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _measure(folder: Path) -> dict[str, Any]:
    facts = _facts(folder)
    start = time.perf_counter()
    found = read_again(UPath(folder), facts)
    seconds = time.perf_counter() - start
    bought = int(len(found.by_card) * SHARE_BOUGHT)
    assert found.totals["purchased"] == bought, (found.totals, bought)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mb": peak, "deliveries": len(found.in_force)}


def _read_bytes(folder: Path) -> float:
    """Hash each file and split it into cells: the least that any reading does."""
    start = time.perf_counter()
    for path in sorted(folder.rglob("*.*")):
        data = path.read_bytes()
        hashlib.sha256(data).hexdigest()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        if path.suffix not in (".xlsx", ".json"):
            for _ in csv.reader(data.decode().splitlines()):
                pass
    return time.perf_counter() - start


def _facts(folder: Path) -> Facts:
    manifests = [json.loads(path.read_bytes()) for path in folder.glob("feeds/*/*/*/manifest.json")]
    return Facts(
        cohort=COHORT.number,
        announced_on=COHORT.announced_on,
        deadline_on=COHORT.deadline_on,
        settlement_days=COHORT.settlement_days,
        as_of=COHORT.decided_on,
        roster_sha256=hashlib.sha256((folder / "rosters" / "gelombang-13" / "roster.csv.gz").read_bytes()).hexdigest(),
        deliveries=tuple(
            Delivery(each["platform"], date.fromisoformat(each["business_date"]), each["revision"],
                     each["files"][0]["sha256"], COHORT.decided_on)
            for each in manifests
        ),
        suspensions=(),
        withdrawals=(),
        revoked_earlier=frozenset(),
    )  # fmt: skip


def _world(folder: Path, people: int, rows: int) -> None:
    """A roster, and of each platform and date as many rows: each buyer once, and others' purchases."""
    lines = [roster_line(number) for number in range(1, people + 1)]
    deliver_roster(folder, COHORT.number, lines, COHORT.announced_on.isoformat(), COHORT.deadline_on.isoformat())
    slots = [(platform, COHORT.announced_on + timedelta(days=day)) for day in range(DAYS) for platform in platforms()]
    inside = [slot for slot in slots if slot[1] <= COHORT.deadline_on]
    buyers = int(people * SHARE_BOUGHT)
    share = -(-buyers // len(inside))
    for number, (platform, day) in enumerate(slots):
        own = range(number * share, min((number + 1) * share, buyers)) if (platform, day) in inside else range(0)
        deliver(folder, platform, day.isoformat(), list(_rows(day, own, rows // len(slots), number)))
        if number % 25 == 24:
            console.print(f"the world: {number + 1} of {len(slots)} deliveries")


def _rows(day: date, own: range, count: int, seed: int) -> Iterator[Row]:
    chance, midnight = Random(seed), datetime.combine(day, datetime.min.time(), WIB)
    for number in range(count):
        card = 10**15 + 1 + own[number] if number < len(own) else 8 * 10**15 + chance.randrange(10**9) * 7
        at = midnight + timedelta(seconds=chance.randrange(86_400))
        yield Row(f"TRX-{seed}-{number:08}", "PAID", at, f"{card}", 500_000, f"KLS-{chance.randrange(900):04}", "V")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure(Path(sys.argv[1]))))
