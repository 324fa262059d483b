"""Pointer, manifest, signature and list must belong together; every byte counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.format.keyring import UntrustedError, file_name
from prakerja_blacklist.reader import sync
from prakerja_blacklist.reader.sources import NotThereError, TooLargeError
from prakerja_blacklist.reader.verification import RefusedListError
from tests.support.reader_sources import Shelf
from tests.support.simulated_publisher import (
    HEADER,
    Repository,
    flipped,
    gzipped,
    manifest_of,
    signature_of,
    snapshot_of,
)
from tests.support.simulated_reader import FIRST, STRANGER, Reader, always

# -- what belongs together ---------------------------------------------------------------------------------------------

#: Version 2 is pointed at; version 3, which is longer, lies there, too.
MIXED: dict[str, tuple[Callable[[Repository], Any], type[Exception], str]] = {
    "the pointer has another manifest's hash": (
        lambda r: r.put(POINTER, r.data(POINTER).replace(sha_in(r, 2), sha_in(r, 3))),
        RefusedListError,
        "mixed",
    ),
    "the pointer names another version's manifest": (
        lambda r: r.put(POINTER, r.data(POINTER).replace(b"v000002", b"v000003")),
        RefusedListError,
        "mixed",
    ),
    "the pointer names a version that is not there": (
        lambda r: r.put(POINTER, r.data(POINTER).replace(b"v000002", b"v000004").replace(b":2", b":4")),
        RefusedListError,
        "missing",
    ),
    "another version's manifest": (
        lambda r: (r.swap(manifest_of(2), manifest_of(3)), r.swap(signature_of(2), signature_of(3))),
        RefusedListError,
        "mixed",
    ),
    "the pointer writes its version otherwise": (
        lambda r: r.put(POINTER, r.data(POINTER).replace(b"v000002", b"v0000002")),
        RefusedListError,
        "mixed",
    ),
    "an earlier version's manifest, pointed at": (
        lambda r: (r.swap(manifest_of(2), manifest_of(1)), r.swap(signature_of(2), signature_of(1)), r.point(2)),
        RefusedListError,
        "mixed",
    ),
    "another version's signature": (lambda r: r.swap(signature_of(2), signature_of(3)), UntrustedError, "wrong"),
    "a later version's list": (lambda r: r.swap(snapshot_of(2), snapshot_of(3)), TooLargeError, "snapshot.csv.gz"),
    "an empty list": (lambda r: r.put(snapshot_of(2), gzipped(HEADER)), RefusedListError, "tampered"),
    "a manifest that says another version": (lambda r: r.restate(2, version=3), RefusedListError, "mixed"),
    "a previous version that is none": (lambda r: r.restate(2, previous_version=7), RefusedListError, "mixed"),
    "a manifest of the same version, not pointed at": (
        lambda r: (r.restate(2, data_as_of={}), r.put(POINTER, r.data(POINTER).replace(sha_in(r, 2), b"0" * 64))),
        RefusedListError,
        "mixed",
    ),
    "no manifest": (lambda r: r.drop(manifest_of(2)), RefusedListError, "missing"),
    "no signature": (lambda r: r.drop(signature_of(2)), RefusedListError, "missing"),
    "no list": (lambda r: r.drop(snapshot_of(2)), RefusedListError, "missing"),
    "no pointer": (lambda r: r.drop(POINTER), NotThereError, POINTER),
}


def sha_in(repository: Repository, version: int) -> bytes:
    return sync.sha256(repository.data(manifest_of(version))).encode()


@pytest.mark.parametrize("mixed", MIXED)
def test_what_does_not_belong_together_is_refused(anyone: Reader, repository: Repository, mixed: str) -> None:
    repository.publish([302, 303])
    repository.point(2)
    bend, error, said = MIXED[mixed]
    bend(repository)
    with anyone.refusing(error, said):
        anyone.sync()


# -- signatures --------------------------------------------------------------------------------------------------------

#: By what the manifest's bytes are.
SIGNATURES: dict[str, Callable[[bytes], bytes]] = {
    "empty": always(b""),
    "a line break": always(b"\n"),
    "garbage": always(b"\xff\0garbage"),
    "zeros": always(b"A" * 86 + b"=="),
    "in hex": always(b"00" * 64),
    "no base64": lambda data: b"!" + FIRST.sign(data)[1:],
    "cut off": lambda data: FIRST.sign(data)[:40],
    "cut off between four": lambda data: FIRST.sign(data)[:41],
    "twice": lambda data: FIRST.sign(data).strip() * 2,
    "a bit": lambda data: flipped(FIRST.sign(data), 5),
    "by a stranger": lambda data: STRANGER.sign(data),
    "of other data": lambda data: FIRST.sign(data + b" "),
    "of nothing": lambda _: FIRST.sign(b""),
}


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_manifest_that_is_not_signed_rightly_is_refused(
    anyone: Reader, repository: Repository, signature: str
) -> None:
    data = repository.data(manifest_of(2))
    repository.put(signature_of(2), SIGNATURES[signature](data))
    with anyone.refusing(UntrustedError, "signature is wrong"):
        anyone.sync()
    repository.put(signature_of(2), FIRST.sign(data))
    assert anyone.sync().trusted.version == 2


def test_a_manifest_by_a_key_that_is_not_pinned_is_refused(anyone: Reader, repository: Repository) -> None:
    repository.restate(2, by=STRANGER)
    with anyone.refusing(UntrustedError, "not trusted here"):
        anyone.sync()


def test_a_manifest_that_names_the_pinned_key_and_is_signed_by_another_is_refused(
    anyone: Reader, repository: Repository
) -> None:
    repository.restate(2, by=STRANGER, signing_key_id=FIRST.public.key_id)
    with anyone.refusing(UntrustedError, "signature is wrong"):
        anyone.sync()


def test_who_pinned_another_key_is_refused(repository: Repository, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "reader", repository, pins=[STRANGER])
    with reader.refusing(UntrustedError, "pin the publisher's"):
        reader.sync()


# -- every byte --------------------------------------------------------------------------------------------------------

FETCHED = [POINTER, manifest_of(2), signature_of(2), file_name(1), snapshot_of(2)]

BENT: dict[str, Callable[[bytes], bytes]] = {
    "the first byte": lambda data: flipped(data, 0),
    "a byte in the middle": flipped,
    "one of the last bytes": lambda data: flipped(data, -3),
    "empty": always(b""),
    "half": lambda data: data[: len(data) // 2],
    "begins late": lambda data: data[1:],
    "twice": lambda data: data * 2,
    "zeros": lambda data: bytes(len(data)),
}


@pytest.mark.parametrize("name", FETCHED)
@pytest.mark.parametrize("bent", BENT)
def test_a_file_that_is_bent_is_refused(newcomer: Reader, repository: Repository, name: str, bent: str) -> None:
    repository.publish([301], [7])
    newcomer.source.bent[name] = BENT[bent]
    with newcomer.refusing(PrakerjaError):
        newcomer.sync()
    newcomer.source.bent.clear()
    assert newcomer.sync().trusted.version == 2


def test_every_single_byte_of_pointer_and_manifest_counts(reader: Reader, repository: Repository) -> None:
    repository.publish([301], [7])
    source = Shelf.of(repository.root)
    held = reader.held()
    for name in (POINTER, manifest_of(2)):
        right = source.files[name]
        for position in range(len(right)):
            source.files[name] = flipped(right, position)
            with pytest.raises(PrakerjaError):
                reader.client.sync(source, repository.now)
        source.files[name] = right
    assert reader.held() == held
    assert reader.client.sync(source, repository.now).how == "delta"


@pytest.mark.parametrize("by", [-1, 1])
def test_a_size_that_is_not_the_signed_one_is_refused(anyone: Reader, repository: Repository, by: int) -> None:
    files = json.loads(repository.data(manifest_of(2)))["files"]
    repository.restate(2, files=[file | {"bytes": file["bytes"] + by} for file in files])
    with anyone.refusing(TooLargeError if by < 0 else RefusedListError, "snapshot.csv.gz" if by < 0 else "tampered"):
        anyone.sync()
