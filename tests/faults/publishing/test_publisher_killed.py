"""A publisher that dies at any of its steps leaves a whole list, and the next one finishes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from prakerja.blacklist.publisher import audit, configured_keys, local_files, publishing, storage, verification
from prakerja.errors import NotReadyError
from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.reader.sources import Folder
from tests.support.killed_publisher import ANCHOR, DONE, WRITES, kill, steps, watched
from tests.support.published_list import AT, DAY, revoke, tree
from tests.support.publisher import AFTER, BEFORE, NEXT, listed_to, published, reader, undisturbed, verified, versions

#: The steps of a publisher in the list by a later contract; those that it also takes in the first one are left out.
IN_THE_LATER_LIST = [DONE, *(step for step in steps("later_by_two") if "blacklist-format-2" in step)]


@pytest.mark.parametrize("step", range(1, 12))
def test_a_publisher_that_dies_anywhere_leaves_the_old_list_and_is_finished_later(
    listed: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.publish("first", AT, DAY)
    old = (listed / "latest.json").read_bytes()
    revoke([6])
    real, written = local_files.put_in_place, []

    def dies(place: Any, name: str, *opened: Any, **how: Any) -> None:
        if len(written) == step - 1:
            raise KeyboardInterrupt
        written.append(name)
        real(place, name, *opened, **how)

    monkeypatch.setattr(local_files, "put_in_place", dies)
    if step == 11:  # ten files make a version and its anchor: the eleventh write does not come
        assert publishing.publish("second", AT, DAY) == 2
        assert len(written) == 10
        assert len(list(verification.verify_versions(UPath(listed)))) == 2
        return
    with pytest.raises(KeyboardInterrupt):
        publishing.publish("second", AT, DAY)
    assert (listed / "latest.json").read_bytes() == old
    assert len(list(verification.verify_versions(UPath(listed)))) == 1
    monkeypatch.setattr(local_files, "put_in_place", real)
    assert publishing.publish("second", AT, DAY) == 2
    assert [each.counts.entries for each in verification.verify_versions(UPath(listed))] == [5, 6]


@pytest.mark.parametrize("case", WRITES)
def test_the_steps_are_all_that_a_publisher_takes(case: str, home: Path, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("listed" if case == "first" else case)
    before, taken = tree(home / "publish"), []
    with watched(taken.append):
        published("second", NEXT)
    assert taken == steps(case)
    changed = {name for name, data in tree(home / "publish").items() if before.get(name) != data}
    assert len(changed) == len(WRITES[case]), "something is written past the steps"


@pytest.mark.parametrize("step", steps("later"))
def test_a_publisher_killed_at_any_step_leaves_a_whole_list_and_the_next_one_finishes_it(
    later: Path, home: Path, step: str
) -> None:
    follower, newcomer = reader(home / "follower"), reader(home / "newcomer")
    follower.sync(Folder(UPath(later)), AT)
    old = (later / POINTER).read_bytes()
    kill(step, "second", NEXT)
    is_old = step != DONE
    assert ((later / POINTER).read_bytes() == old) is is_old
    assert verified(later) == ([1] if is_old else [1, 2])
    assert follower.sync(Folder(UPath(later)), NEXT).how == ("unchanged" if is_old else "delta")
    assert newcomer.sync(Folder(UPath(later)), NEXT).how == "full"
    assert listed_to(follower) == listed_to(newcomer) == (BEFORE if is_old else AFTER)

    assert published("second", NEXT) == 2
    assert versions() == [(1, "first"), (2, "second")]
    assert verified(later) == [1, 2]
    assert follower.sync(Folder(UPath(later)), NEXT).how == ("delta" if is_old else "unchanged")
    assert listed_to(follower) == AFTER
    assert tree(home / "publish") == undisturbed(home / "undisturbed", "second", NEXT)


@pytest.mark.parametrize("step", [step for step in steps("first") if step != DONE])
def test_a_first_publisher_that_is_killed_leaves_no_list_and_the_next_one_finishes_it(
    listed: Path, home: Path, step: str
) -> None:
    kill(step, "first", AT)
    with pytest.raises(NotReadyError, match="no list is published"):
        storage.find_list(str(home / "publish"))
    assert published("first") == 1
    assert versions() == [(1, "first")]
    assert verified(listed) == [1]
    assert reader(home / "reader").sync(Folder(UPath(listed)), AT).trusted.version == 1
    assert tree(home / "publish") == undisturbed(home / "undisturbed", "first", AT)


@pytest.mark.parametrize("step", [step for step in steps("rekeyed") if step != DONE])
def test_a_publisher_killed_between_the_lists_of_two_keys_is_finished_in_both(
    rekeyed: Path, later: Path, home: Path, step: str
) -> None:
    new, old = configured_keys.load_subject_keys()
    of_the_old, of_both = reader(home / "old", subject_keys=[old]), reader(home / "both")
    of_the_old.sync(Folder(UPath(later)), AT)
    kill(step, "second", NEXT)
    assert verified(later) == [1]
    assert of_both.sync(Folder(UPath(later)), NEXT).trusted.version == 1
    assert listed_to(of_both) == BEFORE
    assert of_the_old.sync(Folder(UPath(later)), NEXT).how == "unchanged"

    assert published("second", NEXT) == 2
    assert verified(later) == [1, 2]
    assert verified(rekeyed, later) == [2]
    for client, key in ((of_the_old, old), (of_both, new)):
        assert client.sync(Folder(UPath(later)), NEXT).trusted.key_id == key.key_id
        assert listed_to(client) == AFTER
    assert tree(home / "publish") == undisturbed(home / "undisturbed", "second", NEXT)


@pytest.mark.parametrize("step", IN_THE_LATER_LIST)
def test_a_publisher_killed_in_the_list_by_a_later_contract_has_published_the_first_and_is_finished_later(
    later_by_two: Path, later: Path, home: Path, step: str
) -> None:
    first, second = reader(home / "first"), reader(home / "second")
    kill(step, "second", NEXT)
    assert verified(later) == [1, 2]
    assert first.sync(Folder(UPath(later)), NEXT).trusted.version == 2
    is_there = (later_by_two / POINTER).exists()
    assert is_there is (step == IN_THE_LATER_LIST[-1])

    assert published("second", NEXT) == 2
    assert (verified(later), verified(later_by_two)) == ([1, 2], [2])
    assert second.sync(Folder(UPath(later_by_two)), NEXT).trusted.contract == "prakerja.blacklist/2"
    assert listed_to(first) == listed_to(second) == AFTER
    assert tree(home / "publish") == undisturbed(home / "undisturbed", "second", NEXT)


def test_an_anchor_that_a_killed_publisher_left_half_written_is_written_and_agrees_with_the_log(later: Path) -> None:
    kill(f"before {ANCHOR[1]}", "second", NEXT)
    assert any("v000002.json is damaged" in problem for problem in audit.verify().problems)
    published("second", NEXT)
    found = audit.verify()
    assert found.anchors == 2
    assert not [problem for problem in found.problems if "anchor" in problem]
