"""The second reading shares no code with the first: a common fault would be found in neither."""

from __future__ import annotations

import ast
from pathlib import Path

from prakerja import recheck

SHARED = {"prakerja.platforms", "prakerja.errors"}


def test_recheck_imports_nothing_of_the_product_but_platforms_and_errors() -> None:
    imported: set[str] = set()
    for path in Path(recheck.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                imported.add(node.module or "")
            elif isinstance(node, ast.Import):
                imported.update(name.name for name in node.names)
    ours = {name for name in imported if name.split(".")[0] in ("prakerja", "tests")}
    assert {name for name in ours if not name.startswith("prakerja.recheck.")} == SHARED
