"""Which cards a quarantined row might be about: those recipients are held, never counted as not having bought."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from decimal import Decimal

CARD_MAX = 10**16 - 1

#: Inclusive ranges of card numbers.
Ranges = list[tuple[int, int]]

SCIENTIFIC = re.compile(r"'?[+-]?(?=[.,]?\d)(\d*)(?:[.,](\d*))?[eE]([+-]?\d{1,4})", re.ASCII)
FINAL_ZEROS = re.compile(r"[.,]0+$")
SIXTEEN_DIGITS = re.compile(r"(?<!\d)\d{16}(?!\d)", re.ASCII)


def cards_in(raw: str) -> Ranges:
    """Every run of exactly sixteen digits in an unreadable row."""
    return [(card, card) for card in sorted({int(run) for run in SIXTEEN_DIGITS.findall(raw)})]


def cards_like(text: str, *, is_number: bool) -> Ranges:
    """The cards that a delivered card text might be.

    `1.23457E+15` might be every card that it rounds from; a number cell of sixteen digits every card with the same
    first fifteen (spreadsheets keep no more); anything else the card that its digits are, lost zeros put back.
    """
    text = text.strip()
    if found := SCIENTIFIC.fullmatch(text):
        return _rounded_from(found[1], found[2] or "", int(found[3]))
    digits = re.sub(r"\D", "", FINAL_ZEROS.sub("", text))
    if not 1 <= len(digits) <= 16:
        return []
    card = int(digits)
    if is_number and len(digits) == 16:
        first_fifteen = card // 10 * 10
        return [(first_fifteen, first_fifteen + 9)]
    return [(card, card)]


def _rounded_from(whole: str, fraction: str, exponent: int) -> Ranges:
    if exponent > 20 or exponent < -40 or len(whole) + len(fraction) > 40:
        return []  # no sixteen digits: and numbers this far out must not be written out
    mantissa = int(whole + fraction)
    unit = Decimal(10) ** (exponent - len(fraction))
    value = mantissa * unit
    # Just below a power of ten the same number of digits is ten times finer: 1.00000E+15 is rounded from 9.999995E+14.
    below = unit / 10 if str(mantissa).rstrip("0") == "1" else unit
    low, high = value - below / 2, value + unit / 2
    first, last = max(0, math.ceil(low)), min(CARD_MAX, math.floor(high))
    return [(first, last)] if first <= last else []


def multirange(ranges: Iterable[tuple[int, int]]) -> str:
    """Ranges as PostgreSQL's `int8multirange` writes them."""
    return "{" + ",".join(f"[{low},{high + 1})" for low, high in ranges) + "}"
