"""Readers that go to a new version only if witnesses have signed it: away, slow, lying, and with another key."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.reader import witnesses
from prakerja_blacklist.reader.static_source import StaticSource
from prakerja_blacklist.reader.witnesses import describe_witnesses, parse_witness
from tests.support.simulated_publisher import EXPIRES_AFTER, Repository, chain_of, signing_key
from tests.support.simulated_reader import FIRST, NEW_SUBJECTS, OLD_SUBJECTS, Reader, clean_tree, tree
from tests.support.witnesses import Court, Desk, given, serving


def test_a_reader_goes_to_a_version_that_its_witnesses_have_signed(court: Court) -> None:
    court.repository.publish([301])
    with court.reader.refusing(said="unwitnessed"):
        court.reader.sync()
    court.follow(court.desks[0])
    with court.reader.refusing(said="unwitnessed"):
        court.reader.sync()
    assert "v000002 is signed by 1 of the 2" in court.status()
    assert "ombudsman has not signed it yet" in court.status()
    assert "version 1 is witnessed by auditor, ombudsman" in court.status()
    court.follow()
    synced = court.reader.sync()
    assert (synced.trusted.version, synced.how, synced.absent) == (2, "delta", [])
    assert court.status() == "version 2 is witnessed by auditor, ombudsman; 2 of 2 are needed"


def test_with_fewer_the_last_witnessed_list_answers_until_it_expires(court: Court) -> None:
    expires_at = court.repository.at + EXPIRES_AFTER
    for day in range(1, 9):
        court.repository.publish([300 + day])
        with court.reader.refusing(said="unwitnessed"):
            court.reader.sync()
        trusted = court.reader.client.trusted()
        assert trusted.version == 1
        assert trusted.freshness(court.repository.now).is_expired is (court.repository.now >= expires_at)
    assert "v000009 is signed by 0" in court.status()
    assert "since 2021-03-23" in court.status()


def test_since_when_a_version_waits_is_kept(court: Court) -> None:
    court.repository.publish([301])
    for hours in (1, 5):
        with court.reader.refusing(said="unwitnessed"):
            court.reader.sync(court.repository.at + timedelta(hours=hours))
    assert "since 2021-03-16T02:00:00Z" in court.status()


def test_one_of_two_is_enough_if_that_is_asked_for_and_the_other_is_named(chained: Repository, tmp_path: Path) -> None:
    auditor, ombudsman = Desk.at(tmp_path, "auditor"), Desk.at(tmp_path, "ombudsman")
    reader = Reader(
        tmp_path / "reader", chained, witnesses=given(auditor.as_witness(), ombudsman.as_witness(), needed=1)
    )
    auditor.follow(chained)
    synced = reader.sync()
    assert list(synced.absent) == ["ombudsman has not signed it yet"]
    assert synced.trusted.witnessed == [auditor.key.public.key_id]


def test_what_is_witnessed_is_not_asked_for_again(court: Court) -> None:
    for desk in court.desks:
        (desk.out / "v000001.json").unlink()
    assert court.reader.sync().how == "unchanged"
    assert not [name for name in court.reader.fetched if "chain" in name]


def test_a_folder_that_was_synced_without_witnesses_waits_for_them(chained: Repository, tmp_path: Path) -> None:
    before, desk = Reader(tmp_path / "reader", chained), Desk.at(tmp_path, "auditor")
    before.sync()
    reader = Reader(tmp_path / "reader", chained, witnesses=given(desk.as_witness()))
    with reader.refusing(said="unwitnessed"):
        reader.sync()
    desk.follow(chained)
    synced = reader.sync()
    assert (synced.how, synced.trusted.witnessed) == ("unchanged", [desk.key.public.key_id])


def test_the_list_under_an_earlier_key_is_witnessed_too(chained: Repository, tmp_path: Path) -> None:
    desk = Desk.at(tmp_path, "auditor")
    desk.follow(chained)
    reader = Reader(tmp_path / "reader", chained, subject_keys=[OLD_SUBJECTS], witnesses=given(desk.as_witness()))
    reader.sync()
    chained.rotate_subjects(NEW_SUBJECTS)
    chained.publish([301])
    with reader.refusing(said="unwitnessed"):
        reader.sync()
    desk.follow(chained)
    assert reader.sync().trusted.key_id == OLD_SUBJECTS.key_id
    name = f"v000002-{OLD_SUBJECTS.key_id}.json"
    (desk.out / name).write_bytes((desk.out / "v000002.json").read_bytes())
    newcomer = Reader(tmp_path / "newcomer", chained, subject_keys=[OLD_SUBJECTS], witnesses=given(desk.as_witness()))
    with newcomer.refusing(said="unwitnessed"):
        newcomer.sync()


def test_a_version_without_a_chain_file_is_not_witnessed(court: Court) -> None:
    court.repository.publish([301])
    court.follow()
    court.repository.drop(chain_of(2))
    with court.reader.refusing(said="unwitnessed"):
        court.reader.sync()


def test_who_is_shown_another_list_than_the_witnesses_keeps_the_one_before(court: Court, tmp_path: Path) -> None:
    other = court.repository.fork(tmp_path / "other")
    court.repository.publish([301])
    other.publish([302])
    court.follow()
    court.reader.turn_to(other)
    with court.reader.refusing(said="unwitnessed"):
        court.reader.sync()
    assert court.status().count("has signed ANOTHER chain file of this version") == 2
    court.reader.turn_to(court.repository)
    assert court.reader.sync().trusted.version == 2


# -- a witness that lies -----------------------------------------------------------------------------------------------


def resigned(desk: Desk, name: str, **fields: Any) -> bytes:
    """The witness's statement, with other contents, signed by it."""
    signed = json.loads((desk.out / name).read_bytes())
    data = canonical_json(json.loads(b64decode(signed["statement"])) | fields)
    signed |= {"statement": b64encode(data).decode(), "signature": desk.key.sign(data).decode().strip()}
    return canonical_json(signed)


def flipped_signature(desk: Desk, name: str) -> bytes:
    signed = json.loads((desk.out / name).read_bytes())
    raw = bytearray(b64decode(signed["signature"]))
    raw[3] ^= 1
    return canonical_json(signed | {"signature": b64encode(bytes(raw)).decode()})


LIES: dict[str, tuple[str, Callable[[Desk], bytes]]] = {
    "another version": ("gives its statement of version 1", lambda desk: (desk.out / "v000001.json").read_bytes()),
    "other bytes": ("names another chain file", lambda desk: resigned(desk, "v000002.json", chain_sha256="0a" * 32)),
    "a wrong version": ("is of another version", lambda desk: resigned(desk, "v000002.json", version=7)),
    "a wrong signature": ("has a wrong signature", lambda desk: flipped_signature(desk, "v000002.json")),
    "another key's name": ("signs with another key", lambda d: resigned(d, "v000002.json", witness_key_id="0a" * 8)),
    "a huge file": ("larger than any", lambda _: b" " * 100_000),
    "no document": ("gives no statement of its own", lambda _: b"<html>welcome</html>"),
    "nothing": ("gives no statement of its own", lambda _: b""),
    "a deep one": ("gives no statement of its own", lambda _: b"[" * 10_000),
}


@pytest.mark.parametrize("name", LIES)
def test_a_witness_that_lies_counts_as_absent_and_is_named(court: Court, name: str) -> None:
    court.repository.publish([301])
    court.follow()
    said, lie = LIES[name]
    data = lie(court.desks[0])
    (court.desks[0].out / "v000002.json").unlink()
    (court.desks[0].out / "v000002.json").write_bytes(data)
    with court.reader.refusing(said="unwitnessed"):
        court.reader.sync()
    assert "signed by 1 of the 2" in court.status()
    assert f"auditor {said}" in court.status() or ("auditor" in court.status() and said in court.status())
    synced = court.calling(*court.both, needed=1, changes=True).sync()
    assert synced.trusted.version == 2
    assert any(line.startswith("auditor") and said in line for line in synced.absent)


# -- a witness that is away or slow, over HTTP -------------------------------------------------------------------------


def nobody() -> str:
    """The URL of a port where nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


def test_witnesses_are_asked_over_http(court: Court) -> None:
    court.repository.publish([301])
    court.follow()
    with contextlib.ExitStack() as stack:
        places = [stack.enter_context(serving(desk.out)) for desk in court.desks]
        moved = [desk.as_witness(place) for desk, place in zip(court.desks, places, strict=True)]
        assert court.calling(*moved).sync().trusted.version == 2
        court.repository.publish([302])
        with court.reader.refusing(said="unwitnessed"):
            court.calling().sync()
        assert "auditor has not signed it yet" in court.status()


@pytest.mark.parametrize(
    ("how", "said"), [("slow", "too slowly"), ("endless", "larger than any"), ("away", "does not answer")]
)
def test_a_witness_that_is_slow_endless_or_away_is_not_waited_for(court: Court, how: str, said: str) -> None:
    court.repository.publish([301])
    court.follow()
    auditor, ombudsman = court.desks
    with contextlib.ExitStack() as stack:
        place = nobody() if how == "away" else stack.enter_context(serving(auditor.out, how))
        moved = [auditor.as_witness(place), ombudsman.as_witness()]
        began = time.monotonic()
        with court.reader.refusing(said="unwitnessed"):
            court.calling(*moved).sync()
        assert time.monotonic() - began < 20
        assert said in court.status()
        synced = court.calling(*moved, needed=1, changes=True).sync()
        assert synced.trusted.version == 2
        assert synced.absent[0].startswith("auditor ")


def test_a_witness_that_never_answers_is_given_up(court: Court, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StaticSource, "SECONDS_AT_LEAST", 600.0)
    monkeypatch.setattr(witnesses, "ASK_SECONDS", 0.5)
    court.repository.publish([301])
    court.follow()
    with serving(court.desks[0].out, "slow") as place, court.reader.refusing(said="unwitnessed"):
        court.calling(court.desks[0].as_witness(place), court.both[1]).sync()
    assert "auditor has not answered in" in court.status()


# -- what a later call may change --------------------------------------------------------------------------------------


def test_a_call_that_names_nobody_goes_by_those_that_the_folder_remembers(court: Court) -> None:
    court.repository.publish([301])
    with court.reader.refusing(said="unwitnessed"):
        court.calling().sync()
    court.follow()
    assert len(court.calling().sync().trusted.witnessed) == 2


def changed_key(court: Court) -> list[Any]:
    return [court.desks[0].as_witness(key=signing_key("new")), court.both[1]]


LESS: dict[str, tuple[str, Callable[[Court], tuple[list[Any], int | None]]]] = {
    "nobody": ("goes by 2 of 2 witnesses, and this call asks for 0", lambda _: ([], 0)),
    "fewer": ("goes by 2 of 2 witnesses, and this call asks for 1", lambda c: (c.both, 1)),
    "one of them": ("2 of 2 witnesses|leaves out|needs as many", lambda c: (c.both[:1], None)),
    "others": ("the witness auditor, whom this call leaves out", lambda c: (
        [Desk.at(c.reader.folder.parent, name).as_witness() for name in ("x", "y")], 2)),
    "another key": ("auditor had the key .* ask who runs it, by telephone", lambda c: (changed_key(c), None)),
}  # fmt: skip


@pytest.mark.parametrize("name", LESS)
def test_what_was_asked_for_is_not_loosened_unless_a_call_says_so(court: Court, name: str) -> None:
    court.repository.publish([301])
    said, call = LESS[name]
    named, needed = call(court)
    memory = (court.reader.folder / "witnesses.json").read_bytes()
    with court.reader.refusing(PrakerjaError):
        court.calling(*named, needed=needed).sync()
    with pytest.raises(PrakerjaError, match=said):
        court.calling(*named, needed=needed).sync()
    assert (court.reader.folder / "witnesses.json").read_bytes() == memory
    with contextlib.suppress(PrakerjaError):
        court.calling(*named, needed=needed, changes=True).sync()
    after = court.reader.folder / "witnesses.json"
    assert not after.exists() if name == "nobody" else after.read_bytes() != memory


def test_a_witness_whose_key_changed_is_refused_and_the_line_says_what_to_do(court: Court) -> None:
    court.repository.publish([301])
    auditor = court.desks[0]
    auditor.key = signing_key("auditor's second")
    court.follow()
    with court.reader.refusing(said="unwitnessed"):
        court.reader.sync()
    assert f"auditor signs with another key, {auditor.key.public.key_id}" in court.status()
    assert "by telephone; if its key has changed, give the new one with --change-witnesses" in court.status()
    synced = court.calling(*court.both, changes=True).sync()
    assert synced.trusted.version == 2
    assert auditor.key.public.key_id in synced.trusted.witnessed


def test_more_witnesses_and_other_places_need_no_more_than_to_be_named(court: Court, tmp_path: Path) -> None:
    third = Desk.at(tmp_path, "third")
    third.follow(court.repository)
    synced = court.calling(*court.both, third.as_witness(), needed=3).sync()
    assert len(synced.trusted.witnessed) == 3
    court.desks[0].out.rename(tmp_path / "moved")
    court.repository.publish([301])
    moved = Desk(court.desks[0].name, court.desks[0].folder, tmp_path / "moved", court.desks[0].key)
    for desk in (moved, court.desks[1], third):
        desk.follow(court.repository)
    assert court.calling(moved.as_witness(), court.both[1], third.as_witness()).sync().trusted.version == 2


def test_a_folder_without_witnesses_has_no_memory_of_any(reader: Reader, chained: Repository) -> None:
    reader.sync()
    assert tree(reader) == clean_tree(reader)
    Reader(reader.folder, reader.repository, witnesses=given(needed=0)).sync()
    assert tree(reader) == clean_tree(reader)
    assert describe_witnesses(reader.folder, reader.client.trusted()) == []


USAGE: dict[str, tuple[str, Callable[[Court], dict[str, Any]]]] = {
    "more than there are": ("there are 2", lambda c: {"witnesses": c.both, "needed": 3}),
    "the same key twice": ("given twice", lambda c: {"witnesses": [c.both[0], c.desks[0].as_witness("/elsewhere")]}),
    "somebody, and nobody": ("asks nobody", lambda c: {"witnesses": c.both, "needed": 0}),
}


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_is_one_line(court: Court, name: str) -> None:
    said, call = USAGE[name]
    how = call(court)
    with pytest.raises(PrakerjaError, match=said):
        court.calling(*how["witnesses"], needed=how.get("needed")).sync()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("auditor", "no witness"), ("=key.pem@x", "no witness"), ("Au ditor=key.pem@x", "no witness"),
        ("a=key.pem@", "no witness"), ("a=not there.pem@x", "cannot be read"), ("a={no_key}@x", "not an Ed25519 key"),
    ],
)  # fmt: skip
def test_a_witness_that_cannot_be_read_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "no key").write_text("no key")
    with pytest.raises(PrakerjaError, match=said):
        parse_witness(text.format(no_key=tmp_path / "no key"))


def test_a_witness_is_given_by_its_name_key_and_place(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(FIRST.public.pem)
    found = parse_witness(f"auditor={tmp_path}/key.pem@https://user@witness.example/a")
    assert (found.name, found.key.key_id, found.place) == (
        "auditor", FIRST.public.key_id, "https://user@witness.example/a",
    )  # fmt: skip
