"""A published list that lies: each lie is a difference, or one line."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from prakerja.platforms import platforms
from prakerja.recheck.files import EvidenceError
from prakerja.recheck.known import KINDS, subject_of
from prakerja.recheck.published import HEADERS, Checked, check_cohort, read_list
from tests.unit.recheck.conftest import ANNOUNCED_ON, AS_OF, DEADLINE_ON, LandingZone, build_row

KEY = b"key"
SITI = subject_of(KEY, f"{1:016d}")
STRANGER, CORRECTED = "0" * 64, "1" * 64
HEADER = "subject,cohort,reason,effective_at,decision_id"
ENTRY = f"{SITI},12,NO_FIRST_PURCHASE,2021-03-12T17:00:00Z,d1"
COUNTED = {"listed, as the second reading has it": 1}
PUBLISHED_ON = date(2021, 4, 30)
REVOKED_ON = date(2021, 3, 20)


def write_list(
    root: Path,
    *lines: str,
    pointer: dict[str, Any] | None = None,
    manifest: dict[str, Any] | None = None,
    file: dict[str, Any] | None = None,
    text: str | None = None,
) -> UPath:
    """Write version 2 of a list with these entries."""
    packed = gzip.compress(
        "".join(f"{line}\n" for line in (HEADER, *lines)).encode() if text is None else text.encode()
    )
    folder = root / "blacklist" / "v000002"
    folder.mkdir(parents=True)
    (folder / "snapshot.csv.gz").write_bytes(packed)
    entry = {
        "name": "snapshot.csv.gz",
        "sha256": hashlib.sha256(packed).hexdigest(),
        "rows": len(lines),
        **(file or {}),
    }
    written = {
        "contract": "prakerja.blacklist/1",
        "version": 2,
        "key_id": "k1",
        "created_at": "2021-04-30T01:00:00+00:00",
        "files": [entry],
    }
    content = json.dumps({**written, **(manifest or {})}).encode()
    (folder / "manifest.json").write_bytes(content)
    told = {"version": 2, "manifest": "v000002/manifest.json", "sha256": hashlib.sha256(content).hexdigest()}
    (root / "blacklist" / "latest.json").write_text(json.dumps({**told, **(pointer or {})}))
    return UPath(root / "blacklist")


def check(zone: LandingZone, *lines: str, **facts: list[dict[str, Any]]) -> tuple[dict[str, int], list[Any]]:
    """Return what is found of a list with these entries, where Siti was revoked: counts, and differences with lines."""
    calendar = zone.root / "calendar.yaml"
    calendar.write_text(f"cohorts: [{{cohort: 12, announced_on: {ANNOUNCED_ON}, deadline_on: {DEADLINE_ON}}}]")
    days = [ANNOUNCED_ON + timedelta(days=each) for each in range(4)]
    rows: dict[str, list[dict[str, Any]]] = {
        **{kind: [] for kind in KINDS},
        "rosters": [{"sha256": zone.roster_sha256}],
        "deliveries": [vars(each) for each in zone.deliveries],
        "cited": [
            {"decision_id": "d1", **{name: value for name, value in vars(each).items() if name != "accepted_on"}}
            for each in zone.deliveries
            if each.accepted_on <= AS_OF
        ],
        "overrides": [
            {"platform": each, "business_date": day, "overridden_on": AS_OF} for each in platforms() for day in days
        ],
        "decisions": [{"decision_id": "d1", "as_of": AS_OF, "deadline_on": DEADLINE_ON, "settlement_days": 1}],
        "revocations": [{"person": SITI, "decision_id": "d1", "deadline_on": DEADLINE_ON, "revoked_on": REVOKED_ON}],
        **facts,
    }
    _, entries = read_list(write_list(zone.root, *lines))
    checked = Checked.read(UPath(zone.root), calendar, rows, 12, PUBLISHED_ON, KEY, None)
    report = check_cohort(12, checked, entries, PUBLISHED_ON)
    return dict(report.counts[12]), [(each.what, each.line) for each in report.differences]


def test_list_that_is_right_has_no_difference(zone: LandingZone) -> None:
    assert check(zone, ENTRY) == (COUNTED, [])


def test_repeated_entry_is_reported(zone: LandingZone) -> None:
    assert check(zone, ENTRY, ENTRY) == (COUNTED, [("listed twice", 3)])


def test_nik_that_was_corrected_is_not_listed_beside_the_new_one(zone: LandingZone) -> None:
    corrections = [{"person": SITI, "decided_on": PUBLISHED_ON, "listed_as": CORRECTED}]
    assert check(zone, ENTRY, ENTRY.replace(SITI, CORRECTED), corrections=corrections)[1] == [("listed twice", 3)]


def test_correction_of_a_stranger_makes_nobody_of_the_roster(zone: LandingZone) -> None:
    corrections = [{"person": STRANGER, "decided_on": REVOKED_ON, "listed_as": CORRECTED}]
    _, told = check(zone, ENTRY, ENTRY.replace(SITI, CORRECTED), corrections=corrections)
    assert told == [("nobody of this cohort's roster", 3)]


@pytest.mark.parametrize(
    ("lifted_on", "told"),
    [
        (None, [("revoked while suspended", 2)]),
        (REVOKED_ON + timedelta(days=1), [("revoked while suspended", 2)]),
        (REVOKED_ON, []),
    ],
)
def test_hold_is_not_resolved_while_a_suspension_lasts(
    zone: LandingZone, lifted_on: date | None, told: list[Any]
) -> None:
    suspensions = [{"person": SITI, "suspended_on": ANNOUNCED_ON, "lifted_on": lifted_on}]
    resolutions = [{"person": SITI, "deadline_on": DEADLINE_ON, "is_purchased": False}]
    assert check(zone, ENTRY, suspensions=suspensions, hold_resolutions=resolutions)[1] == told


@pytest.mark.parametrize("row", [build_row(), build_row(at="soon")])
def test_purchase_and_hold_are_reported(zone: LandingZone, row: str) -> None:
    zone.deliver(row)
    outcome = "held" if "soon" in row else "purchased"
    assert check(zone, ENTRY)[1] == [(f"{outcome} by the second reading", 2)]


@pytest.mark.parametrize(
    "lie",
    [
        {"text": f"{ENTRY}\n"},
        {"text": f"subject,cohort,decision_id,effective_at,reason\n{ENTRY}\n"},
        {"text": f"{HEADER}\n{ENTRY},x\n"},
        {"text": f"{HEADER}\n{ENTRY}\n\n"},
        {"text": f"{HEADER}\n{ENTRY}\n{ENTRY}\n"},
        {"text": f"{HEADER}\n"},
        {"text": ""},
        {"text": f'{HEADER}\n"'},
        {"pointer": {"version": 1}},
        {"pointer": {"manifest": "s3://elsewhere/manifest.json"}},
        {"manifest": {"version": "2"}},
        {"manifest": {"key_id": None}},
        {"manifest": {"created_at": "2021-04-30T01:00:00"}},
        {"manifest": {"created_at": "2021-02-30T01:00:00+00:00"}},
        {"manifest": {"files": 5}},
        {"manifest": {"contract": "other/1"}},
        {"manifest": {"contract": 1}},
        {"manifest": {"contract": "prakerja.blacklist/1\n"}},
    ],
)
def test_list_that_is_not_of_the_contract_is_one_line(tmp_path: Path, lie: dict[str, Any]) -> None:
    with pytest.raises(EvidenceError, match=r"no list can be read here; run `prakerja blacklist verify`$"):
        read_list(write_list(tmp_path, ENTRY, **lie))


LATER = "prakerja.blacklist/2"


def test_list_of_a_contract_that_is_not_known_says_what_to_do(tmp_path: Path) -> None:
    folder = write_list(tmp_path, ENTRY, manifest={"contract": LATER})
    with pytest.raises(EvidenceError, match=f"the list is of the contract {LATER}; install a release that reads it$"):
        read_list(folder)


def test_list_is_read_by_its_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HEADERS, LATER, f"{HEADER},revoked_on\n".encode())
    by_it = {"manifest": {"contract": LATER}, "text": f"{HEADER},revoked_on\n{ENTRY},2021-03-15\n"}
    of_the_first = read_list(write_list(tmp_path / "first", ENTRY))[1]
    assert read_list(write_list(tmp_path / "later", ENTRY, **by_it))[1] == of_the_first
    for place, other in enumerate(({"text": by_it["text"]}, {"manifest": by_it["manifest"]})):
        with pytest.raises(EvidenceError, match="no list can be read here"):
            read_list(write_list(tmp_path / str(place), ENTRY, **other))


@pytest.mark.parametrize("lie", [{"file": {"sha256": "0" * 64}}, {"pointer": {"sha256": 5}}])
def test_list_with_another_hash_is_one_line(tmp_path: Path, lie: dict[str, Any]) -> None:
    with pytest.raises(EvidenceError, match="another SHA-256 than expected"):
        read_list(write_list(tmp_path, ENTRY, **lie))


def test_deep_pointer_is_one_line(tmp_path: Path) -> None:
    folder = write_list(tmp_path, ENTRY)
    (folder / "latest.json").write_text("[" * 100_000)
    with pytest.raises(EvidenceError, match="no list can be read here"):
        read_list(folder)
