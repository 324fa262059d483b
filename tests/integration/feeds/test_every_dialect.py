"""Each rule of rejection and each reason of quarantine, with a bad file in every dialect that can break it."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from prakerja import landing
from prakerja.feeds import intake, overview
from prakerja.platforms import platforms
from prakerja.settings import WIB
from prakerja.simulation import writers
from prakerja.simulation.writers import Row
from tests.support.landing_zone import deliver

DAY, CLOCK = "2021-03-10", date(2021, 3, 11)
MIDNIGHT = datetime(2021, 3, 10, tzinfo=WIB)
PLATFORMS = sorted(platforms())
GOOD = [Row(f"id-{n}", "PAID", MIDNIGHT + timedelta(minutes=n), f"{n:016}", 5000) for n in range(1, 41)]
HAS_COLUMNS = [slug for slug in PLATFORMS if platforms()[slug].layout != "jsonl"]


def opened(platform: str, change: Callable[[bytes], bytes]) -> bytes:
    """The good file with its text changed, whatever it is packed in."""
    data = writers.write(platform, GOOD)
    if platforms()[platform].compression == "gzip":
        return gzip.compress(change(gzip.decompress(data)))
    if platforms()[platform].layout != "xlsx":
        return change(data)
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(packed, "w") as after:
        for name in before.namelist():
            after.writestr(name, change(before.read(name)) if "sheet1" in name else before.read(name))
    return packed.getvalue()


def without_a_column(platform: str) -> bytes:
    known = platforms()[platform]
    name = f'"{known.records}"' if known.records else known.columns["card_number"]
    return opened(platform, lambda text: text.replace(name.encode(), name.swapcase().encode(), 1))


def rejection(home: Path, platform: str, **bent: object) -> str:
    """The one line that tells of the rejection, after nothing was loaded."""
    deliver(home / "landing", platform, DAY, GOOD, **bent)  # type: ignore[arg-type]
    told = intake.take_in(platform, CLOCK).rejected
    (line,) = (line for line in told if not line.startswith("feeds/"))  # but for the file that nobody names
    (found,) = overview.list_deliveries()
    assert (found["status"], found["loaded"], found["is_in_force"]) == ("rejected", 0, False)
    assert line == f"{platform} {DAY} r1: {found['reason']}: {found['detail']}"
    assert "\n" not in line
    return line


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    ("file", "told"),
    [
        ({"bytes": 1}, "size_mismatch: {name}: expected 1 bytes, found {size}"),
        ({"sha256": "0" * 64}, "sha256_mismatch: {name}: expected 000000000000…, found {sha256}…"),
        ({"rows": 41}, "row_count_mismatch: expected 41 rows, found 40"),
        ({"rows": 39}, "row_count_mismatch: expected 39 rows, found at least 40"),
        ({"amount_idr": 1}, "amount_mismatch: expected Rp 1 in all, found Rp 200000"),
        ({"name": "other"}, "file_missing: other is not there"),
    ],
)
def test_the_manifest_must_be_true(home: Path, platform: str, file: dict[str, object], told: str) -> None:
    import hashlib

    data = writers.write(platform, GOOD)
    name, sha256 = writers.FILES[platform], hashlib.sha256(data).hexdigest()[:12]
    line = rejection(home, platform, data=data, file=file)
    assert line == f"{platform} {DAY} r1: " + told.format(name=name, size=len(data), sha256=sha256)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("damage", ["no such bytes", "cut off", "NUL"])
def test_what_cannot_be_read_is_rejected(home: Path, platform: str, damage: str) -> None:
    data = writers.write(platform, GOOD)
    bent = {
        "no such bytes": b"\xff\xfe\x00" + data[:100],
        "cut off": data[: len(data) // 2],
        "NUL": opened(platform, lambda text: text.replace(b"id-7", b"id\0-")),
    }
    line = rejection(home, platform, data=bent[damage])
    expected = {"file_undecodable"}
    if damage == "cut off":  # text goes on to its last byte: then it is rows, or their sum, that are short
        expected |= {"row_count_mismatch", "trailer_missing"}
    assert line.split(": ")[1] in expected, line


@pytest.mark.parametrize("platform", HAS_COLUMNS)
def test_a_missing_column_is_named(home: Path, platform: str) -> None:
    line = rejection(home, platform, data=without_a_column(platform))
    known = platforms()[platform]
    assert line.split(": ")[1] == "columns_missing"
    assert (known.records or known.columns["card_number"]) in line


@pytest.mark.parametrize("platform", PLATFORMS)
def test_what_opens_to_more_than_the_cap_is_rejected(
    home: Path, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "opened_bytes_max", lambda: 1000)
    assert "too_large: " in rejection(home, platform)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_more_than_one_in_twenty_in_quarantine_is_rejected(home: Path, platform: str) -> None:
    bad = [Row(f"bad-{n}", "PAID", MIDNIGHT, "1", 5000) for n in range(3)]
    data = writers.write(platform, [*GOOD, *bad])
    line = rejection(home, platform, data=data, file={"rows": 43, "amount_idr": 43 * 5000})
    assert line.endswith(
        "quarantine_bound_exceeded: 3 of 43 rows are quarantined, more than 5% (card_number_malformed 3)"
    )


@pytest.mark.parametrize(
    ("trailer", "told"),
    [
        (b"", "trailer_missing"),
        (b"T|40\r\n", "trailer_missing"),
        (b"T|39|200000\r\n", "trailer_mismatch: the trailer disagrees with 40 rows and Rp 200000"),
        (b"T|40|200001\r\n", "trailer_mismatch: the trailer disagrees with 40 rows and Rp 200000"),
        (b"T|40|\r\n", "trailer_mismatch"),
    ],
)
def test_the_trailer_must_exist_and_agree(home: Path, trailer: bytes, told: str) -> None:
    data = writers.write("sisnaker", GOOD).rpartition(b"T|")[0] + trailer
    assert told in rejection(home, "sisnaker", data=data)


UNREADABLE = {"csv": "only|one,field;too few", "jsonl": '{"id": "x"', "json": "not an object"}
BAD: dict[str, list[Row]] = {
    "transaction_id_missing": [Row("", "PAID", MIDNIGHT, "9" * 16, 5000)],
    "event_unknown": [Row("bad", "PENDING", MIDNIGHT, "9" * 16, 5000)],
    "occurred_at_invalid": [Row("bad", "PAID", "yesterday", "9" * 16, 5000)],
    "occurred_at_in_future": [Row("bad", "PAID", MIDNIGHT + timedelta(days=1), "9" * 16, 5000)],
    "occurred_at_too_old": [Row("bad", "PAID", MIDNIGHT - timedelta(days=7, seconds=1), "9" * 16, 5000)],
    "card_number_malformed": [Row("bad", "PAID", MIDNIGHT, "9" * 15, 5000)],
    "amount_invalid": [Row("bad", "PAID", MIDNIGHT, "9" * 16, 1_000_001)],
    "transaction_conflict": [Row("bad", "PAID", MIDNIGHT, "9" * 16, 5000), Row("bad", "PAID", MIDNIGHT, "9" * 16, 1)],
    "row_unreadable": [Row("bad", "PAID", MIDNIGHT, "9" * 16, 5000, raw="as the layout has it")],
}


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("reason", BAD)
def test_a_bad_row_is_quarantined_alone_with_its_line_and_reason(home: Path, platform: str, reason: str) -> None:
    known = platforms()[platform]
    bad = BAD[reason]
    if reason == "row_unreadable":
        if known.layout == "xlsx":
            pytest.skip("the cells of a sheet can always be told apart")
        raw = UNREADABLE[known.layout].replace(known.separator if known.layout == "csv" else "\0", " ")
        bad = [Row("bad", "PAID", MIDNIGHT, "9" * 16, 5000, raw=raw)]
    rows = [*GOOD[:10], *bad, *GOOD[10:]]
    deliver(home / "landing", platform, DAY, rows)
    taken = intake.take_in(platform, CLOCK)
    assert (taken.rejected, taken.accepted[0]["loaded"]) == ([], 40)
    found = overview.list_quarantine(is_masked=False)
    first = {"jsonl": 11, "json": 11}.get(known.layout, 12)  # records are counted from 1, lines have a header before
    assert [(row["line"], row["reasons"]) for row in found] == [(first + n, [reason]) for n in range(len(bad))]
    delivered = found[0]["delivered"]
    if reason == "row_unreadable":
        assert delivered["raw"] in (bad[0].raw, f'"{bad[0].raw}"')
    else:
        assert (delivered["card_number"], delivered["transaction_id"]) == (bad[0].card, bad[0].transaction_id)
