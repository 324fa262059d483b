"""An auditor: somebody who has the files, the facts, the published list and the subjects' key, and no warehouse."""

from __future__ import annotations

import base64
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from prakerja.blacklist.publisher import configured_keys
from prakerja.cli import app
from prakerja.errors import PrakerjaError
from tests.support.small_cohort import AT, DECIDED_ON

PUBLISHED_AT, PUBLISHED_ON = AT + timedelta(days=3), DECIDED_ON + timedelta(days=3)


def run(*arguments: str) -> tuple[int, str]:
    """Run a command; return its exit code, and what it says, with the line that it ends with."""
    done = CliRunner().invoke(app, list(arguments))
    refused = str(done.exception) if isinstance(done.exception, PrakerjaError) else ""
    return done.exit_code, done.output + refused


@dataclass
class Auditor:
    """`given` has `landing`, `calendar.yaml`, `facts.jsonl` and `blacklist`."""

    given: Path
    key: bytes

    @classmethod
    def of(cls, home: Path, given: Path) -> Auditor:
        """Give an auditor what this home has, in a folder of their own."""
        shutil.copytree(home / "landing", given / "landing")
        shutil.copytree(home / "publish" / "blacklist", given / "blacklist")
        shutil.copy(home / "calendar.yaml", given / "calendar.yaml")
        assert run("recheck", "--export-facts", str(given / "facts.jsonl"))[0] == 0
        return cls(given, configured_keys.load_subject_key().key)

    def check(self, *more: str) -> tuple[int, str]:
        """Check the list as they do, where no warehouse answers."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("LANDING", "CALENDAR", "PUBLISH"):
                patch.delenv(f"PRAKERJA_{name}", raising=False)
            patch.setenv("PRAKERJA_HOME", str(self.given / "home"))
            patch.setenv("PRAKERJA_SUBJECT_KEY", base64.b64encode(self.key).decode())
            patch.setenv("PRAKERJA_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
            return run(
                "recheck", "--landing", str(self.given / "landing"), "--calendar", str(self.given / "calendar.yaml"),
                "--facts", str(self.given / "facts.jsonl"), "--list", str(self.given / "blacklist"), *more,
            )  # fmt: skip
