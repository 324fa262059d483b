"""Roots that follow one another: cases of python-tuf's `test_updater_key_rotations.py` and of TUF's conformance suite.

Holders are named by a number. A case is a row of roots as (keys, threshold, signed by), and how many a reader believes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prakerja_blacklist.format.documents import DoesNotFitError
from prakerja_blacklist.format.keyring import UntrustedError
from prakerja_blacklist.format.roots import ROOTS_AT_ONCE, TrustedRoot, endorsement_name, open_signed, root_name
from prakerja_blacklist.format.snapshot import sha256
from tests.support.root_keys import HOLDERS, endorse, put_root, root_entry, root_of, seen_roots
from tests.support.simulated_publisher import Repository
from tests.support.simulated_reader import FIRST, SECOND, Reader

Row = list[tuple[list[int], int, list[int]]]

ROTATIONS: dict[str, tuple[Row, int]] = {
    "1 of 1, rotated": ([([1], 1, [1]), ([2], 1, [2, 1]), ([2], 1, [2])], 3),
    "1 of 1, rotated, with other signatures": ([([1], 1, [3, 1, 4]), ([2], 1, [3, 2, 1, 4]), ([2], 1, [3, 2, 4])], 3),
    "1 of 1, not signed with the old key": ([([1], 1, [1]), ([2], 1, [2, 3, 4])], 1),
    "1 of 1, not signed with the new key": ([([1], 1, [1]), ([2], 1, [1, 3, 4])], 1),
    "3 of 5, signed by others each time": (
        [([0, 1, 2, 3, 4], 3, by) for by in ([0, 2, 4], [0, 4, 1], [0, 1, 3], [0, 1, 3])], 4,
    ),
    "3 of 5, one key rotated": ([([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 1])], 2),
    "3 of 5, not signed with 3 new keys": ([([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 2, 4])], 1),
    "3 of 5, not signed with 3 old keys": ([([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 5])], 1),
    "3 of 5, one key rotated, with a step between": (
        [([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 2, 4, 5]), ([0, 1, 3, 4, 5], 3, [0, 4, 5])], 3,
    ),
    "3 of 5, all keys rotated, with a step between": (
        [([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7]), ([5, 6, 7, 8, 9], 3, [5, 6, 7])], 3,
    ),
    "1 of 3 becomes 2 of 3": ([([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [1, 2])], 2),
    "1 of 3 becomes 2 of 3, and one has signed": ([([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [2])], 1),
    "2 of 3 becomes 1 of 3": ([([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1, 2]), ([1, 2, 3], 1, [1])], 3),
    "2 of 3 becomes 1 of 3, and one has signed": ([([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1])], 1),
    "1 of 1 becomes 2 of 2": ([([1], 1, [1]), ([1, 2], 2, [1, 2])], 2),
}  # fmt: skip


@pytest.mark.parametrize("name", ROTATIONS)
def test_roots_are_followed_as_far_as_they_are_rightly_signed(follower: Reader, rooted: Repository, name: str) -> None:
    row, believed = ROTATIONS[name]
    for number, (keys, threshold, by) in enumerate(row, 1):
        put_root(rooted, number, keys, threshold, by)
        endorse(rooted, number, by)
    reader = Reader(follower.folder.parent / "reader", rooted, pins=(), root=root_of(rooted))
    if believed < len(row):
        with reader.refusing(UntrustedError, f"root {believed + 1} has"):
            reader.sync()
        rooted.drop(root_name(believed + 1))
    reader.sync()
    assert seen_roots(reader) == believed


#: An endorsement as (keys, threshold, signed by), and whether it counts: TUF's roles that are not the root.
ENDORSED: dict[str, tuple[list[int], int, list[int], bool]] = {
    "1 of 1": ([2], 1, [2], True),
    "1 of 1, with other signatures": ([1], 1, [3, 1, 4], True),
    "1 of 1, not signed with the new key": ([2], 1, [1, 3, 4], False),
    "3 of 5, one signature is another's": ([0, 1, 3, 4, 5], 3, [0, 2, 4], False),
    "3 of 5, one signature is missing": ([0, 1, 3, 4, 5], 3, [0, 4], False),
    **{
        f"3 of 5, signed by {by}": ([0, 1, 2, 3, 4], 3, by, True) for by in ([0, 2, 4], [0, 4, 1], [0, 1, 3], [1, 2, 3])
    },
}


@pytest.mark.parametrize("name", ENDORSED)
def test_a_keyring_needs_the_signatures_of_the_newest_root(follower: Reader, rooted: Repository, name: str) -> None:
    keys, threshold, by, counts = ENDORSED[name]
    put_root(rooted, 2, keys, threshold, by={0, 1, *keys})
    endorse(rooted, 2, by)
    if counts:
        assert follower.sync().how == "unchanged"
    else:
        with follower.refusing(UntrustedError, "root 2 has endorsed no keyring"):
            follower.sync()
    assert seen_roots(follower) == 2, "a root that was seen is kept, whatever comes after it"


def test_a_keyring_that_the_root_before_has_endorsed_is_believed_no_more(follower: Reader, rooted: Repository) -> None:
    """Two of the first root's keys were stolen."""
    put_root(rooted, 2, keys=(0, 3, 4), by=(0, 1, 3))
    endorse(rooted, 2, by=(0, 3))
    follower.sync()
    rooted.announce(SECOND)
    endorse(rooted, 1)
    rooted.publish([301])
    rooted.restate(2, by=SECOND)
    with follower.refusing(UntrustedError, "the root has not endorsed it"):
        follower.sync()


def test_the_next_root_recovers_from_a_keyring_that_was_put_far_ahead(follower: Reader, rooted: Repository) -> None:
    """As TUF recovers from fast-forward: what stolen root keys have endorsed bounds nothing once they are replaced."""
    for number in range(2, 9):
        rooted.put_keyring(number, [SECOND], [FIRST], revoked=[FIRST])
    endorse(rooted)
    with follower.refusing(UntrustedError):
        follower.sync()
    assert follower.client.trusted().keyring == 8
    for number in range(2, 9):
        rooted.drop(f"keys/keyring-{number:06d}.json")
    put_root(rooted, 2, keys=(0, 3, 4), by=(0, 1, 3))
    endorse(rooted, 2, by=(0, 3))
    assert follower.sync().trusted.keyring == 1
    assert not follower.client.trusted().is_revoked


def test_a_root_between_that_is_wrong_lets_nobody_reach_the_next(follower: Reader, rooted: Repository) -> None:
    put_root(rooted, 2, by=())
    put_root(rooted, 3)
    endorse(rooted, 3)
    with follower.refusing(UntrustedError, "root 2 has 0 of the 2"):
        follower.sync()
    assert seen_roots(follower) == 1


def test_a_root_between_that_is_missing_lets_nobody_reach_the_next(follower: Reader, rooted: Repository) -> None:
    put_root(rooted, 2)
    put_root(rooted, 3, keys=(0, 1, 5))
    rooted.drop(root_name(2))
    rooted.announce(SECOND)
    endorse(rooted, 3)
    assert follower.sync().trusted.keyring == 1
    assert seen_roots(follower) == 1


def test_the_last_root_that_is_wrong_leaves_those_before_it(follower: Reader, rooted: Repository) -> None:
    put_root(rooted, 2, keys=(0, 1, 3))
    endorse(rooted, 2)
    put_root(rooted, 3, by=(0,))
    with follower.refusing(UntrustedError, "root 3 has 1 of the 2"):
        follower.sync()
    assert seen_roots(follower) == 2


#: What a second root must not say, and what is said to it.
BAD_ROOTS: dict[str, tuple[dict[str, Any], str]] = {
    "the same number": ({"number": 1, "previous": None}, "is another one, 1"),
    "a number ahead": ({"number": 3}, "is another one, 3"),
    "the first number": ({"number": 0}, "number does not fit"),
    "another root before": ({"previous": "ab" * 32}, "follows another root 1"),
    "no root before": ({"previous": None}, "must name the root before it"),
    "a threshold of zero": ({"threshold": 0}, "threshold does not fit"),
    "a threshold below zero": ({"threshold": -1}, "threshold does not fit"),
    "a threshold above its keys": ({"threshold": 4}, "asks for 4 signatures of 3 keys"),
    "no keys": ({"keys": []}, "keys does not fit"),
    "one key twice": ({"keys": [root_entry(HOLDERS[0])] * 3}, "names a key twice"),
    "one key by other names": (
        {"keys": [root_entry(HOLDERS[0]), root_entry(HOLDERS[0], "ab" * 8), root_entry(HOLDERS[1])]},
        "by another key's name",
    ),
    "a key of another kind": ({"keys": [root_entry(HOLDERS[0]) | {"public_key": "PEM"}]}, "is not an Ed25519 key"),
    "another kind of document": ({"contract": "prakerja.keyring/1"}, "contract does not fit"),
    "a member too much": ({"expires": "2030-01-01T00:00:00Z"}, "expires does not fit"),
}


@pytest.mark.parametrize("name", BAD_ROOTS)
def test_a_root_that_no_publisher_writes_is_refused(follower: Reader, rooted: Repository, name: str) -> None:
    fields, said = BAD_ROOTS[name]
    put_root(rooted, 2, by=(0, 1, 2), says=fields)
    with follower.refusing((UntrustedError, DoesNotFitError), said):  # type: ignore[arg-type] # pytest takes several
        follower.sync()
    assert seen_roots(follower) == 1


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b'{"document": "", "signatures": {}, "signatures": {}}'])
def test_a_file_that_is_no_root_is_refused(follower: Reader, rooted: Repository, data: bytes) -> None:
    rooted.put(root_name(2), data)
    with follower.refusing(DoesNotFitError, "root 2"):
        follower.sync()


def test_a_signature_of_one_root_twice_is_one(follower: Reader, rooted: Repository) -> None:
    """Duplicate signatures, and a signature under another key's name."""
    file = json.loads(put_root(rooted, 2, by=(0,)))
    ((key_id, signature),) = file["signatures"].items()
    for others in ([HOLDERS[1].public.key_id], [HOLDERS[1].public.key_id, HOLDERS[2].public.key_id], ["ab" * 8]):
        rooted.put(
            root_name(2), json.dumps(file | {"signatures": dict.fromkeys([key_id, *others], signature)}).encode()
        )
        with follower.refusing(UntrustedError, "root 2 has 1 of the 2"):
            follower.sync()
    text = json.dumps(file).replace('"signatures": {', f'"signatures": {{"{key_id}": "{signature}", ')
    rooted.put(root_name(2), text.encode())
    with follower.refusing(DoesNotFitError, "duplicate_member"):
        follower.sync()


def test_a_root_of_another_line_by_the_same_people_is_refused(
    follower: Reader, rooted: Repository, tmp_path: Path
) -> None:
    other = Repository(tmp_path / "other")
    other.publish([1])
    put_root(other, 1, says={"created_at": "2020-01-01T00:00:00Z"})
    rooted.put(root_name(2), put_root(other, 2, keys=(0, 1, 5)))
    with follower.refusing(UntrustedError, "follows another root 1"):
        follower.sync()


def test_no_more_roots_than_a_bound_are_followed_at_once(
    follower: Reader, rooted: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ROOTS_AT_ONCE == 256
    monkeypatch.setattr("prakerja_blacklist.format.roots.ROOTS_AT_ONCE", 3)
    for number in range(2, 7):
        put_root(rooted, number)
        endorse(rooted, number)
    for seen in (4, 6, 6):
        follower.sync()
        assert seen_roots(follower) == seen


@pytest.mark.parametrize("by", [(), (0,), (0, 5), (5, 6)])
def test_a_root_that_its_own_keys_have_not_signed_is_not_pinned(rooted: Repository, by: Any) -> None:
    with pytest.raises(UntrustedError, match="signatures that root 1 asks for"):
        TrustedRoot.from_file(put_root(rooted, 1, by=by), "the root")


def test_a_keyring_is_no_root_and_a_root_no_endorsement(follower: Reader, rooted: Repository) -> None:
    rooted.put(root_name(2), rooted.data(endorsement_name(1, 1)))
    with follower.refusing(DoesNotFitError, "root 2"):
        follower.sync()
    rooted.drop(root_name(2))
    rooted.announce(SECOND)
    rooted.put(endorsement_name(2, 1), rooted.data(root_name(1)))
    assert follower.sync().trusted.keyring == 1


def test_a_root_is_known_by_the_hash_of_what_is_signed(rooted: Repository) -> None:
    more = put_root(rooted, 1, by=(0, 1, 2))
    fewer = put_root(rooted, 1, by=(1, 2))
    assert more != fewer
    roots = [TrustedRoot.from_file(file, "the root") for file in (more, fewer)]
    assert {root.sha256 for root in roots} == {sha256(open_signed(more, "")[1])}
