"""A later contract: its list begins beside the first one's, both go on, and one ends on a day that a person has set."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from typer.testing import CliRunner
from upath import UPath

from prakerja.blacklist.publisher import (
    audit,
    configured_keys,
    contracts_in_force,
    publishing,
    restoring,
    rotation,
    storage,
)
from prakerja.blacklist.publisher.list_keys import Keys
from prakerja.blacklist.publisher.storage import folder_under_key
from prakerja.blacklist.publisher.writing import write_sibling_lists
from prakerja.cli import app
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja_blacklist.format import keyring
from prakerja_blacklist.format.contract import FIRST_CONTRACT, POINTER
from prakerja_blacklist.format.snapshot import parse_delta
from prakerja_blacklist.reader.sources import Folder
from prakerja_blacklist.reader.sync import Client, Synced
from prakerja_blacklist.reader.verification import RefusedListError
from tests.support.later_contract import LATER, publish_by_it
from tests.support.published_list import AT, revoke, tree
from tests.support.publisher import (
    AFTER,
    NEXT,
    WHO,
    listed_to,
    manifest,
    pick,
    pointed,
    published,
    reader,
    signer,
    verified,
    versions,
)

FIRST = FIRST_CONTRACT.name
ENDS_ON = date(2021, 3, 18)
LAST, THEN = NEXT + timedelta(days=1), NEXT + timedelta(days=2)  # the last day before, and the day itself
WHY = {"because": "all have moved", "ended_by": "siti"}


def sync(client: Client, root: Path, at: datetime) -> Synced:
    return client.sync(Folder(UPath(root)), at)


def rows_of(root: Path, version: int, name: str) -> list[str]:
    return gzip.decompress((root / f"v{version:06d}" / name).read_bytes()).decode().splitlines()


# -- it begins, and both go on -----------------------------------------------------------------------------------------


def test_the_list_by_a_later_contract_begins_with_the_newest_version_and_both_go_on(
    both: Path, later: Path, home: Path
) -> None:
    first, second = reader(home / "first"), reader(home / "second")
    assert (verified(later), verified(both)) == ([1, 2], [2])
    assert (pointed(later), pointed(both)) == (2, 2)
    counts = manifest(both, 2).counts
    assert (manifest(both, 2).contract, counts.entries, counts.added, counts.withdrawn) == (LATER.name, 6, 6, 0)
    header, *rows = rows_of(both, 2, "snapshot.csv.gz")
    assert header == "subject,cohort,reason,effective_at,decision_id,revoked_on"
    assert [row.rpartition(",")[0] for row in rows] == rows_of(later, 2, "snapshot.csv.gz")[1:]
    assert {row.rpartition(",")[2] for row in rows} == {"2021-03-15"}
    table = parquet.read_table(BytesIO((both / "v000002" / "snapshot.parquet").read_bytes()))
    assert table.column_names == header.split(",")
    assert (sync(first, later, NEXT).how, sync(second, both, NEXT).how) == ("full", "full")
    assert listed_to(first) == listed_to(second) == AFTER

    revoke([8])
    assert published("third", LAST) == 3
    assert (sync(first, later, LAST).how, sync(second, both, LAST).how) == ("delta", "delta")
    assert listed_to(first) == listed_to(second) == AFTER | {8}
    (change,) = parse_delta(gzip.decompress((both / "v000003" / "delta.csv.gz").read_bytes()), LATER)
    assert change.op == "ADD"
    assert change.line.endswith(b",2021-03-15\n")
    assert (verified(later), verified(both)) == ([1, 2, 3], [2, 3])


def test_the_first_contract_s_list_is_the_same_bytes_whatever_is_published_beside_it(
    later: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("second", NEXT)
    alone = tree(later)
    with monkeypatch.context() as patch:
        publish_by_it(patch)
        published("second", NEXT)
        assert (later.parent / LATER.folder / POINTER).exists()
        assert {name: data for name, data in tree(later).items() if name in alone} == alone
        assert {*tree(later)} == {*alone}
    assert find_contracts() == [FIRST]


def find_contracts() -> list[str]:
    return [contract.name for contract in contracts_in_force.ContractsInForce.load().contracts]


def test_a_list_can_begin_with_the_first_version(
    listed: Path, home: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_by_it(monkeypatch)
    assert published("first") == 1
    root = listed.parent / LATER.folder
    assert (verified(listed), verified(root)) == ([1], [1])
    assert manifest(root, 1).counts.added == 5


def test_a_list_that_cannot_be_written_delays_no_other_and_is_brought_up(
    both: Path, later: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = both / "v000003" / "snapshot.csv.gz"
    in_the_way.parent.mkdir()
    in_the_way.write_bytes(b"somebody else's")
    revoke([8])
    assert published("third", LAST) == 3
    assert f"the list by {LATER.name} stays behind" in caplog.text
    assert (pointed(later), pointed(both)) == (3, 2)
    assert (verified(later), verified(both)) == ([1, 2, 3], [2])
    restored = restoring.restore()
    assert f"{LATER.folder}/v000003/snapshot.csv.gz" in restored.displaced
    revoke([9])
    assert published("fourth", THEN) == 4
    assert (verified(later), verified(both)) == ([1, 2, 3, 4], [2, 3, 4])
    client = reader(home / "reader")
    sync(client, both, THEN)
    assert listed_to(client) == AFTER | {8, 9}


def test_a_list_that_begins_has_the_people_of_the_published_one_whoever_is_in_the_warehouse_by_then(
    later: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    published("second", NEXT)
    revoke([10])
    pick(
        "with replica as (select set_config('session_replication_role', 'replica', true)), hidden as ("
        "insert into blacklist_changes (version, op, recipient_id, reason, entry)"
        " select 1, 'ADD', 10, 'NO_FIRST_PURCHASE', 1 from replica returning 1) select * from hidden"
    )
    publish_by_it(monkeypatch)
    write_sibling_lists(Keys.from_settings())
    assert "the list that is published is not what this warehouse has published" in caplog.text
    assert not (later.parent / LATER.folder / POINTER).exists()


def test_keys_lie_beside_each_list(own_keys: Path, both: Path, later: Path, home: Path) -> None:
    client = reader(home / "reader")
    sync(client, both, NEXT)
    old = signer()
    rotation.rotate_signing_key(NEXT, at_once=True, **WHO)
    keyrings = [path.name for path in (later / "keys").iterdir()]
    assert sorted(keyrings) == sorted(path.name for path in (both / "keys").iterdir())
    assert published("third", LAST) == 3
    publishing.revoke_key(old, LAST, **WHO)
    assert tree(later / "keys") == tree(both / "keys")
    synced = sync(client, both, LAST)
    assert (synced.trusted.version, synced.trusted.signing_key_id) == (3, signer())
    assert old in client.trusted().trust.revoked
    assert (verified(later), verified(both)) == ([1, 2, 3], [2, 3])


def test_the_later_list_goes_on_under_an_earlier_subjects_key_too(
    own_keys: Path, both: Path, later: Path, home: Path
) -> None:
    old = configured_keys.load_subject_key()
    client = reader(home / "reader", subject_keys=[old])
    sync(client, both, NEXT)
    rotation.rotate_subject_key(NEXT, **WHO)
    revoke([8])
    assert published("third", LAST) == 3
    earlier = Path(folder_under_key(UPath(both), old.key_id))
    assert earlier.name == f"{LATER.folder}-{old.key_id}"
    assert (manifest(earlier, 3).contract, manifest(both, 3).contract) == (LATER.name, LATER.name)
    assert (verified(both), verified(earlier, both)) == ([2, 3], [3])
    synced = sync(client, both, LAST)
    assert (synced.how, synced.trusted.contract, synced.trusted.key_id) == ("delta", LATER.name, old.key_id)
    assert listed_to(client) == AFTER | {8}
    before = tree(home / "publish")
    shutil.rmtree(home / "publish")
    assert restoring.restore().problems == []
    assert tree(home / "publish") == before


# -- one ends ----------------------------------------------------------------------------------------------------------


def test_after_a_contract_s_end_its_readers_keep_the_last_version_until_it_expires_and_the_others_go_on(
    both: Path, later: Path, home: Path
) -> None:
    first, second = reader(home / "first"), reader(home / "second")
    contracts_in_force.end_contract(FIRST, ENDS_ON, NEXT, **WHY)
    revoke([8])
    assert published("third", datetime(2021, 3, 17, 16, 59, 59, tzinfo=AT.tzinfo)) == 3, "the last second, WIB"
    assert (sync(first, later, THEN).trusted.version, sync(second, both, THEN).trusted.version) == (3, 3)
    revoke([9])
    assert published("fourth", datetime(2021, 3, 17, 17, tzinfo=AT.tzinfo)) == 4
    assert (pointed(later), pointed(both)) == (3, 4)
    assert sync(first, later, THEN).how == "unchanged"
    assert sync(second, both, THEN).how == "delta"
    assert (listed_to(first), listed_to(second)) == (AFTER | {8}, AFTER | {8, 9})
    with pytest.raises(RefusedListError, match="expired"):
        sync(first, later, LAST + timedelta(days=8))
    assert (verified(later), verified(both)) == ([1, 2, 3], [2, 3, 4])


def test_everything_here_goes_on_with_the_list_that_goes_on(ended: Path, later: Path, home: Path) -> None:
    assert Path(contracts_in_force.list_root()) == ended
    assert Path(storage.find_list(str(home / "publish"))) == ended
    revoke([10])
    assert published("fifth", THEN + timedelta(days=1)) == 5
    assert published("fifth", THEN + timedelta(days=1)) == 5, "again, nothing is left to do"
    assert (verified(later), verified(ended)) == ([1, 2, 3], [2, 3, 4, 5])
    assert pick("select version, contract from published_lists order by 1, 2") == [
        (1, FIRST), (2, FIRST), (2, LATER.name), (3, FIRST), (3, LATER.name), (4, LATER.name), (5, LATER.name),
    ]  # fmt: skip
    client = reader(home / "moved")
    sync(client, later, LAST)
    assert sync(client, ended, THEN + timedelta(days=1)).trusted.contract == LATER.name, (
        "a reader may move after the end, too"
    )
    assert not [line for line in audit.verify().problems if "blacklist" in line or "anchor" in line]


def test_an_ended_list_is_restored_with_the_others(ended: Path, later: Path, home: Path) -> None:
    before = tree(home / "publish")
    (later / POINTER).unlink()
    shutil.rmtree(ended)
    (later / "v000003" / "manifest.json").write_bytes(b"{}")
    restored = restoring.restore()
    assert (restored.version, restored.problems) == (4, [])
    after = {name: data for name, data in tree(home / "publish").items() if not name.startswith("displaced/")}
    assert after == before
    shutil.rmtree(home / "publish")
    with pytest.raises(PrakerjaError, match="prakerja blacklist restore"):
        published("fifth", THEN)
    assert restoring.restore().problems == []
    assert tree(home / "publish") == before


def test_keys_go_on_beside_an_ended_list(own_keys: Path, ended: Path, later: Path) -> None:
    rotation.rotate_signing_key(THEN, **WHO)
    assert keyring.file_name(2) in tree(later)
    assert tree(later / "keys") == tree(ended / "keys")


def test_the_list_is_published_anew_elsewhere_under_another_key(
    ended: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "anew"))
    assert restoring.republish(**WHO) == 4
    root = home / "anew" / LATER.folder
    assert verified(root) == [1, 2, 3, 4]
    assert not (home / "anew" / "blacklist").exists()


def test_a_contract_without_a_successor_does_not_end(later: Path) -> None:
    with pytest.raises(PrakerjaError, match="no list by another contract has the newest version"):
        contracts_in_force.end_contract(FIRST, ENDS_ON, NEXT, **WHY)


def test_a_contract_whose_successor_is_behind_does_not_end(later_by_two: Path, later: Path) -> None:
    with pytest.raises(PrakerjaError, match="no list by another contract has the newest version"):
        contracts_in_force.end_contract(FIRST, ENDS_ON, NEXT, **WHY)


@pytest.mark.parametrize(
    ("ends_on", "said"), [(date(2021, 3, 16), "is not to come"), (date(2021, 3, 1), "not to come")]
)
def test_a_contract_does_not_end_in_the_past(both: Path, ends_on: date, said: str) -> None:
    with pytest.raises(PrakerjaError, match=said):
        contracts_in_force.end_contract(FIRST, ends_on, NEXT, **WHY)


def test_the_day_may_be_moved_until_it_has_come(both: Path) -> None:
    contracts_in_force.end_contract(FIRST, ENDS_ON, NEXT, **WHY)
    contracts_in_force.end_contract(FIRST, ENDS_ON + timedelta(days=9), LAST, **WHY)
    assert contracts_in_force.ContractsInForce.load().ends_on == {FIRST: ENDS_ON + timedelta(days=9)}
    with pytest.raises(PrakerjaError, match="has ended on 2021-03-27"):
        contracts_in_force.end_contract(FIRST, date(2021, 5, 1), THEN + timedelta(days=9), **WHY)


def test_two_contracts_do_not_end_each_other(both: Path) -> None:
    contracts_in_force.end_contract(FIRST, ENDS_ON, NEXT, **WHY)
    with pytest.raises(PrakerjaError, match="no list by another contract"):
        contracts_in_force.end_contract(LATER.name, ENDS_ON, NEXT, **WHY)


def test_without_the_contract_that_goes_on_nothing_is_published(
    ended: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programme().blacklist, "further_contracts", [])
    before = tree(home / "publish")
    with pytest.raises(PrakerjaError, match="name a later contract in program"):
        published("fifth", THEN + timedelta(days=1))
    assert tree(home / "publish") == before
    assert len(versions()) == 4


def test_a_contract_that_this_release_does_not_know_is_not_published_by(
    later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programme().blacklist, "further_contracts", ["prakerja.blacklist/9"])
    with pytest.raises(PrakerjaError, match=r"program\.yaml is of the contract prakerja.blacklist/9"):
        published("second", NEXT)


# -- commands ----------------------------------------------------------------------------------------------------------


def run(*arguments: Any) -> str:
    result = CliRunner().invoke(app, ["blacklist", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output


def test_the_commands_say_which_lists_there_are_and_when_one_ends(both: Path, later: Path) -> None:
    verified_by_command = run("verify")
    assert f"{later}: 2 versions are whole and signed" in verified_by_command
    assert f"{both}: 1 versions are whole and signed" in verified_by_command
    assert "1 versions are whole" in run("verify", both)
    ended = run("end-contract", FIRST, "--from", "2999-01-01", "--because", "all have moved", "--as", "siti")
    assert f"{FIRST} ends: no version is published by it from 2999-01-01 on" in ended
    status = run("status")
    assert f"{FIRST}: blacklist, version 2, no version from 2999-01-01 on" in status
    assert f"{LATER.name}: blacklist-format-2, version 2\n" in status
    assert pick("select contract, ends_on::text, because, ended_by, entry is not null from contract_ends") == [
        (FIRST, "2999-01-01", "all have moved", "siti", True)
    ]
    assert json.loads((later / POINTER).read_bytes())["version"] == 2
