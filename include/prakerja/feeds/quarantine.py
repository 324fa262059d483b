"""The cards that a quarantined row might be about. Their recipients are held, never counted as without a purchase."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from fractions import Fraction

CARD_MAX = 10**16 - 1

#: Inclusive ranges of card numbers.
Ranges = list[tuple[int, int]]

SCIENTIFIC = re.compile(r"[+-]?(?=[.,]?\d)(\d*)(?:[.,](\d*))?[eE]([+-]?\d+)", re.ASCII)
FINAL_ZEROS = re.compile(r"[.,]0+$")
SIXTEEN_DIGITS = re.compile(r"(?<!\d)\d{16}(?!\d)", re.ASCII)
ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
#: Characters that spreadsheets and exports put around a number: quotes of every script, apostrophes, and `="..."`.
AROUND_NUMBERS = {*"=＝\"'`´＂＇ʹʺʼʽ′″‵‶«»‹›‘’‚‛“”„‟⹂「」『』〝〞〟﹁﹂﹃﹄｢｣"}
FIFTEEN = 15
DIGITS_MAX = 1000  # of a number in scientific notation
EXPONENT_DIGITS_MAX = 4
WHOLE_DIGITS_MAX = 30  # of a number that might have been a card


def cards_in(raw: str, *, is_json: bool) -> Ranges:
    """Return every run of sixteen digits in an unreadable row, in its text and with JSON's escapes resolved."""
    texts = [raw]
    if is_json:
        read = ESCAPED.sub(lambda found: chr(int(found[1], 16)), raw)
        # Two escaped surrogates are one character.
        texts.append(read.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
    runs = {int(run) for text in map(_plain_digits, texts) for run in SIXTEEN_DIGITS.findall(text)}
    return [(card, card) for card in sorted(runs)]


def cards_like(text: str, *, is_number: bool) -> Ranges:
    """Return the cards that a delivered card text might stand for.

    `1.23457E+15` stands for every card that rounds to it; a number of sixteen digits or more for every card with the
    same first fifteen, since spreadsheets keep no more. Any other text stands for the card with its digits: leading
    zeros restored, surplus ones removed, without final zeros after a point or comma, or with them if that makes
    sixteen digits.
    """
    text = "".join(character for character in _plain_digits(text) if not _is_around(character))
    if found := SCIENTIFIC.fullmatch(text):
        return _rounded_from(found[1], found[2] or "", found[3], is_number=is_number)
    whole, all_digits = (re.sub(r"\D", "", each, flags=re.ASCII) for each in (FINAL_ZEROS.sub("", text), text))
    whole = whole.lstrip("0") or whole[:1]
    if is_number and len(whole) > FIFTEEN:
        return [_same_first_fifteen(whole)]
    cards = {int(whole)} if 1 <= len(whole) <= 16 else set()
    if len(all_digits) == 16:
        cards.add(int(all_digits))
    return [(card, card) for card in sorted(cards)]


def _plain_digits(text: str) -> str:
    """Return the text without invisible characters, and each digit of another script as its ASCII digit."""
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.decimal(character)) if character.isdecimal() else character
        for character in text
        if unicodedata.category(character) != "Cf"
    )


def _is_around(character: str) -> bool:
    return character.isspace() or character in AROUND_NUMBERS


def _same_first_fifteen(digits: str) -> tuple[int, int]:
    first = int(digits[:FIFTEEN]) * 10
    return first, first + 9


def _rounded_from(whole: str, fraction: str, power: str, *, is_number: bool) -> Ranges:
    if len(whole) + len(fraction) > DIGITS_MAX or len(power.lstrip("+-").lstrip("0")) > EXPONENT_DIGITS_MAX:
        return []  # no card is written like this
    exponent = int(power)
    mantissa, unit = int(whole + fraction), Fraction(10) ** (exponent - len(fraction))
    value = mantissa * unit
    # Just below a power of ten the last digit is worth a tenth: 9.999995E+14 already rounds to 1.00000E+15.
    below = unit / 10 if str(mantissa).rstrip("0") == "1" else unit
    ranges = [(max(0, math.ceil(value - below / 2)), min(CARD_MAX, math.floor(value + unit / 2)))]
    if is_number and value.denominator == 1 and FIFTEEN < len(digits := str(int(value))) <= WHOLE_DIGITS_MAX:
        ranges.append(_same_first_fifteen(digits))
    return _merged((first, last) for first, last in ranges if first <= last)


def _merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    merged: Ranges = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def multirange(ranges: Iterable[tuple[int, int]]) -> str:
    """Return ranges in the text form of PostgreSQL's `int8multirange`."""
    return "{" + ",".join(f"[{low},{high + 1})" for low, high in ranges) + "}"
