"""Evidence that is gone or changed, a manifest or roster that breaks a rule: one error each, which says where."""

from __future__ import annotations

import json
import pickle
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from prakerja.recheck.facts import Delivery
from prakerja.recheck.files import EvidenceError, open_delivery
from tests.unit.recheck.conftest import ANNOUNCED_ON, BUDI, RATNA, SITI, LandingZone, build_row

FEED = "feeds/tokopedia/2021-03-11/r1"
ROSTER = "rosters/gelombang-12"


def change_manifest(folder: Path, changes: dict[str, Any], entry: dict[str, Any] | None = None) -> None:
    """Change fields of a manifest and of its file."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest.update(changes)
    if entry:
        manifest["files"][0].update(entry)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def refused(zone: LandingZone, **changes: Any) -> str:
    """Return the line with which the reading is refused; it holds no value of a row."""
    with pytest.raises(EvidenceError) as error:
        zone.read(**changes)
    line = str(error.value)
    assert "\n" not in line
    assert str(zone.root) not in line
    assert not any(value in line for value in (SITI, BUDI, RATNA, "INV/1", "Nama"))
    return line


@pytest.mark.parametrize("gone", ["manifest.json", "transactions.csv"])
def test_file_that_is_gone(zone: LandingZone, gone: str) -> None:
    zone.deliver(build_row())
    (zone.root / FEED / gone).unlink()
    assert refused(zone).startswith(f"{FEED}/{gone}: the file is gone")


def test_error_travels_between_processes() -> None:
    error = EvidenceError("a", "b", "c")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == "a: b; c"  # noqa: S301 - our own


def test_file_with_other_bytes(zone: LandingZone) -> None:
    zone.deliver(build_row())
    file = zone.root / FEED / "transactions.csv"
    file.write_bytes(file.read_bytes().replace(b"KLS-1", b"KLS-2"))
    assert refused(zone).startswith(f"{FEED}/transactions.csv: the file has another size or SHA-256")
    file.write_bytes(file.read_bytes() + b"\n")
    assert "size" in refused(zone)


def test_delivery_that_was_written_anew_with_its_manifest(zone: LandingZone) -> None:
    first = zone.deliver(build_row())
    zone.deliver(build_row(BUDI))
    zone.deliveries = [first]
    assert "another SHA-256 than the one that was accepted" in refused(zone)


def test_delivery_that_was_accepted_before_its_business_date(zone: LandingZone) -> None:
    zone.deliver(build_row(), accepted_on=date(2021, 3, 11))
    zone.read()
    zone.deliveries.clear()
    zone.deliver(build_row(), accepted_on=date(2021, 3, 10))
    assert refused(zone).startswith(f"{FEED}: `business_date` of the manifest")


@pytest.mark.parametrize(
    ("changes", "entry"),
    [
        ({"contract": "prakerja.feed/2"}, {}),
        ({"platform": "bukalapak"}, {}),
        ({"business_date": "2021-03-12"}, {}),
        ({"revision": 2}, {}),
        ({"revision": "1"}, {}),
        ({"revision": True}, {}),
        ({"generated_at": "2021-03-12T01:00:00"}, {}),
        ({"generated_at": "2021-03-10T23:59:59+07:00"}, {}),
        ({"generated_at": None}, {}),
        ({"files": []}, {}),
        ({"files": {}}, {}),
        ({"files": [1]}, {}),
        ({"files": [{}, {}]}, {}),
        ({}, {"name": "../transactions.csv"}),
        ({}, {"name": ".csv"}),
        ({}, {"name": 1}),
        ({}, {"bytes": -1}),
        ({}, {"bytes": 2**40}),
        ({}, {"rows": 1.5}),
        ({}, {"rows": None}),
        ({}, {"rows": 2}),
        ({}, {"amount_idr": 5001}),
        ({}, {"amount_idr": 2**63}),
        ({}, {"amount_idr": "5000"}),
        ({}, {"sha256": "0" * 64}),
        ({}, {"sha256": None}),
    ],
)
def test_manifest_that_breaks_a_rule(zone: LandingZone, changes: dict[str, Any], entry: dict[str, Any]) -> None:
    zone.deliver(build_row())
    zone.read()
    change_manifest(zone.root / FEED, changes, entry)
    assert refused(zone).startswith(FEED)


@pytest.mark.parametrize(
    "text", ["", "[]", "{} {}", '{"contract":"a","contract":"a"}', "\ufffe", '{"a":NaN}', "[" * 9999]
)
def test_manifest_that_is_not_strict_json(zone: LandingZone, text: str) -> None:
    zone.deliver(build_row())
    (zone.root / FEED / "manifest.json").write_text(text)
    assert refused(zone).startswith(f"{FEED}: the manifest is not")


def test_manifest_with_a_byte_order_mark_and_crlf(zone: LandingZone) -> None:
    zone.deliver(build_row())
    path = zone.root / FEED / "manifest.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b", ", b",\r\n"))
    assert zone.siti().outcome == "purchased"


def test_manifest_that_is_generated_as_the_date_begins(zone: LandingZone) -> None:
    zone.deliver(build_row())
    change_manifest(zone.root / FEED, {"generated_at": "2021-03-10T17:00:00Z"})
    zone.read()


def test_platform_that_is_unknown_or_not_active(zone: LandingZone) -> None:
    stranger = Delivery("shopee", ANNOUNCED_ON, 1, "0", ANNOUNCED_ON)
    assert refused(zone, deliveries=(stranger,)).startswith("feeds/shopee/2021-03-10/r1: the platform is unknown")
    old = Delivery("tokopedia", date(2020, 4, 10), 1, "0", date(2020, 4, 11))
    with pytest.raises(EvidenceError, match="not active on this date"):
        open_delivery(UPath(zone.root), old)


def test_revisions_that_are_not_in_force_are_not_read(zone: LandingZone) -> None:
    zone.deliver(build_row())
    zone.deliver(build_row(), revision=2)
    (zone.root / FEED / "transactions.csv").unlink()
    assert zone.siti().revision == 2


@pytest.mark.parametrize(
    "body",
    [
        "{0},1111111111111111,,,,31\n{0},2222222222222222,,,,31",
        "{0},1111111111111111,,,,31\n{1},1111111111111111,,,,31",
        "{0},111111111111111,,,,31",
        "'{0},1111111111111111,,,,31",
        "{0},1111111111111111,,,,31,",
        '{0},1111111111111111,"a"b,,,31',
        '{0},1111111111111111,"a,,,31',
    ],
)
def test_roster_that_breaks_a_rule(zone: LandingZone, body: str) -> None:
    header = "card_number,nik,full_name,phone,email,region_code\n"
    sha256 = zone.write_roster_text(header + body.format(SITI, BUDI))
    assert refused(zone, roster_sha256=sha256).startswith(f"{ROSTER}/roster.csv.gz: ")


def test_roster_without_a_column_or_with_other_counts(zone: LandingZone) -> None:
    sha256 = zone.write_roster_text("card_number,nik\n")
    assert "column" in refused(zone, roster_sha256=sha256)
    sha256 = zone.write_roster([SITI], rows=2)
    assert "1 rows, its manifest says 2" in refused(zone, roster_sha256=sha256)
    zone.write_roster([SITI])
    assert "another SHA-256" in refused(zone)


@pytest.mark.parametrize(
    "changes",
    [
        {"contract": "prakerja.feed/1"},
        {"cohort": 13},
        {"announced_on": "2021-03-11"},
        {"deadline_on": "2021-03-13"},
        {"deadline_on": "soon"},
        {"deadline_on": None},
    ],
)
def test_roster_manifest_that_breaks_a_rule(zone: LandingZone, changes: dict[str, Any]) -> None:
    change_manifest(zone.root / ROSTER, changes)
    assert refused(zone).startswith(f"{ROSTER}: `")


def test_rows_that_do_not_add_up_reject_nobody_silently(zone: LandingZone) -> None:
    zone.deliver(build_row(), build_row(BUDI, of="INV/2"), amount_idr=5000)
    assert "do not add up" in refused(zone)


def test_later_deliveries_are_not_opened(zone: LandingZone) -> None:
    zone.deliver(build_row(), on=ANNOUNCED_ON + timedelta(days=9))
    (zone.root / "feeds/tokopedia").rename(zone.root / "gone")
    assert zone.siti().outcome == "overdue"


@pytest.mark.parametrize(("bound", "reads"), [("MOST_BYTES", ["manifest.json"]), ("MOST_MANIFEST_BYTES", [])])
def test_file_that_is_larger_than_any_is_not_read(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch, bound: str, reads: list[str]
) -> None:
    delivery = zone.deliver(build_row())
    read: list[str] = []
    monkeypatch.setattr(f"prakerja.recheck.files.{bound}", 20)
    path = type(UPath(zone.root))
    read_bytes = path.read_bytes
    monkeypatch.setattr(path, "read_bytes", lambda self: (read.append(self.name), read_bytes(self))[1])
    with pytest.raises(EvidenceError, match="the file has more than 20 bytes"):
        open_delivery(UPath(zone.root), delivery)
    assert read == reads
