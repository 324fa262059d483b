"""A home of an earlier version is brought up to this one, as its operator does it."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.e2e.conftest import Instance

#: Two short waves, replayed and approved at revision 0015: a backup, what was published, and the table that was told.
OLD = Path(__file__).with_name("home_0015.zip")


def test_a_backup_of_revision_0015_is_restored_whole(
    instances: Callable[..., Instance], calendar_file: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(OLD) as archive:
        archive.extractall(tmp_path)
    instance = replace(instances(tmp_path / "landing", is_empty=True), calendar=calendar_file)
    shutil.copytree(tmp_path / "publish", instance.home / "publish")
    done = instance.run("restore", str(tmp_path / "backup"))
    assert done.returncode == 0, done.stderr
    verified = instance.run("audit", "verify")
    assert verified.returncode == 0, verified.stderr
    assert "143 entries are whole and in order, 915 facts" in verified.stdout
    assert instance.run("blacklist", "verify").returncode == 0
    told = {row["cohort"]: row for row in json.loads((tmp_path / "cohorts.json").read_text())}
    assert instance.cohorts() == told
    assert instance.run("db", "upgrade").returncode == 0
    assert instance.cohorts() == told
