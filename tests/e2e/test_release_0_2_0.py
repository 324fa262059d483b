"""A home of release 0.2.0 publishes on, and a reader of that release follows it."""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.e2e.conftest import Instance
from tests.e2e.test_upgrade import OF_0016
from tests.support.releases import unpack_release

FIRST_DAY, NEXT_DAY = "2021-03-19", "2021-03-20"


@dataclass
class Reader:
    """A consumer with a release of the program, a folder of its own, and the keys that the programme gave it."""

    instance: Instance
    folder: Path
    pin: Path
    source: Path

    def run(self, *arguments: str, given: str = "") -> str:
        done = self.instance.run("blacklist", *arguments, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sync(self) -> str:
        at = f"{NEXT_DAY}T03:00:00Z"
        return self.run("sync", str(self.folder), "--from", str(self.source), "--pin", str(self.pin), "--at", at)


def test_its_home_publishes_on_and_its_reader_follows(
    instances: Callable[..., Instance], replayed_world: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(OF_0016) as archive:
        archive.extractall(tmp_path)
    now = replace(instances(replayed_world / "landing", is_empty=True), calendar=tmp_path / "calendar.yaml")
    code = {"PYTHONPATH": str(unpack_release(tmp_path))}
    then = Instance(now.home, now.landing, now.calendar, [sys.executable, "-m", "prakerja"], code)
    assert then.run("--version").stdout.split()[-1] == "0.2.0"
    shutil.copytree(tmp_path / "publish", now.home / "publish")
    _succeed(then, "restore", str(tmp_path / "backup"))
    _approve_and_replay(then, "12", FIRST_DAY)

    reader = _reader(then, tmp_path)
    before = reader.sync()
    assert "by the whole list" in before

    _succeed(then, "db", "stop")
    _succeed(now, "db", "upgrade")
    _approve_and_replay(now, "13", NEXT_DAY)
    after = reader.sync()
    assert _version(after) > _version(before)
    assert re.search(r"entries, by [1-9]\d* changes", after)
    assert "not listed" in reader.run("check", "--in", str(reader.folder), given="0000000000000000\n")
    niks = "".join(f"{person['nik']}\n" for person in now.people())
    listed_by_it = reader.run("check", "--in", str(reader.folder), given=niks)
    assert listed_by_it == now.run("blacklist", "check", given=niks).stdout
    assert "\nlisted" in listed_by_it
    for instance in (now, then):
        _succeed(instance, "blacklist", "verify")
    _succeed(now, "audit", "verify")


def _reader(then: Instance, folder: Path) -> Reader:
    (pin,) = (then.home / "publish" / "blacklist" / "keys").glob("*.pem")
    key = (then.home / "keys" / "subject_key.b64").read_text().strip()
    alone = Instance(
        folder / "consumer", folder / "nothing", then.calendar, then.command, then.more | {"PRAKERJA_SUBJECT_KEY": key}
    )
    return Reader(alone, folder / "copy", pin, then.home / "publish")


def _succeed(instance: Instance, *arguments: str) -> str:
    done = instance.run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _approve_and_replay(instance: Instance, cohort: str, day: str) -> None:
    """Approve what waits for a person of one wave, and replay the day that publishes it. Others wait on."""
    for digest in re.findall(r"--digest ([0-9a-f]{16})", instance.run("approve", cohort).stdout):
        instance.run("approve", cohort, "--digest", digest, "--as", "budi")
    replayed = instance.run("replay", "--from", day, "--to", day, "--cohorts", "12,13")
    assert "of the blacklist" in replayed.stdout, replayed.stdout + replayed.stderr


def _version(synced: str) -> int:
    return int(re.findall(r"version (\d+)", synced)[0])
