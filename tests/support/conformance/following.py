"""A reader follows the list, answers by it, and is not sent back or held up."""

from __future__ import annotations

import gzip
from datetime import timedelta

from prakerja_blacklist.format.contract import CLOCK_SKEW, format_instant
from tests.support.conformance.kit import LISTED, Publication, case
from tests.support.simulated_publisher import (
    AT,
    EXPIRES_AFTER,
    delta_of,
    list_of,
    manifest_of,
    signature_of,
    snapshot_of,
)

SECOND = timedelta(seconds=1)

# -- following ---------------------------------------------------------------------------------------------------------


@case("following/first-sync", "The first sync takes the list.", "test_basic_refresh_trusted_data")
def first_sync(p: Publication) -> None:
    p.accepted()


@case("following/first-sync-later", "The first sync takes a later version, whose deltas it cannot use.")
def first_sync_later(p: Publication) -> None:
    p.publish_next()
    p.publish_next()
    p.accepted()


@case("following/nothing-new", "The same list again is accepted.", "test_basic_refresh_requests")
def nothing_new(p: Publication) -> None:
    p.accepted()
    p.accepted(now=p.now + timedelta(hours=5))


@case("following/next-version", "The next version is taken, by its delta or whole.", "test_multiple_changes_to_target")
def next_version(p: Publication) -> None:
    p.accepted()
    p.publish_next()
    p.accepted()


@case("following/every-version", "Each version is taken when it is published.", "test_multiple_changes_to_target")
def every_version(p: Publication) -> None:
    p.accepted()
    for _ in range(4):
        p.publish_next()
        p.accepted()


@case("following/several-versions", "A reader that missed versions takes the newest, by a chain of deltas or whole.")
def several_versions(p: Publication) -> None:
    p.accepted()
    for _ in range(4):
        p.publish_next()
    p.accepted()


@case("following/without-deltas", "A reader that is two versions behind takes the whole list where deltas are missing.")
def without_deltas(p: Publication) -> None:
    p.accepted()
    p.publish_without_deltas()
    p.accepted()


@case("following/a-gap", "A version that does not follow directly is taken; the versions between are not there.")
def a_gap(p: Publication) -> None:
    p.accepted()
    p.publish([21], [7], version=40, after=timedelta(days=2))
    p.accepted()


@case("following/empty", "A list may become empty, and be filled again.")
def empty(p: Publication) -> None:
    p.accepted()
    p.publish([], LISTED)
    p.accepted()
    p.publish()
    p.accepted()
    p.publish([3, 21])
    p.accepted()


@case(
    "following/own-list-expired",
    "A reader whose own list has expired takes the next.",
    "test_expired_local_timestamp, test_expired_local_root",
)
def own_list_expired(p: Publication) -> None:
    p.accepted()
    p.publish([21], [7], after=EXPIRES_AFTER * 3)
    p.accepted()


@case("following/packed-otherwise", "How the list is compressed is the publisher's choice.")
def packed_otherwise(p: Publication) -> None:
    p.declare(snapshot_of(1), gzip.compress(list_of(p.listed()), 1, mtime=1))
    p.accepted()


@case("following/other-files", "Files of which the contract does not speak are ignored.", "test_custom_fields")
def other_files(p: Publication) -> None:
    p.put("v000001/chain.json", b'{"contract":"prakerja.chain/1"}\n')
    p.put("v000001/notes.txt", b"somebody's notes\n")
    p.put("keys/README", b"whose keys these are\n")
    p.put("index.html", b"<html></html>\n")
    p.accepted()


@case(
    "following/manifest-written-otherwise",
    "A manifest counts as its bytes, however its JSON is written.",
    "test_metadata_bytes_match",
)
def manifest_written_otherwise(p: Publication) -> None:
    p.sign(b"\n" + p.data(manifest_of(1)).replace(b",", b" ,\r\n\t").replace(b"prakerja", b"\\u0070rakerja") + b" ", 1)
    p.point(1)
    p.accepted()
    p.publish_next()
    p.accepted()


# -- answers -----------------------------------------------------------------------------------------------------------


@case("answers/listed-or-not", "Listed people are listed, and nobody else.", "test_client_downloads_expected_file")
def listed_or_not(p: Publication) -> None:
    p.publish([21, 22, 23], [1, 2], cohort=13)
    p.accepted()


@case("answers/reinstated", "Who was withdrawn is not listed any more.")
def reinstated(p: Publication) -> None:
    p.accepted()
    p.publish([], [7])
    p.accepted()


@case("answers/reinstated-meanwhile", "Who was withdrawn while the reader was away is not listed any more.")
def reinstated_meanwhile(p: Publication) -> None:
    p.accepted()
    p.publish([], [7, 8])
    p.publish([21], [])
    p.publish([8], [])
    p.accepted()


@case("answers/listed-again", "Who was withdrawn can be listed again, for another cohort.")
def listed_again(p: Publication) -> None:
    p.accepted()
    p.publish([], [7])
    p.accepted()
    p.publish([7], [], cohort=13)
    p.accepted()


@case("answers/moved", "One delta withdraws a person and lists the same person for another cohort.")
def moved(p: Publication) -> None:
    p.accepted()
    p.publish([7], [7], cohort=13)
    p.accepted()


@case("answers/added-and-withdrawn", "Who was listed and withdrawn while the reader was away was never listed for it.")
def added_and_withdrawn(p: Publication) -> None:
    p.accepted()
    p.publish([21], [])
    p.publish([], [21])
    p.accepted()


# -- rollback ----------------------------------------------------------------------------------------------------------


@case(
    "rollback/pointer-goes-back",
    "An older version than the trusted one is refused; the newest is accepted again.",
    "test_new_timestamp_version_rollback, test_snapshot_rollback, test_targets_rollback",
)
def pointer_goes_back(p: Publication) -> None:
    p.publish_next()
    p.accepted()
    p.point(1)
    p.refused()
    p.point(2)
    p.accepted()


@case("rollback/own-list-expired", "An older version is refused, though it is signed anew and one's own has expired.")
def back_though_expired(p: Publication) -> None:
    p.publish_next()
    p.accepted()
    later = p.at + EXPIRES_AFTER * 2
    p.restate(1, created_at=format_instant(later), expires_at=format_instant(later + EXPIRES_AFTER))
    p.point(1)
    p.refused(now=later + timedelta(hours=1))


@case(
    "rollback/two-of-one-version", "Another list of the trusted version is refused.", "test_timestamp_content_changes"
)
def two_of_one_version(p: Publication) -> None:
    other = p.fork(p.folder.parent / "other")
    p.publish([21])
    p.accepted()
    other.publish([22])
    other.refused()
    p.accepted()


@case("rollback/signed-anew", "The trusted version with another manifest is refused.", "test_timestamp_content_changes")
def signed_anew(p: Publication) -> None:
    p.accepted()
    p.restate(1, data_as_of={"tokopedia": "2021-03-20"})
    p.refused()


@case("rollback/next-is-older", "A next version that was made before the trusted one is refused.")
def next_is_older(p: Publication) -> None:
    p.accepted()
    p.publish([21], after=timedelta(seconds=-1))
    p.refused(now=AT + timedelta(hours=1))


@case("rollback/far-ahead", "A version that is thousands ahead within an hour was not published, but made up.")
def far_ahead(p: Publication) -> None:
    p.accepted()
    p.publish([21], version=5000, after=timedelta(hours=1))
    p.refused()


# -- expiry ------------------------------------------------------------------------------------------------------------


@case(
    "expiry/frozen",
    "A list that is not replaced is refused from the second of its expiry on.",
    "test_timestamp_expired",
)
def frozen(p: Publication) -> None:
    expires_at = p.at + EXPIRES_AFTER
    p.accepted()
    p.accepted(now=expires_at - SECOND)
    p.refused(now=expires_at)
    p.refused(now=expires_at + timedelta(days=30))
    p.at += timedelta(days=36)
    p.publish_next()
    p.accepted()


@case("expiry/first-sync", "A list that has expired is not taken at first.", "test_root_expired, test_snapshot_expired")
def first_sync_expired(p: Publication) -> None:
    p.refused(now=p.at + EXPIRES_AFTER)
    p.accepted(now=p.at + EXPIRES_AFTER - SECOND)


@case(
    "expiry/newer-version",
    "A newer version that has expired is refused.",
    "test_targets_expired, test_snapshot_expired",
)
def newer_version_expired(p: Publication) -> None:
    p.accepted()
    p.publish_next()
    p.restate(2, expires_at=format_instant(p.at))
    p.refused()


@case("expiry/from-the-future", "A list that says that it was made in more than an hour is refused.", "test_faketime")
def from_the_future(p: Publication) -> None:
    p.refused(now=p.at - CLOCK_SKEW - SECOND)
    p.accepted(now=p.at - CLOCK_SKEW)


# -- interruption ------------------------------------------------------------------------------------------------------


def interrupt(name: str, title: str, *missing: str, like: str = "") -> None:
    """Register a case whose source lacks files of version 3, and has them at last."""

    @case(f"interruption/{name}", title, like)
    def interrupted(p: Publication) -> None:
        p.accepted()
        p.publish_without_deltas()
        kept = {file: p.data(file) for file in missing}
        for file in missing:
            p.drop(file)
        p.refused()
        for file, data in kept.items():
            p.put(file, data)
        p.accepted()


interrupt("no-pointer", "No pointer is there.", "latest.json", like="test_timestamp_404")
interrupt("no-manifest", "The manifest is not there.", manifest_of(3), like="test_snapshot_404")
interrupt("no-signature", "The signature is not there.", signature_of(3), like="test_snapshot_404")
interrupt("no-list", "The list is not there.", snapshot_of(3), like="test_targets_404")
interrupt(
    "no-version",
    "The pointer is there, and nothing of its version.",
    manifest_of(3),
    signature_of(3),
    snapshot_of(3),
    like="test_snapshot_404, test_targets_404",
)


@case("interruption/nothing-there", "At first there is nothing, then half of the list, then all of it.")
def nothing_there(p: Publication) -> None:
    snapshot = p.data(snapshot_of(1))
    pointer = p.data("latest.json")
    p.drop("latest.json")
    p.drop(snapshot_of(1))
    p.refused()
    p.put("latest.json", pointer)
    p.refused()
    p.put(snapshot_of(1), snapshot[: len(snapshot) // 2])
    p.refused()
    p.put(snapshot_of(1), snapshot)
    p.accepted()


@case("interruption/half-a-delta", "Half of the delta is there; the whole list is.")
def half_a_delta(p: Publication) -> None:
    p.accepted()
    p.publish_next()
    delta = p.data(delta_of(2))
    p.put(delta_of(2), delta[: len(delta) // 2])
    p.either()
    p.put(delta_of(2), delta)
    p.accepted()


@case("interruption/killed", "A reader that is killed while it syncs holds the list before or the new one.")
def killed(p: Publication) -> None:
    p.accepted()
    p.publish([*range(21, 31)], [*range(1, 11)])
    p.accepted(is_killed=True)
