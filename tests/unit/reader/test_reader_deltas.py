"""Where a delta cannot be used, the reader fetches the whole list once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.simulated_publisher import (
    DELTA_HEADER,
    Repository,
    change_of,
    delta_of,
    flipped,
    gzipped,
    line_of,
    manifest_of,
    signature_of,
    snapshot_of,
)
from tests.support.simulated_reader import (
    NEW_SUBJECTS,
    OWN_FILES,
    STRANGER,
    Reader,
    always,
    bend_own,
    clean_tree,
    subject_of,
    subjects_of,
    tree,
)


def added(nik: int) -> bytes:
    return change_of("ADD", line_of(subject_of(nik).decode()))


def withdrawn(nik: int) -> bytes:
    return change_of("WITHDRAW", line_of(subject_of(nik).decode()))


def cut(repository: Repository, name: str) -> None:
    repository.put(name, repository.data(name)[:-9])


def lengthen(repository: Repository, name: str) -> None:
    repository.put(name, repository.data(name) + b"\0")


def declare_delta(*changes: bytes, rows: int | None = None) -> Callable[[Repository, Reader], None]:
    data = gzipped(DELTA_HEADER + b"".join(changes))
    return lambda repository, _: repository.declare(delta_of(2), data, rows=rows)


UNFIT_DELTAS: dict[str, Callable[[Repository, Reader], Any]] = {
    "missing": lambda r, _: r.drop(delta_of(2)),
    "bent": lambda r, _: r.flip(delta_of(2)),
    "the last one is bent": lambda r, _: r.flip(delta_of(3)),
    "packed at another time of day": lambda r, _: r.flip(delta_of(2), 4),
    "cut off": lambda r, _: cut(r, delta_of(2)),
    "longer": lambda r, _: lengthen(r, delta_of(2)),
    "endless": lambda r, _: r.put_endless(delta_of(2)),
    "of another version": lambda r, _: r.swap(delta_of(2), delta_of(3)),
    "cannot be reached": lambda _, reader: vars(reader.source).update(breaks_at=6, breaks_once=True),
    "signed, no gzip": lambda r, _: r.declare(delta_of(2), b"no gzip"),
    "signed, cut off": lambda r, _: r.declare(delta_of(2), r.data(delta_of(2))[:-9]),
    "signed, more behind its end": lambda r, _: r.declare(delta_of(2), r.data(delta_of(2)) + b"more"),
    "signed, opens to more than its rows": lambda r, _: r.declare(delta_of(2), r.data(delta_of(2)), rows=0),
    "signed, opens to zeros without end": lambda r, _: r.declare(delta_of(2), gzipped(bytes(3 << 20))),
    "signed, another change": declare_delta(added(900)),
    "signed, no change": declare_delta(),
    "signed, adds who is listed": declare_delta(added(8)),
    "signed, withdraws who is not": declare_delta(withdrawn(900)),
    "signed, adds twice": declare_delta(added(301), added(301)),
    "signed, not sorted": declare_delta(*sorted([added(301), added(302)], reverse=True)),
    "signed, a line that does not fit": declare_delta(added(301).replace(b",12,", b",0,")),
    "signed, no header": lambda r, _: r.declare(delta_of(2), gzipped(added(301))),
    "signed, under another subject key": lambda r, _: r.restate(2, key_id=NEW_SUBJECTS.key_id),
    "signed by a stranger": lambda r, _: r.restate(2, by=STRANGER),
    "its manifest is missing": lambda r, _: r.drop(manifest_of(2)),
    "its manifest is bent": lambda r, _: r.flip(manifest_of(2)),
    "its manifest is endless": lambda r, _: r.put_endless(manifest_of(2)),
    "its manifest is another version's": lambda r, _: (
        r.swap(manifest_of(2), manifest_of(1)),
        r.swap(signature_of(2), signature_of(1)),
    ),
    "its signature is missing": lambda r, _: r.drop(signature_of(2)),
    "its signature is another version's": lambda r, _: r.swap(signature_of(2), signature_of(1)),
    "its signature is endless": lambda r, _: r.put_endless(signature_of(2)),
    "one's own lines are bent": lambda _, reader: bend_own(reader, "list.csv", flipped),
    "one's own lines are cut off": lambda _, reader: bend_own(reader, "list.csv", lambda data: data[:-9]),
    "one's own lines are no list": lambda _, reader: bend_own(reader, "list.csv", always(b"\n\n")),
    "one's own lines are gone": lambda _, reader: bend_own(reader, "list.csv", always(None)),
    "one's own subjects are bent": lambda _, reader: bend_own(reader, "subjects.bin", flipped),
    "one's own subjects are cut off": lambda _, reader: bend_own(reader, "subjects.bin", lambda data: data[:-32]),
    "one's own subjects are gone": lambda _, reader: bend_own(reader, "subjects.bin", always(None)),
    "one's own list is gone": lambda _, reader: [bend_own(reader, name, always(None)) for name in OWN_FILES],
}


@pytest.mark.parametrize("unfit", UNFIT_DELTAS)
def test_where_a_delta_does_not_do_the_whole_list_is_fetched_once(
    reader: Reader, repository: Repository, unfit: str
) -> None:
    repository.publish([301], [7])
    repository.publish([302], [8])
    UNFIT_DELTAS[unfit](repository, reader)
    synced = reader.sync()
    assert (synced.how, synced.changes, synced.trusted.version) == ("full", [], 3)
    assert reader.fetched.count(snapshot_of(3)) == 1
    assert snapshot_of(2) not in reader.fetched
    assert reader.subjects() == subjects_of(repository)
    assert tree(reader) == clean_tree(reader)
