"""A published folder on this machine, and a file of somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A file of somebody else's, outside the published folder."""
    path = tmp_path / "foreign" / "kept"
    path.parent.mkdir()
    path.write_text("kept")
    return path


@pytest.fixture
def root(tmp_path: Path, foreign: Path) -> Path:
    """A published folder, with a version's folder in it."""
    (tmp_path / "publish" / "blacklist" / "v000001").mkdir(parents=True)
    return tmp_path / "publish"
