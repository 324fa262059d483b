"""Schemathesis against the running service: it does what its OpenAPI says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from prakerja.blacklist.service import access
from tests.support.running_service import Api


def test_schemathesis_finds_no_difference_from_the_openapi(api: Api, tmp_path: Path) -> None:
    """All phases over all operations, with a key that may do everything; and, by its own check, without one."""
    token = access.create("all", list(access.SCOPES), 10**9, None, created_by="Siti")
    api.service.refresh_keys()
    ran = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", f"{api.url}/openapi.json",
            "--header", f"Authorization: Bearer {token}", "--max-examples", "20", "--checks", "all",
            "--generation-database", "none", "--no-color",
        ],
        capture_output=True, text=True, cwd=tmp_path, check=False, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-6000:]
    assert re.search(r"Operations:\s+8 selected / 8 total", ran.stdout), ran.stdout[-3000:]
