"""A corrected phone or address is written to from then on; what failed for good at the old one goes once more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from prakerja import warehouse
from tests.support.corrections import correct
from tests.support.reminder_desk import NINE, Desk, magic, person, phone

CARD = f"{10**15 + 1}"
WRONG, RIGHT = magic("03"), phone(7)


def recipients(desk: Desk) -> list[str]:
    return [to for _, to, _ in desk.messages()]


def retried(desk: Desk) -> None:
    desk.send(NINE + timedelta(minutes=30), is_retry=True)
    desk.await_receipts()
    desk.send(NINE + timedelta(minutes=35))


def test_a_message_that_failed_permanently_is_sent_once_to_the_corrected_number(desk: Desk) -> None:
    desk.roster([person(1, WRONG), person(2, magic("03", 2))])
    desk.until_done()
    assert {state for _, state, _ in desk.rows()} == {"permanent_failure"}
    before = recipients(desk)
    retried(desk)
    assert recipients(desk) == before, "who has still the same number is not written to again"
    correct({"card_number": CARD, "phone": RIGHT})
    retried(desk)
    assert recipients(desk)[len(before) :] == [RIGHT.replace("08", "+628", 1)]
    assert [state for _, state, _ in desk.rows()] == ["delivered", "permanent_failure"]
    sent = len(recipients(desk))
    retried(desk)
    assert len(recipients(desk)) == sent


def test_it_is_sent_once_per_correction(desk: Desk) -> None:
    desk.roster([person(1, WRONG)])
    desk.until_done()
    correct({"card_number": CARD, "phone": magic("03", 1)})
    retried(desk)
    sent = len(recipients(desk))
    retried(desk)
    assert len(recipients(desk)) == sent, "it failed for good there, too"
    assert desk.rows("state") == [("permanent_failure",)]
    correct({"card_number": CARD, "phone": RIGHT})
    retried(desk)
    assert desk.rows("state") == [("delivered",)]


def test_it_is_not_sent_after_its_time(desk: Desk) -> None:
    desk.roster([person(1, WRONG)])
    desk.until_done()
    correct({"card_number": CARD, "phone": RIGHT})
    sent = len(recipients(desk))
    desk.send(NINE + timedelta(days=3), is_retry=True)
    assert len(recipients(desk)) == sent


def test_it_is_not_sent_if_an_e_mail_reached_the_recipient(desk: Desk) -> None:
    desk.roster([person(1, WRONG, "putri1@example.id")])
    desk.until_done()
    desk.send(NINE + timedelta(minutes=5))
    assert ("email", "accepted") in [row[:2] for row in desk.rows()]
    correct({"card_number": CARD, "phone": RIGHT})
    sent = len(recipients(desk))
    retried(desk)
    assert len(recipients(desk)) == sent


def test_a_recipient_without_an_address_is_reminded_at_the_corrected_one(desk: Desk) -> None:
    desk.roster([person(1)])
    desk.until_done()
    assert desk.rows() == [("sms", "permanent_failure", "no_address")]
    correct({"card_number": CARD, "email": "putri1@example.id"})
    retried(desk)
    assert recipients(desk)[-1:] == ["putri1@example.id"]


@pytest.mark.parametrize("state", ["queued", "temporary_failure"])
def test_an_unsent_message_goes_to_the_corrected_number(desk: Desk, state: str) -> None:
    desk.roster([person(1, phone(1))])
    desk.send(NINE.replace(hour=3))  # nobody is written to at night
    assert desk.rows("state") == [("queued",)]
    if state != "queued":
        with warehouse.transaction(as_owner=True) as connection:
            connection.exec_driver_sql(
                "update reminders set state = 'sending';"
                "update reminders set state = 'temporary_failure', attempts = 1, try_after = now() - interval '9 years'"
            )
    correct({"card_number": CARD, "phone": RIGHT, "full_name": "Putri Baru"})
    desk.until_done()
    ((_, to, text),) = desk.messages()
    assert to == RIGHT.replace("08", "+628", 1)
    assert "Putri Baru" in text or "Nama1" not in text
    ((address, token, sent_round),) = desk.rows(
        "address, (select phone_token from recipients_in_force r where r.recipient_id = reminders.recipient_id), round"
    )
    assert address == token
    assert sent_round == (state != "queued"), "another address is another submission, with another key"


def test_a_message_that_a_gateway_may_have_is_repeated_at_its_old_number(desk: Desk) -> None:
    desk.roster([person(1, phone(1))])
    desk.send(NINE.replace(hour=3))
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql(
            "update reminders set state = 'sending', attempts = 1, provider = 'sms', submitted_at = now();"
            "update reminders set state = 'unknown', try_after = now() - interval '9 years'"
        )
    correct({"card_number": CARD, "phone": RIGHT})
    desk.until_done()
    assert recipients(desk) == [phone(1).replace("08", "+628", 1)]
