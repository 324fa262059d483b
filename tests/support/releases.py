"""The code of an earlier release, unpacked from the project's history."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from prakerja.settings import PROJECT

RELEASE_0_2_0 = "2b1dd7dda1b88a6f2b8e81e24d95c4e4745d6941"


def unpack_release(folder: Path, commit: str = RELEASE_0_2_0) -> Path:
    """Unpack a release into a folder, and return where its packages are. Skip the test where its commit is missing."""
    archive = ["git", "archive", "--output", str(folder / "code.tar"), commit, "include", "dags", "plugins"]
    if subprocess.run(archive, cwd=PROJECT, check=False).returncode:
        pytest.skip(f"this clone has no commit {commit}: git fetch --unshallow")
    shutil.unpack_archive(folder / "code.tar", folder, filter="data")
    return folder / "include"
