"""A revision that has arrived and keeps the contract is the one in force, or the decision stops."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from prakerja.errors import TransientError
from prakerja.recheck.facts import Delivery
from prakerja.recheck.files import EvidenceError, open_delivery
from prakerja.recheck.passed_over import require_none_passed_over
from prakerja.recheck.rows import Row, read_rows
from prakerja.recheck.rule import find_deliveries_in_force
from tests.unit.recheck.conftest import AS_OF, BUDI, HEADER, SITI, LandingZone, build_row

ON = date(2021, 3, 11)
FOLDER = "feeds/tokopedia/2021-03-11"


def look(zone: LandingZone, *unknown: Delivery) -> None:
    """Look for what was passed over, where the warehouse knows of all deliveries but these."""
    zone.deliveries = [delivery for delivery in zone.deliveries if delivery not in unknown]
    facts = zone.facts()
    require_none_passed_over(UPath(zone.root), facts, find_deliveries_in_force(facts, is_later=False))


def manifest(zone: LandingZone, revision: int, **changes: Any) -> None:
    path = zone.root / FOLDER / f"r{revision}" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_counts_is_not_passed_over(zone: LandingZone) -> None:
    zone.deliver(build_row())
    zone.deliver(build_row(), revision=10)
    zone.deliver(build_row(), revision=9)
    look(zone)


def test_a_lower_revision_counts_for_nothing(zone: LandingZone) -> None:
    zone.deliver(build_row(), revision=10)
    look(zone, zone.deliver(build_row(BUDI), revision=9))


@pytest.mark.parametrize("revision", [2, 10])
def test_a_higher_one_that_nobody_took_in_stops(zone: LandingZone, revision: int) -> None:
    zone.deliver(build_row())
    with pytest.raises(EvidenceError, match=f"{FOLDER}/r{revision}: it has arrived, keeps the contract, and does not"):
        look(zone, zone.deliver(build_row(BUDI), revision=revision))


def test_the_only_one_that_nobody_took_in_stops(zone: LandingZone) -> None:
    with pytest.raises(EvidenceError, match=f"{FOLDER}/r1"):
        look(zone, zone.deliver(build_row()))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda zone: (zone.root / FOLDER / "r2" / "manifest.json").unlink(),  # it is not complete yet
        lambda zone: (zone.root / FOLDER / "r2" / "manifest.json").write_text("{"),
        lambda zone: (zone.root / FOLDER / "r2" / "transactions.csv").write_text("x"),
        lambda zone: manifest(zone, 2, platform="bukalapak"),
        lambda zone: manifest(zone, 2, generated_at=f"{AS_OF}T24:00:00+07:00"),
        lambda zone: manifest(zone, 2, generated_at="2021-03-15T00:00:00+07:00"),  # it comes the day after
        lambda zone: manifest(zone, 2, generated_at="9999-12-31T23:59:59-23:59"),
        lambda zone: manifest(zone, 2, files=[]),
        lambda zone: manifest(zone, 2, files={"0": {}}),
    ],
)
def test_a_rejected_or_later_delivery_is_not_passed_over(
    zone: LandingZone, spoil: Callable[[LandingZone], Any]
) -> None:
    zone.deliver(build_row())
    unknown = zone.deliver(build_row(BUDI), revision=2)
    spoil(zone)
    look(zone, unknown)


def test_on_its_last_day_it_has_come(zone: LandingZone) -> None:
    unknown = zone.deliver(build_row())
    manifest(zone, 1, generated_at=f"{AS_OF}T23:59:59+07:00")
    with pytest.raises(EvidenceError, match="it has arrived"):
        look(zone, unknown)


@pytest.mark.parametrize(("damaged", "is_accepted"), [(5, True), (6, False)])
def test_more_than_one_in_twenty_quarantined_is_rejected(zone: LandingZone, damaged: int, is_accepted: bool) -> None:
    rows = [build_row("1" if n < damaged else SITI, of=f"INV/{n}") for n in range(100)]
    unknown = zone.deliver(*rows)
    if is_accepted:
        with pytest.raises(EvidenceError, match="it has arrived"):
            look(zone, unknown)
    else:
        look(zone, unknown)


def test_repeats_are_dropped_and_conflicts_quarantined(zone: LandingZone) -> None:
    """One damaged row three times is one of a hundred; three rows of one id are three."""
    good = [build_row(of=f"INV/{n}") for n in range(94)]
    with pytest.raises(EvidenceError, match="it has arrived"):
        look(zone, zone.deliver(*good, *[build_row("1", of="x")] * 6))
    conflict = [build_row(at=f"2021-03-11T12:00:0{n}+07:00", of="x") for n in range(6)]
    look(zone, zone.deliver(*good, *conflict, revision=1))


@pytest.mark.parametrize("error", [TimeoutError, OSError, RuntimeError])
@pytest.mark.parametrize(("method", "reads"), [("iterdir", look), ("read_bytes", LandingZone.read)])
def test_a_storage_failure_is_not_missing_evidence(
    zone: LandingZone,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    reads: Callable[[LandingZone], Any],
    error: type[Exception],
) -> None:
    def give_way(self: UPath) -> Any:
        raise error

    zone.deliver(build_row())
    monkeypatch.setattr(type(UPath(zone.root)), method, give_way)
    with pytest.raises(TransientError, match=rf"the landing zone failed temporarily \({error.__name__}\): retry"):
        reads(zone)


@pytest.mark.parametrize("name", ["r02", "r0", "r-1", "R2", "r2.part", "r²", "r" + "9" * 20, "x"])
def test_other_folders_are_no_revisions(zone: LandingZone, name: str) -> None:
    zone.deliver(build_row())
    Path(zone.root / FOLDER / name).mkdir()
    look(zone)


def test_a_file_with_more_rows_than_it_says_is_not_read_on(zone: LandingZone) -> None:
    """However many rows lie there, no more than its manifest says are taken apart."""
    text = "\n".join([HEADER, *[build_row(of=f"INV/{n}") for n in range(9)]])
    delivery = zone.deliver_bytes("tokopedia", text.encode(), 3, 45_000)
    evidence = open_delivery(UPath(zone.root), delivery)
    read: list[Row] = []
    with pytest.raises(EvidenceError, match="the file has more rows than its manifest says, 3"):
        read.extend(read_rows(evidence, delivery))
    assert len(read) == 3
