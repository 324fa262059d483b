"""The second reading shares no code with the first: a common fault would be found in neither."""

from __future__ import annotations

import ast
from pathlib import Path

from prakerja import recheck

#: Errors; the platforms' files, which are data; and the bounds of `program.yaml`.
SHARED = {"prakerja.platforms", "prakerja.errors", "prakerja.programme"}


def test_recheck_imports_nothing_of_the_product_but_data_and_errors() -> None:
    imported = [imports_of(path) for path in Path(recheck.__file__).parent.glob("*.py")]
    assert set[str]().union(*imported) == SHARED


def imports_of(path: Path) -> set[str]:
    """Return the modules of ours, but for the package itself, that a module of the package imports."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            is_root = node.module == "prakerja"
            imported.update([f"prakerja.{name.name}" for name in node.names] if is_root else [node.module or ""])
        elif isinstance(node, ast.Import):
            imported.update(name.name for name in node.names)
    ours = {name for name in imported if name.split(".")[0] in ("prakerja", "tests")}
    return {name for name in ours if not name.startswith("prakerja.recheck.")}
