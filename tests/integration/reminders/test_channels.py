"""The warehouse knows the channels of `program.yaml`, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from prakerja import warehouse
from prakerja.programme import programme


def test_the_warehouse_tries_the_channels_of_the_programme_in_its_order(home: Path) -> None:
    channels = programme().reminders.channels
    with warehouse.transaction() as connection:
        in_order = connection.exec_driver_sql("select reminder_channels()").scalar_one()
        kinds = dict(
            connection.exec_driver_sql("select c, address_kind(c) from unnest(reminder_channels()) as c").all()
        )
    assert in_order == list(channels)
    assert dict(kinds) == {name: channel.reaches for name, channel in channels.items()}


def test_an_unknown_channel_has_no_address(home: Path) -> None:
    with pytest.raises(warehouse.RefusedError, match="InvalidParameterValue"), warehouse.transaction() as connection:
        connection.exec_driver_sql("select token_of('fax', 'a phone', 'a mailbox')")


@pytest.mark.parametrize(
    ("phone", "email", "after", "found"),
    [
        ("a phone", "a mailbox", None, [("sms", "a phone")]),
        ("", "a mailbox", None, [("email", "a mailbox")]),
        (None, None, None, []),
        ("a phone", "a mailbox", "sms", [("email", "a mailbox")]),
        ("a phone", "", "sms", []),
        ("a phone", "a mailbox", "email", []),
        ("a phone", "a mailbox", "fax", []),
    ],
)
def test_the_next_channel_is_the_first_after_another_that_has_an_address(
    home: Path, phone: str | None, email: str | None, after: str | None, found: list[tuple[str, str]]
) -> None:
    """After a channel that is not known there is none: nobody is written to twice by the same channel."""
    with warehouse.transaction() as connection:
        rows = connection.exec_driver_sql("select * from next_channel(0, %s, %s, %s)", (phone, email, after)).all()
    assert [tuple(row) for row in rows] == found
