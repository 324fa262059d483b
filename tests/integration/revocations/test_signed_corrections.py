"""Corrected NIKs are signed where approvals are: the publisher lists nobody under a NIK that no person signed for."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prakerja import warehouse
from prakerja.blacklist.publisher import audit, pending, publishing
from prakerja.calendar import Cohort
from prakerja.cohorts import corrections
from prakerja.cohorts.contacts import Contacts
from prakerja.errors import PrakerjaError
from prakerja.revocations import decision, reinstatement, revocation
from prakerja.settings import WIB
from tests.support.corrections import WHY, correct, refused, run, sign_batch
from tests.support.publisher import pick
from tests.support.small_cohort import DECIDED_ON, PEOPLE, bought, card, restate

NIK = 31 * 10**14


def sign(key: Path) -> None:
    (request,) = corrections.waiting()
    result = run("--digest", request.request, "--as", "siti", "--sign-with", str(key))
    assert result.exit_code == 0, (result.output, result.exception)


def publish(occasion: str) -> Any:
    now = datetime.now(WIB)
    return publishing.publish(occasion, now, now.date())


def changes(version: int) -> list[Any]:
    return pick(f"select op, recipient_id from blacklist_changes where version = {version} order by recipient_id, op")


def test_an_approval_of_a_nik_is_signed_and_verified(listed_two: Path) -> None:
    correct({"card_number": card(1), "nik": f"{NIK + 999}"})
    (request,) = corrections.waiting()
    assert request.command.endswith("--sign-with KEY")
    assert "--sign-with" in run().output
    assert "is not siti" in refused("--digest", request.request, "--as", "siti")
    sign(listed_two)
    assert publish("second") == 2
    assert changes(2) == [("ADD", 1), ("WITHDRAW", 1)]
    verified = audit.verify()
    assert (verified.signatures, verified.problems) == (2, [])
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql("update correction_decisions set signature = replace(signature, 'A', 'B')")
    assert any("correction" in told and "is not signed" in told for told in audit.verify().problems)


@pytest.mark.parametrize(
    ("bent", "told"),
    [
        ("update correction_decisions set signature = null", "lacks its signature"),
        ("update correction_values set nik = nik + 1", "is not of the NIKs that would be listed"),
        ("update correction_values set sealed = null", "is not of the NIKs that would be listed"),
        ("update corrections set digest = repeat('ab', 32)", "is not of the NIKs that would be listed"),
    ],
)
def test_nobody_is_listed_under_an_unsigned_nik_that_the_owner_wrote(listed_two: Path, bent: str, told: str) -> None:
    correct({"card_number": card(1), "nik": f"{NIK + 999}"})
    sign(listed_two)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql(
            "insert into reinstatements (recipient_id, because, approvers, reinstated_on)"
            " values (2, 'appeal', '{siti}', '2021-03-15')"
        )
        connection.exec_driver_sql(bent)
    with pytest.raises(pending.WaitingError, match=told):
        publish("second")
    assert changes(2) == [("WITHDRAW", 2)], "what needs no signature goes on"


def test_values_that_were_encrypted_again_are_not_the_signed_ones(listed_two: Path) -> None:
    """By somebody with the contacts' key, who may seal what they like: the signed request is of the digest."""
    correct({"card_number": card(1), "nik": f"{NIK + 999}"})
    sign(listed_two)
    contacts = Contacts.configured()
    ((sealed,),) = pick("select sealed from correction_values")
    values = json.loads(contacts.open_values(int(card(1)), bytes(sealed)))
    values["after"]["nik"] = f"{NIK + 888}"
    forged = contacts.key.seal_values(int(card(1)), json.dumps(values).encode())
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql("update correction_values set sealed = %s, nik = %s", (forged, NIK + 888))
    with pytest.raises(pending.WaitingError, match="is not of the NIKs that would be listed"):
        publish("second")


def test_a_batch_approved_before_a_correction_stays_signed_for_its_people(cohort: Cohort, office: Path) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    revocation.request_approval(made, DECIDED_ON)
    sign_batch(office)
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2
    correct({"card_number": card(1), "nik": f"{NIK + 999}"})
    sign(office)
    assert publish("first") == 1, "revoked by the batch as it was, listed by the NIK that was signed for since"
    assert changes(1) == [("ADD", 1), ("ADD", 2)]
    verified = audit.verify()
    assert (verified.signatures, verified.problems) == (2, [])


@pytest.mark.parametrize(
    "bent",
    [
        "update correction_decisions set signature = null",
        "update correction_decisions set decided_on = decided_on - 1",
        "update correction_decisions set decided_by = 'ani'",
    ],
)
def test_a_recipient_corrected_after_the_signature_needs_a_signed_correction(
    cohort: Cohort, office: Path, bent: str
) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    revocation.request_approval(made, DECIDED_ON)
    sign_batch(office)
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2
    correct({"card_number": card(1), "nik": f"{NIK + 999}"})
    sign(office)
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql(bent)
    with pytest.raises(pending.WaitingError, match="lacks its signature"):
        publish("first")
    assert changes(1) == [("ADD", 2)], "whom the batch was signed with"


def test_every_row_is_verified_whichever_login_inserted_the_version(listed_two: Path) -> None:
    """The owner of the warehouse exchanges a NIK by a correction that nobody has signed."""
    correct({"card_number": card(1), "nik": f"{NIK + 999}"})
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        connection.exec_driver_sql(
            "insert into correction_decisions (request, is_approved, because, decided_by, decided_on, entry)"
            " select request, true, 'x', 'siti', corrected_on, 0 from corrections"
        )
        connection.exec_driver_sql(
            "insert into blacklist_versions (version, occasion, created_at, changed_at, data_as_of, key_id, entry)"
            " select 2, 'x', now(), now(), data_as_of, key_id, 0 from blacklist_versions"
        )
        connection.exec_driver_sql(
            "insert into blacklist_changes (version, op, recipient_id, reason, nik_correction_id, entry)"
            " values (2, 'WITHDRAW', 1, 'REINSTATED', 0, 0), (2, 'ADD', 1, 'NO_FIRST_PURCHASE', 1, 0)"
        )
    with pytest.raises(PrakerjaError, match="would be exchanged for one that nobody has signed for"):
        publish("third")


def test_a_reinstated_recipient_is_withdrawn_under_the_listed_nik(listed_two: Path, home: Path) -> None:
    correct({"card_number": card(2), "nik": f"{NIK + 999}"})
    sign(listed_two)
    restate(home, [bought(n) for n in range(2, PEOPLE + 1)])
    assert reinstatement.reinstate(DECIDED_ON + timedelta(days=1)) == 0
    sign_batch(listed_two)
    assert reinstatement.reinstate(DECIDED_ON + timedelta(days=1)) == 1
    assert publish("second") == 2
    assert changes(2) == [("WITHDRAW", 2)], "under the NIK of before, and never added under the other"
    verified = audit.verify()
    assert (verified.signatures, verified.problems) == (3, [])


def test_a_batch_of_corrected_people_is_signed_with_their_niks(cohort: Cohort, office: Path) -> None:
    made = decision.decide(cohort, DECIDED_ON)
    correct({"card_number": card(1), "nik": f"{NIK + 999}"})
    sign(office)
    revocation.request_approval(made, DECIDED_ON)
    sign_batch(office)
    assert revocation.revoke(cohort, made, DECIDED_ON) == 2
    assert publish("first") == 1
    assert changes(1) == [("ADD", 1), ("ADD", 2)]
    verified = audit.verify()
    assert (verified.signatures, verified.problems) == (2, [])


def test_a_signature_replaces_no_reason() -> None:
    assert run("--digest", "ab" * 32, "--as", "siti", "--because", WHY).exit_code == 2
