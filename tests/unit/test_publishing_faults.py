"""What a publisher meets: death at any step, a lost lock, others, an object storage, lists that jump, keys that change.

Publishers that die are processes, forked from a server that has no threads; they die by SIGKILL, at a named step.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import multiprocessing
import os
import random
import re
import signal
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from upath import UPath

from prakerja import warehouse
from prakerja.blacklist import (
    audit,
    keyring,
    publishing,
    rotation,
    signing,
    snapshot,
    sources,
    storage,
    verification,
)
from prakerja.blacklist.client import Client, RefusedListError
from prakerja.blacklist.contract import Manifest, canonical_json, parsed
from prakerja.blacklist.keyring import UntrustedError
from prakerja.blacklist.publishing import OutOfBoundsError
from prakerja.blacklist.snapshot import HEADER, applied, net, parsed_delta, result_sha256
from prakerja.blacklist.sources import POINTER, Folder, under_key
from prakerja.cli import app
from prakerja.errors import NotReadyError, PrakerjaError
from prakerja.settings import WIB, Settings, new_random_key, new_signing_key, program
from tests import object_storage
from tests.unit import test_blacklist
from tests.unit.test_blacklist import AT, reinstate, revoke, tree

bucket, listed = object_storage.bucket, test_blacklist.listed  # fixtures

NEXT = AT + timedelta(days=1)
WHO = {"because": "drill", "answered_by": "Siti"}

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        __name__, "cryptography.hazmat.primitives.serialization", "pandas", "psycopg", "pyarrow.compute", "pyarrow.csv",
        "pyarrow.parquet", "s3fs", "sqlalchemy.dialects.postgresql.psycopg",
    ]
)  # fmt: skip


# -- the steps of a publisher ------------------------------------------------------------------------------------------

ANCHOR = ("audit/v*.json", "audit/v*.json.sig")
LIST = tuple(
    f"blacklist/{name}"
    for name in (
        "v*/snapshot.csv.gz", "v*/snapshot.parquet", "v*/delta.csv.gz", "v*/manifest.json", "v*/manifest.json.sig",
        POINTER,
    )
)  # fmt: skip
EARLIER_LIST = tuple(name.replace("blacklist/", "blacklist-*/") for name in LIST)
KEYS = ("blacklist/keys/*.pem", "blacklist/keys/keyring-*.json")

#: What a publisher writes, in order: of the first version, of a later one, and of the first under a new subject key.
WRITES = {
    "first": (*KEYS, *ANCHOR, *LIST),
    "later": (*ANCHOR, *LIST),
    "rekeyed": (*ANCHOR, *EARLIER_LIST, *LIST),
}
IN_THE_WAREHOUSE = (
    "with the lock", "before insert_version", "before insert_changes", "before the commit", "after the commit",
    "after the seal",
)  # fmt: skip
DONE = f"after blacklist/{POINTER}"


def steps(case: str, *, halves: bool = True) -> list[str]:
    """Every step of a publisher, in order; after a file is before the next. An object storage knows no half of one."""
    found = list(IN_THE_WAREHOUSE)
    for file in WRITES[case]:
        if file == ANCHOR[0]:
            found.append("before seal_entries")
        if file.endswith(POINTER):
            found.append("before insert_published_list")
        found += [f"before {file}", *([f"in the middle of {file}"] if halves else [])]
        found += [f"after {file}"] if file.endswith(POINTER) else []
    return found


@contextlib.contextmanager
def watched(reached: Callable[[str], object]) -> Iterator[None]:
    """While this is open, each step of a publisher is told to `reached` by its name."""
    exclusive, execute, transaction, seal = (
        warehouse.exclusive, warehouse.execute, warehouse.transaction, warehouse._seal,
    )  # fmt: skip
    write_whole, replace = storage.write_whole, os.replace
    root, stated = os.environ["PRAKERJA_PUBLISH"].rstrip("/") + "/", list[str]()

    def named(path: Any) -> str:
        return re.sub(r"(?<=v)\d{6}|\d{6}(?=\.json)|[0-9a-f]{16}", "*", str(path).removeprefix(root))

    @contextlib.contextmanager
    def exclusive_(name: str) -> Iterator[None]:
        with exclusive(name):
            reached("with the lock")
            yield

    @contextlib.contextmanager
    def transaction_(*duty: Any, **how: Any) -> Iterator[Any]:
        stated.clear()
        with transaction(*duty, **how) as connection:
            yield connection
            if "insert_version" in stated:
                reached("before the commit")

    def execute_(connection: Any, name: str, **parameters: Any) -> Any:
        stated.append(name.removeprefix("blacklist/"))
        if stated[-1].startswith(("insert", "seal")):
            reached(f"before {stated[-1]}")
        return execute(connection, name, **parameters)

    def seal_(engine: Any) -> None:
        reached("after the commit")
        seal(engine)
        reached("after the seal")

    def write_whole_(path: Any, data: bytes) -> None:
        reached(f"before {named(path)}")
        write_whole(path, data)
        if named(path).endswith(POINTER):
            reached(f"after {named(path)}")

    def replace_(aside: Any, path: Any) -> None:
        reached(f"in the middle of {named(path)}")
        replace(aside, path)

    with pytest.MonkeyPatch.context() as patch:
        for owner, name, with_steps in (
            (warehouse, "exclusive", exclusive_), (warehouse, "execute", execute_), (warehouse, "_seal", seal_),
            (warehouse, "transaction", transaction_), (publishing, "write_whole", write_whole_),
            (os, "replace", replace_),
        ):  # fmt: skip
            patch.setattr(owner, name, with_steps)
        yield


def published(occasion: str, at: datetime = AT, **how: Any) -> int | None:
    return publishing.publish(occasion, at, at.astimezone(WIB).date(), **how)


def child(environment: dict[str, str], occasion: str, at: datetime, dies_at: str, together: Any = None) -> None:
    """A publisher in a process of its own."""
    os.environ.clear()
    os.environ.update(environment)

    def reached(step: str) -> None:
        if step == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    if together:
        together.wait(60)
    with watched(reached):
        published(occasion, at)


def exit_codes(*publishers: tuple[Any, ...]) -> list[int | None]:
    """How processes end that publish at once; each is given what `child` takes behind the environment."""
    processes = [FORKS.Process(target=child, args=(dict(os.environ), *arguments)) for arguments in publishers]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        if process.is_alive():
            process.kill()
    return [process.exitcode for process in processes]


def kill(step: str, occasion: str, at: datetime) -> None:
    """Let a publisher die at a step."""
    assert exit_codes((occasion, at, step)) == [-signal.SIGKILL], f"it was never {step}"


def broken_off(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, act: Callable[[], object]) -> None:
    """Let `act` die where it calls `owner.name`."""

    def dies(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dies)
        with pytest.raises(KeyboardInterrupt):
            act()


def pick(query: str) -> list[Any]:
    with warehouse.transaction(as_owner=True) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def versions() -> list[Any]:
    return pick("select version, occasion from blacklist_versions order by version")


def verified(root: Any, main: Any = None) -> list[int]:
    return [each.manifest.version for each in verification.verified_versions(UPath(root), main and UPath(main))]


def manifest(root: Any, version: int) -> Manifest:
    return parsed(Manifest, (UPath(root) / f"v{version:06d}" / "manifest.json").read_bytes(), "manifest.json")


def pointed(root: Any) -> int:
    return int(json.loads((UPath(root) / POINTER).read_bytes())["version"])


def reader(folder: Path, *, subject_keys: Iterable[signing.SubjectKey] = ()) -> Client:
    return Client(folder, [signing.signing_key().public], list(subject_keys) or signing.subject_keys())


def listed_to(client: Client) -> set[int]:
    """Which recipients a reader holds for listed."""
    opened = client.opened()
    key = client.key_of(opened.trusted)
    return {n for n in range(1, 11) if opened.is_listed(key.digest(f"{3100000000000000 + n}"))}


def undisturbed(folder: Path, occasion: str, at: datetime) -> dict[str, bytes]:
    """What a publisher writes whom nothing befalls: everything, from the warehouse's rows, into an empty folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRAKERJA_PUBLISH", str(folder))
        published(occasion, at)
    return tree(folder)


def everything_in(root: UPath) -> dict[str, bytes]:
    """As `tree`, of a folder or of an object storage."""
    if root.protocol != "s3":
        return tree(Path(root.path))
    files = object_storage.files()
    return {name.removeprefix(f"{root.path}/"): files.cat_file(name) for name in files.find(root.path)}


@pytest.fixture
def later(listed: Path) -> Path:
    """One version of five; two more were revoked since, and one reinstated."""
    published("first")
    revoke([6, 7])
    reinstate(2)
    return listed


BEFORE, AFTER = {1, 2, 3, 4, 5}, {1, 3, 4, 5, 6, 7}


@pytest.fixture
def own_keys(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keys that are nobody else's: a home of the test's own, with the same warehouse; gives its folder of keys."""
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", warehouse.url().render_as_string(hide_password=False))
    monkeypatch.setenv("PRAKERJA_HOME", str(home / "own"))
    return home / "own" / "keys"


def retired(keys: Path) -> Path:
    """The key of the subjects before the one of now."""
    (found,) = keys.glob("subject_key_retired_*.b64")
    return found


@pytest.fixture
def rekeyed(own_keys: Path, later: Path) -> Path:
    """As `later`, and the subjects have got another key since; gives the folder of the list under the earlier one."""
    earlier = signing.subject_key().key_id
    rotation.rotate_subject_key(AT, **WHO)
    return Path(under_key(later, earlier))


# -- death -------------------------------------------------------------------------------------------------------------


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
        sources.folder_of(str(home / "publish"))
    assert published("first") == 1
    assert versions() == [(1, "first")]
    assert verified(listed) == [1]
    assert reader(home / "reader").sync(Folder(UPath(listed)), AT).trusted.version == 1
    assert tree(home / "publish") == undisturbed(home / "undisturbed", "first", AT)


@pytest.mark.parametrize("step", [step for step in steps("rekeyed") if step != DONE])
def test_a_publisher_killed_between_the_lists_of_two_keys_is_finished_in_both(
    rekeyed: Path, later: Path, home: Path, step: str
) -> None:
    new, old = signing.subject_keys()
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


def test_an_anchor_that_a_killed_publisher_left_half_written_is_written_and_agrees_with_the_log(later: Path) -> None:
    kill(f"before {ANCHOR[1]}", "second", NEXT)
    assert any("v000002.json is damaged" in problem for problem in audit.verify().problems)
    published("second", NEXT)
    found = audit.verify()
    assert found.anchors == 2
    assert not [problem for problem in found.problems if "anchor" in problem]


# -- others ------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["a folder", "S3"])
def place(request: pytest.FixtureRequest, listed: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> UPath:
    """The list's folder, here or in an object storage."""
    if request.param == "S3":
        monkeypatch.setenv("PRAKERJA_PUBLISH", f"{request.getfixturevalue('bucket')}/publish")
    return UPath(os.environ["PRAKERJA_PUBLISH"]) / "blacklist"


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
    """What it takes for now was before it waited: a reader refuses a version that says it is older than the last."""
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
    """Its connection is gone, another publishes the version after its own, and it goes on as if nothing were."""
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
    with pytest.raises(PrakerjaError, match="is older than its list: it knows 1 versions"):
        published("third", NEXT)
    assert tree(later) == before
    assert len(versions()) == 1


@pytest.mark.parametrize("knows", [1, 2, 3])
def test_two_warehouses_cannot_share_a_folder(later: Path, home: Path, knows: int, monkeypatch: Any) -> None:
    """However many versions the other has published elsewhere, and though it has the same keys."""
    before = tree(home / "publish")
    with warehouse.transaction(as_owner=True) as connection:  # the other warehouse: of other people
        connection.exec_driver_sql("update blacklist_changes set recipient_id = 6 where recipient_id = 1")
        connection.exec_driver_sql("delete from published_lists")
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "elsewhere"))
    for number in range(2, knows + 1):
        assert published(f"of its own {number}") == number
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "publish"))
    with pytest.raises(PrakerjaError, match="is not what this warehouse has published"):
        published("another", NEXT)
    assert tree(home / "publish") == before


def test_a_warehouse_that_no_longer_gives_the_list_that_it_has_published_publishes_no_other(
    later: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update blacklist_changes set recipient_id = 6 where recipient_id = 1")
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "elsewhere"))
    with pytest.raises(PrakerjaError, match="another list than this warehouse has published as version 1"):
        published("second", NEXT)
    assert not (home / "elsewhere" / "blacklist" / POINTER).exists()


def test_nobody_is_listed_by_what_was_put_into_the_list_before_with_the_right_signature(later: Path) -> None:
    """Whoever holds the signing key may write a list; the next one is made from what this warehouse has published."""
    folder = later / "v000001"
    data = (folder / "manifest.json").read_bytes()
    bent = gzip.decompress((folder / "snapshot.csv.gz").read_bytes()).replace(b",12,", b",13,", 1)
    (folder / "snapshot.csv.gz").write_bytes(gzip.compress(bent))
    contents = json.loads(data) | {"result_sha256": snapshot.sha256(bent)}
    data = canonical_json(Manifest(**contents))
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.json.sig").write_bytes(signing.signing_key().signature(data))
    before = tree(later)
    with pytest.raises(PrakerjaError, match="is not what this warehouse has published"):
        published("second", NEXT)
    assert tree(later) == before


def test_a_list_from_before_digests_were_kept_is_held_against_everybody(later: Path, home: Path) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("delete from published_lists")
    published("second", NEXT)
    assert verified(later) == [1, 2]
    assert tree(home / "publish") == undisturbed(home / "undisturbed", "second", NEXT)


# -- an object storage -------------------------------------------------------------------------------------------------


@pytest.fixture
def stored(bucket: str, listed: Path, monkeypatch: pytest.MonkeyPatch) -> UPath:
    """As `listed`, to be published in an object storage; gives the list's folder there."""
    monkeypatch.setenv("PRAKERJA_PUBLISH", f"{bucket}/publish")
    return UPath(bucket) / "publish" / "blacklist"


def test_a_list_in_an_object_storage_is_laid_out_verified_and_synced_as_in_a_folder(
    stored: UPath, bucket: str, home: Path
) -> None:
    published("first")
    revoke([6, 7])
    reinstate(2)
    assert published("second", NEXT) == 2
    assert everything_in(stored.parent) == undisturbed(home / "undisturbed", "second", NEXT)
    assert verified(stored) == [1, 2]
    assert not [problem for problem in audit.verify().problems if "anchor" in problem]
    client = reader(home / "reader")
    for place in (f"{bucket}/publish", f"{bucket}/publish/blacklist", f"{bucket}/publish/"):
        assert client.sync(sources.source_of(place, None), NEXT).trusted.version == 2
    assert listed_to(client) == AFTER
    told = CliRunner().invoke(app, ["blacklist", "verify", f"{bucket}/publish"])
    assert told.exit_code == 0, told.output
    assert "2 versions are whole and signed" in told.output
    synced = CliRunner().invoke(
        app,
        ["blacklist", "sync", str(home / "other"), "--from", f"{bucket}/publish", "--at", f"{NEXT:%Y-%m-%dT%H:%M:%SZ}"],
    )
    assert "version 2: 6 entries, by the whole list" in synced.output


def test_an_object_storage_holds_the_list_under_an_earlier_key_too(
    own_keys: Path, stored: UPath, bucket: str, home: Path
) -> None:
    published("first")
    earlier = signing.subject_key()
    rotation.rotate_subject_key(AT, **WHO)
    published("second", NEXT)
    assert verified(under_key(stored, earlier.key_id), stored) == [2]
    client = reader(home / "reader", subject_keys=[earlier])
    assert client.sync(sources.source_of(f"{bucket}/publish", None), NEXT).trusted.key_id == earlier.key_id
    told = CliRunner().invoke(app, ["blacklist", "verify", f"{bucket}/publish"]).output
    assert "1 versions are whole" in told, "the earlier one"
    assert "2 versions are whole" in told


def test_a_publisher_to_an_object_storage_may_be_killed_at_any_step(stored: UPath, home: Path) -> None:
    """One version after the other, each of whose publishers dies a step later than the one before."""
    taken: list[str] = []
    published("first")
    with watched(taken.append):
        published("second")
    assert taken == steps("later", halves=False)
    client = reader(home / "reader")
    revoke([6])
    for version, step in enumerate(steps("later", halves=False), 3):
        old = (stored / POINTER).read_bytes()
        kill(step, step, AT)
        is_old = step != DONE
        assert ((stored / POINTER).read_bytes() == old) is is_old, step
        assert client.sync(Folder(stored), AT).trusted.version == version - is_old
        assert published(step) == version
    assert verified(stored) == [number for number, _ in versions()] == list(range(1, version + 1))
    assert everything_in(stored.parent) == undisturbed(home / "undisturbed", "second", AT)


def test_who_has_listed_an_object_storage_sees_what_another_publishes_there(stored: UPath, home: Path) -> None:
    published("first")
    client = reader(home / "reader")
    assert client.sync(Folder(stored), AT).trusted.version == 1
    assert sorted(path.name for path in stored.iterdir()) == ["keys", POINTER, "v000001"]
    assert sorted(path.name for path in (stored / "keys").iterdir())[0].endswith(".pem")
    assert exit_codes(("second", AT, "")) == [0]
    assert client.sync(Folder(stored), AT).trusted.version == 2
    assert verified(stored) == [1, 2]
    assert published("third") == 3


def test_a_keyring_that_cannot_be_looked_at_is_not_written_over(stored: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object storage that is busy is no storage without a keyring."""
    import s3fs

    published("first")
    before = everything_in(stored.parent)
    info, looks = s3fs.S3FileSystem._info, list[str]()

    async def busy(self: Any, path: str, *arguments: Any, **how: Any) -> Any:
        looks.append(path)
        if "keyring" in path and looks.count(path) > 1:
            raise OSError("SlowDown")
        return await info(self, path, *arguments, **how)

    with monkeypatch.context() as patch, contextlib.suppress(OSError, PrakerjaError):
        patch.setattr(s3fs.S3FileSystem, "_info", busy)
        published("second", NEXT)
    after = everything_in(stored.parent)
    kept = [name for name in before if POINTER not in name]
    assert [after[name] for name in kept] == [before[name] for name in kept]


@pytest.fixture
def unreached(stored: UPath, monkeypatch: pytest.MonkeyPatch) -> UPath:
    """The folder of a list in an object storage that does not answer any more."""
    import s3fs

    published("first")
    revoke([6])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody answers there
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    return UPath(str(stored))


def test_a_publisher_to_an_object_storage_that_is_not_reached_says_so_and_leaves_no_version(unreached: UPath) -> None:
    with pytest.raises(PrakerjaError, match="check"):
        published("second")
    assert versions() == [(1, "first")]


def test_a_reader_of_an_object_storage_that_is_not_reached_is_told_so(unreached: UPath, home: Path) -> None:
    for act in (
        lambda: reader(home / "reader").sync(Folder(unreached), AT),
        lambda: sources.folder_of(str(unreached)),
        lambda: verified(unreached),
    ):
        with pytest.raises(PrakerjaError, match="check the storage"):
            act()


def test_a_bucket_that_is_not_there_is_one_line(listed: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAKERJA_PUBLISH", f"{bucket}-that-is-not-there/publish")
    with pytest.raises(PrakerjaError, match=r"cannot be written .*: check PRAKERJA_PUBLISH"):
        published("first")
    with pytest.raises(NotReadyError, match="no list is published"):
        sources.folder_of(f"{bucket}-that-is-not-there/publish")


# -- a version a day ---------------------------------------------------------------------------------------------------


def daily(at: datetime) -> int | None:
    """What the daily intake publishes."""
    return published(f"daily__{at:%Y-%m-%dT%H}", at, is_daily=True)


def test_the_daily_publishes_an_empty_delta_a_day_once_there_is_a_list(listed: Path, home: Path) -> None:
    assert daily(AT - timedelta(days=1)) is None, "there is no list yet"
    assert published("deadline", AT) == 1
    assert daily(AT + timedelta(hours=1)) is None, "today's is there"
    client = reader(home / "reader")
    client.sync(Folder(UPath(listed)), AT)
    for number in (2, 3):
        at = AT + timedelta(days=number - 1)
        assert daily(at) == number
        assert daily(at) == number, "said again"
        assert daily(at + timedelta(hours=2)) is None, "another run of the day"
        synced = client.sync(Folder(UPath(listed)), at)
        assert (synced.how, list(synced.changes)) == ("delta", [])
    assert [number for number, _ in versions()] == verified(listed) == [1, 2, 3]


def test_an_unchanged_list_says_when_it_was_looked_at_and_when_it_last_changed(listed: Path) -> None:
    def arrive(day: str) -> None:
        with warehouse.transaction(as_owner=True) as connection:
            connection.exec_driver_sql(
                "insert into deliveries (platform, business_date, revision, fingerprint, status, arrived_on, sha256,"
                " rows) values ('tokopedia', %s, 1, '', 'accepted', %s, 'empty', 0)", (day, day),
            )  # fmt: skip

    arrive("2021-03-14")
    published("deadline")
    arrive("2021-03-16")
    assert daily(NEXT) == 2
    first, second = manifest(listed, 1), manifest(listed, 2)
    assert (first.changed_at, second.changed_at) == ("2021-03-15T00:00:00Z",) * 2
    assert (first.checked_at, second.checked_at) == ("2021-03-15T00:00:00Z", "2021-03-16T00:00:00Z")
    assert (first.created_at, second.created_at) == (first.checked_at, second.checked_at)
    assert (first.expires_at, second.expires_at) == ("2021-03-22T00:00:00Z", "2021-03-23T00:00:00Z")
    assert (first.data_as_of, second.data_as_of) == ({"tokopedia": "2021-03-14"}, {"tokopedia": "2021-03-16"})
    assert (second.counts.added, second.counts.withdrawn, second.counts.entries) == (0, 0, 5)
    assert second.result_sha256 == first.result_sha256
    reinstate(1)
    assert published("third", NEXT + timedelta(days=1)) == 3
    assert manifest(listed, 3).changed_at == "2021-03-17T00:00:00Z"


@pytest.mark.parametrize(
    ("first", "then", "number"),
    [
        ("15T16:59:59", "15T17:00:00", 2),
        ("15T17:00:00", "15T17:00:01", None),
        ("15T17:00:00", "16T16:59:59", None),
        ("15T17:00:00", "16T17:00:00", 2),
    ],
)
def test_a_day_is_jakartas(listed: Path, first: str, then: str, number: int | None) -> None:
    published("deadline", datetime.fromisoformat(f"2021-03-{first}+00:00"))
    assert daily(datetime.fromisoformat(f"2021-03-{then}+00:00")) == number


# -- a list that jumps -------------------------------------------------------------------------------------------------


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets bounds; those that are not named bind nobody."""
    free = {"grows_free": 1000, "grows_share_max": 0.0, "shrinks_free": 1000, "shrinks_share_max": 0.0}

    def bound(**rules: float) -> None:
        for name, value in (free | rules).items():
            monkeypatch.setitem(program()["blacklist"], name, value)

    return bound


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
    return {name: pick(f"select count(*) from {name}")[0][0] for name in tables}


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
    (waiting,) = publishing.waiting_jumps(AT.date())
    assert (waiting.added, waiting.withdrawn, waiting.listed_before) == (5, 0, 0)
    assert waiting.digest.startswith(digest)
    approved = publishing.approve_jump(digest, AT.date(), because="the largest wave", approved_by="Ani")
    assert approved == waiting
    assert publishing.waiting_jumps(AT.date()) == []
    revoke([6])
    other = stopped("first")
    assert other != digest, "another change is another approval"
    publishing.approve_jump(other.upper(), AT.date(), because="one more", approved_by="Budi")
    assert published("first") == 1
    assert pick(
        "select approved_by, because, approved_on, is_recorded_in_advance from publication_approvals order by 1"
    ) == [("Ani", "the largest wave", AT.date(), False), ("Budi", "one more", AT.date(), False)]
    assert verified(listed) == [1]


@pytest.mark.parametrize("bent", ["too short", "empty", "another", "turned"])
def test_another_digest_is_refused(listed: Path, bound: Any, bent: str) -> None:
    bound(grows_free=4)
    digest = stopped("first")
    digest = {"too short": digest[:15], "empty": "", "another": "0" * 16, "turned": digest[::-1]}[bent]
    with pytest.raises(PrakerjaError, match="waits for approval"):
        publishing.approve_jump(digest, AT.date(), because="why", approved_by="Ani")
    assert pick("select * from publication_approvals") == []
    stopped("first")


def test_a_change_within_its_bounds_waits_for_nobody(listed: Path) -> None:
    assert publishing.waiting_jumps(AT.date()) == []
    with pytest.raises(PrakerjaError, match="waits for approval"):
        publishing.approve_jump("0" * 16, AT.date(), because="why", approved_by="Ani")


def test_a_replay_answers_in_advance_and_is_recorded_so(listed: Path, bound: Any) -> None:
    bound(grows_free=4)
    assert published("first", approve_as="Siti") == 1
    assert published("second", NEXT, approve_as="Siti") == 2, "it needs no approval"
    assert pick("select approved_by, is_recorded_in_advance from publication_approvals") == [("Siti", True)]


def test_a_replay_that_broke_off_has_recorded_who_answered(
    listed: Path, bound: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound(grows_free=4)
    broken_off(monkeypatch, publishing, "_approve", lambda: published("first", approve_as="Siti"))
    assert published("first", approve_as="Siti") == 1
    assert pick("select approved_by, is_recorded_in_advance from publication_approvals") == [("Siti", True)]


def test_looking_at_what_waits_leaves_nothing_behind(listed: Path, bound: Any) -> None:
    bound(grows_free=4)
    before, problems = contents(), audit.verify().problems
    assert publishing.waiting_jumps(AT.date())
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
    publishing.approve_jump(digest, NEXT.date(), because="an extended deadline", approved_by="Ani")
    assert published("daily", NEXT, is_daily=True) == 2


# -- keys that sign ----------------------------------------------------------------------------------------------------

MAY_SIGN = AT + timedelta(days=30)


def ring(root: Path) -> dict[str, int | None]:
    """The newest keyring's keys, and the last version that each may have signed."""
    numbers = [int(path.stem.split("-")[1]) for path in (root / "keys").glob("keyring-*.json")]
    newest = keyring.contents((root / keyring.file_name(max(numbers))).read_bytes(), max(numbers))
    return {key.signing_key_id: key.last_version for key in newest.keys}


def rotations() -> list[str]:
    return [kind for (kind,) in pick("select kind from rotations order by rotation_id")]


def signer() -> str:
    return signing.signing_key().public.key_id


def test_a_signing_key_is_announced_signs_once_readers_know_it_and_retires_the_one_before(
    listed: Path, own_keys: Path, home: Path
) -> None:
    published("first")
    old = signer()
    client = reader(home / "reader")
    client.sync(Folder(UPath(listed)), AT)
    assert "is announced, and may sign from 2021-04-14 on" in rotation.rotate_signing_key(AT, **WHO)
    announced = signing.next_signing_key()
    assert announced
    new = announced.public.key_id
    assert ring(listed) == {old: None, new: None}
    for at in (AT, MAY_SIGN - timedelta(seconds=1)):
        assert "is announced" in rotation.rotate_signing_key(at, **WHO)
        assert signer() == old
    published("second", NEXT)
    assert manifest(listed, 2).signing_key_id == old

    assert f"{new} signs from the next version on" in rotation.rotate_signing_key(MAY_SIGN, **WHO)
    assert published("third", MAY_SIGN) == 3
    assert manifest(listed, 3).signing_key_id == signer() == new
    assert ring(listed) == {old: 2, new: None}
    assert verified(listed) == [1, 2, 3]
    assert client.sync(Folder(UPath(listed)), MAY_SIGN).trusted.version == 3
    assert reader(home / "pins the new one").sync(Folder(UPath(listed)), MAY_SIGN).trusted.version == 3
    assert rotations() == ["signing_announced", "signing_changed"]


def test_a_signing_key_may_change_at_once_and_readers_follow(listed: Path, own_keys: Path, home: Path) -> None:
    published("first")
    old, client = signer(), reader(home / "reader")
    client.sync(Folder(UPath(listed)), AT)
    assert "signs from the next version on" in rotation.rotate_signing_key(AT, at_once=True, **WHO)
    new = signer()
    assert new != old
    published("second", NEXT)
    assert ring(listed) == {old: 1, new: None}
    assert client.sync(Folder(UPath(listed)), NEXT).trusted.signing_key_id == new
    assert verified(listed) == [1, 2]


def test_a_version_that_a_retired_key_signs_is_neither_published_nor_believed(
    listed: Path, own_keys: Path, home: Path
) -> None:
    published("first")
    old = (own_keys / "signing_key.pem").read_bytes()
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    published("second", NEXT)
    before, new = tree(listed), (own_keys / "signing_key.pem").read_bytes()
    (own_keys / "signing_key.pem").write_bytes(old)
    with pytest.raises(UntrustedError, match="do not know the signing key"):
        published("third", NEXT)
    assert tree(listed) == before
    (own_keys / "signing_key.pem").write_bytes(new)
    assert published("third", NEXT) == 3
    assert verified(listed) == [1, 2, 3]


def test_a_signing_key_that_was_never_announced_publishes_nothing(
    later: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(home / "publish")
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY", new_signing_key().decode())
    with pytest.raises(PrakerjaError, match="was published under the keys"):
        published("second", NEXT)
    assert tree(home / "publish") == before
    assert versions() == [(1, "first")]
    monkeypatch.delenv("PRAKERJA_SIGNING_KEY")
    assert published("second", NEXT) == 2


def test_keys_of_the_environment_are_announced_by_a_version_and_then_sign(
    listed: Path, own_keys: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("first")
    old, client = signer(), reader(home / "reader")
    client.sync(Folder(UPath(listed)), AT)
    new = new_signing_key().decode()
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY_NEXT", new)
    with pytest.raises(PrakerjaError, match="PRAKERJA_SIGNING_KEY_NEXT is set: rotate it where it is kept"):
        rotation.rotate_signing_key(AT, **WHO)
    published("second", NEXT)
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY", new)
    monkeypatch.delenv("PRAKERJA_SIGNING_KEY_NEXT")
    published("third", NEXT)
    assert ring(listed) == {old: 2, signer(): None}
    assert client.sync(Folder(UPath(listed)), NEXT).trusted.signing_key_id == signer() != old
    assert verified(listed) == [1, 2, 3]


def test_a_keyring_is_never_written_over_however_many_there_are(
    listed: Path, own_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring.Trust.followed, "__defaults__", (2,))  # that many a reader follows at once
    written: dict[str, bytes] = {}
    for occasion in ("first", "second", "third", "fourth"):
        published(occasion)
        rings = {name: data for name, data in tree(listed).items() if "keyring" in name}
        assert written.items() <= rings.items()
        written = rings
        if len(rings) < 5:
            rotation.rotate_signing_key(AT, at_once=True, **WHO)
    assert len(written) == 5


@pytest.mark.parametrize("dies_in", ["record_rotation", "announce"])
def test_an_announcement_that_broke_off_is_taken_up_again_and_recorded(
    listed: Path, own_keys: Path, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    published("first")
    broken_off(monkeypatch, publishing, dies_in, lambda: rotation.rotate_signing_key(AT, **WHO))
    assert "is announced" in rotation.rotate_signing_key(AT, **WHO)
    standby = signing.next_signing_key()
    assert standby
    assert set(ring(listed)) == {signer(), standby.public.key_id}
    assert rotations() == ["signing_announced"]


def test_a_change_of_the_signing_key_that_broke_off_is_taken_up_again(
    listed: Path, own_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("first")
    old = signer()

    def rotate() -> str:
        return rotation.rotate_signing_key(AT, at_once=True, **WHO)

    broken_off(monkeypatch, Settings, "drop_key", rotate)
    new = signer()
    assert new != old
    assert f"{new} signs from the next version on" in rotate()
    published("second", NEXT)
    assert signer() == new
    assert ring(listed) == {old: 1, new: None}
    assert (own_keys / f"signing_key_retired_{old}.pem").exists()
    assert signing.next_signing_key() is None


def test_history_that_a_revoked_key_signed_is_verified_but_not_the_latest(
    listed: Path, own_keys: Path, home: Path
) -> None:
    published("first")
    stolen, client = signer(), reader(home / "reader")
    client.sync(Folder(UPath(listed)), AT)
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    pointer = (listed / POINTER).read_bytes()
    publishing.revoke_key(stolen, NEXT, **WHO)
    assert versions() == [(1, "first"), (2, f"revoke {stolen}")], "readers are never without a list"
    assert verified(listed) == [1, 2]
    assert client.sync(Folder(UPath(listed)), NEXT).trusted.version == 2
    newest = (listed / POINTER).read_bytes()
    (listed / POINTER).write_bytes(pointer)
    with pytest.raises(PrakerjaError, match=f"is signed by {stolen}, a key that was revoked"):
        verified(listed)
    with pytest.raises(UntrustedError, match="a key that was revoked"):
        reader(home / "newcomer").sync(Folder(UPath(listed)), NEXT)
    (listed / POINTER).write_bytes(newest)
    (listed / "v000001" / "manifest.json.sig").write_bytes(b"AAAA\n")
    with pytest.raises(PrakerjaError, match="the manifest's signature is wrong"):
        verified(listed)


def test_a_key_is_revoked_once_another_signs(listed: Path, own_keys: Path, home: Path) -> None:
    published("first")
    stolen = signer()
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    published("second", NEXT)
    client = reader(home / "reader")
    client.sync(Folder(UPath(listed)), NEXT)
    publishing.revoke_key(stolen, NEXT, **WHO)
    assert ring(listed) == {signer(): None}
    assert verified(listed) == [1, 2]
    assert client.sync(Folder(UPath(listed)), NEXT).how == "unchanged"
    trusted = client.trusted()
    assert trusted
    assert stolen in trusted.trust.revoked
    assert published("third", NEXT) == 3
    assert rotations()[-1] == "signing_revoked"


@pytest.mark.parametrize("key_id", ["the signer's", "0" * 16])
def test_a_key_that_cannot_be_revoked_is_not_recorded_as_revoked(listed: Path, own_keys: Path, key_id: str) -> None:
    published("first")
    before = tree(listed)
    with pytest.raises(PrakerjaError, match=r"announced to, cannot be revoked|readers believe no key"):
        publishing.revoke_key(signer() if key_id == "the signer's" else key_id, NEXT, **WHO)
    assert tree(listed) == before
    assert rotations() == []


# -- keys of the subjects ----------------------------------------------------------------------------------------------


def changes(root: Path, version: int) -> set[tuple[str, bytes, str]]:
    """A delta's changes: what, who, why."""
    delta = gzip.decompress((root / f"v{version:06d}" / "delta.csv.gz").read_bytes())
    return {(change.op, change.subject, change.line.split(b",")[2].decode()) for change in parsed_delta(delta)}


def subjects_of(recipients: Iterable[int], key: signing.SubjectKey) -> set[bytes]:
    return {key.subject(f"{3100000000000000 + n}").encode() for n in recipients}


def test_a_new_subject_key_reissues_the_list_and_the_earlier_one_goes_on_beside_it(
    rekeyed: Path, later: Path, home: Path
) -> None:
    new, old = signing.subject_keys()
    client = reader(home / "reader", subject_keys=[old])
    client.sync(Folder(UPath(later)), AT)
    published("second", NEXT)
    assert (manifest(later, 1).key_id, manifest(later, 2).key_id) == (old.key_id, new.key_id)
    assert changes(later, 2) == {
        *(("WITHDRAW", subject, "KEY_ROTATED") for subject in subjects_of(BEFORE, old)),
        *(("ADD", subject, "NO_FIRST_PURCHASE") for subject in subjects_of(AFTER, new)),
    }
    assert verified(later) == [1, 2]
    assert rekeyed.name == f"blacklist-{old.key_id}"
    assert manifest(rekeyed, 2).key_id == old.key_id
    assert changes(rekeyed, 2) == {
        *(("WITHDRAW", subject, "REINSTATED") for subject in subjects_of([2], old)),
        *(("ADD", subject, "NO_FIRST_PURCHASE") for subject in subjects_of([6, 7], old)),
    }
    assert verified(rekeyed, later) == [2]
    assert client.sync(Folder(UPath(later)), NEXT).how == "delta", "an earlier key's reader goes on"
    assert listed_to(client) == AFTER
    both = reader(home / "both")
    assert both.sync(Folder(UPath(later)), NEXT).trusted.key_id == new.key_id
    assert listed_to(both) == AFTER
    assert rotations() == ["subject_changed"]


def test_an_earlier_key_overlaps_for_its_days_and_then_no_more(rekeyed: Path, later: Path, home: Path) -> None:
    _, old = signing.subject_keys()
    end = NEXT + timedelta(days=30)
    published("second", NEXT)
    assert published("third", end - timedelta(seconds=1)) == 3
    assert pointed(rekeyed) == 3
    assert published("fourth", end) == 4
    assert pointed(rekeyed) == 3
    assert verified(rekeyed, later) == [2, 3]
    client = reader(home / "reader", subject_keys=[old])
    assert client.sync(Folder(UPath(later)), end).trusted.version == 3
    with pytest.raises(RefusedListError, match="expired"):
        client.sync(Folder(UPath(later)), end + timedelta(days=7))
    retired(home / "own" / "keys").unlink()
    assert published("fifth", end) == 5, "the earlier key is needed no more"
    assert verified(later) == [1, 2, 3, 4, 5]


def test_without_the_earlier_key_a_list_is_not_reissued(rekeyed: Path, later: Path, own_keys: Path, home: Path) -> None:
    before = tree(home / "publish")
    previous = retired(own_keys)
    kept = previous.read_bytes()
    previous.unlink()
    with pytest.raises(PrakerjaError, match="was published under the keys"):
        published("second", NEXT)
    assert tree(home / "publish") == before
    assert versions() == [(1, "first")]
    previous.write_bytes(kept)
    assert published("second", NEXT) == 2
    assert verified(later) == [1, 2]


def test_a_subject_key_that_was_changed_twice_is_not_lost(rekeyed: Path, later: Path, own_keys: Path) -> None:
    """The list is still under the first one: without it nothing follows."""
    with contextlib.suppress(PrakerjaError):  # it may be refused
        rotation.rotate_subject_key(AT, **WHO)
    assert published("second", NEXT) == 2
    assert verified(later) == [1, 2]


def test_a_change_of_the_subject_key_that_broke_off_is_recorded_and_loses_no_key(
    own_keys: Path, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = signing.subject_key()
    broken_off(monkeypatch, publishing, "record_rotation", lambda: rotation.rotate_subject_key(AT, **WHO))
    with contextlib.suppress(PrakerjaError):
        rotation.rotate_subject_key(AT, **WHO)
    assert rotations() == ["subject_changed"]
    assert old in signing.subject_keys()


def test_an_overlap_with_a_gap_holds_nothing_up(rekeyed: Path, later: Path, own_keys: Path, home: Path) -> None:
    """Whoever forgets the earlier key for a day may bring it back."""
    _, old = signing.subject_keys()
    published("second", NEXT)
    previous = retired(own_keys)
    kept = previous.read_bytes()
    previous.unlink()
    revoke([8])
    published("third", NEXT)
    previous.write_bytes(kept)
    revoke([9])
    assert published("fourth", NEXT) == 4
    assert verified(later) == [1, 2, 3, 4]
    client = reader(home / "reader", subject_keys=[old])
    assert client.sync(Folder(UPath(later)), NEXT).trusted.version == 4
    assert listed_to(client) == AFTER | {8, 9}
    assert verified(rekeyed, later)[-1] == 4


def test_both_keys_may_change_at_once(rekeyed: Path, later: Path, home: Path) -> None:
    old = signer()
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    kill(f"before {LIST[0]}", "second", NEXT)
    published("second", NEXT)
    assert {manifest(root, 2).signing_key_id for root in (rekeyed, later)} == {signer()} != {old}
    assert (verified(later), verified(rekeyed, later)) == ([1, 2], [2])


def test_the_signing_key_may_change_between_the_lists_of_two_keys(rekeyed: Path, later: Path, home: Path) -> None:
    _, old = signing.subject_keys()
    client = reader(home / "reader", subject_keys=[old])
    kill(f"before {LIST[0]}", "second", NEXT)
    rotation.rotate_signing_key(NEXT, at_once=True, **WHO)  # which finishes the version under the key that began it
    assert manifest(later, 2).signing_key_id != signer()
    assert published("second", NEXT) == 3, "by the key that signs now"
    assert (verified(later), verified(rekeyed, later)) == ([1, 2, 3], [2, 3])
    assert client.sync(Folder(UPath(later)), NEXT).trusted.version == 3


def test_keys_of_the_environment_are_not_changed_in_the_home(
    own_keys: Path, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = signing.subject_key()
    monkeypatch.setenv("PRAKERJA_SUBJECT_KEY", new_random_key().decode())
    with pytest.raises(PrakerjaError, match="PRAKERJA_SUBJECT_KEY is set: rotate it where it is kept"):
        rotation.rotate_subject_key(AT, **WHO)
    with pytest.raises(PrakerjaError, match="was published under the keys"):
        published("second", NEXT)
    monkeypatch.setenv("PRAKERJA_SUBJECT_KEY_PREVIOUS", (own_keys / "subject_key.b64").read_text())
    assert published("second", NEXT) == 2
    assert verified(later) == [1, 2]
    assert verified(under_key(UPath(later), old.key_id), later) == [2]


# -- a key that was stolen, forgotten, or announced and never used -----------------------------------------------------


def test_a_stolen_key_is_answered_on_the_same_day_by_clearing_what_publishes(
    listed: Path, own_keys: Path, home: Path
) -> None:
    published("deadline")
    assert daily(NEXT) == 2
    stolen, client = signer(), reader(home / "reader")
    client.sync(Folder(UPath(listed)), NEXT)
    rotation.rotate_signing_key(NEXT, at_once=True, **WHO)
    assert daily(NEXT) == 3, "the day is published already, but by another key"
    assert daily(NEXT) == 3
    assert published("deadline") == 1
    publishing.revoke_key(stolen, NEXT, **WHO)
    assert len(versions()) == 3
    assert verified(listed) == [1, 2, 3]
    for each in (client, reader(home / "newcomer")):
        assert each.sync(Folder(UPath(listed)), NEXT).trusted.version == 3


def test_a_leaked_key_of_the_subjects_is_answered_on_the_same_day(listed: Path, own_keys: Path) -> None:
    published("deadline")
    rotation.rotate_subject_key(AT, **WHO)
    assert published("deadline") == 2
    assert manifest(listed, 2).key_id == signing.subject_key().key_id
    assert published("deadline") == 2


def test_a_stolen_key_that_was_only_announced_is_revoked(listed: Path, own_keys: Path, home: Path) -> None:
    published("first")
    rotation.rotate_signing_key(AT, **WHO)
    announced = signing.next_signing_key()
    assert announced is not None
    told = CliRunner().invoke(app, ["blacklist", "revoke-key", announced.public.key_id, "--because", "x", "--as", "S"])
    assert told.exit_code == 0, told.output
    assert ring(listed) == {signer(): None}
    assert signing.next_signing_key() is None
    client = reader(home / "reader")
    assert announced.public.key_id in client.sync(Folder(UPath(listed)), AT).trusted.trust.revoked
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    assert published("second", NEXT) == 2


def test_an_announced_key_of_the_environment_is_taken_out_there_first(
    listed: Path, own_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("first")
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY_NEXT", new_signing_key().decode())
    published("second", NEXT)
    announced = signing.next_signing_key()
    assert announced is not None
    with pytest.raises(PrakerjaError, match="take it out there first"):
        publishing.revoke_key(announced.public.key_id, NEXT, **WHO)
    monkeypatch.delenv("PRAKERJA_SIGNING_KEY_NEXT")
    publishing.revoke_key(announced.public.key_id, NEXT, **WHO)
    assert ring(listed) == {signer(): None}
    assert published("third", NEXT) == 3


def test_a_key_signs_before_the_next_one_does(listed: Path, own_keys: Path) -> None:
    """One that was announced and passed over would be believed for ever."""
    published("first")
    first = signer()
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    with pytest.raises(PrakerjaError, match="publish one first"):
        rotation.rotate_signing_key(AT, at_once=True, **WHO)
    published("second", NEXT)
    second = signer()
    rotation.rotate_signing_key(NEXT, at_once=True, **WHO)
    published("third", NEXT)
    assert ring(listed) == {first: 1, second: 2, signer(): None}


def test_a_publisher_that_does_not_know_the_announced_key_leaves_it_announced(
    listed: Path, own_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("first")
    old, pem = signer(), new_signing_key().decode()
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY_NEXT", pem)
    published("second", NEXT)
    new = signing.next_signing_key()
    monkeypatch.delenv("PRAKERJA_SIGNING_KEY_NEXT")
    published("third", NEXT)
    assert new is not None
    assert ring(listed) == {old: None, new.public.key_id: None}
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY", pem)
    assert published("fourth", NEXT) == 4
    assert ring(listed) == {old: 3, new.public.key_id: None}
    assert verified(listed) == [1, 2, 3, 4]


def test_a_publisher_that_waits_for_its_turn_signs_with_the_key_of_its_turn(
    listed: Path, own_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("first")
    old, real, turned = signer(), warehouse.exclusive, list[str]()

    @contextlib.contextmanager
    def meanwhile(name: str, *patience: int) -> Iterator[None]:
        if not turned:
            turned.append(name)
            rotation.rotate_signing_key(AT, at_once=True, **WHO)
        with real(name, *patience):
            yield

    monkeypatch.setattr(warehouse, "exclusive", meanwhile)
    assert published("second", NEXT) == 2
    assert manifest(listed, 2).signing_key_id == signer() != old
    assert published("third", NEXT) == 3
    assert verified(listed) == [1, 2, 3]


def test_an_earlier_list_stays_what_it_was_when_its_signer_is_revoked_later(
    rekeyed: Path, later: Path, home: Path
) -> None:
    published("second", NEXT)
    end, stolen = NEXT + timedelta(days=31), signer()
    published("third", end)
    rotation.rotate_signing_key(end, at_once=True, **WHO)
    publishing.revoke_key(stolen, end, **WHO)
    assert (verified(later), verified(rekeyed, later)) == ([1, 2, 3, 4], [2])
    told = CliRunner().invoke(app, ["blacklist", "verify"])
    assert told.exit_code == 0, told.output


def test_no_key_of_the_subjects_is_lost_and_an_overlap_is_cut_short_only_by_word(
    listed: Path, own_keys: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("first")
    first = signing.subject_key()
    rotation.rotate_subject_key(AT, **WHO)
    published("second", NEXT)
    with pytest.raises(PrakerjaError, match="may use it until 2021-04-15"):
        rotation.rotate_subject_key(NEXT, **WHO)
    rotation.rotate_subject_key(NEXT, at_once=True, **WHO)
    published("third", NEXT)
    assert len(signing.subject_keys()) == 3
    assert signing.subject_keys()[-1] == first
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "elsewhere"))
    assert published("fourth", NEXT) is not None, "every version is written anew there"
    assert verified(home / "elsewhere" / "blacklist") == [number for number, _ in versions()]
    rotation.rotate_subject_key(NEXT + timedelta(days=30), **WHO)


# -- a clock, a pointer and a warehouse that are not as they were ------------------------------------------------------


def test_a_version_of_a_time_to_come_is_not_made(listed: Path) -> None:
    published("first")
    before = tree(listed)
    with pytest.raises(PrakerjaError, match="this is of a time to come"):
        publishing.publish("second", datetime.now(WIB) + timedelta(days=2), AT.date() + timedelta(days=1))
    assert (tree(listed), versions()) == (before, [(1, "first")])


def test_after_a_version_of_a_time_to_come_nothing_seems_fresh(listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    far = datetime.now(WIB) + timedelta(days=3650)
    with monkeypatch.context() as patch:
        patch.setattr(publishing, "CLOCK_SKEW", timedelta(days=5000))
        published("first", far)
    revoke([6])
    for act in (lambda: daily(NEXT), lambda: published("second", NEXT)):
        with pytest.raises(PrakerjaError, match="the newest version is of a time to come"):
            act()
    told = CliRunner().invoke(app, ["blacklist", "status"])
    assert told.exit_code == 1
    assert "stale" in told.output


def test_a_pointer_that_is_gone_is_not_walked_through_history_again(listed: Path, own_keys: Path) -> None:
    published("first")
    rotation.rotate_signing_key(AT, at_once=True, **WHO)
    published("second", NEXT)
    pointer = (listed / POINTER).read_bytes()
    (listed / POINTER).unlink()
    before = tree(listed)
    with pytest.raises(PrakerjaError, match=r"latest.json is missing"):
        published("third", NEXT)
    assert tree(listed) == before
    (listed / POINTER).write_bytes(pointer)
    assert published("third", NEXT) == 3
    assert verified(listed) == [1, 2, 3]


def test_a_row_that_is_none_is_told_without_it(listed: Path) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql("update revocations set decision_id = 'gelombang-12,x' where recipient_id = 1")
    with pytest.raises(warehouse.RefusedError) as told:
        published("first")
    assert "31000000" not in str(told.value)


def test_a_file_is_put_into_an_object_storage_at_once(stored: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload in parts, whose publisher dies, would leave them there for nobody to see."""
    import s3fs

    asked, call = [], s3fs.S3FileSystem._call_s3

    async def counted(self: Any, method: str, *arguments: Any, **how: Any) -> Any:
        asked.append(method)
        return await call(self, method, *arguments, **how)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", counted)
    storage.write_whole(stored / "large", bytes(120 << 20))
    assert "put_object" in asked
    assert not [method for method in asked if "multipart" in method or "part" in method]


# -- every pair of versions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_between_any_two_published_versions_the_deltas_are_the_difference(
    listed: Path, own_keys: Path, seed: int
) -> None:
    """Whatever happens between them: revocations, reinstatements, other keys, nothing."""
    chance, revoked, reinstated, at, last = random.Random(seed), set(range(1, 6)), set[int](), AT, 9
    published("1")
    for number in range(2, last):
        fresh = {person for person in range(6, 11) if person not in revoked and chance.random() < 0.3}
        if fresh:
            revoke(fresh)
            revoked |= fresh
        for person in sorted(revoked - reinstated):
            if chance.random() < 0.12:
                reinstate(person)
                reinstated.add(person)
        if chance.random() < 0.3:
            rotation.rotate_subject_key(at, at_once=True, **WHO)
        if chance.random() < 0.3:
            rotation.rotate_signing_key(at, at_once=True, **WHO)
        at += timedelta(days=1)
        published(str(number), at)
    read = {
        name: {n: gzip.decompress((listed / f"v{n:06d}" / f"{name}.csv.gz").read_bytes()) for n in range(1, last)}
        for name in ("snapshot", "delta")
    }
    lists = {0: HEADER, **read["snapshot"]}
    deltas = {number: parsed_delta(data) for number, data in read["delta"].items()}
    for earlier, later in itertools.combinations_with_replacement(range(last), 2):
        between = net(deltas[number] for number in range(earlier + 1, later + 1))
        assert b"".join(applied(lists[earlier], between)) == lists[later], (earlier, later)
        if later:
            assert result_sha256(lists[earlier], between) == manifest(listed, later).result_sha256
    assert len(revoked - reinstated) == lists[last - 1].count(b"\n") - 1
    assert verified(listed) == list(range(1, last))
