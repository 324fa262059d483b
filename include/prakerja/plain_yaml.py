"""YAML that people write by hand: what no value can be made of stays as it was written, for the reader to name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

PLAIN = ("bool", "int", "float", "timestamp")


class Mapping(dict[Any, Any]):
    """A mapping of a YAML document. `repeated` are the keys that it has more than once."""

    repeated: tuple[str, ...] = ()


def load(text: str) -> Any:
    """Return a YAML document's value. Raises `yaml.YAMLError`, or `RecursionError` for one that is nested too deeply.

    `2021-02-30` is no date and `0x_` no number, though YAML takes them for one: they are returned as text.
    """
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader


def find_repeated(value: Any, path: tuple[int | str, ...] = ()) -> tuple[int | str, ...]:
    """Return the path of the first key that a mapping has more than once; empty if there is none."""
    items: list[tuple[int | str, Any]] = []
    if isinstance(value, list):
        items = list(enumerate(value))
    elif isinstance(value, dict):
        items = [(str(key), each) for key, each in value.items()]
    for key in getattr(value, "repeated", ()):
        return (*path, key)
    return next((found for key, each in items if (found := find_repeated(each, (*path, key)))), ())


def line_of(text: str, path: Sequence[int | str]) -> int:
    """Return the line on which the value of a path stands, or as much of the path as is there."""
    node = yaml.compose(text, _Loader)
    line = 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader; of impossible dates and numbers it would raise errors that name no place."""

    def construct_plain(self, node: yaml.ScalarNode) -> Any:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        try:
            return getattr(yaml.constructor.SafeConstructor, f"construct_yaml_{kind}")(self, node)
        except (ValueError, OverflowError, KeyError):
            return node.value

    def construct_marked(self, node: yaml.MappingNode) -> Any:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        found = Mapping()
        found.repeated = tuple(dict.fromkeys(key for key in keys if keys.count(key) > 1))
        yield found
        found.update(self.construct_mapping(node))


for _kind in PLAIN:
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.construct_plain)
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_marked)
