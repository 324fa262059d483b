"""Publishers at once, a lock that was lost, and other warehouses over the same folder."""

from __future__ import annotations

import contextlib
import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import configured_keys
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format import snapshot
from prakerja_blacklist.format.contract import FIRST_CONTRACT, POINTER
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.reader.sources import Folder
from tests.support.killed_publisher import DONE, FORKS, LIST, exit_codes, watched
from tests.support.published_list import AT, revoke, tree
from tests.support.publisher import (
    NEXT,
    everything_in,
    manifest,
    pick,
    pointed,
    published,
    reader,
    undisturbed,
    verified,
    versions,
)


@pytest.mark.parametrize("occasions", [["one"] * 4, ["one", "two", "three", "four"]], ids=["the same", "different"])
def test_publishers_at_once_give_each_number_once_and_an_occasion_one_version(
    place: UPath, home: Path, occasions: list[str]
) -> None:
    together = FORKS.Barrier(len(occasions))
    assert exit_codes(*((occasion, AT, "", together) for occasion in occasions)) == [0] * len(occasions)
    numbers = list(range(1, len(set(occasions)) + 1))
    assert sorted(occasion for _, occasion in versions()) == sorted(set(occasions))
    assert [version for version, _ in versions()] == numbers
    assert verified(place) == numbers
    assert everything_in(place.parent) == undisturbed(home / "undisturbed", "one", AT)


def test_a_publisher_that_waited_for_another_publishes_nothing_older_than_its_version(listed: Path, home: Path) -> None:
    """The instant must be taken after the wait: a reader refuses a version that is older than the last."""
    client = reader(home / "reader")
    published("first", AT + timedelta(seconds=2))
    client.sync(Folder(UPath(listed)), AT + timedelta(seconds=2))
    assert published("waited", AT) == 2
    assert client.sync(Folder(UPath(listed)), AT + timedelta(seconds=2)).trusted.version == 2
    assert manifest(listed, 2).created_at >= manifest(listed, 1).created_at


@pytest.mark.parametrize(
    "step",
    [
        "with the lock", "after the commit", "after the seal", f"before {LIST[0]}", f"before {LIST[3]}",
        f"before {LIST[-1]}", f"in the middle of {LIST[-1]}", DONE,
    ],
)  # fmt: skip
def test_a_publisher_that_lost_its_lock_does_not_turn_the_pointer_back(later: Path, home: Path, step: str) -> None:
    """Its connection is lost, another publisher publishes the next version, and the first one continues."""
    others = []

    def reached(now: str) -> None:
        if now == step and not others:
            others.append("third")
            pick(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted"
                " and database = (select oid from pg_database where datname = current_database())"
            )
            revoke([8])
            published("third", NEXT)

    with watched(reached), contextlib.suppress(PrakerjaError):  # what it had half written may have been cleared away
        published("second", NEXT)
    assert others
    assert pointed(later) == len(versions()) == 3
    published("second", NEXT)
    assert len(versions()) == 3
    assert verified(later) == [1, 2, 3]
    assert tree(home / "publish") == undisturbed(home / "undisturbed", "second", NEXT)


def test_a_list_that_has_more_versions_of_this_warehouse_asks_for_a_later_backup(later: Path) -> None:
    published("second", NEXT)
    before = tree(later)
    with warehouse.transaction(as_owner=True) as connection:  # what a warehouse looks like that published once
        for table in ("blacklist_changes", "published_lists", "blacklist_versions"):
            connection.exec_driver_sql(f"delete from {table} where version = 2")
        connection.exec_driver_sql("delete from published_documents where name ~ 'v000002'")
    with pytest.raises(PrakerjaError, match="is older than its list: it knows 1 versions"):
        published("third", NEXT)
    assert tree(later) == before
    assert len(versions()) == 1


@pytest.mark.parametrize("knows", [1, 2, 3])
def test_two_warehouses_cannot_share_a_folder(later: Path, home: Path, knows: int, monkeypatch: Any) -> None:
    """This holds for any number of versions published elsewhere, and with the same keys."""
    before = tree(home / "publish")
    with warehouse.transaction(as_owner=True) as connection:  # the other warehouse: of other people
        connection.exec_driver_sql("update blacklist_changes set recipient_id = 6 where recipient_id = 1")
        connection.exec_driver_sql("delete from published_lists")
        connection.exec_driver_sql("delete from published_documents")
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "elsewhere"))
    for number in range(2, knows + 1):
        assert published(f"of its own {number}") == number
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "publish"))
    with pytest.raises(PrakerjaError, match="is not what this warehouse has published"):
        published("another", NEXT)
    assert tree(home / "publish") == before


def test_a_warehouse_that_no_longer_yields_its_published_list_publishes_no_other(
    later: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update blacklist_changes set recipient_id = 6 where recipient_id = 1")
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "elsewhere"))
    with pytest.raises(PrakerjaError, match="another list than this warehouse has published as version 1"):
        published("second", NEXT)
    assert not (home / "elsewhere" / "blacklist" / POINTER).exists()


def test_nobody_is_listed_by_an_earlier_entry_with_a_valid_signature(later: Path) -> None:
    """A thief with the signing key can write a list. The next list is built from what this warehouse has published."""
    folder = later / "v000001"
    data = (folder / "manifest.json").read_bytes()
    bent = gzip.decompress((folder / "snapshot.csv.gz").read_bytes()).replace(b",12,", b",13,", 1)
    (folder / "snapshot.csv.gz").write_bytes(gzip.compress(bent))
    contents = json.loads(data) | {"result_sha256": snapshot.sha256(bent)}
    data = canonical_json(FIRST_CONTRACT.manifest(**contents))
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.json.sig").write_bytes(configured_keys.load_signing_key().sign(data))
    before = tree(later)
    with pytest.raises(PrakerjaError, match="is not what this warehouse has published"):
        published("second", NEXT)
    assert tree(later) == before


def test_a_list_from_before_digests_were_kept_is_held_against_everybody(later: Path, home: Path) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("delete from published_lists")
        connection.exec_driver_sql("delete from published_documents")
    published("second", NEXT)
    assert verified(later) == [1, 2]
    assert tree(home / "publish") == undisturbed(home / "undisturbed", "second", NEXT)
