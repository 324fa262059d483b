"""Which keys a reader believes, and under which key the subjects are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

from prakerja_blacklist.format.contract import POINTER, RingKey, earlier_list_folder
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.keyring import file_name
from tests.support.conformance.kit import Publication, case
from tests.support.simulated_publisher import (
    EXPIRES_AFTER,
    flipped,
    manifest_of,
    ring_key,
    signature_of,
    signing_key,
    snapshot_of,
)
from tests.support.simulated_reader import FIRST, NEW_SUBJECTS, NEWEST_SUBJECTS, OLD_SUBJECTS, SECOND, STRANGER, THIRD

ROTATION = "test_root_rotation"


@case("keyrings/announced", "A keyring that announces a key leaves the list as it is.", "test_basic_refresh_requests")
def announced(p: Publication) -> None:
    p.accepted()
    p.announce(SECOND)
    p.accepted()


@case("keyrings/rotated", "A key is announced, signs, and the one before is revoked.", ROTATION)
def rotated(p: Publication) -> None:
    p.accepted()
    p.announce(SECOND)
    p.accepted()
    p.rotate()
    p.publish_next()
    p.accepted()
    p.revoke(FIRST)
    p.accepted()
    p.publish_next()
    p.accepted()


@case("keyrings/rotated-meanwhile", "A reader that missed three rotations follows them at once.", ROTATION)
def rotated_meanwhile(p: Publication) -> None:
    p.accepted()
    for name in ("second", "third", "fourth"):
        p.announce(signing_key(name))
        p.rotate()
        p.publish_next()
    p.accepted()


@case(
    "keyrings/first-sync-after-rotation",
    "A reader that pins a retired key follows the keyrings at its first sync.",
    ROTATION,
)
def first_sync_after_rotation(p: Publication) -> None:
    p.announce(SECOND)
    p.rotate()
    p.publish_next()
    p.accepted()


@case("keyrings/later-pin", "A reader that pins a later key skips the keyrings from before it.", ROTATION)
def later_pin(p: Publication) -> None:
    p.announce(SECOND)
    p.rotate()
    p.publish_next()
    p.accepted(pin="second")
    p.publish_next()
    p.accepted(pin="second")


@case("keyrings/at-once", "A key that was announced may sign at once.", "test_non_root_rotations")
def at_once(p: Publication) -> None:
    p.accepted()
    p.publish_next()
    p.announce(SECOND)
    p.restate(2, by=SECOND)
    p.accepted()


@case("keyrings/never-announced", "A key that was never announced signs nothing.", "test_non_root_rotations")
def never_announced(p: Publication) -> None:
    p.accepted()
    p.publish_next()
    p.restate(2, by=SECOND)
    p.refused()


#: The keyrings after the first, as (keys, signed by). The second key signs the list then; `True`: it is believed.
CHAINS: dict[str, tuple[str, list[tuple[list[Any], list[Any]]], bool]] = {
    "signed-by-both": ("The next keyring is signed by the old and the new key.", [([SECOND], [FIRST, SECOND])], True),
    "signed-by-the-one-before": ("The next keyring is signed by the old key.", [([SECOND], [FIRST])], True),
    "signed-by-strangers-too": (
        "The next keyring has signatures of strangers too.",
        [([SECOND], [STRANGER, FIRST, THIRD])],
        True,
    ),
    "in-two-steps": (
        "The old key leaves in a keyring of its own.",
        [([FIRST, SECOND], [FIRST]), ([SECOND], [SECOND])],
        True,
    ),
    "over-a-third-key": ("A third key lies between.", [([THIRD], [FIRST]), ([SECOND], [THIRD])], True),
    "unsigned": ("The next keyring is not signed.", [([SECOND], [])], False),
    "signed-by-the-new-key": ("The next keyring is signed by the new key alone.", [([SECOND], [SECOND])], False),
    "signed-by-a-stranger": ("The next keyring is signed by a stranger.", [([SECOND], [STRANGER])], False),
    "intermediate-unsigned": (
        "The keyring between is not signed.",
        [([FIRST, SECOND], []), ([SECOND], [FIRST])],
        False,
    ),
    "signed-by-a-key-that-left": (
        "The last keyring is signed by a key that left before.",
        [([THIRD], [FIRST]), ([SECOND], [FIRST])],
        False,
    ),
    "signed-by-a-retired-key": (
        "The last keyring is signed by a retired key.",
        [([THIRD, ring_key(FIRST.public, 1)], [FIRST]), ([SECOND], [FIRST])],
        False,
    ),
    "without-the-key": ("No keyring has the key.", [([FIRST, THIRD], [FIRST])], False),
}

for _name, (_title, _rings, _is_believed) in CHAINS.items():

    @case(f"keyrings/{_name}", _title, ROTATION)
    def chain(p: Publication, rings: Any = _rings, is_believed: bool = _is_believed) -> None:
        p.accepted()
        p.publish_next()
        for number, (keys, by) in enumerate(rings, 2):
            p.put_keyring(number, keys, by)
        p.restate(2, by=SECOND)
        if is_believed:
            p.accepted()
        else:
            p.refused()


@case(
    "keyrings/a-wrong-signature-too",
    "A keyring with a right signature and a wrong one is believed.",
    "test_invalid_sig_in_valid_metadata",
)
def a_wrong_signature_too(p: Publication) -> None:
    p.accepted()
    p.publish_next()
    p.put_keyring(2, [SECOND], [FIRST])
    ring = json.loads(p.data(file_name(2)))
    wrong = {SECOND.public.key_id: SECOND.sign(b"other bytes").decode().strip(), STRANGER.public.key_id: ""}
    p.put(file_name(2), canonical_json(ring | {"signatures": ring["signatures"] | wrong}))
    p.restate(2, by=SECOND)
    p.accepted()


def named(public_key: str) -> RingKey:
    return RingKey(signing_key_id=FIRST.public.key_id, public_key=public_key, last_version=None)


#: The second keyring. It is signed by the first key, and no keyring of this list.
RINGS: dict[str, tuple[str, Callable[[Publication], Any]]] = {
    "its-number-again": (
        "The second keyring says that it is the first.",
        lambda p: p.put_keyring(2, [FIRST], [FIRST], number=1),
    ),
    "the-first-again": ("The second keyring is the first.", lambda p: p.swap(file_name(2), file_name(1))),
    "later-number": (
        "The second keyring says that it is the third.",
        lambda p: p.put_keyring(2, [FIRST], [FIRST], number=3),
    ),
    "key-by-anothers-name": (
        "A keyring has a key by another's name.",
        lambda p: p.put_keyring(2, [FIRST, ring_key(STRANGER.public, name=SECOND.public.key_id)], [FIRST]),
    ),
    "another-contract": (
        "A keyring is of another contract.",
        lambda p: p.put_keyring(2, [FIRST], [FIRST], contract="prakerja.keyring/2"),
    ),
    "unknown-member": (
        "A keyring has a member that the contract does not know.",
        lambda p: p.put_keyring(2, [FIRST], [FIRST], more=1),
    ),
    "no-keys": ("A keyring has no keys.", lambda p: p.put_keyring(2, [], [FIRST])),
    "no-public-key": ("A keyring has a key that is none.", lambda p: p.put_keyring(2, [named("no key")], [FIRST])),
    "no-json": ("A keyring is no JSON.", lambda p: p.put(file_name(2), b"<html>please log in</html>")),
    "no-base64": (
        "A keyring is no base64.",
        lambda p: p.put(file_name(2), canonical_json({"keyring": "no base64!", "signatures": {}})),
    ),
    "too-large": (
        "A keyring is larger than a document may be.",
        lambda p: (p.put_keyring(2, [FIRST], [FIRST]), p.put(file_name(2), p.data(file_name(2)) + b" " * 1_500_000)),
    ),
}

for _name, (_title, _bend) in RINGS.items():

    @case(f"keyrings/{_name}", _title, "test_incorrect_metadata_type" if _name == "another-contract" else "")
    def ring(p: Publication, bend: Callable[[Publication], Any] = _bend) -> None:
        p.accepted()
        p.publish_next()
        bend(p)
        p.refused()


@case("keyrings/a-gap", "A keyring after a gap is not looked for.")
def a_gap(p: Publication) -> None:
    p.put_keyring(3, [SECOND], [FIRST])
    p.accepted()
    p.publish_next()
    p.restate(2, by=SECOND)
    p.refused()


@case(
    "keyrings/first-keyring-a-strangers", "The first keyring is signed by no pinned key.", "test_invalid_initial_root"
)
def first_keyring_a_strangers(p: Publication) -> None:
    p.put_keyring(1, [FIRST], [STRANGER])
    p.refused()


@case(
    "keyrings/revoked",
    "The list of a key that was revoked answers nobody; a list of another key replaces it.",
    ROTATION,
)
def revoked(p: Publication) -> None:
    p.accepted()
    p.put_keyring(2, [SECOND], [FIRST], revoked=[FIRST])
    p.refused(answers_nobody=True)
    p.publish([21], [7])
    p.restate(2, by=SECOND)
    p.accepted()


@case("keyrings/revocation-withheld", "A revocation that was learnt once counts, though it is withheld afterwards.")
def revocation_withheld(p: Publication) -> None:
    p.accepted()
    p.put_keyring(2, [SECOND], [FIRST], revoked=[FIRST])
    learnt = p.data(file_name(2))
    p.refused(answers_nobody=True)
    p.drop(file_name(2))
    p.publish_next()
    p.refused(answers_nobody=True)
    p.put(file_name(2), learnt)
    p.restate(2, by=SECOND)
    p.accepted()


@case("keyrings/revocation-taken-back", "A keyring that takes a revocation back is refused.")
def revocation_taken_back(p: Publication) -> None:
    p.put_keyring(2, [FIRST], [FIRST], revoked=[SECOND])
    p.accepted()
    p.publish_next()
    p.put_keyring(3, [FIRST], [FIRST])
    p.refused()


@case("keyrings/revoked-and-named", "A key that is revoked signs nothing, though the keyring names it still.")
def revoked_and_named(p: Publication) -> None:
    p.accepted()
    p.publish_next()
    p.put_keyring(2, [FIRST, SECOND], [FIRST], revoked=[SECOND])
    p.restate(2, by=SECOND)
    p.refused()


@case("keyrings/signed-by-a-revoked-key", "A key that is revoked signs no keyring.")
def signed_by_a_revoked_key(p: Publication) -> None:
    p.put_keyring(2, [FIRST, SECOND], [FIRST], revoked=[FIRST])
    p.put_keyring(3, [SECOND, STRANGER], [FIRST], revoked=[FIRST])
    p.restate(1, by=STRANGER)
    p.refused()


@case("keyrings/retired", "A retired key signs no version after its last; what it signed before is genuine.")
def retired(p: Publication) -> None:
    p.publish_next()
    p.publish_next()
    p.put_keyring(2, [SECOND, ring_key(FIRST.public, 2)], [FIRST, SECOND])
    p.refused()
    p.point(2)
    p.accepted()
    p.restate(3, by=SECOND)
    p.point(3)
    p.accepted()


@case(
    "keyrings/before-what-they-tell", "A first sync is not sent back to before the versions of which the keyring tells."
)
def before_what_they_tell(p: Publication) -> None:
    for key in (SECOND, THIRD):
        p.announce(key)
        p.rotate()
        p.publish_next()
    p.point(1)
    p.refused()
    p.point(3)
    p.accepted()


@case("keyrings/withheld", "Keyrings that are withheld take nothing back.")
def withheld(p: Publication) -> None:
    p.announce(SECOND)
    p.rotate()
    p.publish_next()
    p.revoke(FIRST)
    p.accepted()
    for number in (1, 2, 3, 4):
        p.drop(file_name(number))
    p.publish_next()
    p.restate(3, by=FIRST)
    p.refused()


@case("keyrings/old-pin", "A pin that no keyring names any more takes nothing back.")
def old_pin(p: Publication) -> None:
    first = {name: p.data(name) for name in (POINTER, manifest_of(1), signature_of(1))}
    p.publish_next()
    p.put_keyring(2, [SECOND], [FIRST])
    p.restate(2, by=SECOND)
    p.accepted()
    p.drop(file_name(2))
    for name, data in first.items():
        p.put(name, data)
    p.refused()


@case(
    "keyrings/fast-forward",
    "A stolen key has sent the reader far ahead; once it is revoked, the publisher's list is taken.",
    "test_new_timestamp_fast_forward_recovery, test_new_snapshot_fast_forward_recovery, "
    "test_targets_fast_forward_recovery",
)
def fast_forward(p: Publication) -> None:
    p.announce(SECOND)
    p.accepted()
    thief = p.fork(p.folder.parent / "thief")
    thief.publish([30], version=99)
    thief.accepted()
    p.rotate()
    p.publish_next()
    p.refused()
    p.revoke(FIRST)
    p.accepted()
    thief.refused()


@case("keyrings/theft-and-old-files", "After a theft, genuine files of a retired key do not bring an older list back.")
def theft_and_old_files(p: Publication) -> None:
    for key in (SECOND, THIRD):
        p.announce(key)
        p.rotate()
        p.publish_next()
    p.accepted()
    p.announce(STRANGER)
    p.rotate()
    p.publish([], [7])
    p.revoke(THIRD)
    newest = p.data(POINTER)
    p.point(2)
    p.refused(answers_nobody=True)
    p.put(POINTER, newest)
    p.accepted()


# -- subject keys ------------------------------------------------------------------------------------------------------

EARLIER = earlier_list_folder(OLD_SUBJECTS.key_id)


def reissue(p: Publication) -> None:
    """Publish the next version under the second subject key, and under the first beside it."""
    p.rotate_subjects(NEW_SUBJECTS)
    p.publish_next()


@case("subject-keys/new-key", "A reader with the new key takes the list that was issued again.")
def new_key(p: Publication) -> None:
    reissue(p)
    p.accepted(subject_keys=["second"])
    p.publish_next()
    p.accepted(subject_keys=["second"])


@case("subject-keys/both-keys", "A reader with both keys goes over to the new one, and everybody listed stays listed.")
def both_keys(p: Publication) -> None:
    p.accepted(subject_keys=["second", "first"])
    p.publish_next()
    p.accepted(subject_keys=["second", "first"])
    reissue(p)
    p.accepted(subject_keys=["second", "first"])
    p.publish_next()
    p.accepted(subject_keys=["second", "first"])


@case("subject-keys/old-key", "A reader with the old key follows the list that is published under it for thirty days.")
def old_key(p: Publication) -> None:
    p.accepted()
    reissue(p)
    p.accepted(list_of=EARLIER)
    p.publish_next()
    p.accepted(list_of=EARLIER)


@case("subject-keys/goes-over", "A reader that is given the new key goes over to it in the same version.")
def goes_over(p: Publication) -> None:
    p.accepted()
    reissue(p)
    p.accepted(list_of=EARLIER)
    p.accepted(subject_keys=["second", "first"])


@case(
    "subject-keys/unknown-key",
    "A reader without the list's subject key refuses the list: it could not look anybody up.",
)
def unknown_key(p: Publication) -> None:
    p.refused(subject_keys=["third"])


@case("subject-keys/over", "When the keys do not overlap any more, a reader with the old one refuses the list.")
def over(p: Publication) -> None:
    p.accepted()
    reissue(p)
    p.accepted(list_of=EARLIER)
    p.overlaps = False
    p.publish([33], after=EXPIRES_AFTER)
    shutil.rmtree(p.folder / EARLIER)
    p.refused()
    p.accepted(subject_keys=["second", "first"])


@case("subject-keys/left-there", "The list under the old key has expired, and lies there still.")
def left_there(p: Publication) -> None:
    p.accepted()
    reissue(p)
    p.accepted(list_of=EARLIER)
    p.overlaps = False
    p.publish([33], after=EXPIRES_AFTER)
    p.refused()


@case("subject-keys/of-three", "A reader with two keys of three follows the later of them.")
def of_three(p: Publication) -> None:
    reissue(p)
    p.rotate_subjects(NEWEST_SUBJECTS)
    p.publish_next()
    p.accepted(subject_keys=["second", "first"], list_of=earlier_list_folder(NEW_SUBJECTS.key_id))


@case("subject-keys/list-under-another-key", "The list in the folder of the old key is one under the new.")
def list_under_another_key(p: Publication) -> None:
    p.accepted()
    reissue(p)
    shutil.rmtree(p.folder / EARLIER)
    shutil.copytree(p.root, p.folder / EARLIER)
    p.refused()


@case("subject-keys/changed", "The list under the old key was changed.", "test_targets_hash_mismatch")
def changed(p: Publication) -> None:
    p.publish_next()
    reissue(p)
    path = p.folder / EARLIER / snapshot_of(3)
    right = path.read_bytes()
    path.unlink()
    path.write_bytes(flipped(right))
    p.refused()
    path.write_bytes(right)
    p.accepted(list_of=EARLIER)
