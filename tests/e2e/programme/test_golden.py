"""The same files, calendar and approvals give the same decisions, batches and lists, byte by byte, in every release.

`golden.json` has what the released version gave. What changes it on purpose writes it anew (`GOLDEN=write`), and says
why in its commit: approvals and signatures name these digests.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from prakerja.settings import PROJECT
from tests.e2e.conftest import Instance

pytestmark = pytest.mark.soak
GOLDEN = Path(__file__).with_name("golden.json")
SUBJECT_KEY = base64.b64encode(b"the key of the subjects, for ever").decode()
#: The demo of the README, and the world of damaged, late and restated feeds that it tells to try next.
WORLDS = {
    "demo": ["--scale", "0.01", "--seed", "7"],
    "nasty": ["--nasty", "--scale", "0.002"],
}


@pytest.mark.parametrize("name", WORLDS)
def test_decisions_and_lists_are_those_of_the_released_version(name: str, tmp_path: Path) -> None:
    instance = Instance(
        tmp_path, tmp_path / "landing", PROJECT / "include" / "cohorts.yaml",
        more={"PRAKERJA_SUBJECT_KEY": SUBJECT_KEY},
    )  # fmt: skip
    made = instance.run("simulate", "--cohorts", "12,13", *WORLDS[name], "--out", str(tmp_path))
    assert made.returncode == 0, made.stderr
    instance.run("replay", "--from", "2021-03-05", "--to", "2021-04-12", "--cohorts", "12,13", "--approve-as", "ani")
    try:
        found = facts_of(instance)
    finally:
        instance.run("db", "stop")
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.write_text(json.dumps(golden | {name: found}, indent=1, sort_keys=True) + "\n")
    else:
        assert found == golden[name]


def facts_of(instance: Instance) -> dict[str, Any]:
    """Return decision ids, digests of batches, and the SHA-256 of every snapshot and delta."""
    with instance.database("warehouse") as connection:
        decisions = connection.execute("select cohort, decision_id, status from decisions order by attempt").fetchall()
        batches = connection.execute("select distinct digest from batches order by digest").fetchall()
    root = instance.home / "publish" / "blacklist"
    # As they unpack: another zlib packs otherwise.
    lists = {
        str(path.relative_to(root)): hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
        for path in sorted(root.rglob("*.csv.gz"))
    }
    assert decisions
    assert batches
    assert lists
    return {"decisions": [list(row) for row in decisions], "batches": [digest for (digest,) in batches], "lists": lists}
