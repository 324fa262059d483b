"""Changes that wait for a person keep no other change waiting: withdrawals are published first of all."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from prakerja.blacklist.publisher import audit, pending, rotation
from prakerja.blacklist.publisher.pending import OutOfBoundsError
from prakerja.monitor import overview
from prakerja.run_context import replaying
from prakerja_blacklist.reader.sources import Folder
from tests.support.killed_publisher import steps, watched
from tests.support.published_list import AT, reinstate, revoke, tree
from tests.support.publisher import NEXT, listed_to, pick, published, reader, verified, versions

LATER = NEXT + timedelta(days=1)


def waits(occasion: str, at: datetime = NEXT, **how: Any) -> list[str]:
    """The digests that a publication says wait, when it fails."""
    with pytest.raises(OutOfBoundsError) as caught:
        published(occasion, at, **how)
    assert "\n" not in str(caught.value)
    return re.findall(r"prakerja blacklist approve --digest ([0-9a-f]{16})", str(caught.value))


def changes(version: int) -> list[tuple[str, int]]:
    return pick(f"select op, recipient_id from blacklist_changes where version = {version} order by op, recipient_id")


def approve(digest: str, at: datetime = NEXT) -> pending.UnusualChange:
    return pending.approve_unusual_change(digest, at.date(), because="a large cohort", approved_by="ani")


@pytest.mark.parametrize("is_daily", [False, True])
def test_who_was_reinstated_is_withdrawn_while_additions_wait(growing: Path, home: Path, is_daily: bool) -> None:
    (digest,) = waits("second", is_daily=is_daily)
    assert changes(2) == [("WITHDRAW", 1)]
    assert verified(growing) == [1, 2]
    client = reader(home / "reader")
    client.sync(Folder(UPath(growing)), NEXT)
    assert listed_to(client) == {2, 3, 4, 5}
    # The digest is of what waits by now, whatever was published meanwhile; said again, nothing more is published.
    assert waits("second", is_daily=is_daily) == [digest]
    assert [version for version, _ in versions()] == [1, 2]
    (waiting,) = pending.list_unusual_changes(NEXT.date())
    assert (waiting.added, waiting.withdrawn, waiting.digest[:16]) == (2, 0, digest)
    assert approve(digest) == waiting
    assert pending.list_unusual_changes(NEXT.date()) == []
    assert published("second", NEXT, is_daily=is_daily) == 3
    assert changes(3) == [("ADD", 6), ("ADD", 7)]
    assert published("second", NEXT, is_daily=is_daily) in (3, None), "an occasion has done what it can"
    assert verified(growing) == [1, 2, 3]
    assert not [problem for problem in audit.verify().problems if "version" in problem]


def test_what_waits_is_told_with_what_was_published(growing: Path) -> None:
    with pytest.raises(OutOfBoundsError, match="second: version 2 lacks what waits: of 5 listed, 2 would be added"):
        published("second", NEXT)
    with pytest.raises(OutOfBoundsError, match="third: of 4 listed, 2 would be added"):
        published("third", NEXT)


def test_additions_are_published_while_withdrawals_wait(listed: Path, bound: Any) -> None:
    published("first")
    for recipient in (1, 2):
        reinstate(recipient)
    revoke([6])
    bound(shrinks_free=1)
    (digest,) = waits("second")
    assert changes(2) == [("ADD", 6)]
    assert waits("second") == [digest]
    assert approve(digest).withdrawn == 2
    assert published("second", NEXT) == 3
    assert changes(3) == [("WITHDRAW", 1), ("WITHDRAW", 2)]


def test_both_wait_by_digests_of_their_own_and_each_is_let_through_alone(listed: Path, bound: Any) -> None:
    published("first")
    for recipient in (1, 2):
        reinstate(recipient)
    revoke([6, 7])
    bound(shrinks_free=1, grows_free=1)
    before = tree(listed)
    digests = waits("second")
    assert len(set(digests)) == 2
    assert tree(listed) == before, "there was nothing that may be published"
    assert len(versions()) == 1
    withdrawals = next(jump for jump in pending.list_unusual_changes(NEXT.date()) if jump.withdrawn)
    approve(withdrawals.digest)
    assert waits("second") == [digest for digest in digests if not withdrawals.digest.startswith(digest)]
    assert changes(2) == [("WITHDRAW", 1), ("WITHDRAW", 2)]


def test_another_addition_is_another_approval(growing: Path) -> None:
    (digest,) = waits("second")
    approve(digest)
    revoke([8])
    (other,) = waits("second")
    assert other != digest
    assert len(versions()) == 2


def test_a_day_whose_only_changes_wait_has_a_version_so_that_the_list_stays_fresh(growing: Path) -> None:
    """A list must not expire because additions wait for somebody for a week."""
    waits("second", is_daily=True)
    waits("third", LATER, is_daily=True)
    assert [version for version, _ in versions()] == [1, 2, 3]
    assert changes(3) == []
    waits("third", LATER, is_daily=True)
    assert len(versions()) == 3, "one a day"


def test_a_new_key_waits_for_no_addition(own_keys: Path, growing: Path) -> None:
    rotation.rotate_subject_key(NEXT, because="drill", answered_by="siti")
    waits("second")
    assert pick("select count(distinct key_id) from blacklist_versions") == [(2,)]


def test_a_replay_answers_in_advance_for_all_that_would_wait(growing: Path) -> None:
    with replaying():
        assert published("second", NEXT, approve_as="siti") == 2
    assert changes(2) == [("ADD", 6), ("ADD", 7), ("WITHDRAW", 1)]


@pytest.mark.parametrize("step", steps("later", halves=False))
def test_a_publisher_that_dies_while_additions_wait_is_finished_by_the_next(growing: Path, step: str) -> None:
    class DiedError(BaseException):
        pass

    def reached(now: str) -> None:
        if now == step:
            raise DiedError

    with watched(reached), pytest.raises(DiedError):
        published("second", NEXT)
    (digest,) = waits("second")
    assert verified(growing) == [1, 2]
    approve(digest)
    assert published("second", NEXT) == 3
    assert (changes(2), changes(3)) == ([("WITHDRAW", 1)], [("ADD", 6), ("ADD", 7)])


def test_the_monitor_says_what_waits_from_the_next_day_on(growing: Path) -> None:
    """What happened today has its version in the night."""

    def needs(at: datetime) -> list[str]:
        return [need.what for need in overview.page(at)["needs"] if "listed" in need.what]

    assert needs(AT) == []
    assert [told.partition(":")[0] for told in needs(LATER)] == [
        "1 reinstated are still listed",
        "2 revoked are not listed",
    ]
    waits("second")
    assert [told.partition(":")[0] for told in needs(LATER)] == ["2 revoked are not listed"]
    approve(pending.list_unusual_changes(NEXT.date())[0].digest)
    published("second", NEXT)
    assert needs(LATER) == []
