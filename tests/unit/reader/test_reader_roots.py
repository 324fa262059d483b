"""Which keys a reader believes that pins a root: the keyrings that the newest root has endorsed, and no others."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.format.keyring import UntrustedError, file_name
from prakerja_blacklist.format.roots import endorsement_name, root_name
from prakerja_blacklist.format.snapshot import sha256
from prakerja_blacklist.reader.sources import UnreachableError
from prakerja_blacklist.reader.verification import RefusedListError
from tests.support.root_keys import endorse, put_root, root_of, seen_roots
from tests.support.simulated_publisher import Repository, manifest_of, signature_of
from tests.support.simulated_reader import FIRST, SECOND, STRANGER, Reader, subjects_of


def test_a_list_is_followed_by_the_root_and_by_older_readers_alike(
    follower: Reader, reader: Reader, rooted: Repository
) -> None:
    for number, key in enumerate((SECOND, STRANGER), 1):
        rooted.announce(key)
        endorse(rooted)
        rooted.rotate()
        rooted.publish([500 + number])
        for each in (follower, reader):
            assert each.sync().trusted.signing_key_id == key.public.key_id
            assert each.subjects() == subjects_of(rooted)


def test_whoever_has_stolen_the_signing_key_announces_none_to_those_who_pin_the_root(
    follower: Reader, reader: Reader, rooted: Repository
) -> None:
    rooted.put_keyring(2, [FIRST, STRANGER], [FIRST])
    rooted.publish([301])
    rooted.restate(2, by=STRANGER)
    assert reader.sync().trusted.version == 2, "older readers go on with the signing key's word"
    with follower.refusing(UntrustedError, "the root has not endorsed it"):
        follower.sync()


def test_whoever_has_stolen_the_signing_key_revokes_none_for_those_who_pin_the_root(
    follower: Reader, rooted: Repository
) -> None:
    rooted.announce(SECOND)
    endorse(rooted)
    follower.sync()
    rooted.put_keyring(3, [FIRST], [FIRST], revoked=[SECOND])
    rooted.rotate()
    rooted.publish([301])
    rooted.restate(2, by=SECOND)
    assert follower.sync().trusted.signing_key_id == SECOND.public.key_id


@pytest.mark.parametrize("version", [2, 90])
def test_a_key_that_the_root_has_revoked_hands_out_no_list(
    follower: Reader, rooted: Repository, tmp_path: Path, version: int
) -> None:
    """Nor does one that it has put far ahead bind anybody."""
    thief = rooted.fork(tmp_path / "thief")
    thief.publish([666], version=version)
    follower.turn_to(thief)
    assert follower.sync().trusted.version == version
    rooted.announce(SECOND)
    rooted.rotate()
    rooted.publish([301])
    rooted.revoke(FIRST)
    endorse(rooted)
    for name in [file_name(number) for number in range(2, 5)] + [endorsement_name(4, 1)]:
        thief.put(name, rooted.data(name))
    with follower.refusing(UntrustedError, "a key that was revoked"):
        follower.sync()
    follower.turn_to(rooted)
    assert follower.sync().trusted.version == 2
    assert follower.subjects() == subjects_of(rooted)


def test_a_keyring_that_only_the_root_has_signed_is_the_roots(
    follower: Reader, reader: Reader, rooted: Repository
) -> None:
    """The signing key was lost: readers that pin the root need no other word."""
    rooted.put_keyring(2, [SECOND], [STRANGER])
    endorse(rooted)
    rooted.publish([301])
    rooted.restate(2, by=SECOND)
    assert follower.sync().trusted.signing_key_id == SECOND.public.key_id
    with reader.refusing(UntrustedError, "signed by no key of the one before it"):
        reader.sync()


def test_keyrings_that_nobody_has_endorsed_are_passed_over(follower: Reader, rooted: Repository) -> None:
    rooted.announce(SECOND)
    rooted.announce(STRANGER)
    endorse(rooted)
    rooted.revoke(SECOND)
    rooted.publish([301])
    rooted.restate(2, by=STRANGER)
    assert follower.sync().trusted.keyring == 3
    assert SECOND.public.key_id in follower.client.trusted().trust.keys


#: What is wrong with the endorsement of keyring 2, which announces a key.
BAD_ENDORSEMENTS: dict[str, dict[str, Any]] = {
    "nobody has signed it": {"by": ()},
    "one of two": {"by": (0,)},
    "one of two, and a stranger": {"by": (0, 5)},
    "strangers alone": {"by": (5, 6, 7)},
    "another root": {"root": "ab" * 32},
    "another root's number": {"root_number": 2},
    "another keyring": {"keyring": base64.b64encode(b"{}").decode()},
    "no base64": {"keyring": "???"},
    "a document of another kind": {"contract": "prakerja.root/1"},
}


@pytest.mark.parametrize("name", BAD_ENDORSEMENTS)
def test_a_keyring_that_is_not_rightly_endorsed_is_not_believed(
    follower: Reader, rooted: Repository, tmp_path: Path, name: str
) -> None:
    rooted.announce(SECOND)
    endorse(rooted, **BAD_ENDORSEMENTS[name])
    rooted.publish([301])
    assert follower.sync().trusted.keyring == 1, "what it says is not learnt"
    rooted.restate(2, by=SECOND)
    newcomer = Reader(tmp_path / "newcomer", rooted, pins=(), root=root_of(rooted))
    with newcomer.refusing(UntrustedError, "the root has not endorsed it"):
        newcomer.sync()
    endorse(rooted)
    rooted.publish([302])
    assert follower.sync().trusted.keyring == 2


def test_a_signature_twice_is_one(follower: Reader, rooted: Repository) -> None:
    """As in CVE-2020-6174 of TUF: the same key, under its own name and another's."""
    rooted.announce(SECOND)
    endorse(rooted, by=(0,))
    name = endorsement_name(2, 1)
    signed = json.loads(rooted.data(name))
    (key_id, signature) = next(iter(signed["signatures"].items()))
    for other in (root.root_key_id for root in root_of(rooted).root.keys):
        signed["signatures"].setdefault(other, signature)
    rooted.put(name, json.dumps(signed).encode())
    assert follower.sync().trusted.keyring == 1
    twice = rooted.data(name).replace(b'"signatures": {', f'"signatures": {{"{key_id}": "{signature}", '.encode())
    assert twice != rooted.data(name)
    rooted.put(name, twice)
    assert follower.sync().trusted.keyring == 1


def test_an_endorsement_of_one_keyring_is_none_of_another(follower: Reader, rooted: Repository) -> None:
    rooted.announce(SECOND)
    rooted.put(endorsement_name(2, 1), rooted.data(endorsement_name(1, 1)))
    assert follower.sync().trusted.keyring == 1


def test_an_endorsement_of_the_same_people_for_another_list_counts_nothing(
    follower: Reader, rooted: Repository, tmp_path: Path
) -> None:
    other = Repository(tmp_path / "other")
    other.publish([1])
    put_root(other, 1, says={"created_at": "2020-01-01T00:00:00Z"})
    other.announce(STRANGER)
    endorse(other)
    rooted.announce(SECOND)
    rooted.put(endorsement_name(2, 1), other.data(endorsement_name(2, 1)))
    assert follower.sync().trusted.keyring == 1


def test_a_revocation_is_not_taken_back_by_the_same_root(follower: Reader, rooted: Repository) -> None:
    rooted.announce(SECOND)
    rooted.rotate()
    rooted.publish([301])
    rooted.revoke(FIRST)
    endorse(rooted)
    follower.sync()
    rooted.put_keyring(5, [FIRST, SECOND], [SECOND])
    endorse(rooted)
    assert follower.sync().trusted.keyring == 4


def test_what_is_withheld_takes_nothing_back(follower: Reader, rooted: Repository) -> None:
    old = {name: rooted.data(name) for name in (POINTER, manifest_of(1), signature_of(1))}
    rooted.announce(SECOND)
    rooted.rotate()
    rooted.publish([301])
    rooted.revoke(FIRST)
    put_root(rooted, 2, keys=(0, 1, 3))
    endorse(rooted, 2)
    follower.sync()
    for path in rooted.root.glob("keys/*.json"):
        path.unlink()
    for name, data in old.items():
        rooted.put(name, data)
    with follower.refusing(UntrustedError, "was revoked"):
        follower.sync()
    assert (seen_roots(follower), follower.client.trusted().keyring) == (2, 4)


def test_a_list_whose_key_a_keyring_leaves_out_answers_nobody(follower: Reader, rooted: Repository) -> None:
    rooted.put_keyring(2, [SECOND], [FIRST])
    endorse(rooted)
    with follower.refusing(UntrustedError, "not trusted here"):
        follower.sync()
    assert follower.client.trusted().is_revoked


def test_what_is_learnt_is_kept_though_the_source_goes_away_meanwhile(follower: Reader, rooted: Repository) -> None:
    put_root(rooted, 2, keys=(0, 1, 3))
    asked = follower.source.chunks

    def breaks_off(name: str, bytes_max: int) -> Any:
        if name == root_name(3):
            raise UnreachableError("it went away")
        return asked(name, bytes_max)

    follower.source.chunks = breaks_off
    with follower.refusing(UnreachableError):
        follower.sync()
    assert seen_roots(follower) == 2


def test_without_roots_published_who_pins_one_is_refused(reader: Reader, rooted: Repository, tmp_path: Path) -> None:
    root = root_of(rooted)
    for name in (root_name(1), endorsement_name(1, 1)):
        rooted.drop(name)
    newcomer = Reader(tmp_path / "newcomer", rooted, pins=(), root=root)
    with newcomer.refusing(UntrustedError, "has endorsed no keyring"):
        newcomer.sync()
    assert reader.sync().how == "unchanged"


# -- from one pin to another -------------------------------------------------------------------------------------------


def test_a_reader_that_pinned_a_key_pins_a_root_and_goes_on(reader: Reader, rooted: Repository) -> None:
    rooted.publish([301])
    pinned = Reader(reader.folder, rooted, pins=(), root=root_of(rooted))
    with pytest.raises(RefusedListError, match="pinned_anew"):
        pinned.client.trusted()
    assert pinned.sync().how == "delta"


def test_a_reader_with_a_thiefs_keyring_is_freed_by_pinning_a_root(
    reader: Reader, rooted: Repository, tmp_path: Path
) -> None:
    captured = rooted.fork(tmp_path / "captured")
    captured.put_keyring(2, [STRANGER], [FIRST], revoked=[FIRST])
    captured.publish([666], version=40)
    captured.restate(40, by=STRANGER)
    reader.turn_to(captured)
    assert reader.sync().trusted.version == 40
    rooted.publish([301])
    freed = Reader(reader.folder, rooted, pins=(), root=root_of(rooted))
    assert freed.sync().trusted.version == 2
    assert freed.subjects() == subjects_of(rooted)


def test_what_no_key_has_signed_binds_nobody_who_pins_a_root(reader: Reader, rooted: Repository) -> None:
    path = reader.folder / "trusted.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"version": 40}))
    pinned = Reader(reader.folder, rooted, pins=(), root=root_of(rooted))
    synced = pinned.sync()
    assert (synced.how, synced.trusted.version) == ("full", 1)


@pytest.mark.parametrize("pins", [[FIRST], []])
def test_a_reader_that_pinned_a_root_does_not_go_back_to_a_key(follower: Reader, rooted: Repository, pins: Any) -> None:
    back = Reader(follower.folder, rooted, pins=pins)
    with pytest.raises(RefusedListError, match="was synced with --root"):
        back.client.sync(back.source, rooted.now)
    for act in (back.client.trusted, back.client.open_list):
        with pytest.raises(RefusedListError, match="was synced with --root"):
            act()


def test_a_later_root_may_be_pinned_and_the_first_one_again(follower: Reader, rooted: Repository) -> None:
    for number in (2, 3):
        put_root(rooted, number, keys=(0, 1, 1 + number))
        endorse(rooted, number)
    later = Reader(follower.folder, rooted, pins=(), root=root_of(rooted, 3))
    assert later.sync().how == "unchanged"
    again = Reader(follower.folder, rooted, pins=(), root=root_of(rooted, 1))
    second = rooted.data(root_name(2))
    rooted.drop(root_name(2))
    with pytest.raises(UntrustedError, match="has seen a later one"):
        again.client.sync(again.source, rooted.now)
    rooted.put(root_name(2), second)
    rooted.drop(root_name(3))
    assert again.sync().how == "unchanged"
    assert seen_roots(again) == 3, "one that was seen need not be there any more"


def test_another_line_of_roots_begins_anew(follower: Reader, rooted: Repository) -> None:
    """All root keys were lost: people tell the readers which root to pin."""
    put_root(rooted, 1, keys=(5, 6, 7), by=(5, 6))
    endorse(rooted, 1, by=(5, 6))
    assert follower.sync().how == "unchanged", "who pins the first one notices nothing"
    anew = Reader(follower.folder, rooted, pins=(), root=root_of(rooted))
    with pytest.raises(RefusedListError, match="pinned_anew"):
        anew.client.trusted()
    assert anew.sync().trusted.version == 1


# -- a folder that somebody else has written ---------------------------------------------------------------------------


def test_a_state_that_only_says_that_it_follows_from_the_root_is_refused(
    follower: Reader, rooted: Repository, tmp_path: Path
) -> None:
    thief = rooted.fork(tmp_path / "thief")
    thief.put_keyring(2, [STRANGER], [FIRST])
    put_root(thief, 2, keys=(5, 6, 7), by=(5, 6))
    endorse(thief, 2, by=(5, 6))
    thief.publish([666])
    thief.restate(2, by=STRANGER)
    path = follower.folder / "trusted.json"
    genuine, state = path.read_bytes(), json.loads(path.read_bytes())
    keys = [
        {"signing_key_id": STRANGER.public.key_id, "public_key": STRANGER.public.pem.decode(), "last_version": None}
    ]
    manifest = thief.data(manifest_of(2))
    made_up: list[dict[str, Any]] = [
        {"keys": keys},
        {"entries": 7},
        {"manifest": manifest.decode(), "signature": thief.data(signature_of(2)).decode()},
        {"manifest_sha256": sha256(manifest)},
        {"keyring": 2, "root": state["root"] | {"endorsement": thief.data(endorsement_name(2, 2)).decode()}},
        {"root": {"roots": [*state["root"]["roots"], thief.data(root_name(2)).decode()],
                  "endorsement": thief.data(endorsement_name(2, 2)).decode()}, "keyring": 2, "keys": keys},
        {"root": state["root"] | {"endorsement": ""}},
        {"root": state["root"] | {"roots": ["{}"]}},
        {"revoked": [{"signing_key_id": FIRST.public.key_id, "revoked_at": "2021-03-15T00:00:00Z"}]},
    ]  # fmt: skip
    for fields in made_up:
        path.write_text(json.dumps(state | fields))
        for act in (follower.client.trusted, follower.client.open_list, follower.sync):
            with pytest.raises(RefusedListError, match="unproved"):
                act()
    path.write_bytes(genuine)
    assert follower.sync().how == "unchanged"


def test_endless_keyrings_do_not_hold_a_reader_up(
    follower: Reader, rooted: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prakerja_blacklist.reader.root_follower.KEYRINGS_AT_ONCE", 20)
    asked, ring, looked_at = follower.source.chunks, rooted.data(file_name(1)), list[str]()

    def endless(name: str, bytes_max: int) -> Any:
        is_ring = name.startswith("keys/keyring-") and ".root-" not in name
        looked_at.extend([name] if is_ring else [])
        return iter([ring]) if is_ring else asked(name, bytes_max)

    follower.source.chunks = endless
    rooted.publish([301])
    assert follower.client.sync(follower.source, rooted.now).trusted.version == 2
    assert len(looked_at) == 20


def test_a_follower_asks_for_two_files_more(follower: Reader) -> None:
    follower.sync()
    assert follower.fetched[:2] == [root_name(2), file_name(2)]
