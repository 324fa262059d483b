"""The text dialects, line by line and value by value: what no writer would write is written as it is given."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.workbooks import FIELDS


@dataclass(frozen=True)
class CsvDialect:
    """A CSV dialect: its separator, its columns, the words of a good row."""

    separator: str
    columns: tuple[str, ...]
    words: tuple[str, str, str]  # PAID, noon of 10 March 2021, five thousand rupiah
    is_packed: bool = False
    has_trailer: bool = False


CSV = {
    "tokopedia": CsvDialect(
        ",",
        ("transaction_id", "event", "occurred_at", "card_number", "course_id", "amount_idr", "voucher_code"),
        ("PAID", "2021-03-10T12:00:00+07:00", "5000"),
    ),
    "bukalapak": CsvDialect(
        ";",
        ("no_transaksi", "jenis", "waktu", "nomor_kartu", "kode_pelatihan", "nilai", "kode_voucher"),
        ("BAYAR", "10/03/2021 12:00:00", "Rp5.000"),
    ),
    "pijar-mahir": CsvDialect(
        ",",
        ("trx_id", "status", "timestamp_utc", "card", "course", "amount", "voucher"),
        ("SUCCESS", "2021-03-10T05:00:00Z", "5000"),
        is_packed=True,
    ),
    "sisnaker": CsvDialect(
        "|",
        ("TRX_ID", "JENIS", "WAKTU", "NO_KARTU", "KODE_KURSUS", "NILAI", "VOUCHER"),
        ("1", "20210310120000", "000005000"),
        has_trailer=True,
    ),
}
JSON = {
    "pintaria": (
        '{{"id":{transaction_id},"type":{event},"ts":{occurred_at},"payment":{{"card":{card_number},'
        '"amount":{amount_idr}}},"course":{{"id":{course_id}}},"voucher":{voucher_code}{more}}}'
    ),
    "sekolahmu": (
        '{{"transactionId":{transaction_id},"event":{event},"occurredAt":{occurred_at},"cardNumber":{card_number},'
        '"courseId":{course_id},"amountIdr":{amount_idr},"voucherCode":{voucher_code}{more}}}'
    ),
}
JSON_WORDS = {
    "pintaria": {"event": '"paid"', "occurred_at": "1615352400000"},
    "sekolahmu": {"event": '"PAID"', "occurred_at": '"2021-03-10T12:00:00+07:00"'},
}


def csv_line(
    platform: str, ordinal: int = 99, /, *, order: Sequence[str] = FIELDS, more: str = "", **fields: str
) -> str:
    """Return a good row's line, with some fields as given: quoted by whoever gives them. `more` is put at its end."""
    dialect = CSV[platform]
    event, occurred_at, amount = dialect.words
    usual = {
        "transaction_id": f"g-{ordinal}",
        "event": event,
        "occurred_at": occurred_at,
        "card_number": f"{10**15 + ordinal}",
        "course_id": "KLS",
        "amount_idr": amount,
        "voucher_code": "",
    }
    assert not fields.keys() - usual.keys()
    values = usual | fields
    return dialect.separator.join(values[name] for name in order) + more


def csv_header(platform: str, *, order: Sequence[str] = FIELDS, more: str = "") -> str:
    """Return the header's line, its columns in the order of the canonical fields."""
    dialect = CSV[platform]
    return dialect.separator.join(dialect.columns[FIELDS.index(name)] for name in order) + more


def csv_file(
    platform: str,
    lines: Sequence[str | bytes],
    *,
    header: str | None = None,
    end: str = "\n",
    rows: int | None = None,
    amount_idr: int | None = None,
) -> bytes:
    """Return a file of lines, packed as the dialect is; a trailer says `rows` and `amount_idr`, or what is usual."""
    written = [csv_header(platform) if header is None else header, *lines]
    if CSV[platform].has_trailer:
        rows = len(lines) if rows is None else rows
        written.append(f"T|{rows}|{5000 * rows if amount_idr is None else amount_idr}")
    data = b"".join((line if isinstance(line, bytes) else line.encode()) + end.encode() for line in written)
    return pack_text(platform, data)


def pack_text(platform: str, data: bytes) -> bytes:
    """Return the text as the dialect packs it."""
    return gzip.compress(data, 1, mtime=0) if CSV[platform].is_packed else data


def json_record(platform: str, ordinal: int = 99, /, *, more: str = "", **literals: str) -> str:
    """Return a good record, with some values as given, in JSON. `more` is put before its closing brace."""
    usual = {
        "transaction_id": f'"g-{ordinal}"',
        "card_number": f'"{10**15 + ordinal}"',
        "course_id": '"KLS"',
        "amount_idr": "5000",
        "voucher_code": '""',
        "more": more,
    }
    assert not literals.keys() - set(FIELDS)
    return JSON[platform].format(**(usual | JSON_WORDS[platform] | literals))


def json_file(platform: str, records: Sequence[str | bytes], *, more: str = "") -> bytes:
    """Return a file of records; `more` is put before the closing brace of the document around them, if there is one."""
    written = [record if isinstance(record, bytes) else record.encode() for record in records]
    if platform == "pintaria":
        return b"".join(record + b"\n" for record in written)
    return b'{"platform":"sekolah.mu","data":[' + b",".join(written) + b"]" + more.encode() + b"}"
