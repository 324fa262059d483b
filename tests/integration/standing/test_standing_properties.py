"""The decision against a naive reading of its rules, over small worlds that nobody thought of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prakerja import warehouse
from tests.support.standing_world import END, START, WINDOW, World

PEOPLE = (1, 2, 3)
ANNOUNCED, DEADLINE = date(2021, 3, 5), date(2021, 3, 13)
KNOWN_BY, LAST = date(2021, 3, 15), date(2021, 3, 14)
INSTANTS = [
    START - timedelta(days=2), START - timedelta(microseconds=1), START, START + timedelta(days=3),
    END - timedelta(microseconds=1), END, END + timedelta(hours=20),
]  # fmt: skip


@dataclass(frozen=True)
class Row:
    card: int
    event: str
    at: datetime
    transaction: str


@dataclass(frozen=True)
class Feed:
    platform: str
    day: date
    revision: int
    arrived_on: date
    is_accepted: bool
    rows: tuple[Row, ...]
    damaged: tuple[int, ...]


rows = st.builds(
    Row,
    card=st.sampled_from((*PEOPLE, 9)),
    event=st.sampled_from(("PAID", "PAID", "PAID", "CANCELLED", "REFUNDED")),
    at=st.sampled_from(INSTANTS),
    transaction=st.sampled_from("abc"),
)
feeds = st.builds(
    Feed,
    platform=st.sampled_from(("tokopedia", "sisnaker")),
    day=st.sampled_from([date(2021, 3, 4), ANNOUNCED, date(2021, 3, 8), DEADLINE, LAST, date(2021, 3, 15)]),
    revision=st.integers(1, 12),
    arrived_on=st.sampled_from([date(2021, 3, 10), KNOWN_BY, date(2021, 3, 16)]),
    is_accepted=st.sampled_from((True, True, True, False)),
    rows=st.lists(rows, max_size=5).map(tuple),
    damaged=st.lists(st.sampled_from(PEOPLE), max_size=1).map(tuple),
)
worlds = st.lists(feeds, max_size=6, unique_by=lambda feed: (feed.platform, feed.day, feed.revision))


def naive(world: list[Feed]) -> dict[int, str]:
    """The rules as they are written, one person at a time."""
    in_force: dict[tuple[str, date], Feed] = {}
    for feed in sorted(world, key=lambda feed: feed.revision):
        if feed.is_accepted and feed.arrived_on <= KNOWN_BY and feed.day <= LAST:
            in_force[feed.platform, feed.day] = feed
    outcomes = {}
    for card in PEOPLE:
        is_purchased = any(
            row.card == card and row.event == "PAID" and START <= row.at < END
            and not any(
                undo.event != "PAID" and undo.transaction == row.transaction and undo.at < END
                for other in in_force.values() if other.platform == feed.platform for undo in other.rows
            )
            for feed in in_force.values() for row in feed.rows
        )  # fmt: skip
        is_doubtful = any(card in feed.damaged and feed.day >= ANNOUNCED for feed in in_force.values())
        outcomes[card] = "purchased" if is_purchased else "held" if is_doubtful else "overdue"
    return outcomes


def lay_down(world: World, feeds: list[Feed]) -> None:
    for feed in feeds:
        status = "accepted" if feed.is_accepted else "rejected"
        delivery = world.delivery(
            feed.day.isoformat(), feed.platform, feed.revision, feed.arrived_on.isoformat(), status
        )
        for row in feed.rows:
            world.row(delivery, row.at, row.card, row.event, row.transaction)
        for card in feed.damaged:
            world.damaged(delivery, str(card))


TABLES = ("transactions", "quarantine", "evidence", "evidence_deliveries", "evidence_bases", "deliveries")


def empty(connection: warehouse.Connection, *tables: str) -> None:
    """Delete the rows of tables: to truncate them takes ten times as long for as few as these."""
    connection.exec_driver_sql("set local session_replication_role = replica")
    connection.exec_driver_sql("; ".join(f"delete from {table}" for table in tables))
    connection.exec_driver_sql("set local session_replication_role = origin")


#: A horizon: the last business date and the last arrival that are known, and before when a purchase was undone.
horizons = st.tuples(
    st.sampled_from([ANNOUNCED, date(2021, 3, 8), LAST, date(2021, 3, 20)]),
    st.sampled_from([date(2021, 3, 10), KNOWN_BY, date(2021, 3, 16)]),
    st.sampled_from([END, END + timedelta(hours=20), END + timedelta(days=9)]),
)


@given(world=worlds, way=st.lists(horizons, max_size=4))
@pytest.mark.usefixtures("home")
def test_evidence_is_the_same_whatever_way_it_came(world: list[Feed], way: list[tuple[date, date, datetime]]) -> None:
    with warehouse.transaction(as_owner=True) as connection:
        empty(connection, *TABLES, "recipients", "rosters")
        tables = World(connection)
        for card in PEOPLE:
            tables.recipient(card)
        half = len(world) // 2
        lay_down(tables, world[:half])
        for number, horizon in enumerate(way):
            if number == 1:
                lay_down(tables, world[half:])
            connection.exec_driver_sql(
                "select refresh_evidence(12, %s, %s, 1, %s, %s, %s)", (ANNOUNCED, DEADLINE, *horizon)
            )
            anew = connection.exec_driver_sql(
                "select * from evidence_of("
                " array(select recipient_id from recipients),"
                " array(select delivery_id from deliveries_in_force(%s) where business_date <= %s), %s, %s, 1, %s)",
                (horizon[1], horizon[0], ANNOUNCED, DEADLINE, horizon[2]),
            )
            kept = connection.exec_driver_sql(
                "select recipient_id, purchase_delivery_id, purchase_line, purchase_key, doubt_delivery_id, doubt_line"
                " from evidence where purchase_line is not null or doubt_line is not null"
            )
            assert sorted(map(repr, anew)) == sorted(map(repr, kept))


def decided(connection: warehouse.Connection) -> dict[int, str]:
    connection.exec_driver_sql(
        "select refresh_evidence(12, %s, %s, 1, %s, %s, %s)", (ANNOUNCED, DEADLINE, LAST, KNOWN_BY, END)
    )
    found = connection.exec_driver_sql(
        "select r.card_number, s.outcome::text from standing(12, %s, %s) s join recipients r using (recipient_id)",
        (DEADLINE, KNOWN_BY),
    )
    return {card: outcome for card, outcome in found}  # noqa: C416 - rows, not pairs


@given(world=worlds, shuffled=st.randoms())
@pytest.mark.usefixtures("home")
def test_the_statement_decides_as_the_rules_read_in_whatever_order_feeds_came(
    world: list[Feed], shuffled: object
) -> None:
    assert WINDOW["deadline_on"] == DEADLINE
    with warehouse.transaction(as_owner=True) as connection:
        empty(connection, *TABLES, "recipients", "rosters")
        tables = World(connection)
        for card in PEOPLE:
            tables.recipient(card)
        lay_down(tables, world)
        first = decided(connection)
        assert first == naive(world)
        assert sum(Counter(first.values()).values()) == len(PEOPLE)
        empty(connection, *TABLES)
        again = list(world)
        shuffled.shuffle(again)  # type: ignore[attr-defined]
        lay_down(tables, again)
        assert decided(connection) == first


def test_instants_are_on_both_sides_of_each_boundary() -> None:
    assert [at.astimezone(UTC) < START for at in INSTANTS].count(True) == 2
    assert [at.astimezone(UTC) >= END for at in INSTANTS].count(True) == 2
