"""The reader of `docs/reading-the-list.md`, as it stands there, in a folder of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from prakerja.blacklist.publisher import configured_keys
from prakerja.settings import PROJECT

PAGE = (PROJECT / "docs" / "reading-the-list.md").read_text()
READER = PAGE[PAGE.index("```python") + len("```python\n") : PAGE.rindex("```")]


class Reader:
    def __init__(self, folder: Path, published: Path) -> None:
        self.folder, self.published = folder, published
        folder.mkdir()
        (folder / "reader.py").write_text(READER)
        (folder / "key.pem").write_bytes(configured_keys.load_signing_key().public.pem)

    def run(self, now: str = "2021-03-17T00:00:00+00:00") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "reader.py", str(self.published), "key.pem", "state.json", now],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def subjects(self) -> set[str]:
        return {line[:64] for line in json.loads((self.folder / "state.json").read_text())["lines"]}
