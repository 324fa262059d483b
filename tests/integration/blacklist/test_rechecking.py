"""The published list against the files, person by person: by the warehouse each night, and by whoever has none."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja import tasks, warehouse
from prakerja.blacklist.publisher import configured_keys, publishing, rechecking
from prakerja.calendar import Cohort
from prakerja.recheck import known
from prakerja.settings import WIB
from tests.support.auditor import PUBLISHED_AT, PUBLISHED_ON, Auditor, run
from tests.support.small_cohort import AT, DECIDED_ON, PEOPLE, bought, card, carry_out, reinstate, restate

NIGHT = datetime(2021, 3, 20, 7, tzinfo=WIB)


def differences() -> list[str]:
    return [each.what for each in rechecking.check_own([12], NIGHT.date()).differences]


# -- the list of this system -------------------------------------------------------------------------------------------


def test_a_list_that_says_what_the_files_say(listed_by_files: Path) -> None:
    report = rechecking.check_own([12], NIGHT.date())
    assert report.differences == []
    assert report.counts[12]["listed, as the second reading has it"] == 2
    status, said = run("recheck")
    assert status == 0
    assert "the list agrees with the files" in said
    assert tasks.audit.recheck_list(NIGHT) == []


def test_whoever_is_reinstated_is_not_missed(listed_by_files: Path, home: Path) -> None:
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)], DECIDED_ON + timedelta(days=4))
    report = rechecking.check_own([12], NIGHT.date())
    assert report.differences == []
    assert report.counts[12]["of these with a purchase that came to light since"] == 1
    assert reinstate(DECIDED_ON + timedelta(days=4)) == 1
    publishing.publish("second", AT + timedelta(days=5), DECIDED_ON + timedelta(days=5))
    report = rechecking.check_own([12], NIGHT.date())
    assert report.differences == []
    assert report.counts[12]["listed, as the second reading has it"] == 1
    assert report.counts[12]["reinstated, and not listed"] == 1


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        # a recipient who bought stands in the warehouse as revoked, and is listed
        ("update revocations set recipient_id = 50 where recipient_id = 1", "nobody has approved this revocation"),
        ("delete from revocations where recipient_id = 1", "nobody has approved this revocation"),
        ("update decisions set deadline_on = deadline_on + 1", "another reason or time than its decision's"),
        ("update decisions set decision_id = 'gelombang-12-x'", "no decision of this cohort"),
        (
            "insert into reinstatements (recipient_id, because, approved_by, reinstated_on)"
            " values (1, 'purchase', 'siti', '2021-03-16')",
            "reinstated, and listed all the same",
        ),
    ],
)
def test_what_no_fact_leads_to_is_told(listed_by_files: Path, statement: str, what: str) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql(statement)
    assert what in differences()
    (found, *_) = [each for each in tasks.audit.recheck_list(NIGHT) if what in each["text"]]
    assert found["kind"] == "list_differs"
    assert found["repair"] is None
    assert re.fullmatch(
        r"gelombang-12: the list and the second reading differ on \d+: .*: see `prakerja recheck 12`", found["text"]
    )


def test_somebody_who_bought_and_is_listed_is_found(
    cohort: Cohort, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if both readings had been wrong when they were revoked."""
    carry_out(cohort)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql(
            "insert into revocations (recipient_id, decision_id, digest, reason, effective_at, approvers, revoked_on)"
            " select 50, decision_id, digest, reason, effective_at, approvers, revoked_on from revocations limit 1"
        )
    publishing.publish("first", PUBLISHED_AT, PUBLISHED_ON)
    (difference,) = rechecking.check_own([12], NIGHT.date()).differences
    assert difference.what == "purchased by the second reading"
    status, said = run("recheck", "12")
    assert status == 1
    assert "purchased by the second reading" in said
    assert not re.search(r"\d{16}", said)


def test_whoever_is_revoked_and_not_listed_is_missed(listed_by_files: Path) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql(
            "insert into revocations (recipient_id, decision_id, digest, reason, effective_at, approvers, revoked_on)"
            " select 3, decision_id, digest, reason, effective_at, approvers, '2021-03-15' from revocations limit 1"
        )
    assert differences() == ["revoked, and not listed"]


def test_a_delivery_that_has_gone_is_told(listed_by_files: Path, home: Path) -> None:
    shutil.rmtree(home / "landing" / "feeds" / "pintaria" / "2021-03-09")
    (told,) = differences()
    assert told.startswith("feeds/pintaria/2021-03-09/r1")
    assert "is gone" in told


# -- whose turn it is --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cohorts", [1, 2, 12, 27, 28, 29, 60, 300])
def test_each_cohort_has_its_turn_within_four_weeks(cohorts: int) -> None:
    numbers = list(range(1, cohorts + 1))
    nights = [rechecking.due_on(date(2021, 6, 1) + timedelta(days=night), numbers) for night in range(28)]
    assert {cohort for night in nights for cohort in night} == {*numbers}
    assert max(map(len, nights)) - min(map(len, nights)) <= 1, "no night has much more than another"
    assert rechecking.due_on(date(2021, 6, 1), []) == []


def test_before_anything_is_published_there_is_nothing_to_read(cohort: Cohort) -> None:
    assert tasks.audit.recheck_list(NIGHT) == []
    carry_out(cohort)
    assert tasks.audit.recheck_list(NIGHT) == []


# -- whoever has no warehouse ------------------------------------------------------------------------------------------


def test_an_auditor_needs_no_warehouse(auditor: Auditor) -> None:
    status, said = auditor.check()
    assert (status, "the list agrees with the files" in said) == (0, True), said
    said = auditor.check("--json")[1]
    found = json.loads(said[said.index("{") :])
    assert found == {"counts": {"12": {"listed, as the second reading has it": 2}}, "differences": []}


def test_an_export_names_nobody(auditor: Auditor, home: Path) -> None:
    text = (auditor.given / "facts.jsonl").read_text()
    assert not re.search(r"(?<![0-9a-f])\d{10,16}(?![0-9a-f])", text)
    about, rows = known.read_export(text.splitlines())
    assert about["key_id"] == configured_keys.load_subject_key().key_id
    assert {row["person"] for row in rows[12]["revocations"]} == {
        configured_keys.load_subject_key().subject(f"{31 * 10**14 + number}") for number in (1, 2)
    }
    assert card(1) not in text


@pytest.mark.parametrize(
    ("bend", "told"),
    [
        (lambda given: (given / "facts.jsonl").write_text(""), "the facts: the file is empty"),
        (
            lambda given: (given / "facts.jsonl").write_text("x"),
            "line 1 of the facts: this is not an export of prakerja.facts/1",
        ),
        (
            lambda given: (given / "facts.jsonl").write_text(
                '{"contract": "prakerja.facts/1", "as_of": "2021-04-30", "key_id": "k"}\n{"x": 1}'
            ),
            "line 2 of",
        ),
        (lambda given: (given / "facts.jsonl").unlink(), "cannot be read: give the file that"),
        (lambda given: (given / "calendar.yaml").write_text("cohorts: []"), "does not name gelombang-12 once"),
        (lambda given: shutil.rmtree(given / "landing" / "rosters"), "rosters/gelombang-12/manifest.json: the file is"),
        (lambda given: (given / "blacklist" / "latest.json").write_text("{}"), "no list can be read here"),
        (lambda given: cut_off(given / "blacklist"), "another SHA-256"),
    ],
)
def test_what_an_auditor_cannot_read_is_one_line(auditor: Auditor, bend: Callable[[Path], Any], told: str) -> None:
    bend(auditor.given)
    status, said = auditor.check()
    assert (status, told in said) == (1, True), said


def cut_off(folder: Path) -> None:
    (snapshot,) = folder.glob("v*/snapshot.csv.gz")
    snapshot.write_bytes(snapshot.read_bytes()[:-1] + b"x")


def test_another_key_is_no_difference_but_refused(auditor: Auditor, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = auditor.given / "facts.jsonl"
    facts.write_text(facts.read_text().replace(configured_keys.load_subject_key().key_id, "0" * 16))
    status, said = auditor.check()
    assert status == 1
    assert "give that key as PRAKERJA_SUBJECT_KEY" in said


def test_half_an_audit_is_wrong_usage(home: Path) -> None:
    assert run("recheck", "--landing", str(home))[0] == 2
    assert run("recheck", "--export-facts", "-", "--facts", str(home))[0] == 2


def test_nothing_decided_is_said(home: Path) -> None:
    assert run("recheck")[0] == 1
