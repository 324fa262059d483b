"""A home of an earlier version is brought up to this one, as its operator does it."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.e2e.conftest import Instance

#: Two short cohorts, replayed and approved at revision 0015: a backup, what was published, and the table that was told.
OF_0015 = Path(__file__).with_name("home_0015.zip")
#: The same at revision 0016, with its keys. One cohort is revoked: two reinstatements wait, a hold that Budi resolved
#: waits, and one that Siti Rahma resolved is approved and not carried out. The other wave's 18 revocations wait.
OF_0016 = Path(__file__).with_name("home_0016.zip")
#: A cohort of fifty at revision 0021, whose deadline was extended. Number 1 was held, revoked singly, left out of the
#: second decision, and has bought by the new deadline. Number 2 was resolved for the first deadline, and is held for
#: the second. Number 3 was reinstated for a purchase that is restated away. All three were passed over.
OF_0021 = Path(__file__).with_name("home_0021.zip")


def test_a_backup_of_revision_0015_is_restored_whole(
    instances: Callable[..., Instance], calendar_file: Path, tmp_path: Path
) -> None:
    instance = replace(_restore(OF_0015, instances, tmp_path), calendar=calendar_file)
    verified = instance.run("audit", "verify")
    assert verified.returncode == 0, verified.stderr
    assert "143 entries are whole and in order, 915 facts" in verified.stdout
    assert instance.run("blacklist", "verify").returncode == 0
    told = {row["cohort"]: row for row in json.loads((tmp_path / "cohorts.json").read_text())}
    assert instance.cohorts() == told
    assert instance.run("db", "upgrade").returncode == 0
    assert instance.cohorts() == told


def test_a_home_of_revision_0016_with_waiting_and_approved_batches_carries_on(
    instances: Callable[..., Instance], replayed_world: Path, tmp_path: Path
) -> None:
    # What is decided on is read again: it lies where it lay. It is the same world, simulated anew.
    instance = _restore(OF_0016, instances, tmp_path, replayed_world / "landing")
    told = {row["cohort"]: row for row in json.loads((tmp_path / "cohorts.json").read_text())}
    assert instance.cohorts() == told

    reinstatements, hold = _waiting(instance, 12)
    (revocations,) = _waiting(instance, 13)
    refused = instance.run("approve", "12", "--digest", hold, "--as", "budi")
    assert refused.returncode == 1
    assert "another person must approve it" in refused.stderr
    for cohort, digest in [("12", reinstatements), ("13", revocations)]:
        done = instance.run("approve", cohort, "--digest", digest, "--as", "budi")
        assert done.returncode == 0, done.stderr

    done = instance.run("replay", "--from", "2021-03-19", "--to", "2021-03-19", "--cohorts", "12,13")
    assert done.returncode == 0, done.stderr
    done = instance.run("replay", "--from", "2021-03-16", "--to", "2021-03-20", "--cohorts", "12,13")
    assert done.stderr.endswith("gelombang-13 awaits approval: 2 reinstatements\n")
    now = instance.cohorts()
    assert {cohort: (row["revoked"], row["reinstated"]) for cohort, row in now.items()} == {12: (19, 2), 13: (18, 0)}
    assert instance.run("blacklist", "verify").returncode == 0
    assert f"version 7 of the blacklist, {19 - 2 + 18} entries" in done.stdout
    assert instance.run("audit", "verify").returncode == 0


def test_people_whom_revision_0021_passed_over_are_found_by_the_next_night(
    instances: Callable[..., Instance], tmp_path: Path
) -> None:
    instance = _restore(OF_0021, instances, tmp_path)
    one, two, three = (f"{10**15 + number}" for number in (1, 2, 3))
    replayed = instance.run("replay", "--from", "2021-03-25", "--to", "2021-03-25", "--cohorts", "12")
    assert replayed.stderr.endswith("gelombang-12 awaits approval: 1 reinstatements\n")
    row = instance.cohorts()[12]
    assert (row["reinstatements_proposed"], row["cases"], row["holds_resolvable"]) == (1, 1, 0)
    assert "purchase_gone" in instance.run("explain", three, "--json").stdout

    (reinstatement,) = _waiting(instance, 12)
    assert instance.run("approve", "12", "--digest", reinstatement, "--as", "siti").returncode == 0
    assert instance.run("replay", "--from", "2021-03-26", "--to", "2021-03-26", "--cohorts", "12").returncode == 0
    story = json.loads(instance.run("explain", one, "--json").stdout)
    assert story["state"] == "reinstated"
    because = "the platform has no such order"  # about the second deadline, for which nobody has said it
    again = instance.run("holds", "resolve", two, "--not-purchased", "--because", because, "--as", "ani")
    assert again.returncode == 1
    assert "manifest.json: the file is gone or cannot be read" in again.stderr, "evidence that is gone is none"
    again = instance.run("holds", "resolve", two, "--purchased", "--because", "their receipt", "--as", "ani")
    assert again.returncode == 0, again.stderr
    assert instance.run("audit", "verify").returncode == 0
    assert instance.run("blacklist", "verify").returncode == 0


def _restore(home: Path, instances: Callable[..., Instance], folder: Path, landing: Path | None = None) -> Instance:
    """Restore a home of an earlier revision into a new one, with its calendar; verify it. Else nothing has landed."""
    with zipfile.ZipFile(home) as archive:
        archive.extractall(folder)
    instance = replace(instances(landing or folder / "landing", is_empty=True), calendar=folder / "calendar.yaml")
    shutil.copytree(folder / "publish", instance.home / "publish")
    instance.landing.mkdir(exist_ok=True)
    restored = instance.run("restore", str(folder / "backup"))
    assert restored.returncode == 0, restored.stderr
    verified = instance.run("audit", "verify")
    assert verified.returncode == 0, verified.stderr
    return instance


def _waiting(instance: Instance, cohort: int) -> list[str]:
    """Return the digests of a cohort's waiting batches, as `approve` shows them."""
    return re.findall(r"--digest ([0-9a-f]{16})", instance.run("approve", str(cohort)).stdout)
