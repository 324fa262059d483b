"""The published blacklist: layout, proof, privacy, and what is never published."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import configured_keys, publishing, storage, verification
from prakerja.errors import NotReadyError, PrakerjaError
from prakerja_blacklist.format import contract
from prakerja_blacklist.format.contract import FIRST_CONTRACT
from prakerja_blacklist.format.snapshot import parse_delta, sha256
from tests.support.published_list import AT, DAY, flip, reinstate, revoke, tree


def test_layout_and_contents_are_the_contracts(listed: Path) -> None:
    assert publishing.publish("first", AT, DAY) == 1
    assert set(tree(listed)) == {
        f"keys/{configured_keys.load_signing_key().public.key_id}.pem", "keys/keyring-000001.json", "latest.json",
        *(f"v000001/{name}" for name in
          ("chain.json", "chain.json.sig", "delta.csv.gz", "manifest.json", "manifest.json.sig", "snapshot.csv.gz",
           "snapshot.parquet")),
    }  # fmt: skip
    snapshot = gzip.decompress((listed / "v000001" / "snapshot.csv.gz").read_bytes()).decode()
    header, *lines = snapshot.splitlines()
    assert header == "subject,cohort,reason,effective_at,decision_id"
    subjects = sorted(configured_keys.load_subject_key().subject(f"{3100000000000000 + n}") for n in range(1, 6))
    assert lines == [
        f"{subject},12,NO_FIRST_PURCHASE,2021-03-13T17:00:00Z,gelombang-12-{'a' * 24}" for subject in subjects
    ]
    manifest = json.loads((listed / "v000001" / "manifest.json").read_text())
    assert manifest["counts"] == {"entries": 5, "added": 5, "withdrawn": 0, "by_cohort": {"12": 5}}
    assert manifest["result_sha256"] == sha256(snapshot.encode())
    assert manifest["previous_version"] is None


def test_snapshot_and_delta_give_the_next_snapshot(listed: Path) -> None:
    publishing.publish("first", AT, DAY)
    revoke([6, 7])
    reinstate(2)
    assert publishing.publish("second", AT, DAY + timedelta(days=1)) == 2
    delta = gzip.decompress((listed / "v000002" / "delta.csv.gz").read_bytes())
    changes = parse_delta(delta, FIRST_CONTRACT)
    assert sorted((change.op, change.line.split(b",")[2].decode()) for change in changes) == [
        ("ADD", "NO_FIRST_PURCHASE"), ("ADD", "NO_FIRST_PURCHASE"), ("WITHDRAW", "REINSTATED"),
    ]  # fmt: skip
    versions = list(verification.verify_versions(UPath(listed)))
    assert [version.counts.entries for version in versions] == [5, 6]


def test_an_occasion_publishes_once_and_an_empty_delta_proves_that_the_day_was_looked_at(listed: Path) -> None:
    assert publishing.publish("first", AT, DAY) == 1
    before = tree(listed)
    assert publishing.publish("first", AT, DAY) == 1
    assert publishing.publish("daily", AT, DAY, is_daily=True) is None
    assert tree(listed) == before
    assert publishing.publish("second", AT, DAY) == 2
    assert gzip.decompress((listed / "v000002" / "delta.csv.gz").read_bytes()).count(b"\n") == 1


def test_a_days_intake_leaves_its_own_days_revocations_to_the_deadline(listed: Path) -> None:
    assert publishing.publish("daily", AT, DAY, is_daily=True) is None
    assert publishing.publish("daily", AT, DAY - timedelta(days=9), is_daily=True) is None
    assert publishing.publish("deadline", AT, DAY) == 1
    reinstate(1)
    assert publishing.publish("daily", AT, DAY, is_daily=True) is None, "that was a day later"
    assert publishing.publish("daily", AT, DAY + timedelta(days=1), is_daily=True) == 2
    assert publishing.publish("earlier", AT, DAY - timedelta(days=1), is_daily=True) is None


def test_whoever_is_reinstated_before_the_first_list_never_appears(listed: Path) -> None:
    reinstate(1)
    publishing.publish("first", AT, DAY)
    assert json.loads((listed / "v000001" / "manifest.json").read_text())["counts"]["entries"] == 4


def test_two_publishers_at_once_give_each_number_once(listed: Path) -> None:
    threads = [threading.Thread(target=publishing.publish, args=(f"occasion {n}", AT, DAY)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.version for each in verification.verify_versions(UPath(listed))] == [1, 2, 3, 4]


def test_a_file_url_is_a_place_to_publish(listed: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAKERJA_PUBLISH", (home / "by_url").as_uri())
    publishing.publish("first", AT, DAY)
    assert len(list(verification.verify_versions(storage.find_list(str(home / "by_url"))))) == 1


def test_the_same_decisions_give_the_same_bytes(listed: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publishing.publish("first", AT, DAY)
    monkeypatch.setenv("PRAKERJA_PUBLISH", str(home / "again"))
    publishing.publish("first", AT, DAY)
    assert tree(home / "again" / "blacklist") == tree(listed)


BENT = {
    "a byte of the snapshot": lambda root: flip(root / "v000001" / "snapshot.csv.gz"),
    "a byte of the parquet": lambda root: flip(root / "v000001" / "snapshot.parquet"),
    "a byte of the delta": lambda root: flip(root / "v000002" / "delta.csv.gz"),
    "a byte of the manifest": lambda root: flip(root / "v000001" / "manifest.json"),
    "the signature": lambda root: (root / "v000002" / "manifest.json.sig").write_bytes(b"AAAA"),
    "no signature": lambda root: (root / "v000002" / "manifest.json.sig").unlink(),
    "another version's manifest": lambda root: (root / "v000002" / "manifest.json").write_bytes(
        (root / "v000001" / "manifest.json").read_bytes()
    ),
    "the pointer's hash": lambda root: (root / "latest.json").write_text(
        json.dumps({"version": 2, "manifest": "v000002/manifest.json", "sha256": "0" * 64})
    ),
    "the pointer": lambda root: (root / "latest.json").write_text("[" * 100_000),
    "a missing version": lambda root: (root / "v000001" / "snapshot.csv.gz").unlink(),
    "the public key": lambda root: next((root / "keys").iterdir()).write_text("no key"),
}


@pytest.mark.parametrize("bent", BENT)
def test_whatever_is_bent_is_found(listed: Path, bent: str) -> None:
    publishing.publish("first", AT, DAY)
    revoke([6])
    publishing.publish("second", AT, DAY)
    assert len(list(verification.verify_versions(UPath(listed)))) == 2
    BENT[bent](listed)
    with pytest.raises(PrakerjaError):
        list(verification.verify_versions(UPath(listed)))


def test_no_list_is_no_list_and_another_systems_list_is_left_alone(listed: Path, home: Path) -> None:
    with pytest.raises(NotReadyError, match="no list is published"):
        storage.find_list(str(home / "publish"))
    listed.mkdir(parents=True)
    pointer = {"version": 7, "manifest": "v000007/manifest.json", "sha256": "0" * 64}
    (listed / "latest.json").write_text(json.dumps(pointer))
    with pytest.raises(PrakerjaError, match="another system's list"):
        publishing.publish("first", AT, DAY)


@pytest.mark.parametrize("lost", ["subject_key.b64", "signing_key.pem"])
def test_a_key_that_was_lost_publishes_nothing_over_the_list(listed: Path, session_home: Path, lost: str) -> None:
    publishing.publish("first", AT, DAY)
    before = tree(listed)
    key = session_home / "keys" / lost
    kept = key.read_bytes()
    key.unlink()
    try:
        revoke([6])
        with pytest.raises(PrakerjaError, match="was published under the keys"):
            publishing.publish("second", AT, DAY)
    finally:
        key.write_bytes(kept)
    assert tree(listed) == before


def test_a_warehouse_that_does_not_belong_to_the_list_publishes_nothing_over_it(listed: Path) -> None:
    publishing.publish("first", AT, DAY)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("delete from blacklist_changes where recipient_id = 1")
    with pytest.raises(PrakerjaError, match="is not what this warehouse has published"):
        publishing.publish("second", AT, DAY)


def test_a_wrong_key_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY", "-----BEGIN PRIVATE KEY-----\nno\n-----END PRIVATE KEY-----")
    with pytest.raises(PrakerjaError, match="not an Ed25519 private key"):
        configured_keys.load_signing_key()
    monkeypatch.setenv("PRAKERJA_SIGNING_KEY", "/nowhere")
    with pytest.raises(PrakerjaError, match="no readable file"):
        configured_keys.load_signing_key()
    for key in ("not base64!", "QUJD"):
        monkeypatch.setenv("PRAKERJA_SUBJECT_KEY", key)
        with pytest.raises(PrakerjaError, match="PRAKERJA_SUBJECT_KEY"):
            configured_keys.load_subject_key()


def test_everything_published_fits_the_shipped_schemas(listed: Path) -> None:
    publishing.publish("first", AT, DAY)
    revoke([6])
    reinstate(1)
    publishing.publish("second", AT, DAY + timedelta(days=1))

    def require_fit(name: str, document: Any) -> None:
        Draft202012Validator(json.loads((contract.SCHEMAS / f"{name}.json").read_text())).validate(document)

    require_fit("latest", json.loads((listed / "latest.json").read_bytes()))
    signed = json.loads((listed / "keys" / "keyring-000001.json").read_bytes())
    require_fit("signed_keyring", signed)
    require_fit("keyring", json.loads(base64.b64decode(signed["keyring"])))
    for version in ("v000001", "v000002"):
        require_fit("manifest", json.loads((listed / version / "manifest.json").read_bytes()))
        for name in ("snapshot", "delta"):
            text = gzip.decompress((listed / version / f"{name}.csv.gz").read_bytes()).decode()
            for row in csv.DictReader(io.StringIO(text)):
                require_fit(f"{name}_row", row | {"cohort": int(row["cohort"])})


def test_what_does_not_fit_its_schema_is_not_published(listed: Path) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql("update revocations set decision_id = 'x' where recipient_id = 1")
    with pytest.raises(PrakerjaError, match=r"decision_id of a row .* it is not published"):
        publishing.publish("first", AT, DAY)
    assert not (listed / "latest.json").exists()
