"""Forms: the instant or the amount that a delivered value means, or null if it means none.

Each form has an exact reading of single values. The plain spelling, by far the most frequent, is read by Arrow, whole
columns at once: it must equal the exact reading, and leaves every other spelling to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from prakerja.feeds.rows import Column, DateCell, Number
from prakerja.landing import ISO8601
from prakerja.platforms import Platform

DATE_FORMS = {
    "YYYY-MM-DD HH:MM:SS": (re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII), (0, 1, 2)),
    "DD/MM/YYYY HH:MM:SS": (re.compile(r"(\d\d)/(\d\d)/(\d{4}) (\d\d):(\d\d):(\d\d)", re.ASCII), (2, 1, 0)),
    "YYYYMMDDHHMMSS": (re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII), (0, 1, 2)),
}
EPOCH_MS_MIN, EPOCH_MS_MAX = -62_135_596_800_000, 253_402_300_799_999  # of the years 1 to 9999
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,9})?", re.ASCII)
WHOLE = re.compile(r"-?\d+", re.ASCII)
RUPIAH = re.compile(r"(?:(-)Rp|Rp(-)?)(\d+|\d{1,3}(?:\.\d{3})+)", re.ASCII)
GROUPED_RUPIAH = re.compile(r"Rp\d{1,3}(?:\.\d{3})*", re.ASCII)
DIGITS_MAX = 30  # a longer number is not an amount of money; and int() of a million digits takes minutes
AMOUNT_MAX = 2**62
ID_DIGITS_MAX = 15  # of an id delivered as a number

# The plain spellings as Arrow's regular expressions, and the ISO 8601 that each is converted to.
PLAIN_ISO8601 = r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](0\d|1[0-4]):[0-5]\d)\z"
PLAIN_DATES = {
    "YYYY-MM-DD HH:MM:SS": (r"^(20\d\d)-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)\z", r"\1-\2-\3T\4:\5:\6"),
    "DD/MM/YYYY HH:MM:SS": (r"^(\d\d)/(\d\d)/(20\d\d) (\d\d):(\d\d):(\d\d)\z", r"\3-\2-\1T\4:\5:\6"),
    "YYYYMMDDHHMMSS": (r"^(20\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\z", r"\1-\2-\3T\4:\5:\6"),
}
PLAIN_WHOLE = r"^-?\d{1,12}\z"
PLAIN_RUPIAH = r"^Rp\d{1,3}(\.\d{3}){0,3}\z"


# -- columns -----------------------------------------------------------------------------------------------------------


def text_of(column: Column) -> pa.StringArray:
    """Return a column as delivered, as text; a missing value is an empty text."""
    if isinstance(column, pa.Array):
        return column
    return pa.array(["" if value is None else str(value) for value in column], pa.string())


def is_number(column: Column) -> pa.BooleanArray:
    """Return which values were delivered as numbers instead of text."""
    if isinstance(column, pa.Array):
        return pa.repeat(pa.scalar(False), len(column))
    return pa.array([isinstance(value, Number) or type(value) is int for value in column], pa.bool_())


def ids(column: Column) -> tuple[pa.StringArray, pa.BooleanArray]:
    """Return transaction ids as text, and which of them are malformed.

    An id delivered as a whole number of at most fifteen digits is those digits. A longer number may have lost digits
    when it was written, and so name another purchase.
    """
    if isinstance(column, pa.Array):
        return column, pa.repeat(pa.scalar(False), len(column))
    read = [_id(value) for value in column]
    return pa.array([text for text, _ in read], pa.string()), pa.array([is_bad for _, is_bad in read], pa.bool_())


def _id(value: Any) -> tuple[str, bool]:
    if type(value) is str or value is None:
        return value or "", False
    whole = value if type(value) is int else _number(value)[0]
    if whole is None or abs(whole) >= 10**ID_DIGITS_MAX:
        return str(value), True
    return str(whole), False


def events(column: Column, platform: Platform) -> pa.StringArray:
    """Return the canonical events (`platforms.EVENTS`), null for a word that the platform does not have."""
    words = pa.array(platform.events.keys(), pa.string())
    meanings = pa.array(platform.events.values(), pa.string())
    return meanings.take(pc.index_in(_texts(column), value_set=words))


def instants(column: Column, platform: Platform) -> pa.TimestampArray:
    """Return instants in microseconds UTC, null for a value that is not a time in the platform's form."""
    form = platform.occurred_at["form"]
    if form == "epoch_ms":
        plain = pc.multiply(_wholes(column), 1000)
    elif form == "iso8601":
        plain = _cast(_matching(_texts(column), PLAIN_ISO8601), pa.timestamp("us", "UTC"))
    else:
        pattern, iso = PLAIN_DATES[form]
        local = _cast(pc.replace_substring_regex(_matching(_texts(column), pattern), pattern, iso), pa.timestamp("us"))
        plain = _in_zone(local, platform.occurred_at["zone"])
    microseconds = _completed(plain.cast(pa.int64()), column, microseconds_of(platform))
    return microseconds.cast(pa.timestamp("us", "UTC"))


def amounts(column: Column, platform: Platform) -> tuple[pa.Int64Array, int]:
    """Return whole rupiah, null for a value that is not in the exact form, and the sum of the column as delivered."""
    form, width = platform.amount_idr["form"], platform.amount_idr.get("width")
    if form == "number":
        plain = _wholes(column)
    elif form == "rupiah":
        plain = _cast(pc.replace_substring_regex(_matching(_texts(column), PLAIN_RUPIAH), r"[Rp.]", ""), pa.int64())
    else:
        plain = _cast(_matching(_texts(column), rf"^\d{{{width}}}\z" if width else PLAIN_WHOLE), pa.int64())
    total = pc.sum(plain).as_py() or 0
    to_amount = amount_of(platform)

    def exact(value: Any) -> int | None:
        nonlocal total
        whole, is_exact = to_amount(value)
        total += whole or 0
        return whole if is_exact and whole is not None and abs(whole) < AMOUNT_MAX else None

    return _completed(plain, column, exact), total


def _texts(column: Column) -> pa.StringArray:
    if isinstance(column, pa.Array):
        return column
    return pa.array([value if type(value) is str else None for value in column], pa.string())


def _wholes(column: Column) -> pa.Int64Array:
    if isinstance(column, pa.Array):
        return pa.nulls(len(column), pa.int64())
    return pa.array([value if type(value) is int else None for value in column], pa.int64())


def _matching(texts: pa.StringArray, pattern: str) -> pa.StringArray:
    return pc.if_else(pc.match_substring_regex(texts, pattern), texts, pa.scalar(None, pa.string()))


def _cast(texts: pa.StringArray, kind: pa.DataType) -> pa.Array:
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:  # e.g. a 30 February: the exact reading finds it
        return pa.nulls(len(texts), kind)


def _in_zone(local: pa.TimestampArray, zone: str) -> pa.TimestampArray:
    try:
        return pc.assume_timezone(local, zone)
    except pa.ArrowInvalid:  # an hour that the clocks skip or repeat
        return pa.nulls(len(local), pa.timestamp("us", zone))


def _completed(plain: pa.Int64Array, column: Column, exact: Callable[[Any], int | None]) -> pa.Int64Array:
    """Return the plain values, completed by the exact reading of all others."""
    if not plain.null_count:
        return plain
    is_left = plain.is_null()
    if isinstance(column, pa.Array):
        left = column.filter(is_left).to_pylist()
    else:
        left = [value for value, is_one in zip(column, is_left.to_pylist(), strict=True) if is_one]
    return pc.replace_with_mask(plain, is_left, pa.array([exact(value) for value in left], pa.int64()))


# -- values ------------------------------------------------------------------------------------------------------------


def microseconds_of(platform: Platform) -> Callable[[Any], int | None]:
    """Return the platform's reading of a time: microseconds since 1970 UTC, or None if the value is not a time."""
    form = platform.occurred_at["form"]
    if form == "iso8601":
        return _iso8601
    if form == "epoch_ms":
        return _epoch_ms
    pattern, order = DATE_FORMS[form]
    zone = ZoneInfo(platform.occurred_at["zone"])

    def in_zone(value: Any) -> int | None:
        if isinstance(value, DateCell):
            return _microseconds(value.instant.replace(tzinfo=zone))
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
    return whole * 1000 if whole is not None and EPOCH_MS_MIN <= whole <= EPOCH_MS_MAX else None


def _microseconds(instant: datetime) -> int | None:
    try:
        return (instant - EPOCH) // timedelta(microseconds=1)
    except OverflowError:
        return None


def amount_of(platform: Platform) -> Callable[[Any], tuple[int | None, bool]]:
    """Return the platform's reading of an amount: the whole number for totals, and whether it is in the exact form."""
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
    """Return the whole number that a JSON number or number cell equals, in any spelling (5e5, 500000.0)."""
    if not isinstance(value, Number):
        return None, False
    if WHOLE.fullmatch(value) and len(value) <= DIGITS_MAX:
        return int(value), True
    if not NUMBER.fullmatch(value):  # Decimal also accepts 1_000 and the digits of other scripts
        return None, False
    number = Decimal(value)
    # Not a float, which would read 5000.00000000000001 as whole and lose the digits of a large number.
    if number.adjusted() < DIGITS_MAX and number == number.to_integral_value():
        return int(number), True
    return None, False


def _rupiah(value: Any) -> tuple[int | None, bool]:
    if not isinstance(value, str) or len(value) > DIGITS_MAX or not (found := RUPIAH.fullmatch(value)):
        return None, False
    negative = bool(found[1] or found[2])
    whole = int(found[3].replace(".", ""))
    return (-whole if negative else whole), GROUPED_RUPIAH.fullmatch(value) is not None
