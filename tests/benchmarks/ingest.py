"""Ingest against a bare COPY, against the script that one would write first, and the dialects against each other."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from prakerja import schema, warehouse
from prakerja.platforms import EVENTS
from prakerja.settings import WIB
from prakerja.simulation.writers import Row
from tests.benchmarks.superuser import superuser
from tests.support.landing_zone import deliver

DAY = date(2021, 4, 8)
CLOCK = date(2021, 4, 9)
OTHERS = ("bukalapak", "pijar-mahir", "sisnaker", "pintaria", "sekolahmu", "mau-belajar-apa")
console = Console(stderr=True)


def run(folder: Path, scale: float, runs: int) -> None:
    """Measure, and print one table: the figure, what it should reach, and what it is made of."""
    schema.upgrade()
    try:
        _report(folder, scale, runs)
    finally:
        warehouse.stop_embedded_server()


def _report(folder: Path, scale: float, runs: int) -> None:
    size = {name: int(rows * scale) for name, rows in {"small": 200_000, "usual": 500_000, "large": 2_000_000}.items()}
    zones = {name: _zone(folder / name, "tokopedia", rows) for name, rows in size.items()}
    took: dict[str, float] = {}
    peak: dict[str, float] = {}
    for name, zone in zones.items():
        measured = [_child("ingest", zone, "tokopedia") for _ in range(runs)]
        took[name] = statistics.median(one["seconds"] for one in measured)
        peak[name] = max(one["peak_mb"] for one in measured)
        console.print(f"tokopedia, {size[name]:,} rows: {took[name]:.2f} s, {peak[name]:.0f} MB")
    again = statistics.median(one["again"] for one in measured)
    copies = {
        name: statistics.median(_bare_copy(zones[name], "tokopedia") for _ in range(runs))
        for name in ("usual", "large")
    }
    obvious = _child("obvious", zones["usual"], "tokopedia")["seconds"]

    table = Table("figure", "reach", "measured", "made of")
    for name in ("usual", "large"):
        table.add_row(
            f"ingest / bare COPY, {size[name]:,} rows",
            "at most 4",
            f"{took[name] / copies[name]:.2f}",
            f"{took[name]:.2f} s / {copies[name]:.2f} s",
        )
    table.add_row(
        f"the obvious script / ingest, {size['usual']:,} rows",
        "at least 8",
        f"{obvious / took['usual']:.1f}",
        f"{obvious:.1f} s / {took['usual']:.2f} s",
    )
    table.add_row(
        f"peak memory, {size['large']:,} rows / {size['small']:,}",
        "at most 1.3",
        f"{peak['large'] / peak['small']:.2f}",
        f"{peak['large']:.0f} MB / {peak['small']:.0f} MB",
    )
    table.add_row(f"peak memory, {size['large']:,} rows", "under 600 MB", f"{peak['large']:.0f} MB", "")
    per_row = took["small"] / size["small"]
    for platform in OTHERS:
        rows = size["small"] // (4 if platform == "mau-belajar-apa" else 1)
        zone = _zone(folder / platform, platform, rows)
        seconds = statistics.median(_child("ingest", zone, platform)["seconds"] for _ in range(runs))
        table.add_row(
            f"{platform} / tokopedia, per row of {rows:,}",
            f"at most {8 if platform == 'mau-belajar-apa' else 2.5}",
            f"{seconds / rows / per_row:.2f}",
            f"{1e6 * seconds / rows:.1f} µs / {1e6 * per_row:.1f} µs",
        )
    table.add_row("the same delivery a second time", "under 1 s", f"{again:.3f} s", "nothing to do")
    Console(width=120).print(table)


# -- worlds ------------------------------------------------------------------------------------------------------------


def _zone(zone: Path, platform: str, rows: int) -> Path:
    """A landing zone with one delivery: mostly purchases, some undone, some repeated."""
    deliver(zone, platform, DAY.isoformat(), list(_rows(rows)))
    return zone


def _rows(count: int) -> Iterator[Row]:
    chance = random.Random(count)
    midnight = datetime.combine(DAY, datetime.min.time(), WIB)
    row = None
    for number in range(count):
        if row is not None and number % 100 == 0:
            yield row  # a repeat
            continue
        if row is not None and number % 50 == 0:
            yield Row(row.transaction_id, "CANCELLED", row.occurred_at, row.card, row.amount, row.course, "")
            continue
        row = Row(
            f"TRX-20210408-{number:08}",
            "PAID",
            midnight + timedelta(seconds=chance.randrange(86_400)),
            f"{chance.randrange(10**16):016}",
            chance.choice((150_000, 200_000, 350_000, 500_000, 1_000_000)),
            f"KLS-{chance.randrange(900):04}",
            f"V{chance.randrange(10**8):08}",
        )
        yield row


def _file(zone: Path, platform: str) -> Path:
    (file,) = (path for path in (zone / "feeds" / platform).rglob("transactions.*"))
    return file


# -- what is measured --------------------------------------------------------------------------------------------------


def _child(what: str, zone: Path, platform: str) -> dict[str, float]:
    """One measurement in a fresh process, with nothing left to be written from before."""
    _settle()
    command = [sys.executable, "-m", "tests.benchmarks.ingest", what, platform]
    environment = os.environ | {"PRAKERJA_LANDING": str(zone)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def _settle() -> None:
    os.sync()
    with superuser() as server:
        server.execute("checkpoint")


def _empty() -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "truncate deliveries, transactions, quarantine, restatements, waivers restart identity cascade"
        )


def ingest(platform: str) -> dict[str, float]:
    """The whole ingest, and the same again; imports are not in it."""
    from prakerja.feeds import expectations, intake  # noqa: F401 - imported before the clock starts

    _empty()
    start = time.perf_counter()
    taken = intake.take_in(platform, CLOCK)
    seconds = time.perf_counter() - start
    assert len(taken.accepted) == 1, taken
    peak = _peak_mb()
    start = time.perf_counter()
    assert not intake.take_in(platform, CLOCK).accepted
    return {"seconds": seconds, "peak_mb": peak, "again": time.perf_counter() - start}


def _peak_mb() -> float:
    """What this process had at most in memory: not getrusage's, which begins with the parent's."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def _bare_copy(zone: Path, platform: str) -> float:
    """The file's rows into typed columns without an index, by nothing but COPY."""
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("drop table if exists bare")
        connection.exec_driver_sql(
            "create table bare (transaction_id text, event transaction_event, occurred_at timestamptz,"
            " card_number bigint, course_id text, amount_idr integer, voucher_code text)"
        )
    _settle()
    start = time.perf_counter()
    with (
        warehouse.transaction(as_owner=True) as connection,
        _file(zone, platform).open("rb") as file,
        connection.connection.cursor() as cursor,
        cursor.copy("copy bare from stdin (format csv, header)") as copy,
    ):
        while chunk := file.read(1 << 20):
            copy.write(chunk)
    return time.perf_counter() - start


def obvious() -> dict[str, float]:
    """What one would write first: `read_csv`, the same suite by the book, `to_sql`."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations import expectations as gxe

    from prakerja.feeds.expectations import suite
    from prakerja.settings import Settings

    _empty()
    file = _file(Path(Settings.from_environment().landing), "tokopedia")
    context = gx.get_context(mode="ephemeral")
    start = time.perf_counter()
    frame = pd.read_csv(file, dtype={"card_number": str}, keep_default_na=False)
    frame["occurred_at"] = pd.to_datetime(frame["occurred_at"], utc=True, format="ISO8601")
    frame = frame.drop_duplicates()
    frame["is_conflicting"] = frame.duplicated(["transaction_id", "event"], keep=False)
    frame["is_readable"], frame["transaction_id_is_malformed"] = True, False
    bounds = {"start": datetime(2021, 4, 1, tzinfo=WIB), "end": datetime(2021, 4, 9, tzinfo=WIB)}
    stock = gx.ExpectationSuite(name="transactions")
    for rule in suite("tokopedia").expectations:
        kind: Any = getattr(gxe, type(rule).__name__.replace("RowTo", "ExpectColumnValuesTo"))
        given = rule.configuration.kwargs
        stock.add_expectation(
            kind(
                **{
                    k: bounds[v["$PARAMETER"]] if isinstance(v, dict) and "$PARAMETER" in v else v
                    for k, v in given.items()
                }
            )
        )
    batch = (
        context.data_sources.add_pandas("pandas").add_dataframe_asset("day").add_batch_definition_whole_dataframe("all")
    )
    result = batch.get_batch({"dataframe": frame}).validate(stock, result_format="COMPLETE")
    assert result.success, result
    good = frame.drop(columns=["is_conflicting", "is_readable", "transaction_id_is_malformed"])
    good.insert(0, "delivery_id", 1)
    good.insert(1, "line", good.index + 2)
    good["card_number"] = good["card_number"].astype("int64")
    event = sa.Enum(*EVENTS, name="transaction_event", create_type=False)
    with warehouse.transaction("ingest") as connection:
        good.to_sql("transactions", connection, if_exists="append", index=False, dtype={"event": event})
    return {"seconds": time.perf_counter() - start}


if __name__ == "__main__":
    kind, slug = sys.argv[1:]
    measures: dict[str, Any] = {"obvious": obvious}
    print(json.dumps(ingest(slug) if kind == "ingest" else measures[kind]()))  # noqa: T201 - its one answer
