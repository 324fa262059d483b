"""Each platform's file as its contract describes it, and what its values mean; plain or not, it reads the same."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest

from prakerja.feeds import canonical, forms, readers
from prakerja.feeds.rows import Number, Reading
from prakerja.landing import RejectedError
from prakerja.platforms import FIELDS, platforms
from prakerja.settings import WIB
from prakerja.simulation import writers
from prakerja.simulation.writers import Row

PLATFORMS = sorted(platforms())
NOON = datetime(2021, 3, 10, 12, 30, 15, tzinfo=WIB)


def read(platform: str, data: bytes) -> tuple[Any, int, Reading]:
    """All rows of a file in the canonical columns (instants in microseconds), what they add up to, and the reading."""
    contract = platforms()[platform]
    reading = readers.read(io.BytesIO(gzip.decompress(data) if contract.compression else data), contract)
    tables, amount = [canonical.SCHEMA.empty_table()], 0
    for batch in reading.batches:
        table, adds = canonical.canonical(batch, contract)
        tables.append(table)
        amount += adds
    table = pa.concat_tables(tables)
    place = table.schema.get_field_index("occurred_at")
    whole = table.set_column(place, "occurred_at", table["occurred_at"].cast(pa.int64()))
    return (
        pd.DataFrame({name: pd.Series(whole[name].to_pylist(), dtype=object) for name in whole.column_names}),
        amount,
        reading,
    )


def frame_of(platform: str, data: bytes) -> Any:
    return read(platform, data)[0]


def microseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_dialect_reads_what_the_contract_describes(platform: str) -> None:
    rows = [
        Row("id-1", "PAID", NOON, "0234567890123456", 1_000_000, "KLS-1", "V1"),
        Row("id-1", "CANCELLED", NOON + timedelta(hours=1), "0234567890123456", 1_000_000, "KLS-1", ""),
        Row("id-2", "REFUNDED", NOON + timedelta(hours=2), "9999999999999999", 24_000, "KLS-2", "V2"),
    ]
    frame, amount, _ = read(platform, writers.write(platform, rows))
    assert frame["transaction_id"].tolist() == ["id-1", "id-1", "id-2"]
    assert frame["event"].tolist() == ["PAID", "CANCELLED", "REFUNDED"]
    assert frame["occurred_at"].tolist() == [microseconds(row.occurred_at) for row in rows]  # type: ignore[arg-type]
    assert frame["card_number"].tolist() == ["0234567890123456", "0234567890123456", "9999999999999999"]
    assert frame["amount_idr"].tolist() == [1_000_000, 1_000_000, 24_000]
    assert frame["voucher_code"].tolist() == ["V1", "", "V2"]
    assert frame["raw"].isna().all()
    assert not frame["card_is_number"].any()
    assert amount == 2_024_000


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_empty_day_has_no_rows(platform: str) -> None:
    assert len(frame_of(platform, writers.write(platform, []))) == 0


@pytest.mark.parametrize("platform", [p for p in PLATFORMS if platforms()[p].layout != "xlsx"])
def test_byte_order_mark_and_crlf_are_tolerated(platform: str) -> None:
    data = writers.write(platform, [Row("id-1", "PAID", NOON, "0234567890123456", 5000)])
    contract = platforms()[platform]
    text = gzip.decompress(data) if contract.compression else data
    bent = b"\xef\xbb\xbf" + text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    frame = frame_of(platform, gzip.compress(bent) if contract.compression else bent)
    assert frame["card_number"].tolist() == ["0234567890123456"]


def test_csv_columns_are_found_by_name_and_quotes_hold_separators_and_breaks() -> None:
    text = (
        "voucher_code,extra,card_number,event,occurred_at,amount_idr,course_id,transaction_id\n"
        '"a,""b""\nc",x,0234567890123456,PAID,2021-03-10T12:00:00+07:00,5000,K,id-1\n'
        ",x,0234567890123456,PAID\n"
        ",x,1,PAID,2021-03-10T12:00:00Z,5000,K,id-2\n"
    )
    frame, _, reading = read("tokopedia", text.encode())
    assert reading.extra_columns == ["extra"]
    assert frame["voucher_code"].tolist() == ['a,"b"\nc', "", ""]
    assert frame["line"].tolist() == [2, 4, 5]
    assert frame["raw"].tolist()[1] == ",x,0234567890123456,PAID"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2021-04-08T23:59:59+07:00", datetime(2021, 4, 8, 16, 59, 59, tzinfo=UTC)),
        ("2021-04-08T16:59:59Z", datetime(2021, 4, 8, 16, 59, 59, tzinfo=UTC)),
        ("2021-04-09T01:59:59+0900", datetime(2021, 4, 8, 16, 59, 59, tzinfo=UTC)),
        ("2021-04-08T23:59:59.9999999+07:00", datetime(2021, 4, 8, 16, 59, 59, 999999, tzinfo=UTC)),
        ("2021-04-08T23:59:59.5+07:00", datetime(2021, 4, 8, 16, 59, 59, 500000, tzinfo=UTC)),
        ("2021-04-08T23:59:59", None),
        ("2021-04-08 23:59:59+07:00", None),
        ("2021-02-30T10:00:00Z", None),
        ("2021-04-08T24:00:00Z", None),
        (" 2021-04-08T10:00:00Z", None),
        ("2021-W14-4T10:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("", None),
        (Number("20210408"), None),
        (None, None),
    ],
)
def test_iso_times_need_an_offset_and_are_cut_never_rounded(text: Any, instant: datetime | None) -> None:
    read = forms.microseconds_of(platforms()["tokopedia"])
    if text == "0001-01-01T00:00:00+14:00":  # an instant before all time is far too old, not an error
        assert read(text) is None or read(text) < 0
    else:
        assert read(text) == (None if instant is None else microseconds(instant))


@pytest.mark.parametrize(
    ("platform", "value", "counted", "is_exact"),
    [
        ("tokopedia", "500000", 500000, True),
        ("tokopedia", "-5000", -5000, True),
        ("tokopedia", "500000.0", None, False),
        ("tokopedia", " 500000", None, False),
        ("tokopedia", "gratis", None, False),
        ("tokopedia", "9" * 40, None, False),
        ("bukalapak", "Rp1.000.000", 1000000, True),
        ("bukalapak", "Rp500", 500, True),
        ("bukalapak", "Rp-5.000", -5000, False),
        ("bukalapak", "Rp1000000", 1000000, False),
        ("bukalapak", "Rp1.00", None, False),
        ("bukalapak", "rp1.000", None, False),
        ("sisnaker", "000500000", 500000, True),
        ("sisnaker", "-01000001", -1000001, True),
        ("sisnaker", "500000", 500000, False),
        ("sisnaker", "35000.500", None, False),
        ("pintaria", Number("500000"), 500000, True),
        ("pintaria", Number("500000.0"), 500000, True),
        ("pintaria", Number("5e5"), 500000, True),
        ("pintaria", Number("0.5"), None, False),
        ("pintaria", Number("1e16"), 10**16, True),
        ("pintaria", Number("12345678901234567.0"), 12345678901234567, True),
        ("pintaria", Number("5000." + "0" * 40), 5000, True),
        ("pintaria", Number("5000.00000000000001"), None, False),
        ("pintaria", Number("1e999999999"), None, False),
        ("pintaria", Number("-0.0"), 0, True),
        ("pintaria", Number("true"), None, False),
        ("pintaria", "500000", None, False),
        ("pintaria", None, None, False),
    ],
)
def test_amounts(platform: str, value: Any, counted: int | None, is_exact: bool) -> None:
    assert forms.amount_of(platforms()[platform])(value) == (counted, is_exact)


def test_a_card_that_came_as_a_number_is_known_to_be_one() -> None:
    line = '{"id":"a","type":"paid","ts":1615323923441,"payment":{"card":1234567890123456,"amount":5000}}'
    frame = frame_of("pintaria", line.encode())
    assert frame["card_is_number"].tolist() == [True]
    assert frame["card_number"].tolist() == ["1234567890123456"]


@pytest.mark.parametrize("line", ["{", "[1]", '"x"', "nonsense", '{"id": NaN}', "[" * 100_000])
def test_a_broken_json_line_is_an_unreadable_row(line: str) -> None:
    frame = frame_of("pintaria", line.encode())
    assert frame["raw"].tolist() == [line]


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udc00x"])
def test_what_no_text_can_hold_is_marked_and_the_row_counts(escape: str) -> None:
    line = '{"id":"a","type":"paid","ts":1,"payment":{"card":"1","amount":5000},"voucher":"' + escape + '"}'
    frame, amount, _ = read("pintaria", line.encode())
    assert frame["voucher_code"].tolist()[0].startswith("\ufffd")
    assert amount == 5000
    assert frame["raw"].isna().all()
    whole = frame_of("pintaria", line.replace(escape, "\\ud83d\\ude00").encode())
    assert whole["voucher_code"].tolist() == ["😀"]
    assert frame_of("pintaria", line.replace(escape, "\\\\u0000").encode())["voucher_code"].tolist() == ["\\u0000"]


def test_xlsx_dates_at_midnight_and_with_milliseconds() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Transaksi"
    sheet.append([platforms()["mau-belajar-apa"].columns[name] for name in FIELDS])
    for at in (datetime(2021, 3, 10), datetime(2021, 3, 10, 23, 59, 59, 999000), "2021-03-10 23:59:59"):  # noqa: DTZ001
        sheet.append(["id", "Lunas", at, 777028766193332, "K", 5000, None])
    buffer = io.BytesIO()
    book.save(buffer)
    frame = frame_of("mau-belajar-apa", buffer.getvalue())
    start = microseconds(datetime(2021, 3, 10, tzinfo=WIB))
    assert [at - start for at in frame["occurred_at"]] == [0, 86_399_999_000, 86_399_000_000]
    assert frame["card_is_number"].all()


@pytest.mark.parametrize(
    ("serial", "microsecond"),
    [(44265.9999999999, 86_399_999_991), (44266.0, 86_400_000_000), (44265.99998842592, 86_399_000_000)],
)
def test_an_xlsx_time_is_cut_never_rounded_up_to_the_next_day(serial: float, microsecond: int) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Transaksi"
    sheet.append([platforms()["mau-belajar-apa"].columns[name] for name in FIELDS])
    sheet.append(["id", "Lunas", serial, "0234567890123456", "K", 5000, None])
    sheet["C2"].number_format = "yyyy-mm-dd hh:mm:ss"
    buffer = io.BytesIO()
    book.save(buffer)
    frame = frame_of("mau-belajar-apa", buffer.getvalue())
    start = microseconds(datetime(2021, 3, 10, tzinfo=WIB))
    assert frame["occurred_at"].tolist()[0] - start == microsecond


@pytest.mark.parametrize("platform", ["bukalapak", "sisnaker", "mau-belajar-apa"])
def test_digits_of_other_scripts_are_no_time(platform: str) -> None:
    rows = [Row("id-1", "PAID", "١٠/03/2021 10:00:00", "0234567890123456", 5000)]
    assert frame_of(platform, writers.write(platform, rows))["occurred_at"].isna().all()


@pytest.mark.parametrize(
    ("platform", "data", "reason"),
    [
        ("tokopedia", b"\xff\xfe", "file_undecodable"),
        ("tokopedia", b"transaction_id,event\n", "columns_missing"),
        ("tokopedia", b"", "columns_missing"),
        ("tokopedia", b"a\x00b", "file_undecodable"),
        ("sisnaker", b"TRX_ID|JENIS|WAKTU|NO_KARTU|KODE_KURSUS|NILAI|VOUCHER\r\n", "trailer_missing"),
        ("sekolahmu", b"{", "file_undecodable"),
        ("sekolahmu", b'{"platform":"sekolah.mu"}', "columns_missing"),
        ("sekolahmu", b'{"platform":"tokopedia","data":[]}', "path_mismatch"),
        ("mau-belajar-apa", b"PK nothing", "file_undecodable"),
    ],
)
def test_a_file_that_cannot_be_read_is_rejected(platform: str, data: bytes, reason: str) -> None:
    with pytest.raises(RejectedError) as rejection:
        frame_of(platform, data)
    assert rejection.value.reason == reason
