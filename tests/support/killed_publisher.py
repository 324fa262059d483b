"""Publishers that die by SIGKILL at a named step.

They are processes, forked from a server that has no threads.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from prakerja import warehouse
from prakerja.blacklist.publisher import local_files, storage
from prakerja.blacklist.publisher.storage import read_document
from prakerja.warehouse import statements, transactions
from prakerja_blacklist.format.contract import POINTER
from tests.support.later_contract import publish_by_it_if_told
from tests.support.publisher import published

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        __name__, "cryptography.hazmat.primitives.serialization", "pandas", "psycopg", "pyarrow.compute", "pyarrow.csv",
        "pyarrow.parquet", "s3fs", "sqlalchemy.dialects.postgresql.psycopg",
    ]
)  # fmt: skip

ANCHOR = ("audit/v*.json", "audit/v*.json.sig")
LIST = tuple(
    f"blacklist/{name}"
    for name in (
        "v*/snapshot.csv.gz", "v*/snapshot.parquet", "v*/delta.csv.gz", "v*/chain.json", "v*/chain.json.sig",
        "v*/manifest.json", "v*/manifest.json.sig", POINTER,
    )
)  # fmt: skip
LATER_LIST = tuple(name.replace("blacklist/", "blacklist-format-2/") for name in LIST)
EARLIER_LIST = tuple(name.replace("blacklist/", "blacklist-*/") for name in LIST)
KEYS = ("blacklist/keys/*.pem", "blacklist/keys/keyring-*.json")
LATER_KEYS = tuple(name.replace("blacklist/", "blacklist-format-2/") for name in KEYS)

#: What a publisher writes, in order: of the first version, of a later one, of the first under a new subject key, and of
#: the first by a later contract too.
WRITES = {
    "first": (*KEYS, *ANCHOR, *LIST),
    "later": (*ANCHOR, *LIST),
    "rekeyed": (*ANCHOR, *EARLIER_LIST, *LIST),
    "later_by_two": (*ANCHOR, *LIST, *LATER_KEYS, *LATER_LIST),
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
        if file.endswith("chain.json"):
            found.append("before insert_published_list")
        found += [f"before {file}", *([f"in the middle of {file}"] if halves else [])]
        found += [f"after {file}"] if file.endswith(POINTER) else []
    return found


@contextlib.contextmanager
def watched(reached: Callable[[str], object]) -> Iterator[None]:
    """While this is open, each step of a publisher is told to `reached` by its name."""
    exclusive, execute, transaction, seal = (
        warehouse.exclusive, warehouse.execute, transactions._transaction, transactions._seal,
    )  # fmt: skip
    create, replace, put_in_place = storage.create, storage.replace, local_files.put_in_place
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
        if stated[-1].startswith(("insert", "seal")) and stated[-1] != "insert_documents":
            reached(f"before {stated[-1]}")
        return execute(connection, name, **parameters)

    def seal_(engine: Any) -> None:
        reached("after the commit")
        seal(engine)
        reached("after the seal")

    def create_(place: Any, name: str, data: bytes) -> Any:
        if read_document(place, name) is None:
            reached(f"before {named(place / name)}")
        return create(place, name, data)

    def replace_(place: Any, name: str, data: bytes) -> None:
        reached(f"before {named(place / name)}")
        replace(place, name, data)
        reached(f"after {named(place / name)}")

    def put_in_place_(place: Any, name: str, *opened: Any, **how: Any) -> None:
        reached(f"in the middle of {named(place / name)}")
        put_in_place(place, name, *opened, **how)

    with pytest.MonkeyPatch.context() as patch:
        for owner, name, with_steps in (
            (warehouse, "exclusive", exclusive_), (warehouse, "execute", execute_),
            (statements, "execute", execute_), (transactions, "_seal", seal_),
            (transactions, "_transaction", transaction_), (storage, "create", create_),
            (storage, "replace", replace_), (local_files, "put_in_place", put_in_place_),
        ):  # fmt: skip
            patch.setattr(owner, name, with_steps)
        yield


def child(environment: dict[str, str], occasion: str, at: datetime, dies_at: str, together: Any = None) -> None:
    """A publisher in a process of its own."""
    os.environ.clear()
    os.environ.update(environment)
    publish_by_it_if_told()

    def reached(step: str) -> None:
        if step == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    if together:
        together.wait(600)
    with watched(reached):
        published(occasion, at)


def exit_codes(*publishers: tuple[Any, ...]) -> list[int | None]:
    """How processes end that publish at once; each is given what `child` takes behind the environment."""
    processes = [FORKS.Process(target=child, args=(dict(os.environ), *arguments)) for arguments in publishers]
    for process in processes:
        process.start()
    for process in processes:
        process.join(600)
        if process.is_alive():
            process.kill()
    return [process.exitcode for process in processes]


def kill(step: str, occasion: str, at: datetime) -> None:
    """Let a publisher die at a step."""
    assert exit_codes((occasion, at, step)) == [-signal.SIGKILL], f"it was never {step}"
