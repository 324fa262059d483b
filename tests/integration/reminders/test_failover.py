"""A provider that is down or ill loses the traffic and nothing else."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from tests.support.reminder_desk import NINE, Desk, person, phone


def test_few_messages_find_the_other_provider_as_well(desk: Desk) -> None:
    desk.roster([person(n, phone(n)) for n in range(1, 6)])
    assert desk.send(sms="http://:x@127.0.0.1:9/sms/first").counts["unsettled"] == 0
    assert Counter(provider for provider, *_ in desk.messages()) == {"second": 5}


def test_a_provider_that_is_down_loses_the_traffic_and_no_message(desk: Desk) -> None:
    desk.roster([person(n, phone(n)) for n in range(1, 301)])
    progress = desk.send(sms="http://:x@127.0.0.1:9/sms/first")
    assert Counter(provider for provider, *_ in desk.messages()) == {"second": 300}
    assert progress.counts["unsettled"] == 0


def test_a_provider_with_errors_loses_the_traffic(desk: Desk) -> None:
    desk.roster([person(n, phone(n)) for n in range(1, 1001)])
    desk.mood("first", status=503)
    desk.send()
    taken = Counter(provider for provider, *_ in desk.messages())
    assert taken["second"] > 300, "whatever was claimed before its answers came is tried again"
    desk.mood("first")
    assert desk.until_done(NINE + timedelta(minutes=5)) == {"targeted": 1000, "delivered": 1000}
    assert len(desk.messages()) == 1000
