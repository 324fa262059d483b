"""What the service keeps of a question: by key and number, and never by person."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any

import pytest

from prakerja import warehouse
from prakerja.blacklist.publisher import configured_keys
from prakerja.blacklist.service import access
from prakerja.blacklist.service.lookups import Lookups
from prakerja.errors import PrakerjaError
from tests.support.running_service import Api, lookups, nik, problem


def test_lookups_are_told_by_key_and_number_and_never_by_person(
    api: Api, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.check(nik(1), nik(2), nik(7))
    api.ask("GET", "/v1/blacklist/range/0a1b2", "range")
    api.check("no nik at all")
    api.service.lookups.load()
    ids = {scope: token.partition(".")[0] for scope, token in api.tokens.items()}
    assert lookups() == [(ids["check"], "check", 3, 2, 1), (ids["range"], "range", 1, 0, 1)]
    row = next(row for row in access.list_keys() if row["api_key_id"] == ids["check"])
    assert (row["lookups"], row["asked"]) == (1, 3)
    kept = b"".join(path.read_bytes() for path in (home / "service").rglob("*") if path.is_file())
    kept += caplog.text.encode()
    assert not re.search(rb"310000000000000\d", kept)
    assert configured_keys.load_subject_key().subject(nik(1)).encode() not in b"".join(
        path.read_bytes() for path in (home / "service" / "lookups").iterdir()
    )


def test_a_lost_warehouse_loses_no_lookup(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Lookups(home / "lookups")
    spool.record("key", "check", 1, 0, 1)
    with monkeypatch.context() as away:
        away.setattr(warehouse, "transaction", lambda *_: (_ for _ in ()).throw(warehouse.UnavailableError("away")))
        with pytest.raises(warehouse.UnavailableError):
            spool.load()
    spool.record("key", "check", 2, 0, 1)
    spool.load()
    spool.load()
    assert [row[2] for row in lookups()] == [1, 2]


def test_a_full_spool_is_followed_by_another(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prakerja.blacklist.service.lookups.SPOOL_BYTES", 100)
    spool = Lookups(home / "lookups")
    for number in range(10):
        spool.record("key", "check", number, 0, 1)
        spool.load()
    spool.close()
    assert [row[2] for row in lookups()] == list(range(10))
    assert list((home / "lookups").iterdir()) == []


def test_a_spool_that_is_none_is_put_aside_and_stops_no_other(home: Path) -> None:
    folder = home / "lookups"
    folder.mkdir()
    (folder / "0.spool").write_bytes(b"garbage line\n")
    (folder / "1.spool").write_bytes(b"1616122800.000 key check 3 0 1\n")
    spool = Lookups(folder)
    spool.record("key", "check", 5, 0, 1)
    spool.load()
    assert sorted(row[2] for row in lookups()) == [3, 5]
    assert [path.name for path in folder.glob("*.refused")] == ["0.refused"]


def test_what_a_warehouse_without_its_tables_refuses_is_kept_for_later(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / "lookups"
    folder.mkdir()
    (folder / "1.spool").write_bytes(b"1616122800.000 key check 3 0 1\n")
    spool = Lookups(folder)
    with monkeypatch.context() as patch:
        refused = warehouse.RefusedError("the warehouse refused a statement (UndefinedTable)")
        patch.setattr(warehouse, "transaction", lambda *_: (_ for _ in ()).throw(refused))
        with pytest.raises(warehouse.RefusedError):
            spool.load()
    assert (folder / "1.spool").exists()
    spool.load()
    assert [row[2] for row in lookups()] == [3]


def test_a_spool_is_nobodys_to_load_before_its_service_holds_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home / "lookups"
    other = Lookups(folder)
    allocate = os.posix_fallocate

    def meanwhile(*given: Any) -> None:
        allocate(*given)
        other.load()

    monkeypatch.setattr(os, "posix_fallocate", meanwhile)
    late = Lookups(folder)
    late.record("key", "check", 5, 0, 1)
    late.load()
    assert [row[2] for row in lookups()] == [5]


def test_a_line_that_was_torn_is_no_lookup_and_those_before_it_are(home: Path) -> None:
    folder = home / "lookups"
    folder.mkdir()
    line = b"1616122800.000 key check 3 0 1\n"
    for name, torn in (("a", line[:9]), ("b", line[:9] + b"\0" * 9 + line[18:])):
        (folder / f"{name}.spool").write_bytes((line + torn).ljust(4096, b"\0"))
    Lookups(folder).load()
    assert [row[2] for row in lookups()] == [3, 3]


def test_a_service_without_room_for_its_lookups_says_so_and_leaves_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(PrakerjaError, match=r"lookups cannot be written \(No space left on device\)"):
        Lookups(home / "lookups")
    assert list((home / "lookups").iterdir()) == []


def test_who_cannot_be_accounted_for_is_not_answered(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(api.service.lookups, "record", full)
    assert "accounted" in problem(api.check(nik(1)), 503)
