"""Exactly one message per recipient, date and channel, kept by the database."""

from __future__ import annotations

import threading

import pytest

from prakerja import warehouse
from prakerja.calendar import find_cohort
from prakerja.reminders import outbox
from tests.support.reminder_desk import H7, MANY, NINE, Desk


def test_the_database_keeps_one_per_recipient_date_and_channel(many: Desk) -> None:
    many.send()
    again = (
        "insert into reminders (recipient_id, cohort, remind_on, channel, template, send_before)"
        " values (1, 12, %s, 'sms', 'held', now())"
    )
    with pytest.raises(warehouse.RefusedError, match="reminders_recipient_id_cohort_remind_on_channel_key"), \
            warehouse.transaction("remind") as connection:  # fmt: skip
        connection.exec_driver_sql(again, (H7,))


@pytest.mark.parametrize("state", ["queued", "sending", "accepted", "suppressed"])
def test_the_database_never_reopens_a_delivered_message(many: Desk, state: str) -> None:
    many.until_done()
    with (
        pytest.raises(warehouse.RefusedError, match="message_transitions"),
        warehouse.transaction("remind") as connection,
    ):
        connection.exec_driver_sql("update reminders set state = %s where reminder_id = 1", (state,))


def test_two_senders_without_the_lock_claim_no_message_twice(many: Desk) -> None:
    """What is left where a connection that held the lock was lost: the claims alone."""
    run = outbox.begin_run(find_cohort(12), H7, NINE)
    assert run
    claimed: list[int] = []

    def claim() -> None:
        while got := outbox.settle_and_claim(
            run, "sms", [], NINE, provider="sms", after=0, batch=4, repeatable_since={}
        )[0]:
            claimed.extend(each.reminder_id for each in got)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == list(range(1, MANY + 1))
