"""The distribution for readers of the list imports the standard library and cryptography alone."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import prakerja_blacklist

PACKAGE = Path(str(prakerja_blacklist.__file__)).parent


def test_it_imports_the_standard_library_and_cryptography_alone() -> None:
    files = list(PACKAGE.rglob("*.py"))
    assert len(files) > 10
    for path in files:
        for module in imported_by(path):
            top = module.partition(".")[0]
            assert top in (PACKAGE.name, "cryptography") or top in sys.stdlib_module_names, f"{path.name}: {module}"


def test_its_format_imports_no_reader() -> None:
    for path in (PACKAGE / "format").glob("*.py"):
        assert not [module for module in imported_by(path) if module.startswith("prakerja_blacklist.reader")], path.name


def imported_by(path: Path) -> list[str]:
    """Return the modules that a file imports, wherever it does."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.append(str(node.module))
        elif isinstance(node, ast.Import):
            found += [name.name for name in node.names]
    return found
