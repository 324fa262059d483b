"""YAML files that people write, read as typed models: what does not fit is told with file, line and field."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from prakerja import plain_yaml
from prakerja.errors import PrakerjaError
from prakerja.escaping import one_line

T = TypeVar("T")


class StrictModel(BaseModel):
    """A mapping of a file: every key is known, and no value is made of another kind."""

    model_config = ConfigDict(extra="forbid", strict=True)


class FrozenModel(StrictModel):
    """One that stays as it was read."""

    model_config = ConfigDict(frozen=True)


def require_stem(path: Path, where: str, field: str, given: str) -> None:
    """Raise `PrakerjaError` where a file is not named as its `field` says."""
    if given != path.stem:
        raise PrakerjaError(f"{where} {path} is named {path.stem}, but says {field}: {given}")


def load_typed(path: Path, kind: type[T], where: str) -> T:
    """Read a file as a model. Raises `PrakerjaError` in one line, which begins with `where` and the path."""
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
        raise PrakerjaError(f"{where} is not a mapping: compare it with the one that came with this version")
    if repeated:
        line = plain_yaml.line_of(text, repeated)
        raise PrakerjaError(f"{where}, line {line}: `{one_line('.'.join(repeated))}` stands there twice: take one away")
    try:
        return TypeAdapter(kind).validate_python(loaded)
    except ValidationError as error:
        # A key that is not known says more than the one that is missing for it.
        first = min(error.errors(include_input=False), key=lambda each: each["type"] != "extra_forbidden")
    place: tuple[Any, ...] = tuple(step for step in first["loc"] if step != "[key]")
    field = f"`{one_line('.'.join(map(str, place)))}`: " if place else ""
    told = one_line(first["msg"].removeprefix("Value error, "))
    raise PrakerjaError(f"{where}, line {plain_yaml.line_of(text, place)}: {field}{told}")
