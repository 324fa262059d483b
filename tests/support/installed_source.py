"""The source of installed libraries: read and parsed, never imported, since an import of Airflow fixes its settings."""

from __future__ import annotations

import ast
import sysconfig
from functools import cache
from pathlib import Path

PACKAGES = Path(sysconfig.get_path("purelib"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Source:
    """One file of an installed library."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.text = (PACKAGES / path).read_text(encoding="utf-8") if (PACKAGES / path).exists() else ""
        self._body = ast.parse(self.text).body

    def names(self) -> set[str]:
        """Return the names that the file defines or imports at its top."""
        found = set[str]()
        for node in self._body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            found |= _defined(node)
        return found

    def members(self, name: str) -> set[str]:
        """Return the names that a class defines, in its body or as attributes of `self`; none if it is not there."""
        found = set[str]()
        for node in self._class(name):
            found |= _defined(node)
            for inner in ast.walk(node):
                is_stored = isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store)
                if is_stored and isinstance(inner.value, ast.Name) and inner.value.id == "self":
                    found.add(inner.attr)
        return found

    def parameters(self, function: str) -> list[str]:
        """Return the parameters of `function` or `Class.function` but `self` and `cls`; none if it is not there."""
        owner, _, name = function.rpartition(".")
        for node in self._class(owner) if owner else self._body:
            if isinstance(node, FUNCTIONS) and node.name == name:
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                return [argument.arg for argument in arguments if argument.arg not in ("self", "cls")]
        return []

    def _class(self, name: str) -> list[ast.stmt]:
        body = self._body
        for part in name.split("."):
            classes = [node for node in body if isinstance(node, ast.ClassDef) and node.name == part]
            body = classes[-1].body if classes else []
        return body


@cache
def source(path: str) -> Source:
    return Source(path)


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return {node.name}
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return {node.target.id}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    return set()
