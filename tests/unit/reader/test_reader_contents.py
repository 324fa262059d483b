"""A list that opens to too much, or to no list, is refused though it is signed."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import zlib
from array import array
from collections.abc import Callable

import pytest

from prakerja_blacklist.format.snapshot import LINE_BYTES_MAX, NotCanonicalError
from prakerja_blacklist.reader import verification
from prakerja_blacklist.reader.verification import RefusedListError
from tests.support.simulated_publisher import (
    DELTA_HEADER,
    HEADER,
    Repository,
    change_of,
    delta_of,
    flipped,
    gzipped,
    list_of,
    manifest_of,
    snapshot_of,
)
from tests.support.simulated_reader import Reader, always, subject_of


def test_a_list_that_opens_to_more_than_its_rows_is_refused_though_signed(
    anyone: Reader, repository: Repository
) -> None:
    lines = list_of(repository.listed())
    assert len(lines) > len(HEADER) + 100 * LINE_BYTES_MAX
    repository.declare(snapshot_of(2), gzipped(lines), rows=100)
    with anyone.refusing(said="tampered"):
        anyone.sync()


def test_a_bomb_is_cut_off() -> None:
    opened = verification.inflate(io.BytesIO(gzipped(bytes(32 << 20))), 5 << 20, "a bomb")
    sizes = array("Q")
    with pytest.raises(RefusedListError, match="more than its rows"):
        sizes.extend(len(chunk) for chunk in opened)
    assert 4 << 20 <= sum(sizes) <= 5 << 20
    assert max(sizes) <= 1 << 20


def gzipped_to(size: int, data: bytes) -> bytes:
    """As a gzip file of that size: its name makes up for what is missing."""
    packed = gzipped(data)[10:]
    return b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"n" * (size - 11 - len(packed)) + b"\0" + packed


UNFIT_GZIPS: dict[str, Callable[[bytes], bytes]] = {
    "no gzip": lambda data: data,
    "nothing": always(b""),
    "cut off": lambda data: gzipped(data)[:-9],
    "without its end": lambda data: gzipped(data)[:-1],
    "a wrong checksum": lambda data: flipped(gzipped(data), -8),
    "more behind its end": lambda data: gzipped(data) + b"more",
    "zeros behind its end": lambda data: gzipped(data) + b"\0" * 512,
    "a second member": lambda data: gzipped(data) + gzipped(b""),
    "two members": lambda data: gzipped(data[:5000]) + gzipped(data[5000:]),
    "far more behind its end": lambda data: gzipped(data) + b"\0" * (1 << 20),
    "more behind its end, where a chunk ends, too": lambda data: gzipped_to(1 << 18, data) + b"more",
    "zlib": lambda data: zlib.compress(data),
}


@pytest.mark.parametrize("unfit", UNFIT_GZIPS)
def test_a_list_that_is_not_one_whole_gzip_file_is_refused_though_signed(
    anyone: Reader, repository: Repository, unfit: str
) -> None:
    repository.declare(snapshot_of(2), UNFIT_GZIPS[unfit](list_of(repository.listed())))
    with anyone.refusing(said="tampered"):
        anyone.sync()


UNFIT_LISTS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "not sorted": lambda lines: [*lines[1:], lines[0]],
    "two lines the other way round": lambda lines: [lines[1], lines[0], *lines[2:]],
    "a subject twice": lambda lines: [lines[0], *lines],
    "a subject twice, otherwise": lambda lines: [lines[0].replace(b",12,", b",13,"), *lines],
    "upper case": lambda lines: [lines[0][:64].upper() + lines[0][64:], *lines[1:]],
    "a short subject": lambda lines: [lines[0][1:], *lines[1:]],
    "an empty line": lambda lines: [*lines, b"\n"],
    "no last line break": lambda lines: [*lines[:-1], lines[-1][:-1]],
    "CRLF": lambda lines: [line.replace(b"\n", b"\r\n") for line in lines],
    "a column more": lambda lines: [lines[0].replace(b"\n", b",\n"), *lines[1:]],
    "a column less": lambda lines: [lines[0].replace(b",12,", b","), *lines[1:]],
    "another reason": lambda lines: [lines[0].replace(b"NO_FIRST_PURCHASE", b"REINSTATED"), *lines[1:]],
    "cohort 0": lambda lines: [lines[0].replace(b",12,", b",0,"), *lines[1:]],
    "a quoted cohort": lambda lines: [lines[0].replace(b",12,", b',"12",'), *lines[1:]],
    "spaces": lambda lines: [lines[0].replace(b",", b", "), *lines[1:]],
    "zeros": lambda lines: [b"\0" * 100 + b"\n", *lines],
}


@pytest.mark.parametrize("unfit", UNFIT_LISTS)
def test_a_list_that_does_not_fit_the_contract_is_refused_though_signed(
    anyone: Reader, repository: Repository, unfit: str
) -> None:
    lines = UNFIT_LISTS[unfit]([line for _, line in sorted(repository.listed().items())])
    repository.declare_list(2, HEADER + b"".join(lines), len(lines))
    with anyone.refusing(NotCanonicalError):
        anyone.sync()


@pytest.mark.parametrize("header", [b"", b"subject\n", HEADER.upper(), HEADER[:-1] + b"\r\n", b"\xef\xbb\xbf" + HEADER])
def test_a_list_without_the_contracts_columns_is_refused_though_signed(
    anyone: Reader, repository: Repository, header: bytes
) -> None:
    repository.declare_list(2, header + b"".join(line for _, line in sorted(repository.listed().items())), 300)
    with anyone.refusing(NotCanonicalError):
        anyone.sync()


@pytest.mark.parametrize("data", [b"", HEADER[:-1], HEADER[:9]])
def test_a_list_without_a_whole_header_is_refused_though_signed(
    anyone: Reader, repository: Repository, data: bytes
) -> None:
    repository.declare_list(2, data, 0)
    with anyone.refusing(NotCanonicalError):
        anyone.sync()


def test_a_list_that_is_packed_otherwise_is_taken(anyone: Reader, repository: Repository) -> None:
    for packed in (gzipped_to(1 << 18, list_of(repository.listed())), gzip.compress(list_of(repository.listed()), 1)):
        repository.declare(snapshot_of(2), packed)
        assert anyone.sync().trusted.version == 2
        shutil.rmtree(anyone.folder)


def test_a_list_of_another_hash_than_signed_is_refused(anyone: Reader, repository: Repository) -> None:
    repository.restate(2, result_sha256="0" * 64)
    with anyone.refusing(said="tampered"):
        anyone.sync()


def test_a_list_of_another_length_than_signed_is_refused(anyone: Reader, repository: Repository) -> None:
    counts = json.loads(repository.data(manifest_of(2)))["counts"]
    repository.restate(2, counts=counts | {"entries": 301})
    with anyone.refusing(said="tampered"):
        anyone.sync()


def test_a_delta_that_leads_to_another_length_than_signed_is_refused(reader: Reader, repository: Repository) -> None:
    repository.publish([301, 302], [7])
    counts = json.loads(repository.data(manifest_of(2)))["counts"]
    repository.restate(2, counts=counts | {"entries": 300})
    with reader.refusing(said="tampered"):
        reader.sync()


def test_a_delta_brings_no_line_that_the_whole_list_may_not_have(
    reader: Reader, newcomer: Reader, repository: Repository
) -> None:
    repository.publish([301])
    lines = repository.listed()
    lines[subject_of(301)] = lines[subject_of(301)].replace(b"NO_FIRST_PURCHASE", b"REINSTATED")
    repository.declare(delta_of(2), gzipped(DELTA_HEADER + change_of("ADD", lines[subject_of(301)], "REINSTATED")))
    repository.declare_list(2, list_of(lines), 301)
    for each in (newcomer, reader):
        with each.refusing(NotCanonicalError):
            each.sync()
