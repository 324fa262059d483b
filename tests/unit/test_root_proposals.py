"""Proposals of root keys: what they must fit, who signs what of them, and how `prakerja-blacklist sign` is asked."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from prakerja_blacklist import cli
from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.contract import SignedDocument
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.keyring import Trust, build_next_keyring
from prakerja_blacklist.format.proposals import OpenProposal
from prakerja_blacklist.format.roots import TrustedRoot, build_root
from prakerja_blacklist.format.signatures import SigningKey
from tests.support.root_keys import HOLDERS
from tests.support.simulated_publisher import signing_key

AT = datetime(2021, 3, 15, tzinfo=UTC)
ONLINE = signing_key("first")


def first_ring() -> bytes:
    ring = build_next_keyring(Trust({}), ONLINE, None, 1, AT, signed_by=None)
    assert ring
    return ring


def propose(keys: tuple[int, ...] = (0, 1, 2), threshold: int = 2, after: TrustedRoot | None = None) -> OpenProposal:
    root = build_root(after, [HOLDERS[key].public for key in keys], threshold, AT)
    return OpenProposal.build(after, root, [first_ring()], 1)


def root_1() -> TrustedRoot:
    signed = propose().sign(HOLDERS[0]).sign(HOLDERS[1]).proposal.root
    assert signed
    return TrustedRoot.from_file(canonical_json(signed), "root 1")


def test_copies_are_joined_and_what_lacks_is_told() -> None:
    opened = propose()
    assert opened.missing() == ["0 of the 2 signatures of root 1"]
    first, second = opened.sign(HOLDERS[0]), opened.sign(HOLDERS[2])
    assert first.missing() == ["1 of the 2 signatures of root 1"]
    joined = first.join([second])
    assert joined.missing() == []
    assert joined.signers() == sorted(HOLDERS[each].public.key_id for each in (0, 2))
    assert first.join([first, first]).missing() == ["1 of the 2 signatures of root 1"]
    with pytest.raises(PrakerjaError, match="not copies of one proposal"):
        first.join([propose(threshold=1)])


def test_a_copy_with_a_wrong_signature_spoils_no_other() -> None:
    good = propose().sign(HOLDERS[0])
    bad = json.loads(propose().sign(HOLDERS[1]).file)
    for part in ("root", "endorsement"):
        bad[part]["signatures"][HOLDERS[0].public.key_id] = base64.b64encode(bytes(64)).decode()
        bad[part]["signatures"]["ab" * 8] = "no signature"
    joined = good.join([OpenProposal.open(json.dumps(bad).encode(), "bad")])
    assert joined.missing() == []
    assert joined.proposal.root
    assert set(joined.proposal.root.signatures) == {HOLDERS[each].public.key_id for each in (0, 1)}


def test_who_leaves_signs_the_root_that_follows_and_no_keyring() -> None:
    opened = propose((0, 1, 3), after=root_1())
    leaving, coming = opened.sign(HOLDERS[2]).proposal, opened.sign(HOLDERS[3]).proposal
    assert leaving.root
    assert (len(leaving.root.signatures), len(leaving.endorsement.signatures)) == (1, 0)
    assert coming.root
    assert (len(coming.root.signatures), len(coming.endorsement.signatures)) == (1, 1)
    with pytest.raises(PrakerjaError, match="is asked for: it is no key of these roots"):
        opened.sign(HOLDERS[4])
    assert opened.sign(HOLDERS[0]).sign(HOLDERS[3]).missing() == ["1 of the 2 signatures of root 1"]


def test_what_is_signed_is_said_in_words() -> None:
    said = "\n".join(propose((0, 1, 3), after=root_1()).describe())
    assert "in place of root 1" in said
    assert f"it counts no longer: {HOLDERS[2].public.key_id}" in said
    assert f"{ONLINE.public.key_id}  signs lists" in said


def bend_root(document: dict[str, Any], **fields: Any) -> None:
    inner = json.loads(base64.b64decode(document["root"]["document"])) | fields
    document["root"]["document"] = base64.b64encode(canonical_json(inner)).decode()


def bend_endorsed(document: dict[str, Any], **fields: Any) -> None:
    inner = json.loads(base64.b64decode(document["endorsement"]["document"])) | fields
    document["endorsement"]["document"] = base64.b64encode(canonical_json(inner)).decode()


#: A proposal that shows a holder something else than is signed, or that no publisher writes.
BENT: dict[str, Callable[[dict[str, Any]], object]] = {
    "endorses another keyring": lambda each: bend_endorsed(each, keyring=base64.b64encode(b"{}").decode()),
    "endorses by another root": lambda each: bend_endorsed(each, root="ab" * 32),
    "a root ahead": lambda each: bend_root(each, number=3),
    "a root after another": lambda each: bend_root(each, previous="ab" * 32),
    "a root with a key twice": lambda each: bend_root(each, keys=[asdict(root_1().root.keys[0])] * 2),
    "a root in force that nobody has signed": lambda each: each["in_force"].update(signatures={}),
    "no root at all": lambda each: each.update(root=None, in_force=None),
    "no keyring": lambda each: each.update(keyrings=[]),
    "a keyring that is none": lambda each: each.update(keyrings=["{}"]),
    "one member more": lambda each: each.update(note="please hurry"),
}


@pytest.mark.parametrize("name", BENT)
def test_a_proposal_whose_parts_do_not_fit_is_not_shown(name: str) -> None:
    document = json.loads(propose((0, 1, 3), after=root_1()).file)
    assert OpenProposal.open(json.dumps(document).encode(), "it")
    BENT[name](document)
    with pytest.raises(PrakerjaError):
        OpenProposal.open(json.dumps(document).encode(), "it")


@pytest.mark.parametrize("fields", [{"number": 3}, {"previous": "ab" * 32}])
def test_a_root_that_does_not_follow_the_one_in_force_is_not_proposed(fields: dict[str, Any]) -> None:
    inner = json.loads(base64.b64decode(build_root(root_1(), [HOLDERS[0].public], 1, AT).document)) | fields
    root = SignedDocument(base64.b64encode(canonical_json(inner)).decode(), {})
    with pytest.raises(PrakerjaError, match="its root does not follow the one in force"):
        OpenProposal.build(root_1(), root, [first_ring()], 1)


def lay_proposal(tmp_path: Path) -> Path:
    """A proposal in a file, and the key of its first holder beside it."""
    path = tmp_path / "proposal.json"
    path.write_bytes(propose().file)
    (tmp_path / "key.pem").write_bytes(HOLDERS[0].to_pem(None))
    return path


#: What is typed after `sign`, and what is said.
REFUSED: dict[str, tuple[list[str], str]] = {
    "no key": (["proposal.json"], "name the proposal and your key"),
    "no new file": (["make-key"], "name the new file"),
    "no proposal": (["nothing.json", "--key", "key.pem"], "nothing.json cannot be read"),
    "no key there": (["proposal.json", "--key", "nothing.pem"], "nothing.pem cannot be read"),
    "a key that is none": (["proposal.json", "--key", "proposal.json"], "is not an Ed25519 private key"),
    "a proposal that is none": (["key.pem", "--key", "key.pem"], "no JSON|json_invalid"),
    "a folder": (["make-key", "no/such/folder/key.pem"], "cannot be written"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_signed_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (arguments, said), proposal = REFUSED[name], lay_proposal(tmp_path)
    monkeypatch.chdir(proposal.parent)
    before = proposal.read_bytes()
    assert cli.run(["sign", *arguments, "--yes"]) == 1
    told = capsys.readouterr().err.strip()
    assert any(each in told for each in said.split("|"))
    assert len(told.splitlines()) == 1
    assert proposal.read_bytes() == before


def test_a_signature_is_added_to_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    proposal = lay_proposal(tmp_path)
    assert cli.run(["sign", str(proposal), "--key", str(proposal.parent / "key.pem"), "--yes"]) == 0
    assert OpenProposal.open(proposal.read_bytes(), "it").signers() == [HOLDERS[0].public.key_id]
    assert sorted(path.name for path in proposal.parent.iterdir()) == ["key.pem", "proposal.json"]


def test_a_key_is_made_once_and_for_nobody_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "key.pem"
    assert cli.run(["sign", "make-key", str(path)]) == 0
    key = SigningKey.from_pem(path.read_bytes())
    assert f"root key {key.public.key_id}" in capsys.readouterr().out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Path(f"{path}.pub").read_bytes() == key.public.pem
    assert cli.run(["sign", "make-key", str(path)]) == 1
    assert SigningKey.from_pem(path.read_bytes()).public.key_id == key.public.key_id
    path.unlink()
    assert cli.run(["sign", "make-key", str(path)]) == 1, "the public key there is another one's"
    assert not path.exists()
