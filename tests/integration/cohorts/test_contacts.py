"""Names and addresses at rest in the warehouse, and sealed anew when the key is replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prakerja import warehouse
from prakerja.cohorts import contacts
from prakerja.cohorts.contacts import Contact, ContactKey, Contacts
from prakerja.errors import PrakerjaError
from prakerja.keys import KeyStore
from tests.support.contact_keys import SITI


def stored() -> list[Any]:
    with warehouse.transaction(as_owner=True) as connection:
        return [
            tuple(row)
            for row in connection.exec_driver_sql(
                "select r.recipient_id, r.card_number, r.contact, r.phone_token, m.address from recipients r"
                " left join reminders m using (recipient_id) order by 1"
            )
        ]


def test_the_warehouse_has_no_name_and_no_address(people: Path) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        everything = str(connection.exec_driver_sql("select * from recipients").all())
        everything += str(connection.exec_driver_sql("select * from reminders").all())
    for secret in ("Siti1", "Aminah", "08123456", "8123456", "@example.id"):
        assert secret not in everything
        assert secret.encode().hex() not in everything
    found = Contacts.configured()
    names = [found.open(number, bytes(contact)).full_name for _, number, contact, *_ in stored()]
    assert names == ["Siti1 Aminah", "Siti2 Aminah", "Siti3 Aminah"]


def test_a_new_key_takes_the_place_of_the_one_before(people: Path) -> None:
    before, keys = stored(), people / "own" / "keys"
    old = (keys / "contact_key.b64").read_bytes()
    assert contacts.reseal(with_new_key=True) == 3
    after = stored()
    assert (keys / "contact_key.b64").read_bytes() != old
    assert not (keys / "contact_key_next.b64").exists()
    only_new = Contacts([ContactKey(KeyStore.from_environment().load_contact_keys()[0])])
    assert [only_new.open(number, bytes(contact)).phone for _, number, contact, *_ in after] == [
        "081234560001", "081234560002", "081234560003",
    ]  # fmt: skip
    assert {row[3] for row in before} & {row[3] for row in after} == set()
    assert after[0][4] == after[0][3], "a message goes by what stands for the phone now"
    assert after[1][4] is None, "what was forgotten stays forgotten"


def test_killed_before_the_new_key_is_in_place_it_goes_on(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as dying:
        dying.setattr(KeyStore, "promote_contact_key", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            contacts.reseal(with_new_key=True)
    assert Contacts.configured().open(stored()[0][1], bytes(stored()[0][2])).full_name == "Siti1 Aminah"
    contacts.reseal(with_new_key=True)
    assert Contacts.configured().open(stored()[0][1], bytes(stored()[0][2])).full_name == "Siti1 Aminah"


def test_a_key_that_others_must_know_is_not_made_up(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (people / "own" / "keys" / "contact_key.b64").unlink()
    with pytest.raises(PrakerjaError, match="PRAKERJA_CONTACT_KEY is not set"):
        Contacts.configured()


def test_what_the_key_before_has_sealed_meanwhile_is_opened(people: Path) -> None:
    """A roster that was being sealed when the key was replaced."""
    before = Contacts.configured()
    contacts.reseal(with_new_key=True)
    assert Contacts.configured().open(7, before.key.seal(7, SITI)) == SITI


def test_an_unreadable_contact_does_not_hold_up_others(people: Path) -> None:
    found = Contacts.configured()
    row = {"reminder_id": 1, "state": "sending", "card_number": 8, "contact": found.key.seal(7, SITI)}
    assert found.opened(row, "sms")["address"] == ""  # type: ignore[arg-type]


def test_configured_keys_are_replaced_by_the_person_who_configures_them(
    people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = (people / "own" / "keys" / "contact_key.b64").read_text().strip()
    monkeypatch.setenv("PRAKERJA_CONTACT_KEY", "bmV3" * 10)
    with pytest.raises(PrakerjaError, match="set it to a new one, PRAKERJA_CONTACT_KEY_PREVIOUS to the present one"):
        contacts.reseal(with_new_key=True)
    with pytest.raises(PrakerjaError, match="which is not here"):
        contacts.reseal(with_new_key=False)
    monkeypatch.setenv("PRAKERJA_CONTACT_KEY_PREVIOUS", old)
    assert contacts.reseal(with_new_key=False) == 3
    monkeypatch.delenv("PRAKERJA_CONTACT_KEY_PREVIOUS")
    assert Contacts.configured().open(stored()[2][1], bytes(stored()[2][2])) == Contact(
        "Siti3 Aminah", "081234560003", "s3@example.id"
    )
