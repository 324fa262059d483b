"""A list that changes by more than its bound stops until a person lets exactly that change through."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from prakerja import warehouse
from prakerja.blacklist.publisher import audit, pending
from prakerja.blacklist.publisher.pending import OutOfBoundsError
from prakerja.errors import PrakerjaError
from prakerja.run_context import replaying
from prakerja_blacklist.format.contract import POINTER
from tests.support.published_list import AT, reinstate, revoke, tree
from tests.support.publisher import NEXT, broken_off, pick, published, verified


def stopped(occasion: str, at: datetime = AT, **how: Any) -> str:
    """The digest of a list that stops, as it is said."""
    with pytest.raises(OutOfBoundsError) as caught:
        published(occasion, at, **how)
    told = re.search(r"prakerja blacklist approve --digest ([0-9a-f]{16})$", str(caught.value))
    assert told, caught.value
    return told[1]


def contents() -> dict[str, int]:
    """How many rows each table has."""
    tables = [name for (name,) in pick("select tablename from pg_tables where schemaname = 'public'")]
    return {name: pick(f"select count(*) from {name}")[0][0] for name in tables if not name.endswith("_locks")}


@pytest.mark.parametrize(
    ("changes", "inside", "outside"),
    [
        ("two are added to five", {"grows_free": 2}, {"grows_free": 1}),
        (
            "two are added to five",
            {"grows_free": 1, "grows_share_max": 0.4},
            {"grows_free": 1, "grows_share_max": 0.39},
        ),
        ("two are withdrawn of five", {"shrinks_free": 2}, {"shrinks_free": 1}),
        (
            "two are withdrawn of five",
            {"shrinks_free": 1, "shrinks_share_max": 0.4},
            {"shrinks_free": 1, "shrinks_share_max": 0.39},
        ),
    ],
)
def test_a_list_that_changes_by_more_than_its_bound_stops_and_at_the_bound_it_does_not(
    listed: Path, home: Path, bound: Any, changes: str, inside: Any, outside: Any
) -> None:
    published("first")
    if "added" in changes:
        revoke([6, 7])
    else:
        reinstate(1)
        reinstate(2)
    before, rows = tree(home / "publish"), contents()
    bound(**outside)
    stopped("second", NEXT)
    assert (tree(home / "publish"), contents()) == (before, rows), "nothing is published, and no version left"
    bound(**inside)
    assert published("second", NEXT) == 2


def test_the_first_list_stops_too(listed: Path, bound: Any) -> None:
    bound(grows_free=4)
    stopped("first")
    assert not listed.exists() or POINTER not in tree(listed)
    bound(grows_free=5)
    assert published("first") == 1


def test_a_person_lets_exactly_these_changes_through(listed: Path, bound: Any) -> None:
    bound(grows_free=4)
    digest = stopped("first")
    (waiting,) = pending.list_unusual_changes(AT.date())
    assert (waiting.added, waiting.withdrawn, waiting.listed_before) == (5, 0, 0)
    assert waiting.digest.startswith(digest)
    approved = pending.approve_unusual_change(digest, AT.date(), because="the largest cohort", approved_by="Ani")
    assert approved == waiting
    assert pending.list_unusual_changes(AT.date()) == []
    revoke([6])
    other = stopped("first")
    assert other != digest, "another change is another approval"
    pending.approve_unusual_change(other.upper(), AT.date(), because="one more", approved_by="Budi")
    assert published("first") == 1
    assert pick(
        "select approved_by, because, approved_on, is_recorded_in_advance from publication_approvals order by 1"
    ) == [("Ani", "the largest cohort", AT.date(), False), ("Budi", "one more", AT.date(), False)]
    assert verified(listed) == [1]


@pytest.mark.parametrize("bent", ["too short", "empty", "another", "turned"])
def test_another_digest_is_refused(listed: Path, bound: Any, bent: str) -> None:
    bound(grows_free=4)
    digest = stopped("first")
    digest = {"too short": digest[:15], "empty": "", "another": "0" * 16, "turned": digest[::-1]}[bent]
    with pytest.raises(PrakerjaError, match="waits for approval"):
        pending.approve_unusual_change(digest, AT.date(), because="why", approved_by="Ani")
    assert pick("select * from publication_approvals") == []
    stopped("first")


def test_a_change_within_its_bounds_waits_for_nobody(listed: Path) -> None:
    assert pending.list_unusual_changes(AT.date()) == []
    with pytest.raises(PrakerjaError, match="waits for approval"):
        pending.approve_unusual_change("0" * 16, AT.date(), because="why", approved_by="Ani")


def test_a_replay_answers_in_advance_and_is_recorded_so(listed: Path, bound: Any) -> None:
    bound(grows_free=4)
    with replaying():
        assert published("first", approve_as="Siti") == 1
        assert published("second", NEXT, approve_as="Siti") == 2, "it needs no approval"
    assert pick("select approved_by, is_recorded_in_advance from publication_approvals") == [("Siti", True)]


def test_a_replay_that_broke_off_has_recorded_who_answered(
    listed: Path, bound: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound(grows_free=4)
    with replaying():
        broken_off(monkeypatch, pending, "record_approval", lambda: published("first", approve_as="Siti"))
        assert published("first", approve_as="Siti") == 1
    assert pick("select approved_by, is_recorded_in_advance from publication_approvals") == [("Siti", True)]


def test_looking_at_what_waits_leaves_nothing_behind(listed: Path, bound: Any) -> None:
    bound(grows_free=4)
    before, problems = contents(), audit.verify().problems
    assert pending.list_unusual_changes(AT.date())
    assert (contents(), audit.verify().problems) == (before, problems)
    bound()
    assert published("first") == 1
    assert audit.verify().problems == problems


def test_what_stops_the_daily_can_be_approved_on_the_day_of_a_deadline(listed: Path, bound: Any) -> None:
    """The daily leaves the day's own revocations to the deadline's run: its changes are not all that wait."""
    published("first")
    for recipient in (1, 2):
        reinstate(recipient)
    revoke([6, 7])
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql("update revocations set revoked_on = '2021-03-16' where recipient_id > 5")
    bound(shrinks_free=1)
    digest = stopped("daily", NEXT, is_daily=True)
    pending.approve_unusual_change(digest, NEXT.date(), because="an extended deadline", approved_by="Ani")
    assert published("daily", NEXT, is_daily=True) == 3, "the second proved that the day was looked at"
