"""What is not what it says is refused: signatures, documents, contents, and what does not belong together."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.keyring import file_name
from prakerja_blacklist.format.snapshot import sha256
from tests.support.conformance.kit import Publication, case
from tests.support.simulated_publisher import (
    DELTA_HEADER,
    HEADER,
    change_of,
    delta_of,
    flipped,
    gzipped,
    line_of,
    list_of,
    manifest_of,
    signature_of,
    snapshot_of,
)
from tests.support.simulated_reader import FIRST, NEW_SUBJECTS, STRANGER, subject_of

Bend = Callable[[Publication], Any]
TOO_LARGE = 1_500_000  # a document may have 1,000,000 bytes, a signature 1,000


def refuse(name: str, title: str, bend: Bend, like: str = "") -> None:
    """Register a case whose version 3 is bent, and refused by a reader of version 1."""

    @case(name, title, like)
    def bent(p: Publication) -> None:
        p.accepted()
        p.publish_without_deltas()
        bend(p)
        p.refused()


# -- signatures --------------------------------------------------------------------------------------------------------

#: What stands for the signature, by the manifest's bytes.
SIGNATURES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "empty": ("The signature is empty.", lambda _: b""),
    "garbage": ("The signature is no base64.", lambda _: b"\xff\0garbage"),
    "zeros": ("The signature is all zeros.", lambda _: b"A" * 86 + b"==\n"),
    "hex": ("The signature is in hex.", lambda data: FIRST._private.sign(data).hex().encode()),
    "cut-off": ("The signature breaks off.", lambda data: FIRST.sign(data)[:40]),
    "one-bit": ("A bit of the signature is another.", lambda data: flipped(FIRST.sign(data), 5)),
    "by-a-stranger": ("The signature is a stranger's.", STRANGER.sign),
    "of-other-bytes": ("The signature is over other bytes.", lambda data: FIRST.sign(data + b" ")),
    "of-nothing": ("The signature is over nothing.", lambda _: FIRST.sign(b"")),
    "of-its-hash": ("The signature is over the manifest's SHA-256.", lambda data: FIRST.sign(sha256(data).encode())),
}


def put_signature(sign: Callable[[bytes], bytes]) -> Bend:
    return lambda p: p.put(signature_of(3), sign(p.data(manifest_of(3))))


for _name, (_title, _sign) in SIGNATURES.items():
    refuse(f"signatures/{_name}", _title, put_signature(_sign), "test_unsigned_metadata, test_non_root_rotations")
refuse(
    "signatures/of-another-version",
    "The signature is of another version.",
    lambda p: p.swap(signature_of(3), signature_of(2)),
)
refuse(
    "signatures/key-not-pinned",
    "The manifest is signed by a stranger, and says so.",
    lambda p: p.restate(3, by=STRANGER),
    "test_unsigned_metadata",
)
refuse(
    "signatures/by-anothers-name",
    "The manifest names the publisher's key, and a stranger has signed it.",
    lambda p: p.restate(3, by=STRANGER, signing_key_id=FIRST.public.key_id),
    "test_duplicate_keys",
)
refuse(
    "signatures/key-beside-the-list",
    "A stranger has signed, and their key lies beside the list under the pinned one's name.",
    lambda p: (
        p.put(f"keys/{FIRST.public.key_id}.pem", STRANGER.public.pem),
        p.restate(3, by=STRANGER, signing_key_id=FIRST.public.key_id),
    ),
)


@case("signatures/another-pin", "A reader that has pinned another key takes nothing.", "test_unsigned_initial_root")
def another_pin(p: Publication) -> None:
    p.refused(pin="stranger")


@case("signatures/broken-pin", "A pin that is no public key is refused.", "test_invalid_initial_root")
def broken_pin(p: Publication) -> None:
    p.refused(pin="broken")


@case("signatures/first-sync", "A list that a stranger has signed is not taken at first.", "test_unsigned_metadata")
def stranger_at_first(p: Publication) -> None:
    p.restate(1, by=STRANGER)
    p.refused()


# -- mix-and-match -----------------------------------------------------------------------------------------------------


def sha_in(p: Publication, version: int) -> bytes:
    return sha256(p.data(manifest_of(version))).encode()


refuse(
    "mixed/another-hash",
    "The pointer has another manifest's hash.",
    lambda p: p.put(POINTER, p.data(POINTER).replace(sha_in(p, 3), sha_in(p, 2))),
    "test_snapshot_hash_mismatch",
)
refuse(
    "mixed/another-manifest-named",
    "The pointer names another version's manifest.",
    lambda p: p.put(POINTER, p.data(POINTER).replace(b"v000003", b"v000002")),
    "test_url_and_metadata_version_mismatch",
)
refuse(
    "mixed/version-not-there",
    "The pointer names a version that is not there.",
    lambda p: p.put(POINTER, p.data(POINTER).replace(b"v000003", b"v000004").replace(b":3", b":4")),
    "test_snapshot_404",
)
refuse(
    "mixed/another-versions-manifest",
    "The manifest is an earlier version's, and the pointer has its hash.",
    lambda p: (p.swap(manifest_of(3), manifest_of(2)), p.swap(signature_of(3), signature_of(2)), p.point(3)),
    "test_url_and_metadata_version_mismatch",
)
refuse(
    "mixed/says-another-version",
    "The manifest says another version than its folder.",
    lambda p: p.restate(3, version=4),
    "test_url_and_metadata_version_mismatch",
)
refuse(
    "mixed/another-previous-version",
    "The manifest does not name the version before it.",
    lambda p: p.restate(3, previous_version=1),
)
refuse(
    "mixed/another-versions-list",
    "The list is another version's.",
    lambda p: p.swap(snapshot_of(3), snapshot_of(2)),
    "test_repository_substitutes_target_file",
)
refuse(
    "mixed/manifest-changed",
    "The manifest was signed anew, and the pointer has the hash of the one before.",
    lambda p: p.sign(canonical_json(p.manifest(3) | {"data_as_of": {}}), 3),
    "test_snapshot_hash_mismatch",
)


# -- documents ---------------------------------------------------------------------------------------------------------

NO_DOCUMENTS = {
    "empty": b"",
    "text": b"no JSON",
    "null": b"null",
    "a-list": b"[]",
    "a-number": b"1",
    "no-members": b"{}",
    "not-closed": b'{"version":3',
    "deep": b"[" * 100_000,
    "html": b"<html>please log in</html>",
}

POINTERS: dict[str, tuple[str, dict[str, Any]]] = {
    "version-as-text": ("The pointer's version is text.", {"version": "3"}),
    "version-0": ("The pointer's version is 0.", {"version": 0, "manifest": "v000000/manifest.json"}),
    "version-negative": ("The pointer's version is negative.", {"version": -3, "manifest": "v-00003/manifest.json"}),
    "version-null": ("The pointer's version is null.", {"version": None}),
    "path-upwards": ("The pointer's path leads out of the list.", {"manifest": "../blacklist/v000003/manifest.json"}),
    "url": ("The pointer's path is a URL.", {"manifest": "https://else.example/v000003/manifest.json"}),
    "hash-null": ("The pointer has no hash.", {"sha256": None}),
    "hash-upper-case": ("The pointer's hash is in upper case.", {"sha256": "A" * 64}),
    "unknown-member": ("The pointer has a member that the contract does not know.", {"more": 1}),
}

MANIFESTS: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "another-contract": ("The manifest is of another contract.", lambda _: {"contract": "prakerja.blacklist/2"}),
    "no-contract": ("The manifest is of no contract.", lambda _: {"contract": None}),
    "unknown-member": ("The manifest has a member that the contract does not know.", lambda _: {"more": 1}),
    "expiry-that-is-none": ("The expiry is no instant.", lambda _: {"expires_at": "2021-13-01T00:00:00Z"}),
    "expiry-missing": ("There is no expiry.", lambda _: {"expires_at": None}),
    "expiry-in-another-zone": (
        "The expiry has another zone than UTC.",
        lambda _: {"expires_at": "2021-03-30T00:00:00+07:00"},
    ),
    "created-on-no-day": (
        "The manifest was made on a day that is none.",
        lambda _: {"created_at": "2021-99-99T00:00:00Z"},
    ),
    "negative-count": ("A count is negative.", lambda m: {"counts": m["counts"] | {"entries": -1}}),
    "no-file": ("The manifest names no files.", lambda _: {"files": []}),
    "a-file-twice": ("The manifest names a file twice.", lambda m: {"files": [m["files"][0]] * 3}),
    "a-file-elsewhere": (
        "The manifest names a file outside of its folder.",
        lambda m: {"files": [{**m["files"][0], "name": "../v000003/snapshot.csv.gz"}, *m["files"][1:]]},
    ),
    "no-subject-key": ("The manifest names no subject key.", lambda _: {"key_id": ""}),
}


def put_no_manifest(document: bytes) -> Bend:
    return lambda p: (p.sign(document, 3), p.point(3))


def put_pointer(document: bytes) -> Bend:
    return lambda p: p.put(POINTER, document)


def bend_pointer(members: dict[str, Any]) -> Bend:
    return lambda p: p.put(POINTER, canonical_json(json.loads(p.data(POINTER)) | members))


def bend_manifest(bend: Callable[[dict[str, Any]], dict[str, Any]]) -> Bend:
    return lambda p: p.restate(3, **bend(p.manifest(3)))


for _name, _document in NO_DOCUMENTS.items():
    refuse(
        f"documents/pointer-{_name}",
        "The pointer is no document of the contract.",
        put_pointer(_document),
        "test_incorrect_metadata_type",
    )
    refuse(
        f"documents/manifest-{_name}",
        "The manifest is signed, and no document of the contract.",
        put_no_manifest(_document),
        "test_incorrect_metadata_type",
    )
for _name, (_title, _members) in POINTERS.items():
    refuse(
        f"documents/pointer-{_name}", _title, bend_pointer(_members), "test_custom_fields" if "unknown" in _name else ""
    )
for _name, (_title, _bend) in MANIFESTS.items():
    refuse(
        f"documents/manifest-{_name}", _title, bend_manifest(_bend), "test_custom_fields" if "unknown" in _name else ""
    )
refuse(
    "documents/manifest-keyring",
    "A keyring that the publisher has signed lies in the manifest's place.",
    lambda p: put_no_manifest(base64.b64decode(json.loads(p.data(file_name(1)))["keyring"]))(p),
    "test_incorrect_metadata_type",
)
refuse(
    "documents/pointer-member-twice",
    "A member stands twice in the pointer.",
    lambda p: p.put(POINTER, p.data(POINTER).replace(b"{", b'{"version":1,', 1)),
)
refuse(
    "documents/manifest-member-twice",
    "A member stands twice in the manifest.",
    lambda p: (p.sign(p.data(manifest_of(3)).replace(b"{", b'{"version":1,', 1), 3), p.point(3)),
)
refuse(
    "documents/pointer-too-large",
    "The pointer is larger than a document may be.",
    lambda p: p.put(POINTER, p.data(POINTER) + b" " * TOO_LARGE),
)
refuse(
    "documents/manifest-too-large",
    "The manifest is larger than a document may be.",
    lambda p: (p.sign(p.data(manifest_of(3)) + b" " * TOO_LARGE, 3), p.point(3)),
)
refuse(
    "documents/signature-too-large",
    "The signature is larger than it may be.",
    lambda p: p.put(signature_of(3), p.data(signature_of(3)) + b"\n" * TOO_LARGE),
)


# -- the list's contents -----------------------------------------------------------------------------------------------


def lines_in(p: Publication) -> list[bytes]:
    return [line for _, line in sorted(p.listed().items())]


def declare_lines(bend: Callable[[list[bytes]], list[bytes]], header: bytes = HEADER) -> Bend:
    """Publish other lines, and sign all that is said of them."""

    def declare(p: Publication) -> None:
        lines = bend(lines_in(p))
        p.declare_list(3, header + b"".join(lines), len(lines))

    return declare


def declare_packed(pack: Callable[[bytes], bytes]) -> Bend:
    return lambda p: p.declare(snapshot_of(3), pack(list_of(p.listed())))


def restate_files(**members: Any) -> Bend:
    """Say otherwise of the list's file; a function is given what was said."""

    def restate(p: Publication) -> None:
        files = p.manifest(3)["files"]
        for name, value in members.items():
            files[0][name] = value(files[0][name]) if callable(value) else value
        p.restate(3, files=files)

    return restate


HASHES = "test_targets_hash_mismatch, test_repository_substitutes_target_file"
refuse("contents/one-bit", "A bit of the list's file is another.", lambda p: p.flip(snapshot_of(3)), HASHES)
refuse(
    "contents/time-of-day",
    "A bit of the gzip header is another; it opens to the same list.",
    lambda p: p.flip(snapshot_of(3), 4),
    HASHES,
)
refuse("contents/empty-file", "The list's file is empty.", lambda p: p.put(snapshot_of(3), b""), HASHES)
refuse(
    "contents/empty-list", "The list's file is an empty list.", lambda p: p.put(snapshot_of(3), gzipped(HEADER)), HASHES
)
refuse(
    "contents/cut-off",
    "The list's file breaks off.",
    lambda p: p.put(snapshot_of(3), p.data(snapshot_of(3))[:-20]),
    HASHES,
)
refuse(
    "contents/longer",
    "The list's file is longer than it should be.",
    lambda p: p.put(snapshot_of(3), p.data(snapshot_of(3)) + b"\0"),
    HASHES,
)
refuse("contents/hash", "The manifest has another hash of the list's file.", restate_files(sha256="0" * 64), HASHES)
refuse(
    "contents/size-less",
    "The manifest has a byte less for the list's file.",
    restate_files(bytes=lambda n: n - 1),
    HASHES,
)
refuse(
    "contents/size-more",
    "The manifest has a byte more for the list's file.",
    restate_files(bytes=lambda n: n + 1),
    HASHES,
)
refuse(
    "contents/result",
    "The list has another hash than `result_sha256`.",
    lambda p: p.restate(3, result_sha256="0" * 64),
    HASHES,
)
refuse(
    "contents/entries",
    "The list has another length than the manifest says.",
    lambda p: p.restate(3, counts=p.manifest(3)["counts"] | {"entries": 21}),
)
refuse("contents/rows-too-few", "The list opens to more than its rows could have.", restate_files(rows=2))

for _name, (_title, _pack) in {
    "no-gzip": ("The list is signed, and not compressed.", lambda data: data),
    "gzip-empty": ("The list is signed, and an empty file.", lambda _: b""),
    "gzip-cut-off": ("The list is signed, and its gzip breaks off.", lambda data: gzipped(data)[:-9]),
    "gzip-checksum": (
        "The list is signed, and its gzip has a wrong checksum.",
        lambda data: flipped(gzipped(data), -8),
    ),
    "zlib": ("The list is signed, and compressed as zlib.", zlib.compress),
    "bomb": ("The list is signed, and opens to 64 MB of zeros.", lambda _: gzipped(bytes(64 << 20))),
}.items():
    refuse(f"contents/{_name}", _title, declare_packed(_pack))

for _name, (_title, _bend_lines) in {
    "not-sorted": ("The list is signed, and not sorted.", lambda lines: [*lines[1:], lines[0]]),
    "two-lines-exchanged": (
        "The list is signed, and two lines are exchanged.",
        lambda lines: [lines[1], lines[0], *lines[2:]],
    ),
    "a-row-twice": ("The list is signed, and has a row twice.", lambda lines: [lines[0], *lines]),
    "a-subject-twice": (
        "The list is signed, and has a subject in two cohorts.",
        lambda lines: [lines[0], lines[0].replace(b",12,", b",13,"), *lines[1:]],
    ),
    "upper-case": ("A subject is in upper case.", lambda lines: [lines[0][:64].upper() + lines[0][64:], *lines[1:]]),
    "short-subject": ("A subject is too short.", lambda lines: [lines[0][1:], *lines[1:]]),
    "empty-line": ("The list has an empty line.", lambda lines: [*lines, b"\n"]),
    "no-last-line-break": ("The last line has no line break.", lambda lines: [*lines[:-1], lines[-1][:-1]]),
    "crlf": ("The lines end in CRLF.", lambda lines: [line.replace(b"\n", b"\r\n") for line in lines]),
    "a-column-more": ("A row has a column more.", lambda lines: [lines[0].replace(b"\n", b",\n"), *lines[1:]]),
    "a-column-less": ("A row has a column less.", lambda lines: [lines[0].replace(b",12,", b","), *lines[1:]]),
    "another-reason": (
        "A row has a reason that nobody is listed for.",
        lambda lines: [lines[0].replace(b"NO_FIRST_PURCHASE", b"REINSTATED"), *lines[1:]],
    ),
    "quotes": ("A value is quoted.", lambda lines: [lines[0].replace(b",12,", b',"12",'), *lines[1:]]),
}.items():
    refuse(f"contents/{_name}", _title, declare_lines(_bend_lines))

for _name, (_title, _header) in {
    "no-header": ("The list is signed, and has no header.", b""),
    "other-columns": ("The list is signed, and has other columns.", b"subject,cohort,reason\n"),
    "byte-order-mark": ("The list is signed, and begins with a byte-order mark.", b"\xef\xbb\xbf" + HEADER),
}.items():
    refuse(f"contents/{_name}", _title, declare_lines(lambda lines: lines, _header))


@case("contents/first-sync", "A list that was changed is not taken at first.", HASHES)
def changed_at_first(p: Publication) -> None:
    p.flip(snapshot_of(1))
    p.refused()


@case("contents/rows-more", "The manifest has a row more than the list's file: it may be taken, for its hash is right.")
def rows_more(p: Publication) -> None:
    restate_files_of_first(p)
    p.either()


def restate_files_of_first(p: Publication) -> None:
    files = p.manifest(1)["files"]
    files[0]["rows"] += 1
    p.restate(1, files=files)


for _name, (_title, _repack) in {
    "two-members": (
        "The gzip file has two members, as `cat` makes one.",
        lambda data: gzipped(data[:999]) + gzipped(data[999:]),
    ),
    "zeros-behind": (
        "The gzip file has zeros behind its end, as a tape has.",
        lambda data: gzipped(data) + b"\0" * 512,
    ),
    "more-behind": ("The gzip file has other bytes behind its end.", lambda data: gzipped(data) + b"more"),
}.items():

    @case(f"contents/{_name}", f"{_title} It may be taken, for its hash is right.")
    def packed(p: Publication, repack: Callable[[bytes], bytes] = _repack) -> None:
        p.declare(snapshot_of(1), repack(list_of(p.listed())))
        p.either()


# -- deltas: a reader of version 1 may refuse each, or take the whole list in its place --------------------------------


def added(number: int) -> bytes:
    return change_of("ADD", line_of(subject_of(number).decode()))


def withdrawn(number: int) -> bytes:
    return change_of("WITHDRAW", line_of(subject_of(number).decode()))


def declare_delta(*changes: bytes) -> Bend:
    return lambda p: p.declare(delta_of(2), gzipped(DELTA_HEADER + b"".join(changes)))


DELTAS: dict[str, tuple[str, Bend]] = {
    "missing": ("The delta is not there.", lambda p: p.drop(delta_of(2))),
    "only": ("The whole list is not there.", lambda p: p.drop(snapshot_of(2))),
    "one-bit": ("A bit of the delta is another.", lambda p: p.flip(delta_of(2))),
    "cut-off": ("The delta breaks off.", lambda p: p.put(delta_of(2), p.data(delta_of(2))[:-9])),
    "longer": ("The delta is longer than it should be.", lambda p: p.put(delta_of(2), p.data(delta_of(2)) + b"\0")),
    "another-versions": ("The delta is another version's.", lambda p: p.swap(delta_of(2), delta_of(1))),
    "no-gzip": ("The delta is signed, and not compressed.", lambda p: p.declare(delta_of(2), b"no gzip")),
    "bomb": (
        "The delta is signed, and opens to 64 MB of zeros.",
        lambda p: p.declare(delta_of(2), gzipped(bytes(64 << 20))),
    ),
    "another-change": ("The delta is signed, and says another change.", declare_delta(added(30))),
    "no-change": ("The delta is signed, and says no change.", declare_delta()),
    "adds-listed": ("The delta is signed, and adds who is listed.", declare_delta(added(8))),
    "withdraws-unlisted": ("The delta is signed, and withdraws who is not listed.", declare_delta(withdrawn(30))),
    "adds-twice": ("The delta is signed, and adds somebody twice.", declare_delta(added(21), added(21))),
    "not-sorted": (
        "The delta is signed, and not sorted.",
        declare_delta(*sorted([added(21), withdrawn(5)], key=lambda c: c.partition(b",")[2], reverse=True)),
    ),
    "unfit-row": ("The delta is signed, and has a row of cohort 0.", declare_delta(added(21).replace(b",12,", b",0,"))),
    "unknown-op": (
        "The delta is signed, and has an operation that is none.",
        declare_delta(added(21).replace(b"ADD", b"PUT")),
    ),
    "no-header": ("The delta is signed, and has no header.", lambda p: p.declare(delta_of(2), gzipped(added(21)))),
}

for _name, (_title, _bend_delta) in DELTAS.items():

    @case(f"deltas/{_name}", _title)
    def delta(p: Publication, bend: Bend = _bend_delta) -> None:
        p.accepted()
        p.publish_next()
        bend(p)
        p.either()


@case("deltas/other-than-the-list", "The delta leads to the list that is signed, and the whole list is another.")
def other_than_the_list(p: Publication) -> None:
    p.accepted()
    p.publish_next()
    p.declare(snapshot_of(2), gzipped(list_of({line[:64]: line for line in lines_in(p)[1:]})))
    p.either()


@case("deltas/earlier-one-changed", "A delta before the newest was changed.")
def earlier_changed(p: Publication) -> None:
    p.accepted()
    p.publish_next()
    p.publish_next()
    p.flip(delta_of(2))
    p.either()


@case("deltas/unfit-list", "Delta and whole list are signed, agree, and list somebody for a reason that is none.")
def unfit_list(p: Publication) -> None:
    p.accepted()
    p.publish([21])
    lines = p.listed()
    lines[subject_of(21)] = lines[subject_of(21)].replace(b"NO_FIRST_PURCHASE", b"REINSTATED")
    p.declare(delta_of(2), gzipped(DELTA_HEADER + change_of("ADD", lines[subject_of(21)], "REINSTATED")))
    p.declare_list(2, list_of(lines), 21)
    p.refused()


@case("deltas/under-another-key", "The manifest says that its subjects have another key, and they have not.")
def under_another_key(p: Publication) -> None:
    p.accepted()
    p.publish_next()
    p.restate(2, key_id=NEW_SUBJECTS.key_id)
    p.refused()
