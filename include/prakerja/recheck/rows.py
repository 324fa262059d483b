"""The meaning of a delivered row: its canonical fields, its reasons for quarantine, and the cards it might be about."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from upath import UPath

from prakerja.platforms import FIELDS, Platform, platforms
from prakerja.programme import programme
from prakerja.recheck.facts import Delivery
from prakerja.recheck.files import Evidence, EvidenceError, open_delivery, read_iso_time, start_of
from prakerja.recheck.reading import DeliveredRow, read_text_rows
from prakerja.recheck.texts import MOST_DIGITS, Number, read_escapes, whole
from prakerja.recheck.workbook import read_workbook_rows

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CARD = re.compile("[0-9]{16}")
MOST_IDR = programme().feeds.amount_idr_max
SCIENTIFIC = re.compile(r"[+-]?(?=[.,]?[0-9])([0-9]*)(?:[.,]([0-9]*))?[eE]([+-]?[0-9]+)")
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
LONGEST_TEXT = 2**20  # bytes of a field that is kept as text
KEPT_AS_TEXT = [FIELDS.index(field) for field in ("transaction_id", "course_id", "voucher_code")]
AMOUNT = FIELDS.index("amount_idr")

Cards = tuple[int, int]
"""A range of cards from the first number to the last, inclusive."""


class Row(NamedTuple):
    """One row of a delivery. A row with reasons is quarantined, and `might_be` has the cards that it might be about.

    Two rows with the same `content` are repeats. An invalid event, instant or card is None; so is a missing identifier,
    and every field of an unreadable row.
    """

    line: int
    transaction_id: str | None
    event: str | None
    occurred_at: datetime | None
    card_number: str | None
    content: tuple[Any, ...]
    reasons: tuple[str, ...]
    might_be: tuple[Cards, ...]


class Conflicts:
    """The rows of a delivery that contradict another row. Complete once every row was noted."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], object] = {}
        self._keys: set[tuple[str, str]] = set()

    def note(self, row: Row) -> None:
        """Compare a row with the ones noted before."""
        if row.transaction_id is not None and row.event is not None:
            key = row.transaction_id, row.event
            # "`transaction_conflict` (same transaction id and event, different content, in one delivery: all of them)"
            if self._first.setdefault(key, row.content) != row.content:
                self._keys.add(key)

    def __contains__(self, row: Row) -> bool:
        return (row.transaction_id, row.event) in self._keys


class RowReader:
    """Reads the rows of one platform's business date."""

    def __init__(self, platform: Platform, business_date: date) -> None:
        self.events = {str(word): event for word, event in platform.events.items()}
        self.is_json = platform.layout in ("json", "jsonl")
        self.read_instant = _choose_instant_form(platform)
        self.amount_form = platform.amount_idr
        self.too_old_before = start_of(business_date - timedelta(days=7))
        self.in_future_from = start_of(business_date + timedelta(days=1))

    def read_amount(self, value: Any) -> int | None:
        """Return a delivered amount that is a whole number, in whatever range and form, or None."""
        form = self.amount_form["form"]
        if isinstance(value, Number):
            return whole(value) if form in ("number", "whole") else None
        if not isinstance(value, str) or len(value) > MOST_DIGITS:
            return None
        if form == "rupiah" and re.fullmatch(r"(-?Rp|Rp-)([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)", value):
            return int(value.replace("Rp", "").replace(".", ""))
        return int(value) if form == "whole" and re.fullmatch("-?[0-9]+", value) else None

    def read(self, delivered: DeliveredRow) -> Row:
        """Return the meaning of a delivered row."""
        line, cells, raw, is_readable = delivered
        if not is_readable or _is_too_long(cells):
            # "Content is the seven canonical fields, or as delivered where unreadable."
            might_be = find_cards_in_text(raw, has_escapes=self.is_json)
            return Row(line, None, None, None, None, (raw,), ("row_unreadable",), might_be)
        given_id, given_event, given_time, given_card, course_id, given_amount, voucher_code = cells
        reasons = []
        transaction_id, reason = read_transaction_id(given_id)
        if reason:
            reasons.append(reason)
        # "Values are exact as in the table (letter case, no spaces trimmed into validity)"
        event = self.events.get(given_event) if is_text(given_event) else None
        if event is None:
            reasons.append("event_unknown")
        occurred_at = self.read_instant(given_time)
        if occurred_at is None:
            reasons.append("occurred_at_invalid")
        # "`occurred_at_in_future` (at or after business date + 1, 00:00 WIB)"
        elif occurred_at >= self.in_future_from:
            reasons.append("occurred_at_in_future")
        # "`occurred_at_too_old` (before business date - 7, 00:00 WIB)"
        elif occurred_at < self.too_old_before:
            reasons.append("occurred_at_too_old")
        # "`card_number`: exactly 16 digits, text". "A card that arrives as a number ... is `card_number_malformed`"
        card_number = given_card if is_text(given_card) and CARD.fullmatch(given_card) else None
        if card_number is None:
            reasons.append("card_number_malformed")
        # "`amount_idr`: whole rupiah, 1 to 1,000,000"
        amount = self.read_amount(given_amount) if self._is_in_form(given_amount) else None
        if amount is None or not 1 <= amount <= MOST_IDR:
            reasons.append("amount_invalid")
        content = (
            transaction_id or text_of(given_id),
            reason,
            event or _as_delivered(given_event),
            occurred_at or _as_delivered(given_time),
            card_number or _as_delivered(given_card),
            text_of(course_id),
            amount if amount is not None else _as_delivered(given_amount),
            text_of(voucher_code),
        )
        might_be = find_cards(given_card) if reasons else ()
        return Row(line, transaction_id, event, occurred_at, card_number, content, tuple(reasons), might_be)

    def _is_in_form(self, value: Any) -> bool:
        # "nilai `Rp1.000.000`": `Rp1000000` is a whole number, and counts in the total, but is not in the form.
        if self.amount_form["form"] == "rupiah":
            return isinstance(value, str) and re.fullmatch(r"Rp[0-9]{1,3}(\.[0-9]{3})*", value) is not None
        # "NILAI zero-padded to 9"
        width = self.amount_form.get("width")
        return width is None or (isinstance(value, str) and len(value) == width)


def read_delivery(landing: UPath, delivery: Delivery) -> Iterator[Row]:
    """Yield the rows of an accepted delivery. Raise `EvidenceError`; wrong totals raise it only at the end."""
    yield from read_rows(open_delivery(landing, delivery), delivery)


def read_rows(evidence: Evidence, delivery: Delivery) -> Iterator[Row]:
    """Yield the rows of an opened delivery. Raise `EvidenceError`; wrong totals raise it only at the end."""
    platform = platforms()[delivery.platform]
    read_delivered_rows = read_workbook_rows if platform.layout == "xlsx" else read_text_rows
    reader = RowReader(platform, delivery.business_date)
    rows = amount_idr = 0
    for delivered in read_delivered_rows(evidence, platform):
        # "`rows` counts data rows, repeats and unreadable ones included, header and trailer not."
        rows += 1
        if rows > evidence.rows:
            raise EvidenceError(evidence.where, f"the file has more rows than its manifest says, {evidence.rows}")
        # "`amount_idr` adds up every amount as delivered that is a whole number, in range or not, repeats included;
        # anything else counts 0."
        amount_idr += reader.read_amount(delivered.cells[AMOUNT]) or 0
        yield reader.read(delivered)
    # Rejected: "row count, amount total or trailer that disagrees"
    if rows != evidence.rows:
        raise EvidenceError(evidence.where, f"the file has {rows} rows, its manifest says {evidence.rows}")
    if amount_idr != evidence.amount_idr:
        raise EvidenceError(evidence.where, "the amounts do not add up to the total of the manifest")


def read_transaction_id(value: Any) -> tuple[str | None, str | None]:
    """Return a transaction id and the reason why it is invalid, or None. A malformed id is returned as delivered."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None, "transaction_id_missing"
    if is_text(value):
        return value, None
    # "`transaction_id_malformed` (it came as a number, JSON or cell, of more than 15 digits; shorter ones are their
    # digits)"
    number = whole(value) if isinstance(value, Number) else None
    if number is None or abs(number) >= 10**15:
        return text_of(value), "transaction_id_malformed"
    return str(number), None


def find_cards_in_text(unreadable: str, *, has_escapes: bool = False) -> tuple[Cards, ...]:
    """Return the cards in an unreadable row: in its text, and with JSON's escapes resolved."""
    texts = [unreadable, read_escapes(unreadable, ESCAPE)] if has_escapes else [unreadable]
    # "an unreadable row: every run of exactly 16 digits in it."
    runs = [run for text in texts for run in re.findall("(?<![0-9])[0-9]{16}(?![0-9])", normalize_digits(text))]
    return tuple(dict.fromkeys((int(run), int(run)) for run in runs))


def find_cards(given: Any) -> tuple[Cards, ...]:
    """Return the cards that a quarantined row might be about, by its card as delivered."""
    text = normalize_digits(text_of(given))
    # "In the card's text white space, quotes, apostrophes and `=` are taken out; then"
    text = "".join(sign for sign in text if not sign.isspace() and not _is_quote(sign) and sign not in "=＝")
    found: list[Cards] = []
    # "a number in scientific notation (decimal point or comma allowed) might be every card that it rounds from;"
    if scientific := SCIENTIFIC.fullmatch(text):
        found += _cards_that_round_to(scientific[1], scientific[2] or "", scientific[3])
        digits = str(abs(whole(text) or 0))
    else:
        # "otherwise drop a final `.0`, `,00`..., strip to digits, put zeros lost at the front back:"
        digits = re.sub("[^0-9]", "", re.sub("[.,]0+\\Z", "", text)).lstrip("0") or "0"
    if isinstance(given, Number) and len(digits) >= 16:
        # "a number cell or JSON number of 16 or more digits might be every card with the same first 15 digits;"
        first = 10 * int(digits[:15])
        found.append((first, first + 9))
    elif not scientific:
        # "the card that this equals;" Cards are compared as numbers, which restores the zeros.
        every_digit = re.sub("[^0-9]", "", text)
        if every_digit and len(digits) <= 16:
            found.append((int(digits), int(digits)))
        # "and, where it has exactly 16 digits without dropping anything, that card too;"
        if len(every_digit) == 16:
            found.append((int(every_digit), int(every_digit)))
    return tuple(dict.fromkeys(found))


def normalize_digits(text: str) -> str:
    """Return a text without format characters and with ASCII digits."""
    # "Format characters (Unicode Cf) count for nothing, and every Unicode decimal digit as its ASCII digit."
    if text.isascii():
        return text
    kept = (sign for sign in text if unicodedata.category(sign) != "Cf")
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in kept)


def is_text(value: Any) -> bool:
    """Whether a cell was delivered as text instead of a number."""
    return isinstance(value, str) and not isinstance(value, Number)


def text_of(value: Any) -> str:
    """Return a cell as delivered, as text; None is an empty text."""
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def _as_delivered(value: Any) -> tuple[bool, str]:
    """Return what compares cells without a canonical meaning: a number differs from the text of its digits."""
    return isinstance(value, Number), text_of(value)


def _is_too_long(cells: tuple[Any, ...]) -> bool:
    """Whether a text field has more than 1 MiB."""
    return any(
        isinstance(text := cells[position], str)
        and 4 * len(text) > LONGEST_TEXT
        and len(text.encode("utf-8", "surrogatepass")) > LONGEST_TEXT
        for position in KEPT_AS_TEXT
    )


def _cards_that_round_to(before: str, after: str, exponent: str) -> list[Cards]:
    """Return the whole numbers that round to this spelling: those within half a unit of its last digit."""
    if len(before + after) > 1000 or not -1000 <= int(exponent[:9]) <= 1000:
        return []  # no card is written like this
    unit = Fraction(10) ** (int(exponent) - len(after))
    written = int(before + after)
    # Just below a power of ten the last digit is worth a tenth: 9.95E+14 already rounds to 1.0E+15.
    unit_below = unit / 10 if str(written).rstrip("0") == "1" else unit
    first, last = math.ceil(written * unit - unit_below / 2), math.floor(written * unit + unit / 2)
    return [(max(first, 0), last)] if first <= last else []


def _is_quote(sign: str) -> bool:
    name = unicodedata.name(sign, "")
    return sign in "`´ʹʺʽ′″‵‶「」『』｢｣﹁﹂﹃﹄" or "QUOTATION MARK" in name or "APOSTROPHE" in name


def _choose_instant_form(platform: Platform) -> Callable[[Any], datetime | None]:
    """Return the platform's reading of an instant, which returns None if the value is not one."""
    form = str(platform.occurred_at["form"])
    if form == "iso8601":
        return read_iso_time
    if form == "epoch_ms":
        return _read_epoch_ms
    if "YYYY" not in form or "zone" not in platform.occurred_at:
        raise EvidenceError(f"the platform {platform.platform}", f"the form {form} of occurred_at is unknown here")
    # "waktu `DD/MM/YYYY HH:MM:SS`, WIB by contract", "`YYYY-MM-DD HH:MM:SS` text, WIB", "WAKTU `YYYYMMDDHHMMSS` WIB"
    zone = ZoneInfo(platform.occurred_at["zone"])
    day, hour, seconds = re.escape(form).partition("HH")
    pattern = day.replace("MM", "(?P<month>[0-9]{2})") + hour + seconds.replace("MM", "(?P<minute>[0-9]{2})")
    for sign, name in (("YYYY", "year"), ("DD", "day"), ("HH", "hour"), ("SS", "second")):
        pattern = pattern.replace(sign, f"(?P<{name}>[0-9]{{{len(sign)}}})")
    compiled = re.compile(pattern)

    def read_local_time(value: Any) -> datetime | None:
        if isinstance(value, datetime):  # "Waktu a date cell or ..."
            return value.replace(tzinfo=zone)
        found = compiled.fullmatch(value) if is_text(value) else None
        try:
            return (
                datetime(**{name: int(digits) for name, digits in found.groupdict().items()}, tzinfo=zone)
                if found
                else None
            )
        except ValueError:
            return None

    return read_local_time


def _read_epoch_ms(value: Any) -> datetime | None:
    # "`ts`: <epoch ms>"
    milliseconds = whole(value) if isinstance(value, Number) else None
    try:
        return None if milliseconds is None else EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
