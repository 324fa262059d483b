"""A version a day, also without a change, once there is a list."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from upath import UPath

from prakerja import warehouse
from prakerja_blacklist.reader.sources import Folder
from tests.support.published_list import AT, reinstate
from tests.support.publisher import NEXT, daily, manifest, published, reader, verified, versions


def test_the_daily_publishes_an_empty_delta_a_day_once_there_is_a_list(listed: Path, home: Path) -> None:
    assert daily(AT - timedelta(days=1)) is None, "there is no list yet"
    assert published("deadline", AT) == 1
    assert daily(AT + timedelta(hours=1)) is None, "today's is there"
    client = reader(home / "reader")
    client.sync(Folder(UPath(listed)), AT)
    for number in (2, 3):
        at = AT + timedelta(days=number - 1)
        assert daily(at) == number
        assert daily(at) == number, "said again"
        assert daily(at + timedelta(hours=2)) is None, "another run of the day"
        synced = client.sync(Folder(UPath(listed)), at)
        assert (synced.how, list(synced.changes)) == ("delta", [])
    assert [number for number, _ in versions()] == verified(listed) == [1, 2, 3]


def test_an_unchanged_list_says_when_it_was_looked_at_and_when_it_last_changed(listed: Path) -> None:
    def arrive(day: str) -> None:
        with warehouse.transaction(as_owner=True) as connection:
            connection.exec_driver_sql(
                "insert into deliveries (platform, business_date, revision, fingerprint, status, arrived_on, sha256,"
                " rows) values ('tokopedia', %s, 1, '', 'accepted', %s, 'empty', 0)", (day, day),
            )  # fmt: skip

    arrive("2021-03-14")
    published("deadline")
    arrive("2021-03-16")
    assert daily(NEXT) == 2
    first, second = manifest(listed, 1), manifest(listed, 2)
    assert (first.changed_at, second.changed_at) == ("2021-03-15T00:00:00Z",) * 2
    assert (first.checked_at, second.checked_at) == ("2021-03-15T00:00:00Z", "2021-03-16T00:00:00Z")
    assert (first.created_at, second.created_at) == (first.checked_at, second.checked_at)
    assert (first.expires_at, second.expires_at) == ("2021-03-22T00:00:00Z", "2021-03-23T00:00:00Z")
    assert (first.data_as_of, second.data_as_of) == ({"tokopedia": "2021-03-14"}, {"tokopedia": "2021-03-16"})
    assert (second.counts.added, second.counts.withdrawn, second.counts.entries) == (0, 0, 5)
    assert second.result_sha256 == first.result_sha256
    reinstate(1)
    assert published("third", NEXT + timedelta(days=1)) == 3
    assert manifest(listed, 3).changed_at == "2021-03-17T00:00:00Z"


@pytest.mark.parametrize(
    ("first", "then", "number"),
    [
        ("15T16:59:59", "15T17:00:00", 2),
        ("15T17:00:00", "15T17:00:01", None),
        ("15T17:00:00", "16T16:59:59", None),
        ("15T17:00:00", "16T17:00:00", 2),
    ],
)
def test_a_day_is_jakartas(listed: Path, first: str, then: str, number: int | None) -> None:
    published("deadline", datetime.fromisoformat(f"2021-03-{first}+00:00"))
    assert daily(datetime.fromisoformat(f"2021-03-{then}+00:00")) == number
