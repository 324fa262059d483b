"""Strict documents: frozen dataclasses that check their own fields, and their JSON.

A document accepts the fields that it declares and no others, each of exactly its type and within its bounds. A member
that stands twice in an object is refused. A refusal names the place and the rule, and never the value.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, fields
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from prakerja_blacklist.errors import PrakerjaError


class DoesNotFitError(PrakerjaError):
    """A document does not fit its schema. It is neither published nor believed."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """The text matches a regular expression from its beginning to its end."""

    regex: str


@dataclass(frozen=True, slots=True)
class Bounds:
    """The number is at least, at most, or below."""

    at_least: int
    at_most: int | None = None
    below: int | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """The list has so many items."""

    at_least: int
    at_most: int


@dataclass(frozen=True, slots=True)
class Description:
    """What a field means, for its JSON Schema."""

    text: str


class Document:
    """A published document or row: a frozen dataclass. Constructing one that does not fit raises `DoesNotFitError`."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __post_init__(self) -> None:
        try:
            for name, read in _readers(type(self)).items():
                read(getattr(self, name), (name,))
        except _MisfitError as error:
            raise DoesNotFitError(f"{type(self).__name__}: {error}") from None


D = TypeVar("D", bound=Document)
_Place = tuple[str | int, ...]
_Reader = Callable[[Any, _Place], Any]
#: By document: the functions that check a field's value and build the documents in it.
_READERS: dict[type[Document], dict[str, _Reader]] = {}


def parse_document(kind: type[D], data: bytes, name: str) -> D:
    """Return a document from its JSON. Raise `DoesNotFitError`, whose line begins with `name`."""
    return parse_chosen_document(lambda _: kind, data, name)


def parse_chosen_document(choose: Callable[[Any], type[D]], data: bytes, name: str) -> D:
    """Return a document of the kind that is chosen by its JSON. Raise as `parse_document` does."""
    try:
        value = _parse_json(data)
        found: D = _read_document(choose(value), value, ())
    except _MisfitError as error:
        raise DoesNotFitError(f"{name}: {error}") from None
    except RecursionError:
        raise DoesNotFitError(f"{name}: no JSON of this contract") from None
    return found


def canonical_json(document: Document | Mapping[str, Any]) -> bytes:
    """Return the bytes that are signed and hashed: keys sorted, no spaces, a line break at the end."""
    plain = asdict(document) if isinstance(document, Document) else document
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def encode_base64(data: bytes) -> str:
    """Return bytes as a document has them."""
    return base64.b64encode(data).decode()


def decode_base64(text: str, name: str) -> bytes:
    """Return the bytes that a document has. Raise `DoesNotFitError`, whose line begins with `name`."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise DoesNotFitError(f"{name} is not base64") from None


def column_names(row: type[Document]) -> list[str]:
    """Return the columns of a row, in the order of the CSV."""
    return [field.name for field in fields(row)]


def require_column(row: type[Document], name: str, values: list[Any]) -> None:
    """Raise `DoesNotFitError` if a value of a column does not fit. A row fits if each of its columns does."""
    if _matches_whole_column(field_hints(row)[name], values):
        return
    read = _readers(row)[name]
    try:
        for position, value in enumerate(values):
            read(value, (position,))
    except _MisfitError as error:
        raise DoesNotFitError(f"{name} of a row {error}: it is not published") from None


def _matches_whole_column(hint: Any, values: list[Any]) -> bool:
    """Return whether a column is text whose values all match. It takes a tenth of reading each: columns are long."""
    base, rules = split_hint(hint)
    if base is not str:
        return False
    try:
        return all(all(map(re.compile(rule.regex).fullmatch, values)) for rule in rules if isinstance(rule, Pattern))
    except TypeError:
        return False


def line_pattern(row: type[Document]) -> bytes:
    """Return the regular expression of a row's line in the canonical CSV, with its line break."""
    parts = []
    for hint in field_hints(row).values():
        base, rules = split_hint(hint)
        pattern = next((rule.regex for rule in rules if isinstance(rule, Pattern)), None)
        if base is int:
            parts.append("[1-9][0-9]{0,3}")
        elif pattern is not None:
            parts.append(pattern.removeprefix("^").removesuffix("$").replace(r"\d", "[0-9]"))
        else:
            parts.append("(?:" + "|".join(re.escape(str(value)) for value in get_args(base)) + ")")
    return (",".join(parts) + "\n").encode()


def field_hints(kind: type[Document]) -> dict[str, Any]:
    """Return the types of a document's fields, with their rules."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def split_hint(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return the type and the rules of an annotated type."""
    if get_origin(hint) is Annotated:
        base, *rules = get_args(hint)
        return base, tuple(rules)
    return hint, ()


class _MisfitError(Exception):
    """The rule that a value breaks, and its place in the document."""

    def __init__(self, place: _Place, rule: str) -> None:
        super().__init__(f"{'/'.join(map(str, place)) or 'the document'} does not fit its schema ({rule})")


def _parse_json(data: bytes) -> Any:
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique_members)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate is no text
    except ValueError:
        raise _MisfitError((), "json_invalid") from None
    return value


def _unique_members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(members)
    if len(unique) < len(members):
        raise _MisfitError((), "duplicate_member")
    return unique


def _readers(kind: type[Document]) -> dict[str, _Reader]:
    if kind not in _READERS:
        _READERS[kind] = {name: _build_reader(hint) for name, hint in field_hints(kind).items()}
    return _READERS[kind]


def _read_document(kind: type[Document], value: Any, place: _Place) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, dict):
        raise _MisfitError(place, "model_type")
    readers, found = _readers(kind), {}
    for field in fields(kind):
        if field.name in value:
            found[field.name] = readers[field.name](value[field.name], (*place, field.name))
        elif field.default is MISSING and field.default_factory is MISSING:
            raise _MisfitError((*place, field.name), "missing")
    for name in value:
        if name not in readers:
            raise _MisfitError((*place, name), "extra_forbidden")
    return kind(**found)


def _build_reader(hint: Any) -> _Reader:
    """Return the function that checks a value of this type and builds the documents in it."""
    base, rules = split_hint(hint)
    origin, arguments = get_origin(base), get_args(base)
    if origin in (Union, UnionType):
        read = _build_reader(next(each for each in arguments if each is not NoneType))
        return lambda value, place: None if value is None else read(value, place)
    if origin is Literal:
        return lambda value, place: _require(value, place, value in arguments, "literal_error")
    if origin is list:
        return _build_list_reader(_build_reader(arguments[0]), rules)
    if origin is dict:
        return _build_dict_reader(*map(_build_reader, arguments))
    if isinstance(base, type) and issubclass(base, Document):
        return lambda value, place: _read_document(base, value, place)
    return _build_int_reader(rules) if base is int else _build_text_reader(rules)


def _build_text_reader(rules: tuple[Any, ...]) -> _Reader:
    patterns = [re.compile(rule.regex).fullmatch for rule in rules if isinstance(rule, Pattern)]

    def read(value: Any, place: _Place) -> Any:
        if type(value) is not str:
            raise _MisfitError(place, "string_type")
        for match in patterns:
            if not match(value):
                raise _MisfitError(place, "string_pattern_mismatch")
        return value

    return read


def _build_int_reader(rules: tuple[Any, ...]) -> _Reader:
    bounds = [rule for rule in rules if isinstance(rule, Bounds)]

    def read(value: Any, place: _Place) -> Any:
        _require(value, place, type(value) is int, "int_type")  # a boolean is an int, and no number of a document
        for each in bounds:
            _require(value, place, value >= each.at_least, "greater_than_equal")
            _require(value, place, each.at_most is None or value <= each.at_most, "less_than_equal")
            _require(value, place, each.below is None or value < each.below, "less_than")
        return value

    return read


def _build_list_reader(read_item: _Reader, rules: tuple[Any, ...]) -> _Reader:
    sizes = [rule for rule in rules if isinstance(rule, Size)]

    def read(value: Any, place: _Place) -> Any:
        _require(value, place, isinstance(value, list), "list_type")
        for size in sizes:
            _require(value, place, len(value) >= size.at_least, "too_short")
            _require(value, place, len(value) <= size.at_most, "too_long")
        return [read_item(item, (*place, position)) for position, item in enumerate(value)]

    return read


def _build_dict_reader(read_key: _Reader, read_value: _Reader) -> _Reader:
    def read(value: Any, place: _Place) -> Any:
        _require(value, place, isinstance(value, dict), "dict_type")
        return {read_key(key, (*place, key, "[key]")): read_value(item, (*place, key)) for key, item in value.items()}

    return read


def _require(value: Any, place: _Place, is_so: bool, rule: str) -> Any:
    if not is_so:
        raise _MisfitError(place, rule)
    return value
