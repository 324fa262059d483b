"""Which keys a reader believes: keyrings in a row, retired and revoked keys, pins."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.contract import RingKey
from prakerja_blacklist.format.documents import DoesNotFitError, canonical_json
from prakerja_blacklist.format.keyring import KEYRINGS_AT_ONCE, UntrustedError, file_name
from tests.support.simulated_publisher import Repository, ring_key, signing_key
from tests.support.simulated_reader import FIRST, PEOPLE, SECOND, STRANGER, THIRD, UNKNOWN_KIND, Reader, subjects_of


def test_an_unchanged_list_may_bring_a_new_keyring(reader: Reader, repository: Repository) -> None:
    repository.announce(SECOND)
    synced = reader.sync()
    assert (synced.how, synced.trusted.keyring) == ("unchanged", 2)
    assert {key.signing_key_id for key in synced.trusted.keys} == {FIRST.public.key_id, SECOND.public.key_id}


def test_a_key_is_announced_then_signs_then_the_one_before_is_revoked(reader: Reader, repository: Repository) -> None:
    for key, before in ((SECOND, FIRST), (THIRD, SECOND)):
        repository.announce(key)
        reader.sync()
        repository.rotate()
        repository.publish([500 + repository.version])
        assert reader.sync().trusted.signing_key_id == key.public.key_id
        repository.revoke(before)
        assert reader.sync().how == "unchanged"
        assert before.public.key_id in {each.signing_key_id for each in reader.client.trusted().revoked}


def test_a_reader_that_missed_every_rotation_follows_them_at_once(reader: Reader, repository: Repository) -> None:
    for name in ("second", "third", "fourth", "fifth"):
        repository.announce(signing_key(name))
        repository.rotate()
        repository.publish([500 + repository.version])
    synced = reader.sync()
    assert (synced.how, synced.trusted.signing_key_id) == ("delta", signing_key("fifth").public.key_id)


def test_an_announced_key_may_sign_at_once(anyone: Reader, repository: Repository) -> None:
    repository.announce(SECOND)
    repository.restate(2, by=SECOND)
    assert anyone.sync().trusted.signing_key_id == SECOND.public.key_id


def test_a_key_that_was_never_announced_signs_nothing(anyone: Reader, repository: Repository) -> None:
    repository.restate(2, by=SECOND)
    with anyone.refusing(UntrustedError, "not trusted here"):
        anyone.sync()


@pytest.mark.parametrize("pins", [[SECOND], [FIRST, SECOND], [STRANGER, SECOND]])
def test_who_pinned_a_later_key_can_start(repository: Repository, tmp_path: Path, pins: Any) -> None:
    repository.announce(SECOND)
    repository.rotate()
    repository.publish([301])
    reader = Reader(tmp_path / "reader", repository, pins=pins)
    assert reader.sync().trusted.keyring == 3
    repository.publish([302])
    assert reader.sync().how == "delta"


def test_who_pinned_a_key_that_is_retired_by_now_can_start(repository: Repository, tmp_path: Path) -> None:
    repository.announce(SECOND)
    repository.rotate()
    repository.publish([301])
    repository.revoke(FIRST)
    assert Reader(tmp_path / "reader", repository).sync().trusted.signing_key_id == SECOND.public.key_id


@pytest.mark.parametrize("keyrings", [1, 3, KEYRINGS_AT_ONCE - 1, KEYRINGS_AT_ONCE, KEYRINGS_AT_ONCE + 40])
def test_who_pinned_a_key_that_is_in_no_keyring_is_refused(
    repository: Repository, tmp_path: Path, keyrings: int
) -> None:
    for number in range(2, keyrings + 1):
        repository.put_keyring(number, [FIRST], [FIRST])
    repository.restate(1, by=STRANGER)
    reader = Reader(tmp_path / "reader", repository, pins=[STRANGER])
    with reader.refusing(UntrustedError, "pin the publisher's"):
        reader.sync()


def test_without_any_keyring_the_pinned_key_alone_is_believed(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "published", has_keyrings=False)
    repository.publish(PEOPLE)
    reader = Reader(tmp_path / "reader", repository)
    assert reader.sync().trusted.keyring == 0
    repository.publish([301])
    assert reader.sync().how == "delta"
    repository.signer = SECOND
    repository.publish([302])
    with reader.refusing(UntrustedError, "not trusted here"):
        reader.sync()


def test_a_keyring_that_is_withheld_takes_nothing_back(reader: Reader, repository: Repository) -> None:
    repository.announce(SECOND)
    repository.rotate()
    repository.publish([301])
    repository.revoke(FIRST)
    reader.sync()
    for name in map(file_name, (1, 2, 3, 4)):
        repository.drop(name)
    repository.restate(2, by=FIRST)
    with reader.refusing(UntrustedError, "was revoked"):
        reader.sync()


#: The keyrings after the first one, as (keys, signed by); and what is said to what the second key then signs.
CHAINS: dict[str, tuple[list[tuple[list[Any], list[Any]]], type[Exception] | None]] = {
    "another key, signed by both": ([([SECOND], [FIRST, SECOND])], None),
    "another key, signed by the one before": ([([SECOND], [FIRST])], None),
    "with signatures of strangers": ([([SECOND], [STRANGER, FIRST, THIRD])], None),
    "in two steps": ([([FIRST, SECOND], [FIRST]), ([SECOND], [SECOND])], None),
    "over a third key": ([([THIRD], [FIRST]), ([SECOND], [THIRD])], None),
    "unsigned": ([([SECOND], [])], UntrustedError),
    "signed by the new key alone": ([([SECOND], [SECOND])], UntrustedError),
    "signed by a stranger": ([([SECOND], [STRANGER])], UntrustedError),
    "the intermediate is unsigned": ([([FIRST, SECOND], []), ([SECOND], [FIRST])], UntrustedError),
    "the intermediate is signed by the new key": ([([FIRST, SECOND], [SECOND]), ([SECOND], [FIRST])], UntrustedError),
    "the last is signed by a key that is gone": ([([THIRD], [FIRST]), ([SECOND], [FIRST])], UntrustedError),
    "the last is signed by a retired key": (
        [([THIRD, ring_key(FIRST.public, 1)], [FIRST]), ([SECOND], [FIRST])],
        UntrustedError,
    ),
    "without the key": ([([FIRST, THIRD], [FIRST])], UntrustedError),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_a_keyring_is_believed_where_a_key_of_the_one_before_signs_it(
    anyone: Reader, repository: Repository, chain: str
) -> None:
    rings, error = CHAINS[chain]
    for number, (keys, by) in enumerate(rings, 2):
        repository.put_keyring(number, keys, by)
    repository.restate(2, by=SECOND)
    if error is None:
        assert anyone.sync().trusted.keyring == 1 + len(rings)
        return
    with anyone.refusing(error):
        anyone.sync()


RINGS: dict[str, tuple[Callable[[Repository], Any], type[Exception], str]] = {
    "its own number again": (lambda r: r.put_keyring(2, [FIRST], [FIRST], number=1), UntrustedError, "another one"),
    "the one before again": (lambda r: r.swap(file_name(2), file_name(1)), UntrustedError, "another one"),
    "a later number": (lambda r: r.put_keyring(2, [FIRST], [FIRST], number=3), UntrustedError, "another one"),
    "a key by another's name": (
        lambda r: r.put_keyring(2, [FIRST, ring_key(STRANGER.public, name=SECOND.public.key_id)], [FIRST]),
        UntrustedError,
        "another key's name",
    ),
    "another contract": (
        lambda r: r.put_keyring(2, [FIRST], [FIRST], contract="prakerja.keyring/2"), DoesNotFitError, "contract",
    ),
    "a member more": (lambda r: r.put_keyring(2, [FIRST], [FIRST], more=1), DoesNotFitError, "more"),
    "no key": (lambda r: r.put_keyring(2, [], [FIRST]), DoesNotFitError, "keys"),
    "a thousand keys": (lambda r: r.put_keyring(2, [FIRST] * 1000, [FIRST]), DoesNotFitError, "keys"),
    "a key that is none": (
        lambda r: r.put_keyring(2, [named("no key")], [FIRST]),
        PrakerjaError,
        "not an Ed25519 key",
    ),
    "a key of an unknown kind": (
        lambda r: r.put_keyring(2, [named(UNKNOWN_KIND.decode())], [FIRST]),
        PrakerjaError,
        "not an Ed25519 key",
    ),
    "no base64": (
        lambda r: r.put(file_name(2), canonical_json({"keyring": "no base64!", "signatures": {}})),
        DoesNotFitError,
        "not base64",
    ),
    "no ASCII": (
        lambda r: r.put(file_name(2), canonical_json({"keyring": "é", "signatures": {}})),
        DoesNotFitError,
        "not base64",
    ),
    "a signature that is none": (
        lambda r: r.put(file_name(2), canonical_json(ring_in(r, 2) | {"signatures": {FIRST.public.key_id: "é!"}})),
        UntrustedError,
        "signed by no key",
    ),
    "a signature by another's name": (
        lambda r: r.put(
            file_name(2),
            canonical_json(
                ring_in(r, 2)
                | {"signatures": {FIRST.public.key_id: ring_in(r, 2, STRANGER)["signatures"][STRANGER.public.key_id]}}
            ),
        ),
        UntrustedError,
        "signed by no key",
    ),
}  # fmt: skip


def named(public_key: str) -> RingKey:
    return RingKey(signing_key_id=FIRST.public.key_id, public_key=public_key, last_version=None)


def ring_in(repository: Repository, number: int, by: Any = FIRST) -> dict[str, Any]:
    repository.put_keyring(number, [FIRST], [by])
    return json.loads(repository.data(file_name(number)))


@pytest.mark.parametrize("ring", RINGS)
def test_a_keyring_that_does_not_follow_is_refused(reader: Reader, repository: Repository, ring: str) -> None:
    bend, error, said = RINGS[ring]
    repository.publish([301])
    bend(repository)
    with reader.refusing(error, said):
        reader.sync()


def test_a_keyring_after_a_gap_is_not_looked_for(reader: Reader, repository: Repository) -> None:
    repository.put_keyring(3, [SECOND], [FIRST])
    assert reader.sync().trusted.keyring == 1
    repository.restate(1, by=SECOND)
    with reader.refusing(UntrustedError, "not trusted here"):
        reader.sync()


def test_a_revocation_is_learnt_though_the_list_is_refused(reader: Reader, repository: Repository) -> None:
    """Whoever holds the stolen key cannot withhold it again."""
    repository.put_keyring(2, [SECOND], [FIRST], revoked=[FIRST])
    learnt = repository.data(file_name(2))
    with reader.refusing(UntrustedError, "was revoked"):
        reader.sync()
    repository.drop(file_name(2))
    repository.publish([301])
    with reader.refusing(UntrustedError, "was revoked"):
        reader.sync()
    repository.put(file_name(2), learnt)
    repository.restate(2, by=SECOND)
    assert reader.sync().trusted.signing_key_id == SECOND.public.key_id


def test_a_keyring_that_takes_back_a_revocation_is_refused(reader: Reader, repository: Repository) -> None:
    repository.put_keyring(2, [FIRST], [FIRST], revoked=[SECOND])
    reader.sync()
    repository.put_keyring(3, [FIRST], [FIRST])
    with reader.refusing(UntrustedError, "takes back"):
        reader.sync()
    repository.put_keyring(3, [FIRST, SECOND], [FIRST], revoked=[SECOND])
    repository.publish()
    repository.restate(2, by=SECOND)
    with reader.refusing(UntrustedError, "was revoked"):
        reader.sync()


def test_a_revoked_key_signs_no_keyring_though_one_names_it_still(anyone: Reader, repository: Repository) -> None:
    repository.put_keyring(2, [FIRST, SECOND], [FIRST], revoked=[FIRST])
    repository.put_keyring(3, [SECOND, STRANGER], [FIRST], revoked=[FIRST])
    repository.restate(2, by=STRANGER)
    with anyone.refusing(UntrustedError):
        anyone.sync()


def test_what_a_retired_key_signed_before_is_believed_and_nothing_later(
    newcomer: Reader, reader: Reader, repository: Repository
) -> None:
    repository.publish([301])
    repository.publish([302])
    repository.publish([303])
    retired_after_2 = ring_key(FIRST.public, 2)
    repository.put_keyring(2, [SECOND, retired_after_2], [FIRST, SECOND])
    with reader.refusing(UntrustedError, "was retired before it"):
        reader.sync()
    with newcomer.refusing(UntrustedError, "was retired before it"):
        newcomer.sync()
    repository.restate(3, by=SECOND)
    repository.restate(4, by=SECOND)
    assert reader.sync().how == "delta", "version 2 is the retired key's"
    repository.restate(3, by=FIRST)
    repository.point(2)
    assert newcomer.sync().trusted.signing_key_id == FIRST.public.key_id
    repository.point(4)
    assert newcomer.sync().how == "full", "version 3 is signed by a key that was retired before it"


def test_the_whole_list_is_fetched_where_a_delta_is_signed_by_a_revoked_key(
    reader: Reader, repository: Repository
) -> None:
    repository.announce(SECOND)
    repository.publish([301])
    repository.rotate()
    repository.publish([302])
    repository.revoke(FIRST)
    assert reader.sync().how == "full"
    assert reader.subjects() == subjects_of(repository)


def test_a_signing_key_can_be_changed_for_many_years(reader: Reader, repository: Repository) -> None:
    for year in range(30):
        repository.announce(signing_key(f"of year {year}"))
        repository.rotate()
        repository.publish([500 + year])
        assert reader.sync().trusted.signing_key_id == repository.signer.public.key_id


def test_a_reader_who_pinned_another_key_anew_begins_anew(
    reader: Reader, repository: Repository, tmp_path: Path
) -> None:
    repository.publish([301])
    reader.sync()
    lost = Repository(tmp_path / "after the loss")
    lost.signer = THIRD
    lost.publish([*PEOPLE, 302])
    reader.turn_to(lost)
    with reader.refusing(PrakerjaError):
        reader.sync()
    reader.client.pins = [THIRD.public]
    synced = reader.sync(lost.now)
    assert (synced.how, synced.trusted.version, synced.trusted.keyring) == ("full", 1, 1)
    assert {key.signing_key_id for key in synced.trusted.keys} == {THIRD.public.key_id}
    assert reader.subjects() == subjects_of(lost)
    lost.publish([303])
    assert reader.sync(lost.now).how == "delta"


def test_a_stale_pin_takes_no_list_of_its_own_once_it_was_followed(reader: Reader, repository: Repository) -> None:
    repository.announce(SECOND)
    repository.rotate()
    repository.publish([301])
    reader.sync()
    repository.restate(1, by=FIRST)
    repository.point(1)
    with reader.refusing(said="rollback"):
        reader.sync()
