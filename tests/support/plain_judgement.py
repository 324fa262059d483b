"""What a row of a delivered file means, value by value: each rule of the feeds' contract beside its lines.

Nothing here is shared with the product but the platforms' words.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from prakerja.platforms import Platform
from tests.support.plain_reading import Composite, DateCell, DeliveredRow, Number, PlainFile

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - in UTC, as are all instants once their offset is taken off
MICROSECOND = timedelta(microseconds=1)
#: No amount of money has more, and no total that has 64 bits.
DIGITS_MAX = 30


@dataclass
class PlainRow:
    """What the contract says of a row: its values, its reasons of quarantine, the cards that it might be about."""

    line: int
    values: tuple[Any, ...]  # canonical where there are no reasons, as delivered otherwise
    reasons: list[str]
    cards: list[tuple[int, int]]
    is_repeat: bool


# -- values ------------------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def instant_of(value: Any, platform: Platform) -> int | None:
    """Return the microseconds since 1970 UTC that a delivered time means, or None where it is no time of its form."""
    form = platform.occurred_at["form"]
    if form == "epoch_ms":
        whole = _whole_number(value)
        try:
            return None if whole is None else (EPOCH + timedelta(milliseconds=whole) - EPOCH) // MICROSECOND
        except OverflowError:
            return None
    if form == "iso8601":
        return _iso8601(value)
    if isinstance(value, DateCell):
        return _date_cell(value)
    if type(value) is not str:
        return None
    pattern = {
        "DD/MM/YYYY HH:MM:SS": r"(?P<d>\d\d)/(?P<m>\d\d)/(?P<y>\d{4}) (\d\d):(\d\d):(\d\d)",
        "YYYY-MM-DD HH:MM:SS": r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d) (\d\d):(\d\d):(\d\d)",
        "YYYYMMDDHHMMSS": r"(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)(\d\d)(\d\d)(\d\d)",
    }[form]
    found = re.fullmatch(pattern, value, re.ASCII)
    if found is None:
        return None
    hour, minute, second = found.groups()[3:]
    return _microseconds(found["y"], found["m"], found["d"], hour, minute, second, 0, timedelta(hours=7))


def _iso8601(value: Any) -> int | None:
    """ISO 8601 with an offset; "an ISO time without an offset is `occurred_at_invalid`"."""
    found = type(value) is str and re.fullmatch(
        r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)", value, re.ASCII
    )
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    if int(hours or 0) > 23 or int(minutes or 0) > 59:  # an hour has sixty minutes
        return None
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    # "More than six fractional digits are cut off, never rounded up."
    microsecond = int((fraction or "").ljust(6, "0")[:6])
    return _microseconds(year, month, day, hour, minute, second or "0", microsecond, offset)


def _microseconds(
    year: str, month: str, day: str, hour: str, minute: str, second: str, microsecond: int, offset: timedelta
) -> int | None:
    clock = (int(hour), int(minute), int(second), microsecond)
    try:
        return (datetime(int(year), int(month), int(day), *clock) - EPOCH - offset) // MICROSECOND  # noqa: DTZ001
    except ValueError:
        return None


def _date_cell(serial: str) -> int | None:
    """Return the instant, WIB, of a date cell: days since 1899-12-30, as far as the year 9999."""
    days = _decimal(serial)
    if days is None or not 0 <= days < 2_958_466:
        return None
    milliseconds = math.floor(days * 86_400_000 + Decimal("0.5"))
    # Spreadsheets keep a time to the millisecond; but none is rounded up to another day.
    if milliseconds // 86_400_000 > math.floor(days):
        microseconds = math.floor(days * 86_400_000_000)
    else:
        microseconds = milliseconds * 1000
    start = datetime(1899, 12, 30) - EPOCH - timedelta(hours=7)  # noqa: DTZ001
    return start // MICROSECOND + microseconds


def amount_of(value: Any, platform: Platform) -> tuple[int, int | None]:
    """Return what a delivered amount counts in the total, and what it is, or None where it is not of its form."""
    form, width = platform.amount_idr["form"], platform.amount_idr.get("width")
    if form == "number":
        # "A JSON number or cell equal to a whole number is whole."
        whole = _whole_number(value)
        return whole or 0, whole
    if type(value) is not str:
        return 0, None
    if form == "rupiah":
        found = re.fullmatch(r"(-?)Rp(-?)(\d+|\d{1,3}(?:\.\d{3})+)", value, re.ASCII)
        if found is None or (found[1] and found[2]) or len(value) > DIGITS_MAX:
            return 0, None
        whole = int(found[3].replace(".", "")) * (-1 if found[1] or found[2] else 1)
        return whole, whole if re.fullmatch(r"Rp\d{1,3}(\.\d{3})*", value, re.ASCII) else None
    if not re.fullmatch(r"-?\d+", value, re.ASCII) or len(value) > DIGITS_MAX:
        return 0, None
    return int(value), int(value) if width is None or len(value) == width else None


def _decimal(digits: str) -> Decimal | None:
    """Return the number that JSON's or a cell's digits are; None of `NaN`, and of what is a number in Python alone."""
    is_number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,6})?", digits, re.ASCII)
    return Decimal(digits) if is_number else None


def _whole_number(value: Any) -> int | None:
    number = _decimal(value) if isinstance(value, Number) else None
    if number is None or number.adjusted() >= DIGITS_MAX or number != number.to_integral_value():
        return None
    return int(number)


# -- reasons -----------------------------------------------------------------------------------------------------------


def total_idr(file: PlainFile) -> int:
    """Return what the amounts add up to: every whole number, in range or not, repeats too; all else counts 0."""
    return sum(amount_of(row.amount, file.platform)[0] for row in file.rows)


def reject_plainly(file: PlainFile, rows: int, amount_idr: int) -> set[str]:
    """Return the reasons for which a delivery is rejected whose manifest declares these figures; none: it is read."""
    reasons, total = set(file.faults), total_idr(file)
    if len(file.rows) != rows:
        reasons.add("row_count_mismatch")
    if total != amount_idr:
        reasons.add("amount_mismatch")
    if file.trailer is not None:
        stated = tuple(int(each) if re.fullmatch(r"-?\d+", each, re.ASCII) else None for each in file.trailer)
        if stated != (len(file.rows), total):
            reasons.add("trailer_mismatch")
    return reasons


def judge_plainly(file: PlainFile, business_date: date) -> list[PlainRow]:
    """Return what the contract says of each row."""
    platform = file.platform
    contents = [_content(row, platform) for row in file.rows]
    # "transaction_conflict (same transaction id and event, different content, in one delivery: all of them)"
    of_purchase = defaultdict[Any, set[Any]](set)
    for row, content in zip(file.rows, contents, strict=True):
        if row.values is not None and _text(row.values[0]).strip():
            of_purchase[_id_text(row.values[0]), content[1]].add(content)
    seen = set[Any]()
    judged = []
    for row, content in zip(file.rows, contents, strict=True):
        # "A repeat of the same content within a delivery, good or bad, is dropped and counted as a duplicate."
        is_repeat = content in seen
        seen.add(content)
        if row.values is None:
            assert row.raw is not None
            cards = _cards_in(row.raw, has_escapes=platform.layout in ("json", "jsonl"))
            judged.append(PlainRow(row.line, (row.raw,), ["row_unreadable"], cards, is_repeat))
            continue
        reasons = _reasons(row.values, platform, business_date)
        if len(of_purchase.get((_id_text(row.values[0]), content[1]), ())) > 1:
            reasons.append("transaction_conflict")
        if reasons:
            # How a list or a truth is shown is nobody's contract.
            delivered = tuple(None if isinstance(value, Composite) else _text(value) for value in row.values)
            if "transaction_id_malformed" not in reasons:
                delivered = (_id_text(row.values[0]), *delivered[1:])
            judged.append(PlainRow(row.line, delivered, sorted(reasons), cards_like(row.values[3]), is_repeat))
        else:
            judged.append(PlainRow(row.line, canonical_of(row.values, platform), [], [], is_repeat))
    return judged


def canonical_of(values: tuple[Any, ...], platform: Platform) -> tuple[Any, ...]:
    """Return the seven canonical fields; None where a value has no canonical meaning."""
    transaction_id, event, occurred_at, card, course, amount, voucher = values
    return (
        None if _is_malformed(transaction_id) else _id_text(transaction_id),
        platform.events.get(event) if type(event) is str else None,
        instant_of(occurred_at, platform),
        card if type(card) is str and re.fullmatch(r"\d{16}", card, re.ASCII) else None,
        _text(course),
        amount_of(amount, platform)[1],
        _text(voucher),
    )


def _id_text(value: Any) -> str:
    """ "Shorter ones are their digits": of an id that came as a whole number, whichever way that is written."""
    whole = _whole_number(value)
    return _text(value) if whole is None or _is_malformed(value) else str(whole)


def _is_malformed(transaction_id: Any) -> bool:
    """ "It came as a number, JSON or cell, of more than 15 digits"; or as what is neither a text nor a whole number."""
    whole = _whole_number(transaction_id)
    is_text = transaction_id is None or type(transaction_id) is str
    return not is_text and (whole is None or len(str(abs(whole))) > 15)


def _content(row: DeliveredRow, platform: Platform) -> tuple[Any, ...]:
    """What makes two rows the same: "the seven canonical fields, or as delivered where unreadable"."""
    if row.values is None:
        return ("unreadable", row.raw)
    canonical = canonical_of(row.values, platform)
    return tuple(
        ("as delivered", isinstance(value, Number), _text(value)) if known is None else known
        for known, value in zip(canonical, row.values, strict=True)
    )


def _reasons(values: tuple[Any, ...], platform: Platform, business_date: date) -> list[str]:
    transaction_id, event, occurred_at, card, _, amount = canonical_of(values, platform)[:6]
    reasons = []
    if transaction_id is None:
        reasons.append("transaction_id_malformed")
    elif not transaction_id.strip():
        reasons.append("transaction_id_missing")
    if event is None:
        reasons.append("event_unknown")
    if occurred_at is None:
        reasons.append("occurred_at_invalid")
    else:
        # "At or after business date + 1, 00:00 WIB"; "before business date - 7, 00:00 WIB".
        midnight = datetime.combine(business_date, time()) - timedelta(hours=7) - EPOCH
        if occurred_at >= (midnight + timedelta(days=1)) // MICROSECOND:
            reasons.append("occurred_at_in_future")
        if occurred_at < (midnight - timedelta(days=7)) // MICROSECOND:
            reasons.append("occurred_at_too_old")
    # "Exactly 16 digits, text"; "a card that arrives as a number is `card_number_malformed`".
    if card is None:
        reasons.append("card_number_malformed")
    if amount is None or not 1 <= amount <= 1_000_000:
        reasons.append("amount_invalid")
    return reasons


# -- whom a quarantined row might be about -----------------------------------------------------------------------------


def _ascii_digits(text: str) -> str:
    """ "Format characters (Unicode Cf) count for nothing, and every Unicode decimal digit as its ASCII digit." """
    if text.isascii():
        return text
    kept = (letter for letter in text if unicodedata.category(letter) != "Cf")
    return "".join(str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in kept)


def _cards_in(raw: str, *, has_escapes: bool) -> list[tuple[int, int]]:
    """ "An unreadable row: every run of exactly 16 digits in it", as it stands there and as JSON's escapes mean it."""
    read = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), raw) if has_escapes else ""
    texts = [raw, read.encode("utf-16", "surrogatepass").decode("utf-16", "replace")]  # two halves are one character
    runs = [run for text in texts for run in re.findall(r"\d+", _ascii_digits(text))]
    return _merged((int(run), int(run)) for run in runs if len(run) == 16)


def _is_quote(letter: str) -> bool:
    return letter in "`´′″" or any(word in unicodedata.name(letter, "") for word in ("QUOTATION MARK", "APOSTROPHE"))


def cards_like(value: Any) -> list[tuple[int, int]]:
    """Return the ranges of cards that a delivered card might be."""
    # "In the card's text white space, quotes, apostrophes and `=` are taken out."
    text = re.sub(r"[\s=]", "", _ascii_digits(_text(value)))
    text = "".join(letter for letter in text if not _is_quote(letter))
    found: list[tuple[int, int]] = []
    if notation := re.fullmatch(r"[+-]?(?=[.,]?\d)(\d*)(?:[.,](\d*))?[eE]([+-]?\d+)", text):
        # "A number in scientific notation (decimal point or comma allowed) might be every card that it rounds from."
        found += _rounded_from(notation[1], notation[2] or "", int(notation[3]))
        digits = str(_whole_number(value) or "").removeprefix("-")
    else:
        # "Otherwise drop a final `.0`, `,00`..., strip to digits, put zeros lost at the front back: the card that this
        # equals; and, where it has exactly 16 digits without dropping anything, that card too."
        digits, every_digit = (re.sub(r"\D", "", each) for each in (re.sub(r"[.,]0+$", "", text), text))
        if digits and len(digits.lstrip("0")) <= 16:  # and spare zeros are none of a card's digits
            found.append((int(digits), int(digits)))
        if len(every_digit) == 16:
            found.append((int(every_digit), int(every_digit)))
    if isinstance(value, Number) and len(digits) >= 16:
        # "A number cell or JSON number of 16 or more digits might be every card with the same first 15 digits."
        first = int(digits[:15])
        found.append((first * 10, first * 10 + 9))
    return _merged(found)


def _rounded_from(whole: str, fraction: str, exponent: int) -> list[tuple[int, int]]:
    if abs(exponent) > 1000:
        return []
    unit = Fraction(10) ** (exponent - len(fraction))
    number = int(whole + fraction)
    # The last digit is rounded: at most half a unit away; half a tenth of it, just below a power of ten.
    below = unit / 10 if str(number).rstrip("0") == "1" else unit
    low, high = math.ceil(number * unit - below / 2), math.floor(number * unit + unit / 2)
    low, high = max(low, 0), min(high, 10**16 - 1)
    return [(low, high)] if low <= high else []


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged
