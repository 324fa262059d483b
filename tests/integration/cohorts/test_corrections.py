"""Corrections: taken whole or not at all, a NIK by two people, what is in force used everywhere, and nothing leaked."""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja import warehouse
from prakerja.blacklist.publisher import audit
from prakerja.calendar import Cohort
from prakerja.cli.common import today
from prakerja.cohorts import contacts, corrections
from prakerja.cohorts.contacts import Contact, Contacts
from prakerja.cohorts.roster import take_in_rosters
from prakerja.keys import KeyStore
from prakerja.monitor import overview
from prakerja.people import os_login
from prakerja.revocations import approval, decision, explanation, revocation
from prakerja.settings import WIB
from prakerja.warehouse import statements
from tests.conftest import day
from tests.support.corrections import WHY, approve, correct, correct_nik, nik_of, refused, run
from tests.support.landing_zone import deliver_roster, roster_line
from tests.support.leaks import leaked
from tests.support.publisher import pick
from tests.support.small_cohort import DECIDED_ON, card
from tests.support.small_cohort import approve as approve_batch

NIK = 31 * 10**14


def contact_of(number: int) -> Contact:
    ((card_number, sealed),) = pick(
        f"select card_number, contact from recipients_in_force where recipient_id = {number}"
    )
    return Contacts.configured().open(card_number, bytes(sealed))


def test_contacts_take_effect_at_once_and_the_rosters_row_stays(people: Path) -> None:
    before = pick("select * from recipients order by 1")
    told = correct({"card_number": card(1), "full_name": "Siti Aminah", "phone": "+628999000001", "region_code": "32"})
    assert "1 person corrected" in told
    assert "region_code 31 -> 32" in told
    assert contact_of(1) == Contact("Siti Aminah", "+628999000001", "s1@example.id")
    assert pick("select region_code from recipients_in_force where recipient_id = 1") == [("32",)]
    assert pick("select * from recipients order by 1") == before
    correct({"card_number": card(1), "email": ""})
    assert contact_of(1) == Contact("Siti Aminah", "+628999000001", ""), "the others stay as they were corrected"
    assert pick("select fields from corrections order by 1") == [(["email"],), (["full_name", "phone", "region_code"],)]


def test_the_same_again_changes_nothing(people: Path) -> None:
    entry = {"card_number": card(1), "phone": "08999000001", "nik": f"{NIK + 7}"}
    correct(entry)
    assert "nothing to correct" in correct(entry), "the NIK waits, the phone is in force"
    approve()
    assert "nothing to correct" in correct(entry)
    assert pick("select count(*) from corrections") == [(2,)]


@pytest.mark.parametrize(
    "given",
    [
        {"card_number": card(1), "phone": "08999000001"},
        [{"card_number": card(1), "phone": "08999000001"}],
        f'{{"card_number": "{card(1)}", "phone": "08999000001"}}\n\n{{"card_number": "{card(2)}", "email": ""}}\n',
        f'\ufeff{{"card_number": "{card(1)}", "phone": "08999000001"}}',
    ],
    ids=["an object", "a list", "lines", "a mark of bytes"],
)
def test_objects_are_read_as_one_a_list_or_lines(people: Path, given: Any) -> None:
    result = run("-", "--because", WHY, "--as", "ani", given=given)
    assert result.exit_code == 0, result.exception
    assert contact_of(1).phone == "08999000001"


def test_a_file_is_read_too(people: Path, tmp_path: Path) -> None:
    (tmp_path / "corrections.json").write_text(json.dumps({"card_number": card(1), "phone": "08999000001"}))
    assert run(str(tmp_path / "corrections.json"), "--because", WHY, "--as", "ani").exit_code == 0
    assert contact_of(1).phone == "08999000001"
    assert "cannot be read" in refused(str(tmp_path / "nowhere"), "--because", WHY, "--as", "ani")


@pytest.mark.parametrize(
    ("bent", "told"),
    [
        ({"card_number": "1"}, "entry 2: card_number is not a card number of 16 digits"),
        ({"card_number": "9" * 16}, "entry 2: no roster has this card"),
        ({"card_number": card(1)}, "entry 1: the same card appears in another entry"),
        ({"nik": "31000000000000O1"}, "entry 2: nik is not a NIK of 16 digits"),
        ({"nik": 31}, "entry 2: nik is not a text"),
        ({"nik": f"{NIK + 3}"}, "entry 2: somebody else has this NIK"),
        ({"region_code": "3"}, "entry 2: region_code is not a region code of 2 digits"),
        ({"phone": "12"}, "entry 2: phone is not a number that begins with 08 or [+]62"),
        ({"email": "nobody"}, "entry 2: email is not an address"),
        ({"full_name": "a\x1b[2J"}, "entry 2: full_name is longer than"),
        ({"full_name": ""}, "entry 2: full_name is empty"),
        ({"deadline_on": "2021-03-13"}, "entry 2: has a field that cannot be corrected"),
    ],
)
def test_a_file_is_taken_whole_or_not_at_all_and_entries_are_named_by_their_position(
    people: Path, bent: dict[str, Any], told: str
) -> None:
    entries = [
        {"card_number": card(1), "phone": "08999000001"},
        {"card_number": card(2), "phone": "08999000002"} | bent,
    ]
    before = pick("select count(*) from audit_log")
    with pytest.raises(AssertionError, match=told):
        correct(*entries)
    assert pick("select count(*) from corrections") == [(0,)]
    assert pick("select count(*) from audit_log") == before


def test_two_entries_of_one_nik_are_refused(people: Path) -> None:
    with pytest.raises(AssertionError, match="entry 1: the same NIK appears in another entry"):
        correct({"card_number": card(1), "nik": f"{NIK + 77}"}, {"card_number": card(2), "nik": f"{NIK + 77}"})


@pytest.mark.parametrize("what", ["nobody has made", "was forgotten"])
def test_the_database_takes_no_approval_of_a_request_that(people: Path, what: str) -> None:
    correct({"card_number": card(1), "nik": f"{NIK + 77}"})
    request = corrections.waiting()[0].request
    if what == "was forgotten":
        with warehouse.transaction("remind") as connection:
            assert corrections.forget(connection, today() + timedelta(days=1)) == 1
    with pytest.raises(warehouse.RefusedError), warehouse.transaction("decide") as connection:
        connection.exec_driver_sql(
            "insert into correction_decisions (request, is_approved, because, decided_by, decided_on)"
            " values (%s, true, 'seen', 'siti', current_date)",
            (request if what == "was forgotten" else "ab" * 32,),
        )


@pytest.mark.parametrize("given", ["", "[]", "{", '{"card_number": "1", "card_number": "2"}', "[" * 100_000, "[1]"])
def test_malformed_json_is_refused_in_one_line(people: Path, given: str) -> None:
    told = refused("-", "--because", WHY, "--as", "ani", given=given)
    assert "object" in told


def test_the_reason_is_read_by_many(people: Path) -> None:
    assert "leave out cards, NIKs" in refused("-", "--because", f"it is {card(1)}", "--as", "ani", given="{}")


def test_a_nik_waits_for_another_person(people: Path) -> None:
    told = correct({"card_number": card(1), "nik": f"{NIK + 7}"})
    assert "wait for another person: prakerja correct --digest" in told
    assert nik_of(1) == NIK + 1
    shown = run().output
    assert "digits that differ: 16" in shown
    needs = [need.what for need in overview.page(datetime.now(WIB))["needs"]]
    assert "1 requests of corrected NIKs wait for another person: see `prakerja correct`" in needs
    assert WHY in shown
    (request,) = corrections.waiting()
    assert "ani corrected this NIK" in refused("--digest", request.request[:16], "--as", "ani")
    assert "no correction" in refused("--digest", request.request[:11], "--as", "siti")
    with pytest.raises(warehouse.RefusedError), warehouse.transaction("decide") as connection:
        connection.exec_driver_sql(
            "insert into correction_decisions (request, is_approved, because, decided_by, decided_on)"
            f" values ('{request.request}', true, 'x', 'ani', '2021-03-15')"
        )
    approve()
    assert nik_of(1) == NIK + 7
    assert corrections.waiting() == []
    assert "no correction" in refused("--digest", request.request[:16], "--as", "siti"), "once"
    assert audit.verify().problems == []


def test_a_nik_may_be_dismissed_and_one_that_was_corrected_again_waits_no_more(people: Path) -> None:
    correct({"card_number": card(1), "nik": f"{NIK + 7}"})
    (first,) = corrections.waiting()
    correct({"card_number": card(1), "nik": f"{NIK + 8}"})
    (second,) = corrections.waiting()
    assert first.request != second.request
    with pytest.raises(warehouse.RefusedError), warehouse.transaction("decide") as connection:
        connection.exec_driver_sql(
            "insert into correction_decisions (request, is_approved, because, decided_by, decided_on)"
            f" values ('{first.request}', true, 'x', 'siti', '2021-03-15')"
        )
    assert run("--digest", second.request[:16], "--as", "ani", "--dismiss", "--because", "a mistake").exit_code == 0
    assert nik_of(1) == NIK + 1
    (waiting,) = corrections.waiting()
    assert waiting.request == first.request, "nothing has taken its place any more"


def test_two_people_whose_niks_were_exchanged_are_corrected_in_one_file(people: Path) -> None:
    correct({"card_number": card(1), "nik": f"{NIK + 2}"}, {"card_number": card(2), "nik": f"{NIK + 1}"})
    approve()
    assert (nik_of(1), nik_of(2)) == (NIK + 2, NIK + 1)
    with warehouse.transaction() as connection:
        found = [explanation.find_recipient_outcome(connection, f"{NIK + n}")["recipient_id"] for n in (1, 2, 3)]
    assert found == [2, 1, 3]


def test_a_nik_that_somebody_got_meanwhile_is_refused_when_it_is_approved(people: Path, home: Path) -> None:
    correct({"card_number": card(1), "nik": f"{NIK + 60}"})
    deliver_roster(home / "landing", 13, [roster_line(60, nik=f"{NIK + 60}")], "2021-03-08", "2021-03-16")
    assert take_in_rosters(day("2021-03-15")).rejected == []
    (request,) = corrections.waiting()
    assert "somebody else may have one of these NIKs" in refused("--digest", request.request[:16], "--as", "siti")
    assert nik_of(1) == NIK + 1


def test_the_old_nik_is_free_for_its_owner_whose_roster_is_tried_again(people: Path, home: Path) -> None:
    lines = [roster_line(60, nik=f"{NIK + 1}"), roster_line(61)]
    deliver_roster(home / "landing", 13, lines, "2021-03-08", "2021-03-16")
    (rejected,) = take_in_rosters(day("2021-03-15")).rejected
    assert "recipient_in_another_cohort" in rejected
    assert take_in_rosters(day("2021-03-16")).rejected == [], "it is known, and nothing has changed"
    correct({"card_number": card(1), "nik": f"{NIK + 7}"})
    assert take_in_rosters(day("2021-03-16")).accepted == {}, "it waits"
    approve()
    assert take_in_rosters(day("2021-03-16")).accepted == {13: 2}
    assert take_in_rosters(day("2021-03-16")).accepted == {}
    with pytest.raises(warehouse.RefusedError), warehouse.transaction("ingest") as connection:
        connection.exec_driver_sql(
            "insert into recipients (roster_id, cohort, card_number, nik, contact, phone_token, email_token,"
            f" region_code) select roster_id, 13, 77, {NIK + 7}, '', '', '', '31' from rosters limit 1"
        )


def test_a_roster_that_is_rejected_again_is_tried_at_each_correction_alone(people: Path, home: Path) -> None:
    lines = [roster_line(60, nik=f"{NIK + 1}"), roster_line(61, nik=f"{NIK + 2}")]
    deliver_roster(home / "landing", 13, lines, "2021-03-08", "2021-03-16")
    assert len(take_in_rosters(day("2021-03-15")).rejected) == 1
    correct_nik(card(1), f"{NIK + 7}")
    assert len(take_in_rosters(day("2021-03-15")).rejected) == 1
    assert take_in_rosters(day("2021-03-15")).rejected == []
    correct_nik(card(2), f"{NIK + 8}")
    assert take_in_rosters(day("2021-03-15")).accepted == {13: 2}


def test_the_story_says_who_corrected_which_fields_and_why_and_is_found_by_the_nik_in_force(people: Path) -> None:
    correct({"card_number": card(1), "phone": "08999000001", "nik": f"{NIK + 7}"})
    approve()
    (by_new, by_old) = explanation.explain([f"{NIK + 7}", f"{NIK + 1}"])
    assert by_old["state"] == "unknown"
    told = [
        (event["what"], event["fields"], event["because"], event.get("corrected_by") or event["decided_by"])
        for event in by_new["events"]
        if "correct" in event["what"]
    ]
    assert sorted(told) == [
        ("corrected", ["nik"], "approved", "siti"),
        ("corrected", ["phone"], WHY, "ani"),
        ("correction_proposed", ["nik"], WHY, "ani"),
    ]


def test_a_correction_voids_the_approvals_that_came_before_it_and_no_other_digest_changes(cohort: Cohort) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    assert approve_batch(made) == ["siti"]
    (before,) = pick("select digest from batches")
    correct_nik(card(2), f"{NIK + 999}")
    with pytest.raises(approval.AwaitingApprovalError):
        revocation.propose_and_require_approval(made, DECIDED_ON)
    after = [row for row in pick("select digest from batches") if row != before]
    assert len(after) == 1
    assert approve_batch(made) == ["siti"]
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2
    assert pick("select distinct digest from revocations") == after
    correct({"card_number": card(1), "phone": "08999000001"})
    assert len(pick("select digest from batches")) == 2


def test_resealed_corrections_open_with_the_new_key_and_messages_keep_their_address(
    people: Path,
) -> None:
    correct({"card_number": card(1), "phone": "08999000001"})
    correct_nik(card(2), f"{NIK + 7}")
    assert contacts.reseal(with_new_key=True) == 3
    found = Contacts([contacts.ContactKey(KeyStore.from_environment().load_contact_keys()[0])])
    rows = pick(
        "select r.card_number, v.sealed, v.contact from correction_values v join recipients r using (recipient_id)"
    )
    assert len([found.open_values(number, bytes(sealed)) for number, sealed, _ in rows]) == 2
    assert contact_of(1).phone == "08999000001"
    ((address, delivered, token),) = pick(
        "select m.address, r.phone_token, f.phone_token from reminders m join recipients r using (recipient_id)"
        " join recipients_in_force f using (recipient_id) where recipient_id = 1"
    )
    assert address == delivered != token


def test_values_are_forgotten_but_those_in_force(people: Path) -> None:
    correct({"card_number": card(1), "phone": "08999000001"})
    correct({"card_number": card(1), "phone": "08999000002"})
    correct_nik(card(2), f"{NIK + 7}")
    correct({"card_number": card(3), "nik": f"{NIK + 8}"})

    def forget(days: int) -> int:
        with warehouse.transaction("remind") as connection:
            return corrections.forget(connection, today() + timedelta(days=days))

    assert forget(0) == 0
    assert forget(1) == 3
    assert forget(1) == 0
    assert contact_of(1).phone == "08999000002"
    assert nik_of(2) == NIK + 7
    kept = pick(
        "select sealed is not null, contact is not null, nik is not null from correction_values order by correction_id"
    )
    assert kept == [(False, False, False), (False, True, False), (True, False, True), (False, False, False)]
    assert corrections.waiting() == [], "what was forgotten is approved by nobody"
    assert audit.verify().problems == []


def test_neither_old_nor_new_values_leave(people: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    values = {"full_name": "Rahasia Sekali", "phone": "08999000001", "email": "rahasia@example.id", "nik": f"{NIK + 7}"}
    before = {"Siti1 Aminah", "081234560001", "s1@example.id", f"{NIK + 1}"}
    secrets = {*values.values(), *before, card(1)}
    told = correct({"card_number": card(1)} | values) + run().output
    for bent in ({"phone": "1"}, {"nik": f"{NIK + 2}"}, {"full_name": "x" * 300}):
        result = run("-", "--because", WHY, "--as", "ani", given=[{"card_number": card(1)} | values | bent])
        told += result.output + str(result.exception)
    approve()
    told += json.dumps([*explanation.explain([card(1)])]) + str(audit.list_entries(1000)) + str(audit.verify())
    told += str(pick("select * from corrections")) + str(pick("select * from correction_decisions"))
    told += str(pick("select facts::text from audit_log")) + caplog.text
    assert leaked(secrets, told) == []
    values_kept = str(pick("select sealed, contact, phone_token, email_token from correction_values"))
    assert leaked(secrets, values_kept) == []
    (digest,) = pick("select digest from corrections where request is not null")
    for guess in (f"{NIK + 7}", f"{card(1)} {NIK + 7}"):
        assert hashlib.sha256(guess.encode()).hexdigest() != digest[0]


@pytest.mark.usefixtures("people")
def test_who_may_not_correct_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "people.yaml").write_text(
        "people:\n"
        f"- {{id: ani, name: Ani, logins: {{os: [{os_login()}]}}, may: [propose, approve]}}\n"
        f"- {{id: budi, name: Budi, may: [correct]}}\n"
    )
    monkeypatch.setenv("PRAKERJA_PEOPLE", str(home / "people.yaml"))
    given = {"card_number": card(1), "phone": "08999000001"}
    assert "ani may not correct" in refused("-", "--because", WHY, "--as", "ani", given=given)
    assert "is not budi" in refused("-", "--because", WHY, "--as", "budi", given=given)


def test_killed_in_the_middle_nothing_was_corrected(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [{"card_number": card(n), "phone": f"0899900000{n}", "nik": f"{NIK + 70 + n}"} for n in (1, 2)]
    real, count = warehouse.execute, 0

    def dies(connection: Any, name: str, **parameters: Any) -> Any:
        nonlocal count
        count += name == "cohorts/insert_corrections"
        if count == 3:
            raise KeyboardInterrupt
        return real(connection, name, **parameters)

    with monkeypatch.context() as patch:
        patch.setattr(warehouse, "execute", dies)
        patch.setattr(statements, "execute", dies)
        with pytest.raises(KeyboardInterrupt):
            corrections.correct(entries, because=WHY, corrected_by="ani", on=today(), show=print)
    assert pick("select count(*) from corrections") == [(0,)]
    correct(*entries)
    assert pick("select count(*) from corrections") == [(4,)]
