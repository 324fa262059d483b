"""The chain of the published versions: what it names, where it begins, and what `blacklist verify` finds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from prakerja.blacklist.publisher import anchors, chains, configured_keys, publishing, restoring
from prakerja.blacklist.publisher.verification import trust_beside
from prakerja.blacklist.service.list_routes import fetch_chain_file
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.chain import Chain, chain_name
from prakerja_blacklist.format.contract import manifest_name
from prakerja_blacklist.format.documents import canonical_json, parse_document
from prakerja_blacklist.format.keyring import UntrustedError
from prakerja_blacklist.format.snapshot import sha256
from prakerja_blacklist.reader.sources import Folder
from tests.support.audit_log import as_owner
from tests.support.published_list import AT, revoke, tree
from tests.support.publisher import NEXT, WHO, published, undisturbed, verified


def chain_of(root: Path, version: int) -> Chain:
    return parse_document(Chain, (root / chain_name(version)).read_bytes(), "it")


def require_linked(root: Path, versions: range, before: bytes | None = None) -> None:
    """Check that chain files name the manifests and one another."""
    for version in versions:
        chain = chain_of(root, version)
        assert chain.manifest_sha256 == sha256((root / manifest_name(version)).read_bytes())
        assert chain.previous_chain_sha256 == (before and sha256(before))
        before = (root / chain_name(version)).read_bytes()


def publish_before_chains(monkeypatch: pytest.MonkeyPatch, occasions: tuple[str, ...]) -> None:
    """Publish as publishers did that wrote no chain files."""
    with monkeypatch.context() as patch:
        patch.setattr(chains, "build_chain", lambda *_: {})
        patch.setattr(chains, "write_earlier_chains", lambda *_: None)
        for number, occasion in enumerate(occasions, 1):
            published(occasion, AT if number == 1 else NEXT)
            revoke([7 + number])


def test_each_version_names_the_chain_file_before_its_manifest_and_the_audit_log(later: Path) -> None:
    published("second", NEXT)
    require_linked(later, range(1, 3))
    for version in (1, 2):
        chain, anchor = (
            chain_of(later, version),
            json.loads((anchors.folder() / anchors.file_name(version)).read_text()),
        )
        assert chain.audit is not None
        assert (chain.audit.position, chain.audit.hash) == (anchor["position"], anchor["hash"])
        assert configured_keys.load_signing_key().public.has_signed(
            (later / chain_name(version)).read_bytes(), (later / f"{chain_name(version)}.sig").read_bytes()
        )


def test_the_list_under_an_earlier_key_continues_the_chain_that_it_comes_from(rekeyed: Path, later: Path) -> None:
    published("second", NEXT)
    revoke([8])
    published("third", NEXT)
    require_linked(later, range(1, 4))
    require_linked(rekeyed, range(2, 4), (later / chain_name(1)).read_bytes())
    assert chain_of(later, 3).audit == chain_of(rekeyed, 3).audit
    assert chain_of(later, 3).key_id != chain_of(rekeyed, 3).key_id
    assert verified(rekeyed, later) == [2, 3]


def test_versions_from_before_there_were_chains_get_theirs_once_and_say_that_it_came_later(
    listed: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_before_chains(monkeypatch, ("first", "second"))
    before = tree(home / "publish")
    assert not any("chain" in name for name in before)
    assert verified(listed) == [1, 2]
    published("third", NEXT)
    require_linked(listed, range(1, 4))
    assert [chain_of(listed, version).audit is None for version in (1, 2, 3)] == [True, True, False]
    assert verified(listed) == [1, 2, 3]
    after = tree(home / "publish")
    assert {name: after[name] for name in before if "latest" not in name} == {
        name: data for name, data in before.items() if "latest" not in name
    }
    assert undisturbed(home / "undisturbed", "third", NEXT) == after


def test_a_list_under_an_earlier_key_from_before_there_were_chains_gets_its_own(
    rekeyed: Path, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("chain.json", "chain.json.sig"):
        (later / "v000001" / name).unlink()
    as_owner("delete from published_documents where name like '%%chain.json%%'")
    publish_before_chains(monkeypatch, ("second",))
    published("third", NEXT)
    require_linked(later, range(1, 4))
    require_linked(rekeyed, range(2, 4), (later / chain_name(1)).read_bytes())
    assert verified(rekeyed, later) == [2, 3]


@pytest.mark.parametrize("writes", range(6))
def test_a_publisher_that_dies_while_it_writes_the_earlier_chains_is_finished_later(
    listed: Path, home: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    publish_before_chains(monkeypatch, ("first", "second", "third"))
    real, written = chains.Record.keep, list[Any]()

    def dies(record: Any, folder: Any, documents: Any, *connection: Any) -> None:
        real(record, folder, documents, *connection)
        written.extend(name for name in documents if name.endswith("chain.json"))
        if len(written) * 2 > writes:  # recorded, and not written
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(chains.Record, "keep", dies)
        with pytest.raises(KeyboardInterrupt):
            published("fourth", NEXT)
    published("fourth", NEXT)
    require_linked(listed, range(1, 5))
    assert undisturbed(home / "undisturbed", "fourth", NEXT) == tree(home / "publish")


def test_restore_writes_chain_files_again(later: Path, home: Path) -> None:
    published("second", NEXT)
    before = tree(home / "publish")
    (later / chain_name(1)).write_bytes((later / chain_name(2)).read_bytes())
    (later / f"{chain_name(2)}.sig").unlink()
    assert {*restoring.restore().written} == {f"blacklist/{chain_name(1)}", f"blacklist/{chain_name(2)}.sig"}
    assert {name: data for name, data in tree(home / "publish").items() if "displaced" not in name} == before


def test_a_list_that_is_published_anew_begins_another_chain(
    own_keys: Path, later: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("second", NEXT)
    for pem in own_keys.glob("signing_key*.pem"):
        pem.unlink()
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "anew"))
    restoring.republish(**WHO)
    anew = home / "anew" / "blacklist"
    require_linked(anew, range(1, 3))
    assert (anew / chain_name(1)).read_bytes() != (later / chain_name(1)).read_bytes()
    assert verified(anew) == [1, 2]


def test_a_version_whose_signer_was_revoked_still_has_its_place_in_the_chain(rotated: Path) -> None:
    key_id = json.loads((rotated / manifest_name(1)).read_text())["signing_key_id"]
    publishing.revoke_key(key_id, NEXT, **WHO)
    require_linked(rotated, range(1, 4))
    assert verified(rotated) == [1, 2, 3]
    source, trust = Folder(rotated), trust_beside(UPath(rotated))
    assert fetch_chain_file(source, source, trust, 1).data == (rotated / chain_name(1)).read_bytes()
    (rotated / f"{chain_name(1)}.sig").write_bytes((rotated / f"{chain_name(2)}.sig").read_bytes())
    with pytest.raises(UntrustedError, match="the chain file's signature is wrong"):
        fetch_chain_file(source, source, trust, 1)


FAULTS: dict[str, tuple[str, Any]] = {
    "it is gone": ("chain.json is not there", lambda root: (root / chain_name(2)).unlink()),
    "its signature is gone": (
        "chain.json.sig is not there", lambda root: (root / f"{chain_name(2)}.sig").unlink(),
    ),
    "another signature": (
        "the chain file's signature is wrong",
        lambda root: shutil.copy(root / f"{chain_name(1)}.sig", root / f"{chain_name(2)}.sig"),
    ),
    "another manifest": ("chain.json is of another manifest", lambda root: restate(root, manifest_sha256="0a" * 32)),
    "another version": ("chain.json is of another manifest", lambda root: restate(root, version=3)),
    "another history": (
        "does not continue the chain", lambda root: restate(root, previous_chain_sha256="0a" * 32),
    ),
    "no history": ("does not continue the chain", lambda root: restate(root, previous_chain_sha256=None)),
}  # fmt: skip


def restate(root: Path, **fields: Any) -> None:
    """Write another chain file of version 2, signed by the list's key."""
    data = canonical_json(json.loads((root / chain_name(2)).read_text()) | fields)
    (root / chain_name(2)).write_bytes(data)
    (root / f"{chain_name(2)}.sig").write_bytes(configured_keys.load_signing_key().sign(data))


@pytest.mark.parametrize("name", FAULTS)
def test_verify_finds_a_chain_file_that_is_not_the_versions(later: Path, name: str) -> None:
    published("second", NEXT)
    said, bend = FAULTS[name]
    bend(later)
    with pytest.raises(PrakerjaError, match=f"v000002.*{said}|{said}"):
        verified(later)
