"""Text, JSON and numbers exactly as delivered."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn

SPACE = re.compile(r"[ \t\r\n]*")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,6})?")
DEEPEST = 256
MOST_DIGITS = 30  # of a whole number: longer than any identifier, amount or total


class Number(str):
    """A JSON number or a number cell, with the digits of the file instead of a float's."""

    __slots__ = ()


class Repeated:
    """The value of a key that an object repeats: it is unknown which value is meant."""


REPEATED = Repeated()


class ParsedJson(NamedTuple):
    """A JSON value, and whether any object in it repeats a key."""

    value: Any
    has_repeated: bool


def decode_text(content: bytes) -> str:
    """Return the text of a feed, a roster or a manifest, without its byte-order mark. Raise `ValueError`."""
    # "All: UTF-8 in every byte (ignored columns too), a byte-order mark and CRLF tolerated everywhere,
    text = content.decode("utf-8-sig")
    # CR alone nowhere (rejected)."
    if re.search("\r(?!\n)", text):
        raise ValueError("a CR without an LF")
    if "\0" in text:
        raise ValueError("it holds U+0000")
    return text


def read_escapes(text: str, escape: re.Pattern[str]) -> str:
    """Return a text with each escape replaced by its character. Two surrogates are one character."""
    meant = escape.sub(lambda found: chr(int(found[1], 16)), text)
    return keep_characters(meant.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def keep_characters(text: str) -> str:
    """Return a text with U+FFFD for U+0000 and lone surrogates, which can be escaped but not stored."""
    return re.sub("[\0\ud800-\udfff]", "\ufffd", text)


def parse_json(text: str) -> ParsedJson:
    """Parse one JSON value. Raise `ValueError` if it is not JSON, `RecursionError` if it is too deep."""
    # "JSON is RFC 8259, strictly": Python's json accepts NaN and Infinity, which `_refuse_constant` refuses.
    has_repeated = False

    def build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_repeated
        built = dict(pairs)
        if len(built) < len(pairs):
            has_repeated = True
            built.update({key: REPEATED for key, times in Counter(key for key, _ in pairs).items() if times > 1})
        return built

    decoder = json.JSONDecoder(
        object_pairs_hook=build_object, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant
    )
    return ParsedJson(decoder.decode(text), has_repeated)


def skip_space(text: str, start: int) -> int:
    """Return the position of the next character that is not JSON's white space."""
    found = SPACE.match(text, start)
    return found.end() if found else start


def is_too_deep(text: str, value: Any) -> bool:
    """Whether a JSON value has more than 256 levels, counting itself."""
    if text.count("{") + text.count("[") <= DEEPEST:
        return False
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for each in level for inner in _values_in(each) if isinstance(inner, dict | list)]
    return bool(level)


def whole(number: str) -> int | None:
    """Return the whole number that these digits equal, or None if it is not whole or has more than 30 digits."""
    # "a JSON number or cell equal to a whole number is whole": 12, 12.0 and 1e3 are, 12.5 and NaN are not.
    if not NUMBER.fullmatch(number):
        return None
    exact = Decimal(number)
    if exact.adjusted() >= MOST_DIGITS or exact != exact.to_integral_value():
        return None
    return int(exact)


def _values_in(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
