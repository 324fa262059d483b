"""The distribution for readers of the list imports the standard library and cryptography alone.

A source in an object storage imports one library more, when it is opened.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import prakerja_blacklist

PACKAGE = Path(str(prakerja_blacklist.__file__)).parent
OPTIONAL = {"object_storage.py": "upath"}


def test_it_imports_the_standard_library_and_cryptography_alone() -> None:
    files = list(PACKAGE.rglob("*.py"))
    assert len(files) > 10
    for path in files:
        for module in imported_by(path):
            top = module.partition(".")[0]
            allowed = (PACKAGE.name, "cryptography", OPTIONAL.get(path.name))
            assert top in allowed or top in sys.stdlib_module_names, f"{path.name}: {module}"


def test_its_format_imports_no_reader() -> None:
    for path in (PACKAGE / "format").glob("*.py"):
        assert not [module for module in imported_by(path) if module.startswith("prakerja_blacklist.reader")], path.name


def test_it_imports_what_is_optional_only_within_functions() -> None:
    for name, library in OPTIONAL.items():
        path = next(PACKAGE.rglob(name))
        at_the_top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
        assert library in imported_by(path)
        assert library not in [node.module for node in at_the_top]


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
