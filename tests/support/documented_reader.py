"""The readers of `docs/example-readers.md`, as they stand there, and one of them in a folder of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from prakerja.blacklist.publisher import configured_keys
from prakerja.settings import PROJECT

PAGE = (PROJECT / "docs" / "example-readers.md").read_text(encoding="utf-8")
[PYTHON], [JAVASCRIPT] = (re.findall(rf"```{language}\n(.+?)```", PAGE, re.DOTALL) for language in ("python", "js"))


class Reader:
    def __init__(self, folder: Path, published: Path) -> None:
        self.folder, self.published = folder, published
        folder.mkdir()
        (folder / "reader.py").write_text(PYTHON)
        (folder / "key.pem").write_bytes(configured_keys.load_signing_key().public.pem)

    def run(self, now: str = "2021-03-17T00:00:00+00:00") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "reader.py", str(self.published), "key.pem", "state.json", now],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def subjects(self) -> set[str]:
        return {line[:64] for line in json.loads((self.folder / "state.json").read_text())["lines"]}
