"""Each published version has one anchor, signed by a key that readers of the list follow."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from prakerja.blacklist.publisher import anchors, audit, publishing, restoring, rotation
from prakerja.blacklist.publisher.configured_keys import load_signing_key
from prakerja.cli import app
from prakerja.keys import new_signing_key
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.signatures import SigningKey
from tests.support.audit_log import (
    anchor_of,
    anchors_of_the_log,
    as_owner,
    pick,
    problems,
    rewrite_log,
    sign_anchor,
)
from tests.support.small_cohort import AT, DECIDED_ON

NEXT = AT + timedelta(days=1)
WHO = {"because": "drill", "answered_by": "Siti"}


def edit(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows[2]["actor"] = "somebody else"
    return rows


def lay_key(told: Path) -> SigningKey:
    """Return a key of an attacker, and add it to the keys of the list."""
    thief = SigningKey.from_pem(new_signing_key())
    (told.parent / "blacklist" / "keys" / f"{thief.public.key_id}.pem").write_bytes(thief.public.pem)
    return thief


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["audit", "verify", *arguments])


# -- which anchors -----------------------------------------------------------------------------------------------------


def test_anchors_that_were_deleted_are_missed(told: Path) -> None:
    for file in told.iterdir():
        file.unlink()
    assert problems().splitlines() == [
        f"the anchor v00000{version}.json is missing, though its version was published: restore it"
        for version in (1, 2)
    ]


@pytest.mark.parametrize("is_cut", [False, True])
def test_the_first_anchor_does_not_stand_for_later_ones(told: Path, is_cut: bool) -> None:
    for suffix in ("", ".sig"):
        shutil.copy(told / f"v000001.json{suffix}", told / f"v000002.json{suffix}")
    if is_cut:
        position = anchor_of(1)["position"]
        rewrite_log(lambda rows: rows[:position])
    assert "the anchor v000002.json is the anchor of version 1" in problems()


def test_an_anchor_of_another_position_is_refused(told: Path) -> None:
    """The position and hash of another entry are valid, but not those of the version's entry."""
    position, digest = pick("select position, encode(hash, 'hex') from audit_log where position = 3")[0]
    sign_anchor(anchor_of(2) | {"position": position, "hash": digest})
    assert f"has position {position}, but its version was recorded at position" in problems()


def test_an_anchor_of_a_version_that_never_was_is_refused(told: Path) -> None:
    sign_anchor(anchor_of(2) | {"version": 3})
    assert problems() == "the anchor v000003.json is of a version that this warehouse does not have"


def test_an_anchor_of_another_name_is_refused(told: Path) -> None:
    for suffix in ("", ".sig"):
        shutil.move(told / f"v000002.json{suffix}", told / f"v2.json{suffix}")
    found = problems()
    assert "the anchor v2.json is the anchor of version 2" in found
    assert "the anchor v000002.json is missing" in found


def test_anchors_of_another_warehouse_are_refused(told: Path) -> None:
    """This holds even with the same keys and the same log."""
    other = "00000000-0000-4000-8000-000000000000"
    sign_anchor(anchor_of(1) | {"warehouse_id": other})
    assert problems() == f"the anchor v000001.json belongs to another warehouse, {other}"


def test_an_anchor_without_the_warehouse_is_refused(told: Path) -> None:
    anchor = {name: value for name, value in anchor_of(2).items() if name != "warehouse_id"}
    sign_anchor(anchor | {"contract": "prakerja.anchor/1"})
    assert problems() == "the anchor v000002.json does not say which warehouse it belongs to"


def test_a_version_that_its_publisher_did_not_finish_needs_no_anchor(
    told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(anchors, "build_anchor", dies)
        with pytest.raises(KeyboardInterrupt):
            publishing.publish("third", NEXT, DECIDED_ON)
    assert pick("select max(version) from blacklist_versions") == [(3,)]
    assert problems() == ""
    assert publishing.publish("third", NEXT, DECIDED_ON) == 3
    assert problems() == ""
    (told / "v000003.json").unlink()
    assert "v000003.json is missing" in problems()


def test_a_list_that_lies_there_needs_an_anchor_though_its_record_was_deleted(told: Path) -> None:
    as_owner("delete from published_lists where version = 2")
    (told / "v000002.json").unlink()
    assert "v000002.json is missing" in problems()


# -- whose signature ---------------------------------------------------------------------------------------------------


def test_a_key_that_lies_beside_the_others_is_not_believed(told: Path) -> None:
    thief = lay_key(told)
    rewrite_log(edit)
    for anchor in anchors_of_the_log():
        sign_anchor(anchor, thief)
    found = problems()
    for version in (1, 2):
        assert f"v00000{version}.json is signed by {thief.public.key_id}, a key that readers of the list" in found


def test_a_folder_with_new_signatures_deceives_nobody_who_has_a_key(
    own_keys: Path, told: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keyrings, manifests and anchors are all signed by one thief, and the log is rewritten."""
    pem = home / "publisher.pem"
    pem.write_bytes(load_signing_key().public.pem)
    (home / "thief" / "keys").mkdir(parents=True)
    shutil.copy(own_keys / "subject_key.b64", home / "thief" / "keys")
    rewrite_log(edit)
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "forged"))
    with monkeypatch.context() as thief:
        thief.setenv("PRAKERJA_HOME", str(home / "thief"))
        assert restoring.republish(**WHO) == 2
        assert problems() == "", "it is whole, by the thief's key"
    assert "no keyring of this list is signed by a pinned key" in problems(), "who has the publisher's key, has it"
    monkeypatch.setenv("PRAKERJA_HOME", str(home / "an outsider's"))
    assert problems() == ""
    assert len(audit.verify().unproved) == 1, "and who has none is told so"
    for options, exit_code in (([], 0), (["--strict"], 1), (["--pin", str(pem)], 1)):
        assert run(*options).exit_code == exit_code, options


def test_a_pinned_key_counts_and_another_does_not(told: Path, home: Path) -> None:
    own, other = home / "own.pem", home / "other.pem"
    own.write_bytes(load_signing_key().public.pem)
    other.write_bytes(SigningKey.from_pem(new_signing_key()).public.pem)
    assert run("--strict", "--pin", str(own)).exit_code == 0
    assert run("--strict", "--pin", str(other), "--pin", str(own)).exit_code == 0
    refused = run("--pin", str(other))
    assert refused.exit_code == 1
    assert "no keyring of this list is signed by a pinned key" in refused.stderr
    assert "cannot be read" in str(run("--pin", str(home / "nowhere.pem")).exception)


def test_without_a_pin_or_copies_the_result_names_what_is_not_proved(told: Path, home: Path) -> None:
    done = run()
    assert done.exit_code == 0
    assert done.stderr.startswith("not proved: the keys and anchors lie beside the list")
    assert done.stderr.count("\n") == 1
    assert run("--strict").exit_code == 1
    assert run("--strict", "--anchors", str(told)).exit_code == 0


def test_anchors_of_rotated_keys_stay_valid(own_keys: Path, told: Path, home: Path) -> None:
    first = load_signing_key().public
    rotation.rotate_signing_key(NEXT, at_once=True, **WHO)
    assert publishing.publish("third", NEXT, DECIDED_ON) == 3
    assert load_signing_key().public.key_id != first.key_id
    for pins in ([], [first], [load_signing_key().public]):
        assert problems(pins=pins) == ""
    sign_anchor(anchor_of(3) | {"signing_key_id": first.key_id}, SigningKey.from_pem(retired_pem(own_keys)))
    assert f"v000003.json is signed by {first.key_id}, a key that readers of the list do not believe" in problems()


def test_a_revoked_key_counts_only_below_an_anchor_of_another_key(own_keys: Path, told: Path) -> None:
    stolen = load_signing_key().public.key_id
    rotation.rotate_signing_key(NEXT, at_once=True, **WHO)
    publishing.publish("third", NEXT, DECIDED_ON)
    publishing.revoke_key(stolen, NEXT, **WHO)
    assert problems() == ""
    assert [anchor_of(version)["signing_key_id"] == stolen for version in (1, 2, 3)] == [True, True, False]
    sign_anchor(anchor_of(3), SigningKey.from_pem(retired_pem(own_keys)))
    assert f"is signed by {stolen}, a key that was revoked, and no later anchor confirms it" in problems()


def retired_pem(keys: Path) -> bytes:
    (found,) = keys.glob("signing_key_retired_*.pem")
    return found.read_bytes()


def test_a_version_under_a_new_key_of_the_subjects_has_one_anchor(own_keys: Path, told: Path) -> None:
    rotation.rotate_subject_key(AT, **WHO)
    assert publishing.publish("third", NEXT, DECIDED_ON) == 3
    assert sorted(path.name for path in told.glob("v*.json")) == ["v000001.json", "v000002.json", "v000003.json"]
    assert problems() == ""


# -- copies ------------------------------------------------------------------------------------------------------------


def test_copies_are_compared_with_the_log(told: Path, home: Path) -> None:
    shutil.copytree(told, home / "kept" / "audit")
    for place in (home / "kept", home / "kept" / "audit", f"file://{home}/kept"):
        agreed = run("--anchors", str(place))
        assert agreed.exit_code == 0
        assert "copies agree up to version 2" in agreed.stdout
    assert publishing.publish("third", NEXT, DECIDED_ON) == 3
    assert problems(copies=str(home / "kept")) == "", "a copy of the newest need not be there yet"
    for suffix in ("", ".sig"):
        (told / f"v000002.json{suffix}").unlink()
    assert "the anchor v000002.json is missing" in problems(copies=str(home / "kept"))


def test_a_rewritten_log_with_new_signatures_does_not_agree_with_copies(told: Path, home: Path) -> None:
    """An attacker has the warehouse and the signing key."""
    shutil.copytree(told, home / "kept")
    rewrite_log(edit)
    for anchor in anchors_of_the_log():
        sign_anchor(anchor)
    assert problems() == ""
    found = problems(copies=str(home / "kept"))
    assert [line.split(" has position")[0] for line in found.splitlines()] == [
        "the copy v000001.json", "the copy v000002.json"
    ]  # fmt: skip


def test_copies_of_another_warehouse_or_another_key_are_refused(told: Path, home: Path) -> None:
    kept = home / "kept"
    shutil.copytree(told, kept)
    thief = lay_key(told)
    data = canonical_json(json.loads((kept / "v000001.json").read_bytes()) | {"signing_key_id": thief.public.key_id})
    (kept / "v000001.json").write_bytes(data)
    (kept / "v000001.json.sig").write_bytes(thief.sign(data))
    assert f"the copy v000001.json is signed by {thief.public.key_id}" in problems(copies=str(kept))


def test_a_folder_without_copies_is_refused(told: Path, home: Path) -> None:
    for place in (home / "nowhere", home / "landing"):
        assert "has no anchors" in str(run("--anchors", str(place)).exception)
