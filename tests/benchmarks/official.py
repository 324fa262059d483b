"""Waves 8 to 13 in their real sizes, up to 6 April 2021: played day by day, and held against what was told of them."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from prakerja import calendar, schema, warehouse
from prakerja.cohorts import overview
from prakerja.monitor import report
from tests.benchmarks.ingest import _peak_mb
from tests.support.day_player import Player, from_to

WAVES = (8, 9, 10, 11, 12, 13)
#: When the press was told of cohorts 12 and 13.
TOLD_ON = date(2021, 4, 6)
#: What the official figures say were revoked of cohorts 1 to 9, and of cohorts 1 to 10.
FIRST_NINE, FIRST_TEN = 373_745, 382_868
DECIDING = ("has_complete_feeds", "reconcile", "recheck", "choose", "approve_revocation", "revoke", "publish_blacklist")
console = Console(stderr=True)


def run(folder: Path, scale: float) -> None:
    """Simulate, play, and print one table: what was revoked beside what should have been, and the seconds."""
    official = {number: calendar.find_cohort(number) for number in WAVES}
    world = folder / "world"
    start = time.perf_counter()
    _simulate(world, scale)
    seconds = {"simulate": time.perf_counter() - start}
    os.environ |= {"PRAKERJA_LANDING": str(world / "landing"), "PRAKERJA_CALENDAR": str(world / "calendar.yaml")}
    schema.upgrade()
    try:
        player = Player("Siti")
        first = official[8].announced_on
        start = time.perf_counter()
        player.play(from_to(first, TOLD_ON), lambda day: _told(day, player))
        seconds["play"] = time.perf_counter() - start
        _report(world, scale, official, player, seconds)
    finally:
        warehouse.stop_embedded_server()


def _simulate(world: Path, scale: float) -> None:
    """In a process of its own, as its user would: a world of this size takes memory that is then given back."""
    code = "import sys; from prakerja.cli import main; sys.argv[0] = 'prakerja'; main()"
    cohorts = ",".join(map(str, WAVES))
    arguments = ["simulate", "--cohorts", cohorts, "--scale", str(scale), "--out", str(world)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)


def _told(day: date, player: Player) -> None:
    took = player.took[day]
    console.print(f"{day}: {', '.join(f'{name} {seconds:.1f} s' for name, seconds in took.items() if seconds >= 0.1)}")


def _report(
    world: Path, scale: float, official: dict[int, calendar.Cohort], player: Player, seconds: dict[str, float]
) -> None:
    expected = json.loads((world / "expected.json").read_text("utf-8"))
    truths = {truth["cohort"]: truth for truth in expected["cohorts"]}
    found: dict[int, dict[str, Any]] = {row["cohort"]: row for row in overview.cohort_table()}
    table = Table("figure", "official", "measured", "made of")
    for number, cohort in official.items():
        row, made_of = found[number], f"{found[number]['selected']:,} selected"
        if told := cohort.not_bought:
            assert row["at_risk"] == round(told.recipients * scale), (number, row["at_risk"])
            name = f"not bought of cohort {number} as of {told.as_of}"
            table.add_row(name, _of(told.recipients, scale), f"{row['at_risk']:,}", made_of)
            continue
        assert row["revoked"] == truths[number]["overdue"], (number, row["revoked"], truths[number]["overdue"])
        assert cohort.revoked is None or row["revoked"] == round(cohort.revoked * scale), (number, row["revoked"])
        share = f"{made_of}, {row['revoked'] / row['selected']:.1%}"
        table.add_row(f"revoked of cohort {number}", _of(cohort.revoked, scale), f"{row['revoked']:,}", share)
    if scale == 1:
        before = FIRST_NINE - (official[8].revoked or 0) - (official[9].revoked or 0)
        first_ten = before + sum(found[number]["revoked"] for number in (8, 9, 10))
        assert first_ten == FIRST_TEN
        with_others = f"with the official {before:,} of cohorts 1 to 7"
        table.add_row("revoked of cohorts 1 to 10", f"{FIRST_TEN:,}", f"{first_ten:,}", with_others)
    written = expected["written"]
    rows = f"{written['recipients']:,} people, {written['deliveries']} deliveries, {written['rows']:,} rows"
    table.add_row("simulate", "", f"{seconds['simulate']:.0f} s", rows)
    days = {day: {name: s for name, s in took.items() if name not in DECIDING} for day, took in player.took.items()}
    in_all = {name: sum(took[name] for took in days.values()) for name in days[min(days)]}
    table.add_row("play", "", f"{seconds['play']:.0f} s", f"{len(days)} days, of which {_parts(in_all)}")
    sums = {day: sum(took.values()) for day, took in days.items()}
    longest = max(sums, key=lambda day: sums[day])
    table.add_row("intake of a day: median", "", f"{statistics.median(sums.values()):.1f} s", "")
    table.add_row("intake of a day: longest", "", f"{sums[longest]:.1f} s", f"{longest}: {_parts(days[longest])}")
    for number, cohort in official.items():
        if cohort.decided_on > TOLD_ON:
            continue
        took = player.took[cohort.decided_on]
        deciding = {name: took[name] for name in DECIDING}
        table.add_row(f"decision of cohort {number}", "", f"{sum(deciding.values()):.1f} s", _parts(deciding))
    table.add_row("peak memory of playing", "", f"{_peak_mb():.0f} MB", "")
    Console(width=140).print(table)
    Console(width=140).print(report.build_report(TOLD_ON).as_text("id"))


def _of(official: int | None, scale: float) -> str:
    if official is None:
        return "not told"
    return f"{official:,}" if scale == 1 else f"{official:,} x {scale:g} = {round(official * scale):,}"


def _parts(took: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds:.1f}" for name, seconds in took.items() if seconds >= 0.05)
