"""The behaviour of simulated recipients. Each is created together with the truth about them: the expected outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random

from prakerja.calendar import Cohort
from prakerja.platforms import platforms
from prakerja.programme import programme
from prakerja.settings import WIB
from prakerja.simulation.people import People, Person
from prakerja.simulation.writers import Row

#: The shares of the platforms in all purchases, in percent. The largest has over half.
PLATFORMS = {"tokopedia": 55, "bukalapak": 14, "pintaria": 8, "pijar-mahir": 7, "mau-belajar-apa": 6, "sekolahmu": 5,
             "sisnaker": 5}  # fmt: skip
OTHER_SHARE = 10  # of a platform of another programme
#: Platforms whose times have fractions of a second.
FRACTIONAL = ("tokopedia", "pijar-mahir", "sekolahmu")
#: Platforms whose rows are lines of delimited text, which can be broken.
SEPARATED = ("tokopedia", "pijar-mahir", "bukalapak", "sisnaker")

#: The days before the deadline on which late buyers buy.
LAST_DAYS = 7
#: The share of buyers who buy again, and after how many days on average.
SHARE_BUYING_AGAIN, DAYS_TO_BUY_AGAIN = 0.3, 30


@dataclass(frozen=True)
class Reported:
    """A row in the feed of a platform for `business_date`.

    If the day is restated, the row may be in the first revision only or in the last one only.
    """

    platform: str
    business_date: date
    row: Row
    reasons: tuple[str, ...] = ()
    is_repeat: bool = False
    only_first: bool = False
    only_last: bool = False


@dataclass
class Truth:
    """The truth about a recipient: the expected outcome of the decision, and what later deliveries show."""

    person: Person
    outcome: str
    later: str | None = None
    rows: list[Reported] = field(default_factory=list)


def shares_of_platforms() -> dict[str, int]:
    """Return the programme's platforms with their shares in all purchases."""
    known = platforms()
    if set(known) == set(PLATFORMS):
        return PLATFORMS
    return {slug: PLATFORMS.get(slug, OTHER_SHARE) for slug in known}


def _not_bought_per_overdue(days: int) -> float:
    """Return how many recipients have not bought `days` before the deadline, per recipient who never buys.

    A third of those who have not bought a week before the deadline buy in that week.
    """
    return 1 + 0.5 * min(days, LAST_DAYS) / LAST_DAYS


class Behaviours:
    """Creates the recipients of one cohort, with their purchases."""

    def __init__(self, cohort: Cohort, people: People, random: Random, ids: Iterator[int]) -> None:
        self.cohort, self.people, self.random, self._ids = cohort, people, random, ids
        self.shares = shares_of_platforms()
        self.length = (cohort.deadline_on - cohort.announced_on).days
        #: Days before the deadline: one platform restates that day after the decision, another before it.
        self.restated_late, self.restated_early = self.length * 2 // 5, self.length // 3

    # -- ordinary people -----------------------------------------------------------------------------------------------

    def ordinary(self, share_overdue: float) -> Truth:
        """Return a recipient who buys or does not, by chance: about `share_overdue` of a cohort does not."""
        person = self.people.person(self.people.card())
        chance = self.random.random()
        if chance < share_overdue:
            return Truth(person, "overdue")
        return self._buyer(person, self._some_day(share_overdue, chance), chance)

    def as_in_history(self, size: int, scale: float) -> Iterator[Truth]:
        """Yield `size` people, with exactly the published numbers of overdue and late buyers, times `scale`.

        Nobody is held, so everybody who is overdue is revoked.
        """
        overdue, not_bought, last_days = self.cohort.revoked or 0, self.cohort.revoked or 0, 0
        if published := self.cohort.not_bought:
            not_bought = published.recipients
            last_days = (self.cohort.deadline_on - published.as_of).days + 1
            if self.cohort.revoked is None:
                overdue = round(not_bought / _not_bought_per_overdue(last_days))
        overdue, not_bought = (min(size, round(count * scale)) for count in (overdue, not_bought))
        share = overdue / size
        for number in range(size):
            person = self.people.person(self.people.card())
            if number < overdue:
                yield Truth(person, "overdue")
            elif number < not_bought:
                day = self.cohort.deadline_on - timedelta(days=self.random.randrange(last_days))
                yield self._buyer(person, day, self.random.random())
            else:
                chance = self.random.uniform(share, 1)
                yield self._buyer(person, self._some_day(share, chance, last_days), chance)

    def _some_day(self, share_overdue: float, chance: float, but_last: int = 0) -> date:
        """Return the day of a purchase, before the last `but_last` days: mostly early, sometimes in the last week.

        `chance` is between the share of overdue recipients and 1.
        """
        if but_last < LAST_DAYS and chance < share_overdue * _not_bought_per_overdue(LAST_DAYS - but_last):
            return self.cohort.deadline_on - timedelta(days=self.random.randrange(but_last, LAST_DAYS))
        latest = self.length - max(LAST_DAYS, but_last)
        return self.cohort.announced_on + timedelta(days=min(latest, int(self.random.expovariate(0.18))))

    def _buyer(self, person: Person, day: date, chance: float) -> Truth:
        """Return a recipient who buys on a day, and by `chance` (0 to 1) cancels and buys again, or buys once more."""
        truth = Truth(person, "purchased")
        at = datetime.combine(day, time(), WIB) + timedelta(seconds=self.random.randrange(7 * 3600, 86400))
        bought, again = self.buys(truth, at), at + timedelta(minutes=10)
        if chance > 0.997 and again.date() == day:  # cancelled at once and bought again: still a purchase
            self.undoes(truth, bought, at + timedelta(minutes=3))
            self.buys(truth, again)
        elif chance > 1 - SHARE_BUYING_AGAIN:  # another course later: platforms sell also after the deadline
            self.buys(truth, at + timedelta(days=self.random.expovariate(1 / DAYS_TO_BUY_AGAIN)))
        return truth

    def buys(self, truth: Truth, at: datetime, platform: str | None = None, **more: object) -> Reported:
        """Add a PAID row to the feed of its day, and return it."""
        platform = platform or self.random.choices(list(self.shares), list(self.shares.values()))[0]
        row = Row(
            f"{platform[:3].upper()}-{next(self._ids):010}",
            "PAID",
            at,
            truth.person.card_number,
            self.random.randrange(24, programme().feeds.amount_idr_max // 1000 + 1) * 1000,
            f"KLS-{self.random.randrange(1, 900):04}",
            f"V{self.random.randrange(10**8):08}" if self.random.random() < 0.9 else "",
        )
        reported = Reported(platform, at.astimezone(WIB).date(), row, **more)  # type: ignore[arg-type]
        truth.rows.append(reported)
        return reported

    def undoes(self, truth: Truth, bought: Reported, at: datetime, event: str = "CANCELLED") -> None:
        """Add a row that cancels or refunds a purchase to the feed of its day."""
        row = bought.row
        undone = Row(row.transaction_id, event, at, row.card, row.amount, row.course, row.voucher)
        truth.rows.append(Reported(bought.platform, at.astimezone(WIB).date(), undone))

    # -- nasty cases ---------------------------------------------------------------------------------------------------

    def nasty(self) -> list[Callable[[], Truth]]:
        """Return every nasty case, as a function that creates one recipient."""
        return [
            self.at_the_last_moment, self.a_moment_too_late, self.before_the_announcement, self.reported_the_day_after,
            self.cancelled_in_time, self.refunded_after_the_deadline, self.bought_twice_cancelled_once,
            self.cancelled_before_bought, self.repeated, self.in_two_deliveries, self.conflicting,
            self.scientific, self.scientific_without_zero, self.apostrophe, self.trailing_zero, self.lost_zero,
            self.as_number, self.with_dashes, self.unreadable, self.no_transaction_id, self.unknown_event,
            self.no_time, self.impossible_time, self.too_old, self.amount_out_of_range, self.amount_in_words,
            self.doubtful_but_bought, self.doubtful_elsewhere_in_time, self.doubtful_row_withdrawn,
            self.proved_later, self.vanished_later, self.doubtful_later, self.hold_cleared_later,
        ]  # fmt: skip

    def noon(self, days_before_deadline: int | None = None) -> datetime:
        """Return an instant around noon on a day in the window."""
        days = self.random.randrange(3, self.length - 3) if days_before_deadline is None else days_before_deadline
        return datetime.combine(self.cohort.deadline_on - timedelta(days=days), time(11, 30), WIB)

    @property
    def end(self) -> datetime:
        """The end of the window, which is the first instant that is too late."""
        return self.cohort.effective_at

    def someone(self, outcome: str, later: str | None = None, card: str | None = None) -> Truth:
        return Truth(self.people.person(card or self.people.card()), outcome, later)

    def at_the_last_moment(self) -> Truth:
        truth = self.someone("purchased")
        platform = self.random.choice(FRACTIONAL)
        self.buys(truth, self.end - timedelta(microseconds=self.random.choice((1, 1000))), platform)
        return truth

    def a_moment_too_late(self) -> Truth:
        truth = self.someone("overdue")
        self.buys(truth, self.end, self.random.choice(tuple(PLATFORMS)))
        return truth

    def before_the_announcement(self) -> Truth:
        truth = self.someone("overdue")
        start = datetime.combine(self.cohort.announced_on, time(), WIB)
        self.buys(truth, start - timedelta(seconds=1))
        return truth

    def reported_the_day_after(self) -> Truth:
        truth = self.someone("purchased")
        bought = self.buys(truth, self.end - timedelta(minutes=2))
        truth.rows[-1] = Reported(bought.platform, self.cohort.deadline_on + timedelta(days=1), bought.row)
        return truth

    def cancelled_in_time(self) -> Truth:
        truth = self.someone("overdue")
        at = self.noon()
        self.undoes(
            truth, self.buys(truth, at), self.end - timedelta(seconds=self.random.randrange(1, 86000)), "REFUNDED"
        )
        return truth

    def refunded_after_the_deadline(self) -> Truth:
        truth = self.someone("purchased", later="case")
        self.undoes(truth, self.buys(truth, self.noon()), self.end + timedelta(hours=self.random.choice((0, 12, 40))))
        return truth

    def bought_twice_cancelled_once(self) -> Truth:
        truth = self.someone("purchased")
        at = self.noon()
        self.undoes(truth, self.buys(truth, at), at + timedelta(hours=1))
        self.buys(truth, at + timedelta(minutes=5))
        return truth

    def cancelled_before_bought(self) -> Truth:
        """The platform's clock is wrong: a cancellation undoes its purchase even if it is earlier."""
        truth = self.someone("overdue")
        at = self.noon()
        self.undoes(truth, self.buys(truth, at), at - timedelta(days=1))
        return truth

    def repeated(self) -> Truth:
        truth = self.someone("purchased")
        bought = self.buys(truth, self.noon())
        truth.rows += [Reported(bought.platform, bought.business_date, bought.row, is_repeat=True)] * 2
        return truth

    def in_two_deliveries(self) -> Truth:
        truth = self.someone("purchased")
        bought = self.buys(truth, self.noon())
        truth.rows.append(Reported(bought.platform, bought.business_date + timedelta(days=1), bought.row))
        return truth

    def conflicting(self) -> Truth:
        truth = self.someone("held")
        bought = self.damaged(truth, "transaction_conflict")
        row = bought.row
        twin = Row(row.transaction_id, row.event, row.occurred_at, row.card, 501_000, row.course, row.voucher)
        truth.rows.append(Reported(bought.platform, bought.business_date, twin, ("transaction_conflict",)))
        return truth

    def damaged(
        self, truth: Truth, reason: str, platform: str | None = None, at: datetime | None = None, **written: object
    ) -> Reported:
        """Add a row that is quarantined for `reason`, with the values of `written` in place of the right ones."""
        bought = self.buys(truth, at or self.noon(), platform)
        values = vars(bought.row) | written
        truth.rows[-1] = Reported(bought.platform, bought.business_date, Row(**values), (reason,))
        return truth.rows[-1]

    def _card_written(
        self,
        form: Callable[[str], str | int],
        *,
        card: str | None = None,
        platforms: tuple[str, ...] = tuple(PLATFORMS),
    ) -> Truth:
        truth = self.someone("held", card=card)
        self.damaged(truth, "card_number_malformed", self.random.choice(platforms), card=form(truth.person.card_number))
        return truth

    def scientific(self) -> Truth:
        return self._card_written(lambda card: f"{int(card):.5E}", card=self.people.damaged_card())

    def scientific_without_zero(self) -> Truth:
        return self._card_written(
            lambda card: f"'{int(card):.5E}".replace(".", ","), card=self.people.damaged_card(has_lost_zero=True)
        )

    def apostrophe(self) -> Truth:
        return self._card_written(lambda card: f"'{card}")

    def trailing_zero(self) -> Truth:
        return self._card_written(lambda card: f" {card}{self.random.choice(('.0', ',00', '.00'))}")

    def lost_zero(self) -> Truth:
        card = self.people.damaged_card(has_lost_zero=True)
        return self._card_written(lambda card: card.lstrip("0"), card=card)

    def as_number(self) -> Truth:
        return self._card_written(int, card=self.people.damaged_card(), platforms=("pintaria", "sekolahmu"))

    def with_dashes(self) -> Truth:
        return self._card_written(lambda card: "-".join((card[:4], card[4:8], card[8:12], card[12:])))

    def unreadable(self) -> Truth:
        truth = self.someone("held")
        self.damaged(
            truth,
            "row_unreadable",
            self.random.choice(SEPARATED),
            amount=0,
            raw=f"X{next(self._ids)} {truth.person.card_number} paid",
        )
        return truth

    def no_transaction_id(self) -> Truth:
        truth = self.someone("held")
        self.damaged(truth, "transaction_id_missing", transaction_id="")
        return truth

    def unknown_event(self) -> Truth:
        truth = self.someone("held")
        self.damaged(truth, "event_unknown", event=self.random.choice(("PENDING", "", "Paid")))
        return truth

    def no_time(self) -> Truth:
        truth = self.someone("held")
        self.damaged(
            truth,
            "occurred_at_invalid",
            self.random.choice(("tokopedia", "sekolahmu", "pijar-mahir")),
            occurred_at=self.random.choice(("", "2021-03-20T11:30:00", "kemarin")),
        )
        return truth

    def impossible_time(self) -> Truth:
        truth = self.someone("held")
        at = self.noon()
        self.damaged(
            truth,
            "occurred_at_in_future",
            at=at,
            occurred_at=datetime.combine(at.date() + timedelta(days=1), time(), WIB),
        )
        return truth

    def too_old(self) -> Truth:
        truth = self.someone("held")
        at = self.noon()
        self.damaged(
            truth,
            "occurred_at_too_old",
            at=at,
            occurred_at=datetime.combine(at.date() - timedelta(days=programme().feeds.days_back), time(), WIB)
            - timedelta(seconds=1),
        )
        return truth

    def amount_out_of_range(self) -> Truth:
        truth = self.someone("held")
        self.damaged(
            truth, "amount_invalid", amount=self.random.choice((0, programme().feeds.amount_idr_max + 1, -5000))
        )
        return truth

    def amount_in_words(self) -> Truth:
        truth = self.someone("held")
        self.damaged(truth, "amount_invalid", amount=self.random.choice(("gratis", "350000.50")))
        return truth

    def doubtful_but_bought(self) -> Truth:
        truth = self.apostrophe()
        truth.outcome = "purchased"
        self.buys(truth, self.noon())
        return truth

    def doubtful_elsewhere_in_time(self) -> Truth:
        """A damaged row of the settlement day causes a hold, whatever its time."""
        truth = self.someone("held")
        self.damaged(
            truth, "card_number_malformed", at=self.end + timedelta(hours=3), card=f"'{truth.person.card_number}"
        )
        return truth

    def doubtful_row_withdrawn(self) -> Truth:
        """The platform withdraws the damaged row before the decision, and nothing holds this person any more."""
        truth = self.someone("overdue")
        damaged = self.damaged(
            truth,
            "card_number_malformed",
            "tokopedia",
            self.noon(self.restated_early),
            card=f"'{truth.person.card_number}",
        )
        truth.rows[-1] = Reported(
            damaged.platform, damaged.business_date, damaged.row, damaged.reasons, only_first=True
        )
        return truth

    # Cases on days whose last revision arrives after the decision.

    def proved_later(self) -> Truth:
        truth = self.someone("overdue", later="reinstated")
        self.buys(truth, self.noon(self.restated_late), "bukalapak", only_last=True)
        return truth

    def vanished_later(self) -> Truth:
        truth = self.someone("purchased", later="case")
        self.buys(truth, self.noon(self.restated_late), "bukalapak", only_first=True)
        return truth

    def doubtful_later(self) -> Truth:
        truth = self.someone("overdue", later="held_later")
        damaged = self.damaged(
            truth,
            "card_number_malformed",
            "bukalapak",
            self.noon(self.restated_late),
            card=f"'{truth.person.card_number}",
        )
        truth.rows[-1] = Reported(damaged.platform, damaged.business_date, damaged.row, damaged.reasons, only_last=True)
        return truth

    def hold_cleared_later(self) -> Truth:
        truth = self.apostrophe()
        truth.later = "resolved"
        self.buys(truth, self.noon(self.restated_late), "bukalapak", only_last=True)
        return truth
