"""Witnesses of a real publisher's list, and readers that ask for them, by their commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from prakerja.blacklist.publisher import configured_keys, rotation
from prakerja.cli import app
from prakerja.errors import PrakerjaError
from tests.support.published_list import AT, revoke
from tests.support.publisher import NEXT, WHO, published
from tests.support.witnesses import serving


class Desk:
    """A home with a publisher, a witness of its list, and a reader that asks for it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        pin = home / "pin.pem"
        pin.write_bytes(configured_keys.load_signing_key().public.pem)
        assert self.run("witness-key", str(home / "witness.pem"))[0] == 0
        self.witness = [
            "witness", str(home / "own"), "--pin", str(pin), "--key", str(home / "witness.pem"),
            "--out", str(home / "out"),
        ]  # fmt: skip
        self.reader = ["sync", str(home / "reader"), "--pin", str(pin), "--at", f"{NEXT:%Y-%m-%dT%H:%M:%SZ}"]

    def run(self, *arguments: str) -> tuple[int, str]:
        told = CliRunner().invoke(app, ["blacklist", *arguments])
        refused = str(told.exception) if isinstance(told.exception, PrakerjaError) else ""
        return told.exit_code, told.output + refused

    def naming(self, place: object) -> list[str]:
        return ["--witness", f"auditor={self.home / 'witness.pem.pub'}@{place}"]


def test_a_reader_follows_a_witness_that_follows_the_publisher(later: Path, home: Path) -> None:
    desk = Desk(home)
    assert desk.run(*desk.witness) == (0, "signed: v000001.json\n")
    with serving(home / "out") as url:
        assert desk.run(*desk.reader, *desk.naming(url))[0] == 0
        published("second", NEXT)
        code, said = desk.run(*desk.reader)
        assert code == 1
        assert "unwitnessed: v000002 is signed by 0 of the 1 witnesses that it needs: auditor has not signed" in said
        assert "kept: version 1" in said
        status = desk.run("status", "--in", str(home / "reader"))[1]
        assert "version 1 is witnessed by auditor; 1 of 1 are needed" in status
        assert "it was not replaced: v000002 is signed by 0 of the 1" in status
        as_json = json.loads(desk.run("status", "--json", "--in", str(home / "reader"))[1])
        assert len(as_json["witnesses"]) == 2
        assert desk.run(*desk.witness) == (0, "signed: v000002.json\n")
        assert desk.run(*desk.reader)[0] == 0
        assert "version 2 is witnessed by auditor" in desk.run("status", "--in", str(home / "reader"))[1]


def test_less_is_asked_for_only_by_a_call_that_says_so(later: Path, home: Path) -> None:
    desk = Desk(home)
    desk.run(*desk.witness)
    assert desk.run(*desk.reader, *desk.naming(home / "out"))[0] == 0
    published("second", NEXT)
    code, said = desk.run(*desk.reader, "--witnesses", "0")
    assert code == 1
    assert "goes by 1 of 1 witnesses, and this call asks for 0: add --change-witnesses if that is meant" in said
    assert desk.run(*desk.reader, "--witnesses", "0", "--change-witnesses")[0] == 0
    assert "witnessed" not in desk.run("status", "--in", str(home / "reader"))[1]


def test_both_lists_of_a_rotated_key_are_witnessed(rekeyed: Path, later: Path, home: Path) -> None:
    desk, (_, old) = Desk(home), configured_keys.load_subject_keys()
    published("second", NEXT)
    assert desk.run(*desk.witness) == (
        0, f"signed: v000001.json, v000002.json, v000002-{old.key_id}.json\n",
    )  # fmt: skip
    assert desk.run(*desk.reader, *desk.naming(home / "out"))[0] == 0


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_witness_follows_a_rotation_of_the_signing_key(
    own_keys: Path, listed: Path, home: Path, is_announced: bool
) -> None:
    published("first")
    desk = Desk(home)
    if is_announced:
        desk.run(*desk.witness)
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    revoke([6])
    published("second", NEXT)
    code, said = desk.run(*desk.witness)
    assert (code, said.count("v000002.json")) == (0, 1)
