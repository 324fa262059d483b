"""What a witness signs, what it refuses, and the evidence that it leaves."""

from __future__ import annotations

import json
import shutil
from base64 import b64decode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.snapshot import sha256
from prakerja_blacklist.reader.verification import RefusedListError
from prakerja_blacklist.witness import following, statement_files
from prakerja_blacklist.witness.following import ConflictError
from tests.support.later_contract import LATER
from tests.support.simulated_publisher import AT, Repository, chain_of, manifest_of, snapshot_of
from tests.support.simulated_reader import FIRST, NEW_SUBJECTS, OLD_SUBJECTS, SECOND
from tests.support.witnesses import Desk


def test_a_witness_without_the_subjects_key_signs_every_chain_file_from_the_first_on(
    chained: Repository, desk: Desk
) -> None:
    for version in (2, 3):
        chained.publish([300 + version])
    assert desk.follow(chained).signed == ["v000001.json", "v000002.json", "v000003.json"]
    first = sha256(chained.data(chain_of(1)))
    for version in (1, 2, 3):
        statement = desk.statement(f"v00000{version}.json")
        assert statement["chain_sha256"] == sha256(chained.data(chain_of(version)))
        assert (statement["version"], statement["first_chain_sha256"]) == (version, first)
        assert statement["witness_key_id"] == desk.key.public.key_id
    before = desk.published()
    assert desk.follow(chained).signed == []
    assert desk.published() == before


def test_a_witness_that_was_away_signs_the_versions_between_too(chained: Repository, desk: Desk) -> None:
    desk.follow(chained)
    for version in range(2, 8):
        chained.publish([300 + version])
        if version == 3:
            assert desk.follow(chained).signed == ["v000002.json", "v000003.json"]
    assert desk.follow(chained).signed == [f"v00000{version}.json" for version in range(4, 8)]


def test_the_newest_signature_vouches_for_versions_that_a_revoked_key_has_signed(
    chained: Repository, desk: Desk
) -> None:
    chained.announce(SECOND)
    chained.rotate()
    chained.publish([301])
    chained.revoke(FIRST)
    assert desk.follow(chained).signed == ["v000001.json", "v000002.json"]


def test_a_list_under_an_earlier_key_is_followed_beside_the_list(chained: Repository, desk: Desk) -> None:
    desk.follow(chained)
    chained.rotate_subjects(NEW_SUBJECTS)
    for version in (2, 3):
        chained.publish([300 + version])
    earlier = OLD_SUBJECTS.key_id
    assert desk.follow(chained).signed == [
        "v000002.json", "v000003.json", f"v000002-{earlier}.json", f"v000003-{earlier}.json",
    ]  # fmt: skip
    assert desk.statement(f"v000003-{earlier}.json")["key_id"] == earlier
    assert desk.statement("v000003.json")["key_id"] == NEW_SUBJECTS.key_id
    chained.overlaps = False
    chained.publish([310])
    found = desk.follow(chained)
    assert (found.signed, found.notes) == (["v000004.json"], [])
    assert desk.statement("v000004.json")["first_chain_sha256"] == sha256(chained.data(chain_of(1)))


# -- what does not continue --------------------------------------------------------------------------------------------


def test_a_split_view_is_refused_and_leaves_evidence_that_the_publisher_has_signed(
    chained: Repository, desk: Desk, tmp_path: Path
) -> None:
    other = chained.fork(tmp_path / "other")
    chained.publish([301])
    other.publish([302])
    desk.follow(chained)
    with pytest.raises(ConflictError, match="v000002 does not continue what was seen"):
        desk.follow(other)
    assert desk.evidence()["version"] == 2
    sides = [desk.evidence()["seen"]["chain"], desk.evidence()["offered"][0]["chain"]]
    assert [b64decode(each) for each in sides] == [each.data(chain_of(2)) for each in (chained, other)]
    signature = desk.evidence()["offered"][0]["signature"]
    assert FIRST.public.has_signed(other.data(chain_of(2)), signature.encode())
    assert desk.published().count("v000002.json") == 1
    assert desk.statement("v000002.json")["chain_sha256"] == sha256(chained.data(chain_of(2)))


def test_what_is_built_on_another_history_is_refused_and_the_evidence_has_the_links(
    chained: Repository, desk: Desk, tmp_path: Path
) -> None:
    other = chained.fork(tmp_path / "other")
    chained.publish([301])
    desk.follow(chained)
    for person in (302, 303, 304):
        other.publish([person])
    for _ in range(2):
        with pytest.raises(ConflictError, match="v000004 does not continue"):
            desk.follow(other)
    offered = [b64decode(each["chain"]) for each in desk.evidence()["offered"]]
    assert offered == [other.data(chain_of(version)) for version in (4, 3)]
    assert json.loads(offered[-1])["previous_chain_sha256"] != desk.statement("v000002.json")["chain_sha256"]
    assert [name for name in desk.published() if name.startswith("v")] == ["v000001.json", "v000002.json"]


def test_a_witness_goes_on_with_the_history_that_it_knows_and_keeps_telling_of_the_other(
    chained: Repository, desk: Desk, tmp_path: Path
) -> None:
    other = chained.fork(tmp_path / "other")
    chained.publish([301])
    other.publish([302])
    desk.follow(chained)
    with pytest.raises(ConflictError):
        desk.follow(other)
    chained.publish([303])
    found = desk.follow(chained)
    assert found.signed == ["v000003.json"]
    assert len(found.conflicts) == 1
    assert len(desk.follow(chained).conflicts) == 1


def test_a_version_that_was_taken_back_is_refused(chained: Repository, desk: Desk) -> None:
    chained.publish([301])
    desk.follow(chained)
    chained.point(1)
    with pytest.raises(RefusedListError, match="rollback"):
        desk.follow(chained)


def test_a_version_that_was_taken_back_and_published_anew_is_a_conflict(
    chained: Repository, desk: Desk, tmp_path: Path
) -> None:
    taken_back = chained.fork(tmp_path / "other")
    chained.publish([301])
    desk.follow(chained)
    taken_back.publish()
    taken_back.publish()
    with pytest.raises(ConflictError):
        desk.follow(taken_back)


def test_a_list_whose_history_is_gone_is_a_conflict(chained: Repository, desk: Desk) -> None:
    desk.follow(chained)
    chained.publish([301])
    chained.write_chain(2, previous_chain_sha256=None)
    with pytest.raises(ConflictError):
        desk.follow(chained)
    chained.write_chain(2)
    assert desk.follow(chained).signed == ["v000002.json"]


def test_another_list_of_the_same_key_is_a_conflict(chained: Repository, desk: Desk, tmp_path: Path) -> None:
    desk.follow(chained)
    anew = Repository(tmp_path / "anew", has_chains=True)
    anew.publish([1])
    with pytest.raises(ConflictError):
        desk.follow(anew)


@pytest.mark.usefixtures("knowing_later_contract")
def test_the_list_by_another_contract_is_refused_and_is_no_conflict(
    chained: Repository, desk: Desk, tmp_path: Path
) -> None:
    desk.follow(chained)
    beside = Repository(tmp_path / "beside", has_chains=True)
    beside.contract = LATER
    beside.publish([1])
    with pytest.raises(RefusedListError, match=r"another_contract: .* another folder, place and key"):
        desk.follow(beside)
    assert desk.published() == ["v000001.json"]
    assert Desk.at(tmp_path / "second", "second").follow(beside).signed == ["v000001.json"]


def test_the_list_under_an_earlier_key_has_one_history_too(chained: Repository, desk: Desk, tmp_path: Path) -> None:
    chained.rotate_subjects(NEW_SUBJECTS)
    chained.publish([301])
    desk.follow(chained)
    other = chained.fork(tmp_path / "other")
    for repository, person in ((other, 305), (chained, 306)):
        repository.publish([person])
    desk.follow(chained)
    name = f"blacklist-{OLD_SUBJECTS.key_id}"
    (chained.folder / name).rename(chained.folder / "away")
    (other.folder / name).rename(chained.folder / name)
    with pytest.raises(ConflictError):
        desk.follow(chained)


def test_a_list_under_an_earlier_key_that_left_the_list_earlier_is_a_conflict(chained: Repository, desk: Desk) -> None:
    chained.publish([301])
    desk.follow(chained)
    chained.rotate_subjects(NEW_SUBJECTS)
    chained.publish([302])
    earlier = chained.folder / f"blacklist-{OLD_SUBJECTS.key_id}"
    (earlier / "v000002").mkdir()
    (earlier / manifest_of(2)).write_bytes(chained.data(manifest_of(2)))
    chained.write_chain(2, root=earlier, audit=None)
    chained.write_chain(3, root=earlier)
    with pytest.raises(ConflictError):
        desk.follow(chained)
    assert desk.evidence()["version"] == 2


REFUSED: dict[str, tuple[str, Callable[[Repository], object]]] = {
    "no chain file": ("ask the publisher", lambda r: r.drop(chain_of(3))),
    "none before it": ("missing", lambda r: r.drop(chain_of(2))),
    "another one before it": ("broken_chain", lambda r: r.put(chain_of(2), r.data(chain_of(1)))),
    "other contents before it": ("broken_chain", lambda r: r.write_chain(2, audit=None)),
    "another manifest": ("mixed", lambda r: r.write_chain(3, manifest_sha256="0a" * 32)),
    "another version": ("mixed", lambda r: r.write_chain(3, version=4)),
    "a wrong signature": (
        "chain file's signature",
        lambda r: r.put(f"{chain_of(3)}.sig", r.data(f"{chain_of(2)}.sig")),
    ),
    "a list that is not the manifest's": ("tampered", lambda r: r.flip(snapshot_of(3))),
    "an endless one": ("larger", lambda r: r.put_endless(chain_of(3))),
    "an endless one before it": ("larger", lambda r: r.put_endless(chain_of(2))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_verified_is_not_signed_and_is_no_conflict(chained: Repository, desk: Desk, name: str) -> None:
    desk.follow(chained)
    for person in (302, 303):
        chained.publish([person])
    for version in (2, 3):
        chained.drop(f"v00000{version}/delta.csv.gz")
    said, bend = REFUSED[name]
    bend(chained)
    before = desk.published()
    with pytest.raises(PrakerjaError, match=said) as refused:
        desk.follow(chained)
    assert not isinstance(refused.value, ConflictError)
    assert desk.published() == before == ["v000001.json"]


def test_versions_that_were_made_up_are_not_walked_through(
    chained: Repository, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.follow(chained)
    monkeypatch.setattr(following, "VERSIONS_AT_ONCE", 50)
    chained.publish(version=52)
    with pytest.raises(RefusedListError, match="fast_forward"):
        desk.follow(chained)


def test_an_expired_list_is_witnessed_all_the_same(chained: Repository, desk: Desk) -> None:
    assert desk.follower.follow(chained.source, AT + timedelta(days=400)).signed == ["v000001.json"]


# -- its own folders ---------------------------------------------------------------------------------------------------


def test_a_witness_whose_own_folder_is_lost_signs_no_second_history(
    chained: Repository, desk: Desk, tmp_path: Path
) -> None:
    other = chained.fork(tmp_path / "other")
    chained.publish([301])
    other.publish([302])
    desk.follow(chained)
    before = {name: (desk.out / name).read_bytes() for name in desk.published()}
    lost = Desk(desk.name, tmp_path / "anew", desk.out, desk.key)
    with pytest.raises(PrakerjaError, match=r"v000002.json is of another chain file"):
        lost.follow(other)
    found = Desk(desk.name, tmp_path / "again", desk.out, desk.key)
    assert found.follow(chained).signed == ["v000001.json", "v000002.json"]
    assert {name: (desk.out / name).read_bytes() for name in desk.published()} == before


def test_a_witness_whose_own_folder_is_lost_begins_no_history_behind_what_is_published(
    chained: Repository, desk: Desk, tmp_path: Path
) -> None:
    other = chained.fork(tmp_path / "other")
    chained.publish([301])
    desk.follow(chained)
    for person in (302, 303):
        other.publish([person])
    other.write_chain(3, previous_chain_sha256=None)
    lost, before = Desk(desk.name, tmp_path / "anew", desk.out, desk.key), desk.published()
    with pytest.raises(PrakerjaError, match=r"v000001.json is published, and is neither in"):
        lost.follow(other)
    assert desk.published() == before


def test_a_witness_whose_own_folder_is_of_a_backup_signs_no_version_again(
    chained: Repository, desk: Desk, tmp_path: Path
) -> None:
    """Nor one whose statement somebody has taken away meanwhile."""
    desk.follow(chained)
    shutil.copytree(desk.folder, tmp_path / "backup")
    other = chained.fork(tmp_path / "other")
    for person in (301, 302):
        chained.publish([person])
    desk.follow(chained)
    (desk.out / "v000002.json").unlink()
    other.publish([303])
    restored, before = Desk(desk.name, tmp_path / "backup", desk.out, desk.key), desk.published()
    with pytest.raises(PrakerjaError, match=r"v000003.json is published, and is neither in"):
        restored.follow(other)
    assert desk.published() == before
    assert restored.follow(chained).signed == ["v000002.json", "v000003.json"]


def test_two_witnesses_of_one_key_do_not_mix_their_histories_in_one_place(
    chained: Repository, desk: Desk, tmp_path: Path
) -> None:
    other, second = chained.fork(tmp_path / "other"), Desk(desk.name, tmp_path / "own", tmp_path / "out", desk.key)
    chained.publish([301])
    other.publish([302])
    desk.follow(chained)
    second.follow(other)
    other.publish([303])
    before = desk.published()
    with pytest.raises(PrakerjaError, match=r"v000002.json is not what this witness has signed"):
        Desk(desk.name, second.folder, desk.out, desk.key).follow(other)
    assert desk.published() == before


def test_links_in_the_public_place_lead_nowhere(chained: Repository, desk: Desk, tmp_path: Path) -> None:
    desk.follow(chained)
    anothers = tmp_path / "another's"
    anothers.mkdir()
    (anothers / ".x.json.0123456789abcdef.new").write_text("theirs")
    (desk.out / "conflicts").rmdir()
    (desk.out / "conflicts").symlink_to(anothers)
    with pytest.raises(PrakerjaError, match="conflicts cannot be used"):
        desk.follow(chained)
    assert [path.read_text() for path in anothers.iterdir()] == ["theirs"]
    (desk.out / "conflicts").unlink()
    (desk.out / "v000001.json").unlink()
    (desk.out / "v000001.json").symlink_to(anothers / ".x.json.0123456789abcdef.new")
    with pytest.raises(PrakerjaError, match=r"v000001.json cannot be used"):
        desk.follow(chained)


def test_an_endless_statement_in_the_public_place_is_not_read_on(
    chained: Repository, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.follow(chained)
    monkeypatch.setattr(statement_files, "FILE_BYTES_MAX", 100_000)
    (desk.out / "v000002.json").write_bytes(b"{" * 100_001)
    chained.publish([301])
    with pytest.raises(PrakerjaError, match="is larger than the 100,000 bytes"):
        desk.follow(chained)


def test_what_was_published_and_is_gone_is_published_again(chained: Repository, desk: Desk) -> None:
    desk.follow(chained)
    before = (desk.out / "v000001.json").read_bytes()
    (desk.out / "v000001.json").unlink()
    desk.follow(chained)
    assert (desk.out / "v000001.json").read_bytes() == before


def test_a_place_with_somebody_elses_statements_is_refused(chained: Repository, desk: Desk, tmp_path: Path) -> None:
    other = Desk.at(tmp_path, "other")
    other.follow(chained)
    intruder = Desk(desk.name, desk.folder, other.out, desk.key)
    with pytest.raises(PrakerjaError, match="a place of its own"):
        intruder.follow(chained)


def test_a_folder_that_others_may_write_is_refused(chained: Repository, desk: Desk) -> None:
    desk.follow(chained)
    desk.folder.chmod(0o777)
    with pytest.raises(PrakerjaError, match="chmod go-w"):
        desk.follow(chained)


def test_statements_are_read_by_others_and_what_was_seen_is_not(chained: Repository, desk: Desk) -> None:
    desk.follow(chained)
    assert (desk.out / "v000001.json").stat().st_mode & 0o777 == 0o644
    assert (desk.folder / "seen").stat().st_mode & 0o777 == 0o700
