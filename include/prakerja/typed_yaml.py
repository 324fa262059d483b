"""YAML files that people write, read as typed models. An error is one line: file, line, field, reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

from prakerja import plain_yaml
from prakerja.errors import PrakerjaError
from prakerja.escaping import one_line

T = TypeVar("T")
COMPARE = "compare it with the one that came with this version"


class StrictModel(BaseModel):
    """A mapping of a file. Every key must be known, and no value is converted from another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class FrozenModel(StrictModel):
    """A strict model that cannot be changed."""

    model_config = ConfigDict(frozen=True)


class Problem(NamedTuple):
    """What a file has that does not fit: the path of the field, its value, and what is wrong or expected."""

    path: tuple[int | str, ...]
    value: Any
    text: str

    @classmethod
    def from_error(cls, error: ValidationError) -> Self:
        """Return the first problem; a key that is not known says more than the one that is missing for it."""
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        context: Mapping[str, Any] = first.get("ctx", {})
        path = (*(step for step in first["loc"] if step != "[key]"), *context.get("path", ()))
        text = one_line(first["msg"].removeprefix("Value error, "))
        return cls(path, context.get("value", first["input"]), text)


def misfit(text: str, *path: int | str, value: Any = None) -> PydanticCustomError:
    """Return an error for a validator to raise, about a field below the one that it validates if a path is given."""
    context = {"text": text, "path": path} | ({"value": value} if path else {})
    return PydanticCustomError("misfit", "{text}", context)


def expects(text: str, kind: type | None = None) -> WrapValidator:
    """Return what tells any error about a value, or one that is not exactly of a kind, in these words."""

    def validate(value: Any, validate_type: Any) -> Any:
        if kind is not None and type(value) is not kind:
            raise misfit(text)
        try:
            return validate_type(value)
        except ValidationError:
            raise misfit(text) from None

    return WrapValidator(validate)


def expects_mapping(keys: str) -> BeforeValidator:
    """Return what refuses all but a mapping, in these words; errors about what it holds have their own."""
    return _expects_kind(dict, f"not a mapping with {keys}")


def expects_list(entries: str) -> BeforeValidator:
    """Return what refuses all but a list, in these words; errors about what it holds have their own."""
    return _expects_kind(list, f"not a list of {entries}")


def _expects_kind(kind: type, text: str) -> BeforeValidator:
    def validate(value: Any) -> Any:
        if not isinstance(value, kind):
            raise misfit(text)
        return value

    return BeforeValidator(validate)


def require_stem(path: Path, where: str, field: str, given: str) -> None:
    """Raise `PrakerjaError` if a file is not named as its `field` says."""
    if given != path.stem:
        raise PrakerjaError(f"{where} {path} is named {path.stem}, but says {field}: {given}")


def load_typed(path: Path, kind: type[T], where: str, hint: str = COMPARE) -> T:
    """Read a file as a model. Raises `PrakerjaError` in one line, which begins with `where` and the path.

    `hint` says what to do about a file that is not a mapping.
    """
    where = f"{where} {path}"
    try:
        text = path.read_text(encoding="utf-8")
        loaded = plain_yaml.load(text)
        repeated = plain_yaml.find_repeated(loaded)
    except OSError as error:
        raise PrakerjaError(f"{where} cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:  # of odd tags, too
        mark = getattr(error, "problem_mark", None)
        raise PrakerjaError(f"{where} is not YAML{f' at line {mark.line + 1}' if mark else ''}: correct it") from None
    if not isinstance(loaded, dict):
        raise PrakerjaError(f"{where} is not a mapping: {hint}")
    if repeated:
        line = plain_yaml.line_of(text, repeated)
        raise PrakerjaError(f"{where}, line {line}: `{_name_field(repeated)}` stands there twice: take one away")
    try:
        return TypeAdapter(kind).validate_python(loaded)
    except ValidationError as error:
        problem = Problem.from_error(error)
    field = f"`{_name_field(problem.path)}`: " if problem.path else ""
    raise PrakerjaError(f"{where}, line {plain_yaml.line_of(text, problem.path)}: {field}{problem.text}")


def _name_field(path: tuple[int | str, ...]) -> str:
    return one_line(".".join(map(str, path)))
