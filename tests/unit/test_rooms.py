"""The rooms of the published list: what its format and its reader import, so that they stand alone."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from prakerja.blacklist import format as format_room
from prakerja.blacklist import reader as reader_room

FORMAT, READER = "prakerja.blacklist.format", "prakerja.blacklist.reader"
ROOMS = {
    FORMAT: (Path(str(format_room.__file__)).parent, {FORMAT}),
    READER: (Path(str(reader_room.__file__)).parent, {FORMAT, READER}),
}


@pytest.mark.parametrize("room", ROOMS)
def test_the_format_and_the_reader_import_the_standard_library_and_cryptography_alone(room: str) -> None:
    folder, own = ROOMS[room]
    for path in folder.glob("*.py"):
        for module in imported_by(path):
            top = module.partition(".")[0]
            is_own = any(module == each or module.startswith(f"{each}.") for each in own)
            assert is_own or top in sys.stdlib_module_names or top == "cryptography", f"{path.name}: {module}"


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
