"""The readers' wheel, installed alone: it syncs, checks, tells how fresh the list is, and refuses what it must."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from prakerja.blacklist.publisher import configured_keys
from prakerja_blacklist import __version__
from prakerja_blacklist.format.contract import POINTER
from tests.support.installed_wheel import SOURCE, Installed
from tests.support.published_list import flip
from tests.support.running_service import Api, nik
from tests.support.simulated_publisher import Repository, delta_of, manifest_of, signature_of, snapshot_of
from tests.support.simulated_reader import STRANGER, Reader

SIZE_MAX = 25 << 20
LISTED, NOT_LISTED = f"{5:016d}\n", f"{900:016d}\n"


def test_it_brings_nothing_else_of_the_project(installed: Installed) -> None:
    found = installed.python(
        "import importlib, importlib.metadata, importlib.util, pkgutil, prakerja_blacklist as own\n"
        "for each in pkgutil.walk_packages(own.__path__, 'prakerja_blacklist.'):\n"
        "    'main' in each.name or importlib.import_module(each.name)\n"
        "print(sorted(each.name for each in importlib.metadata.distributions()))\n"
        "print(importlib.util.find_spec('prakerja'), importlib.util.find_spec('upath'), own.__path__)"
    )
    names, others = found.stdout.splitlines()
    assert json.loads(names.replace("'", '"')) == ["cffi", "cryptography", "prakerja-blacklist", "pycparser"]
    assert others == f"None None ['{installed.packages / 'prakerja_blacklist'}']"
    assert installed.run("--version").stdout == f"prakerja-blacklist {__version__}\n"


def test_it_is_small(installed: Installed) -> None:
    """All that lies in the environment's packages is counted, with the bytecode of all."""
    size = sum(path.stat().st_size for path in installed.packages.rglob("*") if path.is_file())
    assert size < SIZE_MAX
    assert sum(path.suffix == ".pyc" for path in installed.packages.rglob("*")) > 50


def test_building_it_leaves_nothing_behind(installed: Installed) -> None:
    assert installed.wheel.name == f"prakerja_blacklist-{__version__}-py3-none-any.whl"
    assert not [path.name for path in SOURCE.iterdir() if path.name == "build" or path.suffix == ".egg-info"]


def test_it_follows_a_folder_and_answers(
    installed: Installed, repository: Repository, pin: str, subject_key: str, tmp_path: Path
) -> None:
    own = str(tmp_path / "own")
    synced = installed.run("sync", own, "--from", str(repository.folder), "--pin", pin)
    assert (synced.returncode, synced.stdout) == (0, f"version 1: 300 entries, by the whole list; {own}\n")
    repository.publish([300], [5], after=timedelta(minutes=1))
    synced = installed.run("sync", own, "--from", str(repository.root), "--pin", pin)
    assert synced.stdout == f"version 2: 300 entries, by 2 changes; {own}\n"
    asked = f"{300:016d}\n\n{5:016d}\n{6:016d}\n"
    checked = installed.run("check", "--in", own, "--pin", pin, given=asked, PRAKERJA_SUBJECT_KEY=subject_key)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "listed\nnot listed\nlisted\n", "")
    shown = installed.run("status", "--in", own, "--pin", pin, "--json")
    assert shown.returncode == 0
    assert json.loads(shown.stdout)["version"] == 2
    assert "fresh" in installed.run("status", "--in", own).stdout


def test_it_follows_the_service(installed: Installed, api: Api, tmp_path: Path) -> None:
    own, pin = str(tmp_path / "own"), tmp_path / "service.pem"
    pin.write_bytes(configured_keys.load_signing_key().public.pem)
    synced = installed.run(
        "sync", own, "--from", api.url, "--pin", str(pin), PRAKERJA_API_KEY=api.tokens["list"]
    )  # fmt: skip
    assert (synced.returncode, synced.stderr) == (0, "")
    key = base64.b64encode(configured_keys.load_subject_key().key).decode()
    niks = [nik(number) for number in range(1, 11)]
    checked = installed.run("check", "--in", own, given="\n".join(niks), PRAKERJA_SUBJECT_KEY=key)
    answers = api.check(*niks).json()["listed"]
    assert checked.stdout.splitlines() == ["listed" if each else "not listed" for each in answers]
    assert len(set(answers)) == 2


def change(repository: Repository) -> None:
    repository.publish([301], [7], after=timedelta(minutes=1))


def sign_falsely(repository: Repository) -> None:
    change(repository)
    repository.put(signature_of(2), STRANGER.sign(repository.data(manifest_of(2))))


def turn_back(repository: Repository) -> None:
    repository.put(POINTER, repository.data(POINTER).replace(b'"version":1', b'"version":3'))


def tamper(repository: Repository) -> None:
    change(repository)
    repository.drop(delta_of(2))
    flip(repository.root / snapshot_of(2))


ATTACKS: dict[str, tuple[Callable[[Repository], None], str]] = {
    "a wrong signature": (sign_falsely, "the manifest's signature is wrong"),
    "a pointer at another manifest": (turn_back, "mixed: "),
    "a tampered snapshot": (tamper, "tampered: v000002/snapshot.csv.gz"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_refuses_a_hostile_source_and_keeps_what_it_has(
    installed: Installed, repository: Repository, pin: str, subject_key: str, tmp_path: Path, attack: str
) -> None:
    own = str(tmp_path / "own")
    installed.run("sync", own, "--from", str(repository.root), "--pin", pin)
    act, said = ATTACKS[attack]
    act(repository)
    refused = installed.run("sync", own, "--from", str(repository.root), "--pin", pin)
    kept, why = refused.stderr.splitlines()
    assert (refused.returncode, refused.stdout, kept.partition(" of ")[0]) == (1, "", "kept: version 1")
    assert said in why
    checked = installed.run(
        "check", "--in", own, "--pin", pin, given=LISTED + NOT_LISTED, PRAKERJA_SUBJECT_KEY=subject_key
    )
    assert checked.stdout == "listed\nnot listed\n"


def test_it_refuses_a_version_taken_back(
    installed: Installed, repository: Repository, pin: str, tmp_path: Path
) -> None:
    own, first = str(tmp_path / "own"), repository.data(POINTER)
    change(repository)
    installed.run("sync", own, "--from", str(repository.root), "--pin", pin)
    repository.put(POINTER, first)
    refused = installed.run("sync", own, "--from", str(repository.root), "--pin", pin)
    assert refused.returncode == 1
    assert "rollback: the source points at version 1, 2 was trusted already" in refused.stderr


def test_a_planted_folder_answers_nobody(
    installed: Installed, repository: Repository, pin: str, subject_key: str, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    thief = Repository(tmp_path / "thief", has_keyrings=False)
    thief.at, thief.signer = repository.at, STRANGER
    thief.publish(range(900, 1200))
    Reader(own, thief, pins=[STRANGER]).sync()
    for pins, said in (([repository.signer.public.key_id], "does not follow from"), ([], "another publisher's key")):
        state = json.loads((own / "trusted.json").read_bytes()) | {"pins": pins}
        (own / "trusted.json").write_text(json.dumps(state))
        asked = installed.run(
            "check", "--in", str(own), "--pin", pin, given=NOT_LISTED, PRAKERJA_SUBJECT_KEY=subject_key
        )
        assert (asked.returncode, asked.stdout) == (1, "")
        assert said in asked.stderr
    own.chmod(0o777)
    assert "others may write" in installed.run("status", "--in", str(own)).stderr


def test_what_is_missing_is_one_line(installed: Installed, repository: Repository, pin: str, tmp_path: Path) -> None:
    own, place = str(tmp_path / "own"), str(repository.root)
    installed.run("sync", own, "--from", place, "--pin", pin)
    for arguments, code, said in (
        (["sync", own, "--from", "s3://bucket/list", "--pin", pin], 1, "prakerja-blacklist[object-storage]"),
        (["sync", own, "--from", "http://127.0.0.1:9", "--pin", pin], 1, "set PRAKERJA_API_KEY"),
        (["sync", own, "--from", str(tmp_path / "nothing"), "--pin", pin], 1, "no list is published in"),
        (["sync", str(tmp_path / "other"), "--from", place], 1, "give it the publisher's public key (--pin FILE)"),
        (["sync", own, "--from", place, "--pin", str(tmp_path / "no.pem")], 1, "cannot be read"),
        (["sync", own, "--from", place, "--at", "yesterday"], 2, "not an instant in UTC"),
        (["check", "--in", own], 1, "PRAKERJA_SUBJECT_KEY is not set"),
        (["check", "--in", own, LISTED.strip()], 2, "unrecognized arguments: ..."),
        (["status", "--in", str(tmp_path / "nothing")], 1, "has no list yet"),
        (["status"], 2, "--in"),
        ([], 2, "COMMAND"),
    ):
        done = installed.run(*arguments)
        assert (done.returncode, done.stdout) == (code, ""), arguments
        assert said in done.stderr.splitlines()[-1]
        assert LISTED.strip() not in done.stderr
    asked = installed.run("check", "--in", own, given=f"{LISTED}\nx\n", PRAKERJA_SUBJECT_KEY="short")
    assert (asked.returncode, "PRAKERJA_SUBJECT_KEY is" in asked.stderr) == (1, True)


def test_a_line_that_is_no_nik_is_told_by_its_number(
    installed: Installed, repository: Repository, pin: str, subject_key: str, tmp_path: Path
) -> None:
    own = str(tmp_path / "own")
    installed.run("sync", own, "--from", str(repository.root), "--pin", pin)
    asked = installed.run("check", "--in", own, given=f"{LISTED}\n3201x\n", PRAKERJA_SUBJECT_KEY=subject_key)
    assert (asked.returncode, asked.stdout) == (1, "listed\nnot listed\n")
    assert asked.stderr == "not a NIK (sixteen digits) in line 3: correct the input\n"


def test_a_stale_list_is_told_by_the_exit_code(
    installed: Installed, repository: Repository, pin: str, tmp_path: Path
) -> None:
    old = Repository(tmp_path / "old")
    old.at = repository.at - timedelta(days=3)
    old.publish(range(300))
    own = str(tmp_path / "own")
    assert "stale" in installed.run("sync", own, "--from", str(old.root), "--pin", pin).stderr
    assert installed.run("status", "--in", own).returncode == 1
    shutil.rmtree(own)
    assert installed.run("status", "--in", own, "--wait", "1").returncode == 1
