"""The reader of the documentation, as it stands there: the contract is enough to read the list."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path

import pytest

from prakerja import warehouse
from prakerja.blacklist.publisher import configured_keys, publishing, rotation
from prakerja.keys import new_signing_key
from prakerja_blacklist.format.signatures import SigningKey
from tests.support.documented_reader import Reader
from tests.support.published_list import AT, DAY, flip, reinstate, revoke


def test_it_reads_the_list_and_its_next_version(reader: Reader) -> None:
    assert reader.run().stdout == "version 1: 5 listed\n"
    revoke([6, 7])
    reinstate(2)
    publishing.publish("second", AT, DAY + timedelta(days=1))
    (reader.published / "v000002" / "snapshot.csv.gz").rename(reader.folder / "kept")
    assert reader.run().stdout == "version 2: 6 listed\n", "the delta is enough"
    key = configured_keys.load_subject_key()
    assert reader.subjects() == {key.subject(f"{3100000000000000 + number}") for number in (1, 3, 4, 5, 6, 7)}
    assert reader.run().stdout == "version 2: 6 listed\n"
    (reader.folder / "state.json").unlink()
    (reader.folder / "kept").rename(reader.published / "v000002" / "snapshot.csv.gz")
    assert reader.run().stdout == "version 2: 6 listed\n", "the whole list, too"


def test_it_refuses_a_changed_old_or_foreign_list(reader: Reader) -> None:
    reader.run()
    revoke([6])
    publishing.publish("second", AT, DAY + timedelta(days=1))
    first = b'{"version":1,"manifest":"v000001/manifest.json","sha256":"%b"}'
    newest = (reader.published / "latest.json").read_bytes()
    flip(reader.published / "v000002" / "delta.csv.gz")
    assert "not what the manifest says" in reader.run().stderr
    flip(reader.published / "v000002" / "delta.csv.gz")
    assert "has expired" in reader.run("2021-04-01T00:00:00+00:00").stderr
    assert len(reader.subjects()) == 5, "what was refused has changed nothing"
    assert reader.run().returncode == 0
    digest = hashlib.sha256((reader.published / "v000001" / "manifest.json").read_bytes()).hexdigest()
    (reader.published / "latest.json").write_bytes(first % digest.encode())
    assert "rollback" in reader.run().stderr
    (reader.published / "latest.json").write_bytes(newest)
    flip(reader.published / "v000002" / "manifest.json")
    assert "points at another manifest" in reader.run().stderr
    assert reader.run().returncode == 1


BENT = {
    "no signature": lambda root: (root / "v000002" / "manifest.json.sig").write_bytes(b""),
    "another's signature": lambda root: (root / "v000002" / "manifest.json.sig").write_bytes(
        SigningKey.from_pem(new_signing_key()).sign((root / "v000002" / "manifest.json").read_bytes())
    ),
    "a mixed pointer": lambda root: (root / "latest.json").write_bytes(
        (root / "latest.json").read_bytes().replace(b'"sha256":"', b'"sha256":"0')
    ),
    "a pointer that is none": lambda root: (root / "latest.json").write_bytes(b"[]"),
    "a pointer at nothing": lambda root: (root / "latest.json").write_bytes(b'{"version":null}'),
    "a deep pointer": lambda root: (root / "latest.json").write_bytes(b"[" * 999),
    "a tampered snapshot": lambda root: flip(root / "v000002" / "snapshot.csv.gz"),
}


@pytest.mark.parametrize("bent", BENT)
def test_after_a_refusal_it_says_which_list_it_keeps_and_until_when(
    reader: Reader,
    home: Path,
    bent: str,
) -> None:
    publishing.publish("second", AT, DAY + timedelta(days=1))
    publishing.publish("third", AT, DAY + timedelta(days=1))
    reader.published.joinpath("latest.json").write_bytes(pointer_at(reader.published, 2))
    BENT[bent](reader.published)
    newcomer = Reader(home / "newcomer", reader.published).run()
    assert newcomer.returncode == 1
    assert "no list is trusted yet" in newcomer.stderr
    assert "Traceback" not in newcomer.stderr
    if bent != "a tampered snapshot":
        reader.folder.joinpath("state.json").write_text(
            json.dumps({"version": 1, "manifest": "", "expires_at": "2021-03-22T00:00:00Z", "lines": []})
        )
        assert "kept: version 1, which expires at 2021-03-22T00:00:00Z" in reader.run().stderr


def pointer_at(published: Path, version: int) -> bytes:
    digest = hashlib.sha256((published / f"v{version:06d}" / "manifest.json").read_bytes()).hexdigest()
    return f'{{"version":{version},"manifest":"v{version:06d}/manifest.json","sha256":"{digest}"}}'.encode()


def test_a_state_that_a_power_cut_left_empty_is_reported_with_a_remedy(reader: Reader) -> None:
    (reader.folder / "state.json").write_bytes(b"")
    assert "delete it" in reader.run().stderr
    (reader.folder / "state.json").unlink()
    assert reader.run().returncode == 0


def test_a_list_that_was_issued_anew_is_read_by_its_delta(
    listed: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PRAKERJA_DATABASE_URL", warehouse.url(login="warehouse").render_as_string(hide_password=False))
    monkeypatch.setenv("PRAKERJA_HOME", str(home / "own"))
    publishing.publish("first", AT, DAY)
    reader = Reader(home / "reader", listed)
    reader.run()
    rotation.rotate_subject_key(AT, because="drill", answered_by="Siti")
    publishing.publish("second", AT, DAY + timedelta(days=1))
    assert reader.run().stdout == "version 2: 5 listed\n"
    assert reader.subjects() == {
        configured_keys.load_subject_key().subject(f"{3100000000000000 + number}") for number in range(1, 6)
    }
