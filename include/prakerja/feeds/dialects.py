"""The platforms' dialects: from a file's bytes to rows in the canonical columns, nothing repaired and nothing lost.

Reading has two steps. A *reader* per layout (CSV, JSON, JSON Lines, XLSX) tells rows and columns apart. *Forms* say
what a delivered value means (a time, an amount); what has no meaning stays empty, and Great Expectations judges it.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from prakerja.landing import RejectedError
from prakerja.platforms import FIELDS, Platform

#: What JSON can write and no database text can hold: U+0000, and halves of a character.
NO_CHARACTER = re.compile("[\\0\ud800-\udfff]")


class Number(str):
    """A number as delivered (a JSON number, a number cell): its text, and the knowledge that it was no text."""

    __slots__ = ()


@dataclass
class Record:
    """One delivered row: the line that it starts at, its seven values as delivered, or `raw` where it is unreadable."""

    line: int
    values: tuple[Any, ...] | None = None
    raw: str | None = None


@dataclass
class Reading:
    """A file that was read. `trailer` is (rows, amount) as the file's own last line states them."""

    records: list[Record]
    extra_columns: list[str] = field(default_factory=list)
    trailer: tuple[str, str] | None = None


# -- readers -----------------------------------------------------------------------------------------------------------


def read(data: bytes, platform: Platform) -> Reading:
    """Tell the rows of a file apart. Raises `RejectedError` where the file as a whole cannot be read."""
    if platform.layout == "xlsx":
        return _read_xlsx(data, platform)
    if b"\0" in data:
        raise RejectedError("file_undecodable", f"{platform.file} holds NUL bytes")
    try:
        if platform.layout == "csv":
            return _read_csv(data, platform)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RejectedError("file_undecodable", f"{platform.file} is not UTF-8") from None
    return {"json": _read_json, "jsonl": _read_jsonl}[platform.layout](text, platform)


def _read_csv(data: bytes, platform: Platform) -> Reading:
    taken: list[str] = []

    def lines() -> Iterator[str]:
        # Decoded as it goes: the whole text at once takes four times its bytes.
        for line in io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline=""):
            taken.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=platform.separator)
    header: list[str] = []
    rows: list[tuple[int, list[str], str]] = []
    starts = 1
    try:
        for row in reader:
            raw, line = "".join(taken), starts
            taken.clear()
            starts = reader.line_num + 1
            if row and not header:
                header = row
            elif row:  # an empty line holds no row
                rows.append((line, row, raw))
    except csv.Error:
        raise RejectedError("file_undecodable", f"{platform.file}: line {starts} is no CSV") from None
    trailer = None
    if platform.trailer is not None:
        if not rows or rows[-1][1][0] != platform.trailer or len(rows[-1][1]) != 3:
            raise RejectedError(
                "trailer_missing", f"{platform.file} does not end with {platform.trailer}|<rows>|<amount>"
            )
        _, (_, stated_rows, stated_amount), _ = rows.pop()
        trailer = (stated_rows, stated_amount)
    positions, extra = _positions(header, platform)
    width = len(header)
    return Reading(
        [
            Record(line, tuple(row[i] for i in positions))
            if len(row) == width
            else Record(line, raw=raw.rstrip("\r\n"))
            for line, row, raw in rows
        ],
        extra,
        trailer,
    )


def _read_jsonl(text: str, platform: Platform) -> Reading:
    records = []
    paths = [platform.columns[name].split(".") for name in FIELDS]
    for line, raw in enumerate(text.split("\n"), 1):
        if not raw.strip():
            continue
        try:
            document = _json(raw)
        except (ValueError, RecursionError):
            document = None
        records.append(_json_record(line, document, raw.rstrip("\r"), paths))
    return Reading(records)


def _read_json(text: str, platform: Platform) -> Reading:
    try:
        document = _json(text)
    except (ValueError, RecursionError):
        raise RejectedError("file_undecodable", f"{platform.file} is not JSON") from None
    items = document.get(platform.records) if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise RejectedError("columns_missing", f"{platform.file} has no list {platform.records!r}")
    for key, expected in platform.says.items():
        if document.get(key) != expected:
            raise RejectedError("path_mismatch", f"{platform.file} does not say {key}: {expected}")
    paths = [platform.columns[name].split(".") for name in FIELDS]
    return Reading([_json_record(position, item, json.dumps(item), paths) for position, item in enumerate(items, 1)])


def _json(text: str) -> Any:
    # Numbers keep their text: a card that came as a number must not be told from what a float makes of it.
    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=_no_constant)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _json_record(line: int, document: Any, raw: str, paths: list[list[str]]) -> Record:
    if not isinstance(document, dict):
        return Record(line, raw=raw)
    values = []
    for path in paths:
        value: Any = document
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, bool | list | dict):
            value = Number(json.dumps(value))  # no text, and no whole number either: no field takes it
        elif isinstance(value, str) and "\\u" in raw and not isinstance(value, Number):
            value = NO_CHARACTER.sub("\ufffd", value)
        values.append(value)
    return Record(line, tuple(values))


def _read_xlsx(data: bytes, platform: Platform) -> Reading:
    table, start = _table(data, platform)
    header = [str(cell) for cell in table[0]] if table else []
    positions, extra = _positions([name for name in header if name], platform, header)
    records = []
    for line, row in enumerate(table[1:], start + 2):
        cells = [_cell(cell) for cell in row]
        if any(cell is not None for cell in cells):
            records.append(Record(line, tuple(cells[i] for i in positions)))
    column = positions[FIELDS.index("occurred_at")]
    if any(_is_midnight(row[column]) for row in table[1:]):
        _unround(records, _table(_without_styles(data), platform)[0], column, start)
    return Reading(records, extra)


def _table(data: bytes, platform: Platform) -> tuple[list[list[Any]], int]:
    """The sheet's cells as Python values, and the number of empty rows above them."""
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        if platform.sheet not in book.sheet_names:
            raise RejectedError("columns_missing", f"{platform.file} has no sheet {platform.sheet!r}")
        sheet = book.get_sheet_by_name(platform.sheet)
        return sheet.to_python(skip_empty_area=True), sheet.start[0] if sheet.start else 0
    except RejectedError:
        raise
    except Exception:  # the reader has many kinds of error for a damaged file; all mean the same here
        raise RejectedError("file_undecodable", f"{platform.file} is no readable XLSX file") from None


def _is_midnight(cell: Any) -> bool:
    return isinstance(cell, date) and (not isinstance(cell, datetime) or cell.time() == time())


def _unround(records: list[Record], serials: list[list[Any]], column: int, start: int) -> None:
    """Take back where the reader has rounded a time up to midnight: 23:59:59.9999 is still that day.

    It rounds date cells to milliseconds; `serials` are the same cells as the numbers that they are, in days.
    """
    place = FIELDS.index("occurred_at")
    for record in records:
        values = record.values or ()
        serial = serials[record.line - start - 1][column]
        if _is_midnight(values[place]) and isinstance(serial, float) and not serial.is_integer():
            midnight = datetime.combine(values[place], time())
            early = timedelta(microseconds=math.ceil((math.ceil(serial) - serial) * 86_400_000_000))
            record.values = (*values[:place], midnight - early, *values[place + 1 :])


def _without_styles(data: bytes) -> bytes:
    """The workbook with no cell formatted as a date."""
    plain = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(plain, "w") as after:
        for entry in before.infolist():
            if entry.filename != "xl/styles.xml":
                after.writestr(entry.filename, before.read(entry))
    return plain.getvalue()


def _cell(cell: Any) -> Any:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return None if cell == "" else cell
    return Number(int(cell)) if float(cell).is_integer() else Number(cell)


def _positions(header: list[str], platform: Platform, cells: list[str] | None = None) -> tuple[list[int], list[str]]:
    """Where the canonical fields stand, and which columns are not ours. Raises `RejectedError`."""
    wanted = [platform.columns[name] for name in FIELDS]
    missing = [name for name in wanted if header.count(name) != 1]
    if missing:
        raise RejectedError("columns_missing", f"{platform.file} must have each column once: {', '.join(missing)}")
    cells = header if cells is None else cells
    return [cells.index(name) for name in wanted], [name for name in header if name not in wanted]


# -- forms -------------------------------------------------------------------------------------------------------------

ISO8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?P<fraction>[.,]\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)")
DATE_FORMS = {
    "YYYY-MM-DD HH:MM:SS": (re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII), (0, 1, 2)),
    "DD/MM/YYYY HH:MM:SS": (re.compile(r"(\d\d)/(\d\d)/(\d{4}) (\d\d):(\d\d):(\d\d)", re.ASCII), (2, 1, 0)),
    "YYYYMMDDHHMMSS": (re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII), (0, 1, 2)),
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WHOLE = re.compile(r"-?\d+", re.ASCII)
RUPIAH = re.compile(r"(-?)Rp(-?)(\d+|\d{1,3}(?:\.\d{3})+)", re.ASCII)
GROUPED_RUPIAH = re.compile(r"Rp\d{1,3}(?:\.\d{3})*", re.ASCII)
DIGITS_MAX = 30  # past this a whole number is no amount of money; and int() of a million digits takes minutes


def microseconds_of(platform: Platform) -> Callable[[Any], int | None]:
    """How this platform's times are read: microseconds since 1970 UTC, or nothing where the value is no time."""
    form = platform.occurred_at["form"]
    if form == "iso8601":
        return _iso8601
    if form == "epoch_ms":
        return _epoch_ms
    pattern, order = DATE_FORMS[form]
    zone = ZoneInfo(platform.occurred_at["zone"])

    def in_zone(value: Any) -> int | None:
        if isinstance(value, date):  # a date cell; one at midnight comes without its time
            instant = value if isinstance(value, datetime) else datetime.combine(value, time())
            return _microseconds(instant.replace(tzinfo=zone))
        if isinstance(value, Number) or not isinstance(value, str) or not (found := pattern.fullmatch(value)):
            return None
        parts = [int(part) for part in found.groups()]
        year, month, day = (parts[i] for i in order)
        try:
            return _microseconds(datetime(year, month, day, parts[3], parts[4], parts[5], tzinfo=zone))
        except ValueError:
            return None

    return in_zone


def _iso8601(value: Any) -> int | None:
    if isinstance(value, Number) or not isinstance(value, str) or not (found := ISO8601.fullmatch(value)):
        return None
    fraction = found["fraction"]
    if fraction and len(fraction) > 7:  # cut off, never rounded up: 23:59:59.9999999 is still that day
        value = value.replace(fraction, fraction[:7])
    try:
        return _microseconds(datetime.fromisoformat(value))
    except ValueError:
        return None


def _epoch_ms(value: Any) -> int | None:
    whole = _number(value)[0]
    return whole * 1000 if whole is not None and abs(whole) < 10**14 else None


def _microseconds(instant: datetime) -> int | None:
    try:
        return (instant - EPOCH) // timedelta(microseconds=1)
    except OverflowError:
        return None


def amount_of(platform: Platform) -> Callable[[Any], tuple[int | None, bool]]:
    """How this platform's amounts are read: the whole number that counts in totals, and whether it is in exact form."""
    form = platform.amount_idr["form"]
    width = platform.amount_idr.get("width")
    if form == "number":
        return _number
    if form == "rupiah":
        return _rupiah

    def whole(value: Any) -> tuple[int | None, bool]:
        if not isinstance(value, str) or not WHOLE.fullmatch(value) or len(value) > DIGITS_MAX:
            return None, False
        return int(value), width is None or len(value) == width

    return whole


def _number(value: Any) -> tuple[int | None, bool]:
    """A JSON number or number cell that equals a whole number, however it is written (5e5, 500000.0)."""
    if not isinstance(value, Number):
        return None, False
    if WHOLE.fullmatch(value) and len(value) <= DIGITS_MAX:
        return int(value), True
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None, False
    # Not a float: that would take 5000.00000000000001 for whole, and lose the digits of a large one.
    if number.is_finite() and number.adjusted() < DIGITS_MAX and number == number.to_integral_value():
        return int(number), True
    return None, False


def _rupiah(value: Any) -> tuple[int | None, bool]:
    if not isinstance(value, str) or len(value) > DIGITS_MAX or not (found := RUPIAH.fullmatch(value)):
        return None, False
    negative = bool(found[1]) != bool(found[2])
    whole = int(found[3].replace(".", ""))
    return (-whole if negative else whole), GROUPED_RUPIAH.fullmatch(value) is not None


# -- the canonical frame -----------------------------------------------------------------------------------------------


def canonical(reading: Reading, platform: Platform) -> pd.DataFrame:
    """One row per delivered row, in the canonical columns, indexed from 0.

    Columns: `line`, `raw` (text of an unreadable row), the seven fields (`transaction_id`, `card_number`, `course_id`,
    `voucher_code` as text; `event`, `occurred_at` in microseconds since 1970 UTC and `amount_idr` empty where the value
    has no such meaning), `amount_counted` (what it adds to the total), `<field>_delivered` for the fields that have a
    form, `card_is_number`, and `content` (what makes two rows of a delivery the same).
    """
    blank = (None,) * len(FIELDS)
    records = reading.records
    columns = list(zip(*(record.values or blank for record in records), strict=True)) or [()] * len(FIELDS)
    transaction_id, event, occurred_at, card_number, course_id, amount, voucher = columns
    to_microseconds, to_amount = microseconds_of(platform), amount_of(platform)
    events = [platform.events.get(_text(value)) if type(value) is str else None for value in event]
    instants = [to_microseconds(value) for value in occurred_at]
    amounts = [to_amount(value) for value in amount]
    frame = pd.DataFrame(
        {
            "line": pd.Series([record.line for record in records], dtype="int64"),
            "raw": pd.Series([record.raw for record in records], dtype="object"),
            "transaction_id": pd.Series([_text(value) for value in transaction_id], dtype="object"),
            "event": pd.Series(events, dtype="object"),
            "occurred_at": pd.Series(instants, dtype="Int64"),
            "card_number": pd.Series([_text(value) for value in card_number], dtype="object"),
            "course_id": pd.Series([_text(value) for value in course_id], dtype="object"),
            "amount_idr": pd.Series(
                [whole if exact and whole is not None and abs(whole) < 2**62 else None for whole, exact in amounts],
                dtype="Int64",
            ),
            "voucher_code": pd.Series([_text(value) for value in voucher], dtype="object"),
            "amount_counted": pd.Series([whole or 0 for whole, _ in amounts], dtype="object"),
            "event_delivered": pd.Series([_text(value) for value in event], dtype="object"),
            "occurred_at_delivered": pd.Series([_text(value) for value in occurred_at], dtype="object"),
            "amount_delivered": pd.Series([_text(value) for value in amount], dtype="object"),
            "card_is_number": pd.Series([isinstance(value, Number) for value in card_number], dtype="bool"),
        }
    )
    content: list[Any] = [
        ("unreadable", raw)
        if raw is not None
        else (
            tid,
            kind or ("as delivered", said),
            at if at is not None else ("as delivered", when),
            (card, is_number),
            course,
            paid if exact else ("as delivered", amount_said),
            code,
        )
        for raw, tid, kind, said, at, when, card, is_number, course, (paid, exact), amount_said, code in zip(
            frame["raw"],
            frame["transaction_id"],
            events,
            frame["event_delivered"],
            instants,
            frame["occurred_at_delivered"],
            frame["card_number"],
            frame["card_is_number"],
            frame["course_id"],
            amounts,
            frame["amount_delivered"],
            frame["voucher_code"],
            strict=True,
        )
    ]
    frame["content"] = content
    return frame


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value)
