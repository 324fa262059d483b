"""Writers of the platforms' dialects. They follow the contract, and share no code with the readers.

A platform of another programme, which has no dialect here, is written as its file says.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from prakerja.errors import PrakerjaError
from prakerja.platforms import FIELDS, platforms
from prakerja.settings import WIB

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVENTS = {
    "tokopedia": {"PAID": "PAID", "CANCELLED": "CANCELLED", "REFUNDED": "REFUNDED"},
    "bukalapak": {"PAID": "BAYAR", "CANCELLED": "BATAL", "REFUNDED": "REFUND"},
    "pintaria": {"PAID": "paid", "CANCELLED": "cancelled", "REFUNDED": "refunded"},
    "pijar-mahir": {"PAID": "SUCCESS", "CANCELLED": "CANCEL", "REFUNDED": "REFUND"},
    "mau-belajar-apa": {"PAID": "Lunas", "CANCELLED": "Dibatalkan", "REFUNDED": "Dikembalikan"},
    "sekolahmu": {"PAID": "PAID", "CANCELLED": "CANCELLED", "REFUNDED": "REFUNDED"},
    "sisnaker": {"PAID": "1", "CANCELLED": "2", "REFUNDED": "3"},
}
FILES = {
    "tokopedia": "transactions.csv", "bukalapak": "transactions.csv", "pintaria": "transactions.jsonl",
    "pijar-mahir": "transactions.csv.gz", "mau-belajar-apa": "transactions.xlsx", "sekolahmu": "transactions.json",
    "sisnaker": "transactions.txt",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row of a feed.

    `occurred_at` is an instant, or the text to write. `event` is a canonical event, or the text to write. `amount` and
    `card` are written as they are, as numbers or texts. `raw` replaces the whole row, if it is to be unreadable.
    """

    transaction_id: str
    event: str
    occurred_at: datetime | str
    card: str | int
    amount: int | str
    course: str = "KLS-0042"
    voucher: str = ""
    raw: str | None = None

    @property
    def counted(self) -> int:
        """The amount that the row adds to the delivery's total."""
        return self.amount if isinstance(self.amount, int) and self.raw is None else 0


def write(platform: str, rows: Sequence[Row]) -> bytes:
    """Return the file of one delivery."""
    return WRITERS.get(platform, _write_by_file)(platform, rows)


def name_file(platform: str) -> str:
    """Return the name of a delivery's file."""
    return FILES[platform] if platform in FILES else platforms()[platform].file


def _event(platform: str, row: Row) -> str:
    return EVENTS[platform].get(row.event, row.event)


def _at(row: Row, form: Callable[[datetime], Any]) -> Any:
    return row.occurred_at if isinstance(row.occurred_at, str) else form(row.occurred_at)


def _iso(instant: datetime) -> str:
    """Return an instant in ISO 8601, with one of Indonesia's offsets or in UTC."""
    offset = (7, 7, 7, 8, 9, 0)[instant.second % 6]
    text = instant.astimezone(timezone(timedelta(hours=offset))).isoformat()
    return text.replace("+00:00", "Z")


def _rupiah(row: Row) -> str:
    return f"Rp{row.amount:,}".replace(",", ".") if isinstance(row.amount, int) else row.amount


def _csv(header: Sequence[str], lines: Sequence[Sequence[Any] | str], separator: str, end: str = "\n") -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=end)
    writer.writerow(header)
    for line in lines:
        if isinstance(line, str):
            text.write(line + end)
        else:
            writer.writerow(line)
    return text.getvalue().encode()


def _tokopedia(platform: str, rows: Sequence[Row]) -> bytes:
    header = ("transaction_id", "event", "occurred_at", "card_number", "course_id", "amount_idr", "voucher_code")
    return _csv(header, [
        row.raw if row.raw is not None else
        (row.transaction_id, _event(platform, row), _at(row, _iso), row.card, row.course, row.amount, row.voucher)
        for row in rows
    ], ",")  # fmt: skip


def _bukalapak(platform: str, rows: Sequence[Row]) -> bytes:
    header = ("no_transaksi", "jenis", "waktu", "nomor_kartu", "kode_pelatihan", "nilai", "kode_voucher")
    return _csv(header, [
        row.raw if row.raw is not None else
        (row.transaction_id, _event(platform, row), _at(row, lambda at: f"{at.astimezone(WIB):%d/%m/%Y %H:%M:%S}"),
         row.card, row.course, _rupiah(row), row.voucher)
        for row in rows
    ], ";")  # fmt: skip


def _pijar_mahir(platform: str, rows: Sequence[Row]) -> bytes:
    header = ("trx_id", "status", "timestamp_utc", "card", "course", "amount", "voucher")
    data = _csv(header, [
        row.raw if row.raw is not None else
        (row.transaction_id, _event(platform, row),
         _at(row, lambda at: at.astimezone(UTC).isoformat().replace("+00:00", "Z")), row.card, row.course, row.amount,
         row.voucher)
        for row in rows
    ], ",")  # fmt: skip
    return gzip.compress(data, mtime=0)


def _sisnaker(platform: str, rows: Sequence[Row]) -> bytes:
    header = ("TRX_ID", "JENIS", "WAKTU", "NO_KARTU", "KODE_KURSUS", "NILAI", "VOUCHER")
    data = _csv(header, [
        row.raw if row.raw is not None else
        (row.transaction_id, _event(platform, row), _at(row, lambda at: at.astimezone(WIB).strftime("%Y%m%d%H%M%S")),
         row.card, row.course, f"{row.amount:09}" if isinstance(row.amount, int) else row.amount, row.voucher)
        for row in rows
    ], "|", "\r\n")  # fmt: skip
    return data + f"T|{len(rows)}|{sum(row.counted for row in rows)}\r\n".encode()


def _pintaria(platform: str, rows: Sequence[Row]) -> bytes:
    lines = []
    for row in rows:
        at = _at(row, lambda at: (at - EPOCH) // timedelta(milliseconds=1))
        lines.append(row.raw if row.raw is not None else json.dumps(
            {"id": row.transaction_id, "type": _event(platform, row), "ts": at,
             "payment": {"card": row.card, "amount": row.amount}, "course": {"id": row.course}, "voucher": row.voucher},
        ))  # fmt: skip
    return "".join(line + "\n" for line in lines).encode()


def _sekolahmu(platform: str, rows: Sequence[Row]) -> bytes:
    return json.dumps({"platform": "sekolah.mu", "data": [
        row.raw if row.raw is not None else
        {"transactionId": row.transaction_id, "event": _event(platform, row), "occurredAt": _at(row, _iso),
         "cardNumber": row.card, "courseId": row.course, "amountIdr": row.amount, "voucherCode": row.voucher}
        for row in rows
    ]}).encode()  # fmt: skip


def _write_by_file(platform: str, rows: Sequence[Row]) -> bytes:
    known = platforms()[platform]
    words: dict[str, str] = {event: word for word, event in known.events.items()}
    times: dict[str, Callable[[datetime], Any]] = {
        "iso8601": _iso, "epoch_ms": lambda at: (at - EPOCH) // timedelta(milliseconds=1)
    }  # fmt: skip
    form = known.occurred_at["form"]
    if known.layout not in ("csv", "jsonl") or form not in times or known.amount_idr["form"] not in ("whole", "number"):
        raise PrakerjaError(
            f"the simulator cannot write {platform}: it writes csv and jsonl, times as iso8601 and epoch_ms, amounts "
            "as whole and number"
        )
    values = [
        {
            "transaction_id": row.transaction_id, "event": words.get(row.event, row.event),
            "occurred_at": _at(row, times[form]), "card_number": row.card, "course_id": row.course,
            "amount_idr": row.amount, "voucher_code": row.voucher,
        }
        for row in rows
    ]  # fmt: skip
    if known.layout == "csv":
        data = _csv([known.columns[field] for field in FIELDS],
                    [[value[field] for field in FIELDS] for value in values], known.separator)  # fmt: skip
        return gzip.compress(data, mtime=0) if known.compression else data
    return "".join(json.dumps(_nest(known.columns, value)) + "\n" for value in values).encode()


def _nest(columns: Mapping[str, str], value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object whose values lie at the dotted paths of a platform's columns."""
    found: dict[str, Any] = {}
    for field, path in columns.items():
        *above, last = path.split(".")
        inner = found
        for step in above:
            inner = inner.setdefault(step, {})
        inner[last] = value[field]
    return found


def _mau_belajar_apa(platform: str, rows: Sequence[Row]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Transaksi")
    sheet.append(("ID Transaksi", "Status", "Waktu", "Nomor Kartu", "Kelas", "Harga", "Voucher"))
    for number, row in enumerate(rows):
        # Every second time is a date cell and the others are text, as in the platform's workbooks.
        at = _at(row, lambda at: at.astimezone(WIB).replace(tzinfo=None))
        if isinstance(at, datetime) and number % 2:
            at = at.strftime("%Y-%m-%d %H:%M:%S")
        sheet.append((row.transaction_id, _event(platform, row), at, row.card, row.course, row.amount, row.voucher))
    buffer = io.BytesIO()
    book.save(buffer)
    return _without_times(buffer.getvalue())


def _without_times(archive: bytes) -> bytes:
    """Return the workbook without its save time, so that the same world has the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as before, zipfile.ZipFile(buffer, "w") as after:
        for name in before.namelist():
            data = before.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2021-01-01T00:00:00Z", data)
            after.writestr(zipfile.ZipInfo(name, (2021, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[str, Sequence[Row]], bytes]] = {
    "tokopedia": _tokopedia, "bukalapak": _bukalapak, "pintaria": _pintaria, "pijar-mahir": _pijar_mahir,
    "mau-belajar-apa": _mau_belajar_apa, "sekolahmu": _sekolahmu, "sisnaker": _sisnaker,
}  # fmt: skip
