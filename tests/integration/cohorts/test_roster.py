"""Rosters: loaded whole or rejected, reported by line and never by NIK. On the real warehouse."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from prakerja import warehouse
from prakerja.cohorts.roster import take_in_rosters
from tests.support.landing_zone import deliver_roster, roster_line

CLOCK = date(2021, 3, 20)
TWELVE = ("2021-03-05", "2021-03-13")
THIRTEEN = ("2021-03-08", "2021-03-16")


def recipients() -> dict[int, int]:
    with warehouse.transaction(as_owner=True) as connection:
        return dict(
            tuple(row) for row in connection.exec_driver_sql("select cohort, count(*) from recipients group by cohort")
        )


def test_a_roster_is_loaded_once(home: Path) -> None:
    deliver_roster(home / "landing", 12, [roster_line(n) for n in range(5)], *TWELVE)
    assert take_in_rosters(CLOCK).accepted == {12: 5}
    assert take_in_rosters(CLOCK).accepted == {}
    assert recipients() == {12: 5}


@pytest.mark.parametrize(
    ("reason", "cohort", "lines", "bent"),
    [
        ("cohort_unknown", 99, [roster_line(1)], {}),
        ("calendar_mismatch", 12, [roster_line(1)], {"deadline_on": "2021-04-03"}),
        ("path_mismatch", 12, [roster_line(1)], {"cohort": 13}),
        ("contract_unknown", 12, [roster_line(1)], {"contract": "prakerja.feed/1"}),
        ("recipient_twice", 12, [roster_line(1), roster_line(2, card="1000000000000001")], {}),
        ("recipient_twice", 12, [roster_line(1), roster_line(2, nik="3100000000000001")], {}),
        ("recipient_malformed", 12, [roster_line(1), roster_line(2, nik="31")], {}),
        ("recipient_malformed", 12, [roster_line(1, card="1.23E+15")], {}),
        ("file_undecodable", 12, [roster_line(1), roster_line(2) + ",x,y"], {}),
        ("file_undecodable", 12, [roster_line(1).replace("Nama", "Na\0ma")], {}),
        ("file_undecodable", 12, [roster_line(1), roster_line(2).removesuffix(",,31")], {}),
    ],
)
def test_a_roster_that_breaks_a_rule_is_rejected(
    home: Path, reason: str, cohort: int, lines: list[str], bent: dict[str, Any]
) -> None:
    deliver_roster(home / "landing", cohort, lines, *TWELVE, bent)
    intake = take_in_rosters(CLOCK)
    assert [line.split(": ")[1] for line in intake.rejected] == [reason]
    assert recipients() == {}
    assert take_in_rosters(CLOCK).rejected == []


def test_once_in_a_lifetime_rejects_the_later_announced_and_names_lines(home: Path) -> None:
    landing = home / "landing"
    deliver_roster(landing, 13, [roster_line(10), roster_line(11), roster_line(12, nik="3100000000000002")], *THIRTEEN)
    deliver_roster(landing, 12, [roster_line(n) for n in (1, 2, 11)], *TWELVE)
    intake = take_in_rosters(CLOCK)
    assert intake.accepted == {12: 3}
    (line,) = intake.rejected
    assert "recipient_in_another_cohort" in line
    assert "gelombang-12 has 2 of these (lines 3, 4)" in line
    assert "310000000000000" not in line
    assert recipients() == {12: 3}


def test_lines_are_those_of_the_file(home: Path) -> None:
    spanning = roster_line(1).replace("Nama 1", '"Nama\n1"')
    deliver_roster(home / "landing", 12, [spanning, "", roster_line(2, nik="1")], *TWELVE, {"files": None})
    folder = home / "landing" / "rosters" / "gelombang-12"
    import hashlib
    import json

    data = (folder / "roster.csv.gz").read_bytes()
    manifest = json.loads((folder / "manifest.json").read_text())
    entry = {"name": "roster.csv.gz", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "rows": 2}
    (folder / "manifest.json").write_text(json.dumps(manifest | {"files": [entry]}))
    assert "no NIK of 16 digits in lines 5" in take_in_rosters(CLOCK).rejected[0]


def test_another_file_for_a_loaded_cohort_is_refused_and_a_mended_one_is_taken(home: Path) -> None:
    landing = home / "landing"
    deliver_roster(landing, 12, [roster_line(1), roster_line(1)], *TWELVE)
    assert take_in_rosters(CLOCK).rejected
    deliver_roster(landing, 12, [roster_line(1), roster_line(2)], *TWELVE)
    assert take_in_rosters(CLOCK).accepted == {12: 2}
    deliver_roster(landing, 12, [roster_line(1), roster_line(3)], *TWELVE)
    assert "roster_altered" in take_in_rosters(CLOCK).rejected[0]
    assert recipients() == {12: 2}


def test_in_a_replay_a_roster_arrives_when_it_is_announced(home: Path) -> None:
    deliver_roster(home / "landing", 13, [roster_line(1)], *THIRTEEN)
    assert take_in_rosters(date(2021, 3, 7), is_replay=True).accepted == {}
    assert take_in_rosters(date(2021, 3, 8), is_replay=True).accepted == {13: 1}


def test_a_folder_that_is_not_a_roster_is_reported(home: Path) -> None:
    (home / "landing" / "rosters" / "gelombang-dua").mkdir(parents=True)
    assert "rosters/gelombang-dua" in take_in_rosters(CLOCK).rejected[0]
