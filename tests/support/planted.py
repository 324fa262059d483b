"""Bugs planted on purpose: a text in a file of the product is replaced, and restored afterwards."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

import sqlalchemy as sa

from prakerja import warehouse
from prakerja.settings import INCLUDE
from prakerja.warehouse import statements

#: Caches of what another module's functions came to, by module.
CACHES = {"prakerja.feeds.expectations": ("suite", "_content", "volume_suite"), "prakerja.calendar": ("_read",)}


class StalePlantError(Exception):
    """The text to change is not there exactly once, or changing it changes nothing that runs."""


@dataclass(frozen=True)
class Bug:
    """A text of a file below `include`, and what it becomes."""

    file: str
    text: str
    becomes: str

    def put_into(self, source: str) -> str:
        """Return the file with the bug in it. Raises `StalePlantError`."""
        if source.count(self.text) != 1:
            raise StalePlantError(f"{self.file} has this text {source.count(self.text)} times: {self.text!r}")
        return source.replace(self.text, self.becomes)


@contextlib.contextmanager
def planted(*bugs: Bug) -> Iterator[None]:
    """Let bugs be in the product while the context lasts. Raises `StalePlantError`."""
    with contextlib.ExitStack() as plants:
        for file in dict.fromkeys(bug.file for bug in bugs):
            true = changed = (INCLUDE / file).read_text(encoding="utf-8")
            for bug in bugs:
                changed = bug.put_into(changed) if bug.file == file else changed
            if file.endswith(".py"):
                plants.enter_context(_planted_in_module(file, true, changed))
            elif file.startswith("sql/definitions/"):
                plants.enter_context(_planted_in_definition(true, changed))
            else:
                name = file.removeprefix("sql/").removesuffix(".sql")
                plants.enter_context(_planted_in_statement(name, changed))
        yield


@contextlib.contextmanager
def _planted_in_definition(true: str, changed: str) -> Iterator[None]:
    try:
        _define(changed)
        yield
    finally:
        _define(true)


def _define(text: str) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute(text)


@contextlib.contextmanager
def _planted_in_statement(name: str, changed: str) -> Iterator[None]:
    bad, find = sa.text(changed), statements.statement
    statements.statement = lambda asked: bad if asked == name else find(asked)  # type: ignore[assignment]
    try:
        yield
    finally:
        statements.statement = find


@contextlib.contextmanager
def _planted_in_module(file: str, true: str, changed: str) -> Iterator[None]:
    """Give the module's functions the changed code, and its constants the changed values, wherever they are imported.

    The functions and classes stay the objects that they are: code that has imported them runs the changed code, too.
    """
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    codes, true_codes = (dict(_codes(compile(text, file, "exec", dont_inherit=True))) for text in (changed, true))
    undo: list[Callable[[], None]] = []
    for function in _functions(module):
        name, before = function.__qualname__, function.__code__
        if name in codes and _body(codes[name]) != _body(true_codes[name]):
            function.__code__ = codes[name]
            undo.append(lambda function=function, before=before: setattr(function, "__code__", before))  # type: ignore[misc]
    undo += _plant_constants(module, true, changed)
    if not undo:
        raise StalePlantError(f"{file}: no function and no constant is another by this change")
    _clear_caches(module)
    try:
        yield
    finally:
        for each in reversed(undo):
            each()
        _clear_caches(module)


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """Yield the code of each function of a module, by its qualified name; not of those within functions."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_flags & inspect.CO_OPTIMIZED:
                yield inner.co_qualname, inner
            else:
                yield from _codes(inner)


def _body(code: CodeType) -> tuple[Any, ...]:
    """Return what makes a function do what it does: not where its lines stand."""
    inner = tuple(_body(each) if isinstance(each, CodeType) else (type(each), each) for each in code.co_consts)
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, inner


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for value in list(vars(module).values()):
        for each in vars(value).values() if inspect.isclass(value) and value.__module__ == module.__name__ else [value]:
            bare = getattr(each, "fget", None) or getattr(each, "func", None) or getattr(each, "__func__", each)
            bare = inspect.unwrap(bare) if callable(bare) else bare
            if isinstance(bare, FunctionType) and bare.__module__ == module.__name__:
                yield bare


def _plant_constants(module: ModuleType, true: str, changed: str) -> list[Callable[[], None]]:
    """Assign a module's changed constants in each module that has them; return what puts them back."""
    undo: list[Callable[[], None]] = []
    for before, now in zip(ast.parse(true).body, ast.parse(changed).body, strict=True):
        if not isinstance(now, ast.Assign | ast.AnnAssign) or ast.dump(before) == ast.dump(now):
            continue
        names = {each.id for each in ast.walk(now) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        scratch: dict[str, Any] = dict(vars(module))
        exec(compile(ast.Module([now], []), "<planted>", "exec"), scratch)  # noqa: S102 - our own source
        for name in names:
            value = getattr(module, name)
            for other in [each for key, each in sys.modules.items() if key.startswith("prakerja")]:
                if vars(other).get(name) is value:
                    setattr(other, name, scratch[name])
                    undo.append(lambda other=other, name=name, value=value: setattr(other, name, value))  # type: ignore[misc]
    return undo


def _clear_caches(module: ModuleType) -> None:
    for name in CACHES.get(module.__name__, ()):
        getattr(module, name).cache_clear()
    if hasattr(module, "PREPARED"):
        module.PREPARED.clear()
