"""Gelombang 12 in which each edge of the decision's rule is somebody, with the outcome that the contract gives them.

The outcomes are written here by hand, from section 2 of the contract; nothing computes them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from prakerja.cohorts import people
from prakerja.cohorts.roster import take_in_rosters
from prakerja.feeds import intake
from prakerja.platforms import platforms
from prakerja.settings import WIB
from prakerja.simulation.writers import Row
from tests.support.landing_zone import deliver, deliver_roster, roster_line
from tests.support.small_cohort import empty_days

BEFORE, FIRST, DEADLINE, SETTLEMENT, TOO_LATE = "2021-03-04", "2021-03-05", "2021-03-13", "2021-03-14", "2021-03-15"
#: The day on which all lies there; the decision is made a day earlier, by what had arrived then.
LAST_ARRIVAL = date(2021, 3, 16)
OPENS_AT = datetime(2021, 3, 5, tzinfo=WIB)
CLOSES_AT = datetime(2021, 3, 14, tzinfo=WIB)
MICROSECOND = timedelta(microseconds=1)
#: The smallest step of time that each platform can write.
TICKS = {
    "tokopedia": MICROSECOND, "sekolahmu": MICROSECOND, "pijar-mahir": MICROSECOND,
    "pintaria": timedelta(milliseconds=1), "bukalapak": timedelta(seconds=1), "sisnaker": timedelta(seconds=1),
    "mau-belajar-apa": timedelta(seconds=1),
}  # fmt: skip
#: Deliveries that arrive on another day than the one after their business date (revisions: two days after).
ARRIVALS = {
    ("tokopedia", "2021-03-07", 2): date(2021, 3, 11),
    ("tokopedia", "2021-03-12", 3): LAST_ARRIVAL,
    ("tokopedia", TOO_LATE, 1): date(2021, 3, 15),
    ("bukalapak", TOO_LATE, 1): date(2021, 3, 15),
}
#: What breaks the contract.
REJECTED = ("sisnaker", "2021-03-10", 2)


class EdgeWorld(NamedTuple):
    """Cards and outcomes by name, and the rows of each platform, business date and revision."""

    cards: dict[str, str]
    outcomes: dict[str, str]
    rows: dict[tuple[str, str, int], list[Row]]

    def names(self, outcome: str) -> set[str]:
        """Return who has an outcome."""
        return {name for name, each in self.outcomes.items() if each == outcome}


class _Writer:
    """Puts people, and what they did, into a world."""

    def __init__(self) -> None:
        self.world = EdgeWorld({}, {}, defaultdict(list))
        self.ids = 0

    def is_(self, outcome: str, name: str, card: str | None = None) -> str:
        """Add a person; return the card."""
        assert name not in self.world.cards
        found = card or f"{10**15 + 10 * len(self.world.cards) + 1}"
        self.world.cards[name], self.world.outcomes[name] = found, outcome
        return found

    def row(self, card: str | int, platform: str, day: str, revision: int = 1, **bent: Any) -> str:
        """Add a row, by default a purchase at noon; return its transaction id."""
        self.ids += 1
        noon = datetime.combine(date.fromisoformat(day), datetime.min.time(), WIB) + timedelta(hours=12)
        values = {"transaction_id": f"t-{self.ids}", "event": "PAID", "occurred_at": noon, "card": card, "amount": 5000}
        self.world.rows[platform, day, revision].append(Row(**(values | bent)))
        return str((values | bent)["transaction_id"])


@cache
def edge_world() -> EdgeWorld:
    """Return the world."""
    writer = _Writer()
    for write in (_windows, _settlement, _undoings, _revisions, _damaged_days, _damaged_rows, _damaged_cards, _facts):
        write(writer)
    return writer.world


def _windows(w: _Writer) -> None:
    # "the window is `[A 00:00 WIB, D+1 00:00 WIB)`"
    for platform, tick in TICKS.items():
        w.row(w.is_("purchased", f"{platform}: the first instant"), platform, FIRST, occurred_at=OPENS_AT)
        w.row(w.is_("overdue", f"{platform}: before the first instant"), platform, FIRST, occurred_at=OPENS_AT - tick)
        w.row(w.is_("purchased", f"{platform}: the last instant"), platform, DEADLINE, occurred_at=CLOSES_AT - tick)
        w.row(w.is_("overdue", f"{platform}: after the last instant"), platform, SETTLEMENT, occurred_at=CLOSES_AT)
    # A workbook's times are cells and texts in turn: now the other way round.
    workbook, second = "mau-belajar-apa", timedelta(seconds=1)
    w.row(w.is_("purchased", "workbook: the last instant as text"), workbook, DEADLINE, occurred_at=CLOSES_AT - second)
    w.row(w.is_("purchased", "workbook: noon"), workbook, SETTLEMENT, occurred_at=CLOSES_AT - timedelta(hours=12))
    w.row(w.is_("overdue", "workbook: after the last as a cell"), workbook, SETTLEMENT, occurred_at=CLOSES_AT)
    # "More than six fractional digits are cut off, never rounded up."
    seven = "2021-03-13T16:59:59.9999999Z"
    w.row(w.is_("purchased", "seven fractional digits"), "pijar-mahir", DEADLINE, occurred_at=seven)
    # ... and those with an offset are told in any.
    far = "2021-03-14T01:59:59.999999+09:00"
    w.row(w.is_("purchased", "sekolahmu: the last instant, told in WIT"), "sekolahmu", DEADLINE, occurred_at=far)
    for number, at in enumerate(("2021-03-13T23:59:59,9+0700", "2021-03-13T23:59:59+07", "2021-03-13T16:59Z")):
        card = w.is_("purchased", f"ISO 8601 in other words, {number}")
        w.row(card, "tokopedia", DEADLINE, occurred_at=at)
    w.is_("overdue", "nobody's customer")
    w.row("3999999999999999", "tokopedia", FIRST)  # a card of no roster


def _settlement(w: _Writer) -> None:
    # "it ... sees business dates up to D + `settlement_days`"
    at = CLOSES_AT - timedelta(hours=4)
    w.row(w.is_("purchased", "told on the settlement day"), "bukalapak", SETTLEMENT, occurred_at=at)
    w.row(w.is_("overdue", "told after the settlement day"), "bukalapak", TOO_LATE, occurred_at=at)
    # "The same row in another delivery is no duplicate: it counts once in the ledger's view."
    twice = w.is_("purchased", "told in two deliveries")
    id_ = w.row(twice, "bukalapak", "2021-03-08")
    w.row(twice, "bukalapak", "2021-03-09", transaction_id=id_, occurred_at=OPENS_AT + timedelta(days=3, hours=12))
    # ... and the day that told it first is restated without it.
    again = w.is_("purchased", "told in two deliveries, of which one is restated")
    id_ = w.row(again, "tokopedia", "2021-03-07")
    w.row(again, "tokopedia", "2021-03-08", transaction_id=id_, occurred_at=OPENS_AT + timedelta(days=2, hours=12))


def _undoings(w: _Writer) -> None:
    # "no CANCELLED or REFUNDED row in force of the same platform and transaction id (whatever its card or order) has
    # `occurred_at` before D+1 00:00 WIB"
    def undone(outcome: str, name: str, platform: str = "tokopedia", **undoing: Any) -> None:
        card = w.is_(outcome, name)
        id_ = w.row(card, "tokopedia", "2021-03-08")
        usual = {"card": card, "platform": platform, "day": "2021-03-09", "event": "CANCELLED", "transaction_id": id_}
        w.row(**(usual | undoing))

    undone("overdue", "cancelled")
    undone("overdue", "refunded", event="REFUNDED")
    undone("overdue", "cancelled by another card", card="3999999999999998")
    undone("overdue", "cancelled before it was bought", day="2021-03-06")
    undone("overdue", "cancelled, told on the settlement day", day=SETTLEMENT, occurred_at=CLOSES_AT - MICROSECOND)
    undone("purchased", "another platform's cancellation", platform="sekolahmu", day="2021-03-06")
    undone("purchased", "cancelled by a damaged row", amount=0)
    undone("overdue", "cancelled in a delivery of after a week", day=DEADLINE)
    for name, undone_at in (("at the deadline's end", CLOSES_AT), ("after the deadline", CLOSES_AT + MICROSECOND)):
        card = w.is_("purchased", f"cancelled {name}")
        id_ = w.row(card, "tokopedia", SETTLEMENT, occurred_at=CLOSES_AT - timedelta(hours=1))
        w.row(card, "tokopedia", SETTLEMENT, transaction_id=id_, event="CANCELLED", occurred_at=undone_at)
    both = w.is_("purchased", "one purchase cancelled, another not")
    id_ = w.row(both, "sisnaker", "2021-03-06")
    w.row(both, "sisnaker", "2021-03-07", transaction_id=id_, event="CANCELLED")
    w.row(both, "sisnaker", "2021-03-08")
    letters = w.is_("purchased", "the id in other letters is cancelled")
    w.row(letters, "tokopedia", "2021-03-08", transaction_id="abc")
    w.row(letters, "tokopedia", "2021-03-08", transaction_id="ABC", event="CANCELLED")
    mended = w.is_("purchased", "cancelled in a superseded revision")
    id_ = w.row(mended, "tokopedia", "2021-03-08")
    w.row(mended, "tokopedia", "2021-03-07", transaction_id=id_, event="CANCELLED")


def _revisions(w: _Writer) -> None:
    # "Rows are *in force* when they come from the highest accepted revision of their platform and business date."
    w.row(w.is_("overdue", "restated away"), "tokopedia", "2021-03-07")
    w.row(w.is_("purchased", "restated into the day"), "tokopedia", "2021-03-07", 2)
    w.row(w.is_("overdue", "in the ninth revision"), "pintaria", "2021-03-09", 9)
    w.row(w.is_("purchased", "in the tenth revision"), "pintaria", "2021-03-09", 10)
    w.row(w.is_("purchased", "the next revision is rejected"), "sisnaker", "2021-03-10")
    w.row(w.is_("overdue", "in a rejected revision"), *REJECTED)
    w.row(w.is_("overdue", "damaged in a superseded revision"), "tokopedia", "2021-03-07", event="LUNAS")
    # "A real run, a backfill too, uses every delivery accepted by then": on the day after, this one is.
    w.row(w.is_("purchased", "restated away after the decision"), "tokopedia", "2021-03-12")
    w.row(w.is_("overdue", "restated into the day after the decision"), "tokopedia", "2021-03-12", 3)


def _damaged_days(w: _Writer) -> None:
    # "a quarantined row of an in-force delivery, business date A to D + settlement days, ..., whatever its event or
    # time"
    for day, outcome in ((BEFORE, "overdue"), (FIRST, "held"), (SETTLEMENT, "held"), (TOO_LATE, "overdue")):
        card = w.is_(outcome, f"damaged on {day}")
        w.row(card, "tokopedia", day, event="LUNAS")
        id_ = w.row(card, "sekolahmu", "2021-03-08")
        w.row(card, "sekolahmu", "2021-03-08", transaction_id=id_, event="REFUNDED")
    w.row(w.is_("held", "a damaged cancellation"), "tokopedia", "2021-03-10", event="CANCELLED", amount=0)
    bought = w.is_("purchased", "damaged once, bought once")
    w.row(bought, "tokopedia", "2021-03-10", event="LUNAS")
    w.row(bought, "sekolahmu", "2021-03-10")


def _damaged_rows(w: _Writer) -> None:
    def damaged(reason: str, **bent: Any) -> None:
        w.row(w.is_("held", reason), **({"platform": "tokopedia", "day": "2021-03-10"} | bent))

    damaged("amount_invalid: nothing", amount=0)
    damaged("amount_invalid: too much", amount=1_000_001)
    # "`amount_idr` adds up every amount as delivered that is a whole number"
    damaged("amount_invalid: not grouped, but whole", platform="bukalapak", amount="Rp5000")
    damaged("occurred_at_invalid: without an offset", occurred_at="2021-03-10T12:00:00")
    damaged("occurred_at_in_future", occurred_at=datetime(2021, 3, 11, tzinfo=WIB))
    damaged("occurred_at_too_old", occurred_at=datetime(2021, 3, 3, tzinfo=WIB) - MICROSECOND)
    damaged("transaction_id_missing", transaction_id="")
    damaged("transaction_id_malformed", platform="sekolahmu", transaction_id=1234567890123456)
    # "the same transaction id and event, different content, in one delivery: all of them"
    for which in ("first", "second"):
        card = w.is_("held", f"transaction_conflict: the {which} card")
        w.row(card, "sekolahmu", "2021-03-11", transaction_id="one-id")
    card = w.is_("held", "transaction_conflict: two amounts")
    for amount in (5000, 6000):
        w.row(card, "bukalapak", "2021-03-11", transaction_id="two-amounts", amount=amount)
    # "A repeat of the same content within a delivery, good or bad, is dropped"
    repeated = w.is_("purchased", "the same row twice")
    for _ in range(2):
        w.row(repeated, "bukalapak", "2021-03-11", transaction_id="twice")
    # "an unreadable row: every run of exactly 16 digits in it"
    w.row(
        w.is_("held", "row_unreadable: CSV", "9444444444444441"), "tokopedia", "2021-03-11", raw="x,9444444444444441,"
    )
    w.is_("overdue", "row_unreadable: in 17 digits", "9444444444444442")
    w.row("", "tokopedia", "2021-03-11", raw="x,19444444444444442,")
    w.row(w.is_("held", "row_unreadable: JSON", "9444444444444443"), "pintaria", "2021-03-11", raw='{"9444444444444443')


def _damaged_cards(w: _Writer) -> None:
    def card(outcome: str, name: str, card: str, written: Any = None, platform: str = "bukalapak") -> None:
        w.is_(outcome, f"card: {name}", card)
        if written is not None:
            w.row(written, platform, "2021-03-12")

    # "a number in scientific notation (decimal point or comma allowed) might be every card that it rounds from"
    card("held", "scientific, the lowest", "7234555000000000", "7.23456E+15")
    card("overdue", "scientific, one too low", "7234554999999999")
    card("held", "scientific, the highest", "7234565000000000")
    card("overdue", "scientific, one too high", "7234565000000001")
    card("held", "scientific, with a comma", "6123456789012345", "6,12346E+15")
    card("held", "scientific, with a hidden sign", "5123456789012345", "5.12346E+1\u200b5")
    card("held", "scientific, in quotes", "4123456789012345", '="4.12346E+15"')
    card("held", "scientific, in low quotes", "4323456789012345", "„4.32346E+15“")
    card("held", "scientific, without a whole part", "4523456789012345", ".452346E+16")
    # "a number cell or JSON number of 16 or more digits might be every card with the same first 15 digits"
    card("held", "a number cell", "8111111111111117", 8111111111111110, "mau-belajar-apa")
    card("overdue", "beside a number cell", "8111111111111120")
    card("held", "a JSON number", "8222222222222221", 8222222222222229, "pintaria")
    # "a shorter one, the card it equals with zeros put back"
    card("held", "a short JSON number", "0000000033333333", 33333333, "sekolahmu")
    # "otherwise drop a final `.0`, `,00`..., strip to digits, put zeros lost at the front back ...; and, where it has
    # exactly 16 digits without dropping anything, that card too"
    card("held", "without its zeros", "0000044444444444", "44444444444")
    card("held", "with a final .0", "9111111111111111", "9111111111111111.0")
    card("held", "with a final ,00", "9111111111111112", "9111111111111112,00")
    card("held", "in groups", "2345678901234567", "2.345.678.901.234.567")
    card("held", "in groups, the last of zeros", "2345678901234000", "2.345.678.901.234.000")
    card("held", "in groups, the last taken off", "0002345678901234")
    card("held", "with spaces", "9333333333333331", "9333 3333 3333 3331")
    card("held", "with an apostrophe", "9333333333333332", "'9333333333333332")
    # "every Unicode decimal digit as its ASCII digit"
    card("held", "in Arabic digits", "9333333333333333", "".join(chr(0x660 + int(digit)) for digit in "9" + "3" * 15))


def _facts(w: _Writer) -> None:
    for name, (outcome, has_bought, _) in FACTS.items():
        card = w.is_(outcome, name)
        if has_bought:
            w.row(card, "sekolahmu", "2021-03-08")
    w.row(w.world.cards["suspended, and damaged"], "tokopedia", "2021-03-11", event="LUNAS")


def _suspend(on: str, until: str | None = None) -> Callable[[str], None]:
    def suspend(card: str) -> None:
        people.suspend(card, date.fromisoformat(on), is_permanent=False, because="fraud", suspended_by="Siti")
        if until:
            people.lift_suspension(card, date.fromisoformat(until), because="cleared", lifted_by="Siti")

    return suspend


def _withdraw(on: str) -> Callable[[str], None]:
    return lambda card: people.withdraw(card, date.fromisoformat(on), because="a job", recorded_by="Siti")


#: What is known of people beside their purchases: the outcome, whether they have bought, and how it is recorded.
FACTS: dict[str, tuple[str, bool, Callable[[str], None]]] = {
    "suspended": ("held", False, _suspend("2021-03-10")),
    "suspended on the deadline": ("held", False, _suspend(DEADLINE)),
    "suspended on the day after": ("overdue", False, _suspend(SETTLEMENT)),
    "suspended, and bought": ("purchased", True, _suspend("2021-03-10")),
    "suspended, and damaged": ("held", False, _suspend("2021-03-10")),
    "suspended until the deadline": ("overdue", False, _suspend("2021-03-06", DEADLINE)),
    "suspended until the day after": ("held", False, _suspend("2021-03-06", SETTLEMENT)),
    "withdrawn on the deadline": ("excluded", False, _withdraw(DEADLINE)),
    "withdrawn on the day after": ("overdue", False, _withdraw(SETTLEMENT)),
    "withdrawn, and bought": ("excluded", True, _withdraw("2021-03-10")),
    "withdrawn on the day after, and bought": ("purchased", True, _withdraw(SETTLEMENT)),
}


def bent(platform: str, day: str, revision: int, rows: list[Row]) -> dict[str, int] | None:
    """Return what a delivery's manifest says otherwise than `deliver` counts it."""
    if (platform, day, revision) == REJECTED:
        return {"rows": 99}
    ungrouped = [int(row.amount[2:]) for row in rows if isinstance(row.amount, str) and row.amount.startswith("Rp")]
    return {"amount_idr": sum(row.counted for row in rows) + sum(ungrouped)} if ungrouped else None


def deliver_edges(landing: Path) -> None:
    """Lay the roster and every delivery with rows into the landing zone."""
    world = edge_world()
    lines = [roster_line(number, card) for number, card in enumerate(world.cards.values(), 1)]
    deliver_roster(landing, 12, lines, FIRST, DEADLINE)
    for (platform, day, revision), rows in world.rows.items():
        arrives_on = ARRIVALS.get((platform, day, revision), date.fromisoformat(day) + timedelta(min(revision, 2)))
        deliver(
            landing, platform, day, rows, revision, file=bent(platform, day, revision, rows),
            # ISO 8601 as some write it.
            generated_at=f"{arrives_on}T01:00+07" if platform == "pintaria" else f"{arrives_on}T01:00:00+07:00",
        )  # fmt: skip


def take_in_edges(slugs: list[str] | None = None) -> list[str]:
    """Take in what lies there; return what was rejected."""
    return [line for slug in slugs or platforms() for line in intake.take_in(slug, LAST_ARRIVAL).rejected]


def load_edges() -> None:
    """Bring the world into the warehouse, as its intake and its people do."""
    assert take_in_rosters(LAST_ARRIVAL).rejected == []
    rejected = take_in_edges()
    assert [line.partition(":")[0] for line in rejected] == ["sisnaker 2021-03-10 r2"], rejected
    empty_days(FIRST, SETTLEMENT, arrives_on=lambda day: day, without={key[:2] for key in edge_world().rows})
    for name, (_, _, record) in FACTS.items():
        record(edge_world().cards[name])
