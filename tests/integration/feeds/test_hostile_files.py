"""Hostile files: each ends in a rejection, within bounded memory and time."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from prakerja.cohorts.roster import take_in_rosters
from prakerja.feeds import intake, overview
from prakerja.settings import WIB
from prakerja.simulation import writers
from prakerja.simulation.writers import Row
from tests.support.landing_zone import deliver

pytestmark = pytest.mark.usefixtures("bounded")

DAY, CLOCK = "2021-03-10", date(2021, 3, 11)
ROW = Row("id-1", "PAID", datetime(2021, 3, 10, 12, tzinfo=WIB), "0234567890123456", 5000)
XLSX = "mau-belajar-apa"


def workbook(**parts: str) -> bytes:
    """A good workbook with some parts' text replaced: `sheet1=("<v>", "<v>...")` style pairs, by file stem."""
    whole, bent = io.BytesIO(writers.write(XLSX, [ROW])), io.BytesIO()
    with zipfile.ZipFile(whole) as before, zipfile.ZipFile(bent, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            text = before.read(name)
            for stem, change in parts.items():
                if Path(name).stem == stem:
                    old, new = change.split("=>")
                    assert old.encode() in text
                    text = text.replace(old.encode(), new.encode(), 1)
            after.writestr(name, text)
    return bent.getvalue()


def bomb(size: int) -> bytes:
    """A workbook with a part that inflates to `size` zeros, and says that it is small."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"\0" * size)
    return packed.getvalue().replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little"))


def sparse() -> bytes:
    """A workbook whose two cells are a billion apart."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Transaksi"
    sheet["A1"], sheet["XFD1048576"] = "ID Transaksi", "x"
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def long_lines(lines: int) -> bytes:
    """A good file with as many lines of 100 kB after it, as gzip: in members that are alike, so packed once."""
    hundred = gzip.compress((b"a" * 100_000 + b"\n") * 100, 1)
    return writers.write("pijar-mahir", []) + hundred * (lines // 100)


def entities(system: str) -> str:
    return f"<worksheet=><!DOCTYPE x [<!ENTITY e {system}>]><worksheet"


HOSTILE = {
    "gzip bomb": ("pijar-mahir", lambda: long_lines(4100), "too_large"),
    "gzip bomb of one line": ("pijar-mahir", lambda: gzip.compress(b"a" * 500_000_000, 1), "file_undecodable"),
    "more rows than declared": (
        "tokopedia",
        lambda: writers.write("tokopedia", [ROW]) + (b"a," * 50 + b"\n") * 500_000,
        "row_count_mismatch",
    ),
    "zip bomb": (XLSX, lambda: bomb(450_000_000), "file_undecodable"),
    "two cells a billion apart": (XLSX, sparse, "too_large"),
    "a row of a billion": (XLSX, lambda: workbook(sheet1='<row r="2">=><row r="999999999">'), "file_undecodable"),
    "a row of ten million": (XLSX, lambda: workbook(sheet1='<row r="2">=><row r="9999999">'), "too_large"),
    "a cell of more digits than a number has": (
        XLSX,
        lambda: workbook(sheet1=f'r="A2"=>r="A2{"9" * 40}"'),
        "file_undecodable",
    ),
    "external entity": (XLSX, lambda: workbook(sheet1=entities('SYSTEM "file:///etc/passwd"')), "file_undecodable"),
    "billion laughs": (XLSX, lambda: workbook(sheet1=entities('"lol"')), "file_undecodable"),
    "a formula": (XLSX, lambda: workbook(sheet1="<v>5000</v>=><f>2500*2</f><v>5000</v>"), "file_undecodable"),
    "a line of 100 MB": (
        "tokopedia",
        lambda: writers.write("tokopedia", [ROW]) + b"x" * 100_000_000,
        "file_undecodable",
    ),
    "NUL bytes": ("tokopedia", lambda: writers.write("tokopedia", [ROW]).replace(b"id-1", b"id\0"), "file_undecodable"),
    "deep nesting": ("sekolahmu", lambda: b'{"data":' + b"[" * 5_000_000, "file_undecodable"),
    "no archive": (XLSX, lambda: b"PK\x03\x04" + b"\xff" * 1000, "file_undecodable"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_rejected_within_bounds(home: Path, kind: str) -> None:
    platform, make, reason = HOSTILE[kind]
    rows = 1 if kind == "more rows than declared" else 10_000  # as many as any of them pretends to have
    deliver(home / "landing", platform, DAY, [ROW], data=make(), file={"rows": rows})
    intake.take_in(platform, CLOCK)
    (found,) = overview.list_deliveries()
    assert (found["status"], found["reason"]) == ("rejected", reason), found


def test_the_good_workbook_that_the_hostile_ones_are_made_of_is_accepted(home: Path) -> None:
    deliver(home / "landing", XLSX, DAY, [ROW], data=workbook())
    assert len(intake.take_in(XLSX, CLOCK).accepted) == 1


@pytest.mark.parametrize("amount", ["9" * 25, "9" * 5000, "-" + "9" * 25])
def test_a_number_outside_64_bits_is_quarantined_or_the_delivery_rejected(home: Path, amount: str) -> None:
    good = [Row(f"id-{n}", ROW.event, ROW.occurred_at, f"{n:016}", 5000) for n in range(30)]
    for platform in ("tokopedia", "pintaria"):
        data = writers.write(platform, [*good, Row("big", ROW.event, ROW.occurred_at, ROW.card, 777)])
        bent = data.replace(b"777", amount.encode())
        deliver(home / "landing", platform, DAY, [*good, ROW], data=bent, file={"amount_idr": 150_000})
        taken = intake.take_in(platform, CLOCK)
        counted = abs(int(amount[:25])) < 10**30 and len(amount) < 31
        assert len(taken.accepted) == (0 if counted else 1), "a whole number counts in the total, whatever its size"


def test_a_manifest_of_a_hundred_megabytes_is_not_read(home: Path) -> None:
    folder = deliver(home / "landing", "tokopedia", DAY, [ROW])
    (folder / "manifest.json").write_bytes(b"[" * 100_000_000)
    intake.take_in("tokopedia", CLOCK)
    assert overview.list_deliveries()[0]["reason"] == "manifest_invalid"


def test_a_manifest_with_a_number_of_a_million_digits(home: Path) -> None:
    folder = deliver(home / "landing", "tokopedia", DAY, [ROW])
    manifest = json.loads((folder / "manifest.json").read_text())
    text = json.dumps(manifest).replace('"rows": 1', f'"rows": {"9" * 900_000}')
    (folder / "manifest.json").write_text(text)
    intake.take_in("tokopedia", CLOCK)
    assert overview.list_deliveries()[0]["reason"] == "manifest_invalid"


def test_links_out_of_the_zone_are_not_followed(home: Path) -> None:
    outside = deliver(home / "elsewhere", "tokopedia", DAY, [ROW])
    inside = deliver(home / "landing", "tokopedia", DAY, [ROW])
    (inside / "transactions.csv").unlink()
    (inside / "transactions.csv").symlink_to(outside / "transactions.csv")
    (inside.parent / "r2").symlink_to(outside)
    taken = intake.take_in("tokopedia", CLOCK)
    assert taken.accepted == []
    assert "feeds/tokopedia/2021-03-10/r2 leads outside the landing zone" in taken.rejected[0]
    assert "file_missing: transactions.csv leads outside its folder" in taken.rejected[1]


def test_unread_files_are_reported_and_the_rest_is_taken_in(home: Path) -> None:
    folder = deliver(home / "landing", "tokopedia", DAY, [ROW])
    (folder / "transactions (copy).csv").write_text("x")
    (home / "landing" / "fedes").mkdir()
    (home / "landing" / "feeds" / "note.txt").write_text("x")
    taken = intake.take_in("tokopedia", CLOCK)
    assert len(taken.accepted) == 1
    assert ["transactions (copy).csv is not in the manifest" in line for line in taken.rejected] == [True]
    told = take_in_rosters(CLOCK).rejected
    assert [line.split(" ")[0] for line in told] == ["fedes", "feeds/note.txt"]
    assert intake.waiting_platforms([]) == ["tokopedia"]
