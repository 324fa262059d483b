"""Whatever happens, in whatever order: the invariants hold. Random lives of a small cohort on the real warehouse."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from prakerja import calendar, tasks, warehouse
from prakerja.blacklist.publisher import audit, configured_keys, pending, publishing, verification
from prakerja.blacklist.publisher.storage import find_list
from prakerja.calendar import find_cohort
from prakerja.cohorts import corrections, overview, people
from prakerja.cohorts.contacts import Contact, Contacts
from prakerja.errors import NotReadyError, PrakerjaError
from prakerja.platforms import platforms
from prakerja.programme import programme
from prakerja.recheck.facts import Facts
from prakerja.recheck.rule import DamagedRow, Purchase, SecondReading, decide, find_deliveries_in_force, last_date
from prakerja.revocations import appeals, approval, decision, freezes, holds, overrides, revocation, second_reading
from prakerja.run_context import RunContext
from prakerja.settings import WIB
from prakerja.warehouse import statements
from tests.support.standing_world import World

ANNOUNCED, FIRST_DEADLINE = date(2021, 3, 5), date(2021, 3, 13)
PEOPLE = (1, 2, 3, 4, 5)
NAMES = ("ani", "budi", "siti")

#: A list of at most five grows by more than one, or a quarter, only when a person lets it.
BOUNDS = {"grows_free": 1, "grows_share_max": 0.25, "shrinks_free": len(PEOPLE)}

persons = st.sampled_from(PEOPLE)
niks = st.sampled_from((*PEOPLE, 11, 12))
names = st.sampled_from(NAMES)
sources = st.sampled_from(("tokopedia", "sisnaker"))
hours = st.integers(-10, 11 * 24)  # from the announcement; the first deadline ends after 216
rows = st.lists(
    st.tuples(persons, st.sampled_from(("PAID", "PAID", "PAID", "CANCELLED")), hours, st.sampled_from("ab")),
    min_size=1,
    max_size=4,
)


class KilledError(Exception):
    """What ends a process in the middle."""


def number(card: int) -> str:
    return f"{card:016d}"


class Life(RuleBasedStateMachine):
    """A cohort of five from its deadline day on. The model is the list of deliveries; all else is the product's."""

    def __init__(self, home: Path, truncate: Callable[[], None], seen: Counter[str]) -> None:
        super().__init__()
        self.seen = seen
        self.home, self.clock = home, FIRST_DEADLINE
        self.feeds: dict[tuple[str, date], tuple[int, list[Any], list[int]]] = {}
        self.extensions: list[tuple[date, date]] = []
        self.withheld: set[str] = set()
        self.revoked: set[int] = set()
        self.suspended: dict[int, list[tuple[date, date]]] = {}
        self.withdrawn: dict[int, date] = {}
        self.is_in_calendar = True
        self.cleared: set[int] = set()
        self.niks = {card: card for card in PEOPLE}
        self.asked: dict[str, dict[int, int]] = {}
        self.approved: dict[str, dict[int, int]] = {}
        self.log: list[str] = []
        self.published = 0
        truncate()
        self._write_calendar()
        with warehouse.transaction(as_owner=True) as connection:
            world = World(connection)
            for card in PEOPLE:
                world.recipient(card)
                sealed = Contacts.configured().key.seal(card, Contact(f"Nama {card}", "", ""))
                connection.exec_driver_sql("update recipients set contact = %s where card_number = %s", (sealed, card))
            connection.exec_driver_sql("update rosters set rows = %s", (len(PEOPLE),))
        days = [ANNOUNCED + timedelta(days=n) for n in range((self.clock - ANNOUNCED).days)]
        self._deliver({(platform, day): ([], []) for day in days for platform in platforms()})

    # -- what happens --------------------------------------------------------------------------------------------------

    @rule(platform=sources, back=st.integers(1, 9), rows=rows, damaged=st.lists(persons, max_size=1))
    def a_delivery_comes(self, platform: str, back: int, rows: list[Any], damaged: list[int]) -> None:
        day = max(self.clock - timedelta(days=back), ANNOUNCED)
        self._deliver({(platform, day): (rows, damaged)})

    @rule(platform=sources)
    def tomorrows_feed_stays_out(self, platform: str) -> None:
        self.withheld.add(platform)

    @rule(approved_by=st.one_of(st.none(), names))
    def a_day_passes(self, approved_by: str | None) -> None:
        self.clock += timedelta(days=1)
        self._morning()
        if approved_by:
            self._approve(approved_by)
            self._morning()

    @rule(count=st.integers(1, 40))
    def a_day_passes_and_a_process_dies(self, count: int) -> None:
        self.clock += timedelta(days=1)
        with contextlib.suppress(KilledError), fuse(count):
            self._morning()
        self._morning()

    @rule(name=names)
    def somebody_approves_all_that_waits(self, name: str) -> None:
        self._approve(name)

    @rule(name=names, which=st.integers(0, 5))
    def somebody_approves_one_that_waits(self, name: str, which: int) -> None:
        self._approve(name, which)

    @rule(card=persons, is_purchased=st.booleans(), name=names)
    def a_hold_is_looked_into(self, card: int, is_purchased: bool, name: str = "budi") -> None:
        with contextlib.suppress(PrakerjaError):
            holds.resolve(number(card), is_purchased=is_purchased, because="asked", resolved_by=name, on=self.clock)
            if is_purchased:
                self.cleared.add(card)

    @rule(wrong=st.dictionaries(persons, niks, min_size=1, max_size=2), name=names)
    def niks_are_corrected(self, wrong: dict[int, int], name: str) -> None:
        entries = [{"card_number": number(card), "nik": number(nik)} for card, nik in wrong.items()]
        shown: list[corrections.Correction] = []
        with contextlib.suppress(PrakerjaError):
            _, request = corrections.correct(
                entries, because="typed wrong", corrected_by=name, on=self.clock, show=shown.append
            )
            if request:
                self.asked[request] = {each.card_number: int(each.nik) for each in shown if each.nik}

    @rule(name=names, is_approved=st.sampled_from((True, True, False)))
    def somebody_answers_a_correction(self, name: str, is_approved: bool) -> None:
        for waiting in corrections.waiting():
            with contextlib.suppress(PrakerjaError):
                corrections.decide(waiting.request, name, self.clock, is_approved=is_approved, because="seen")
                if is_approved:
                    self.niks |= self.asked[waiting.request]
                    self.seen["corrected"] += 1

    @rule(name=names)
    def somebody_lets_the_list_grow(self, name: str) -> None:
        for jump in pending.list_unusual_changes(self.clock):
            pending.approve_unusual_change(jump.digest, self.clock, because="a large cohort", approved_by=name)
            self.seen["grown"] += 1

    @rule()
    def the_cohort_is_taken_out_of_the_calendar_or_put_back(self) -> None:
        self.is_in_calendar = not self.is_in_calendar
        self._write_calendar()

    @rule(
        what=st.sampled_from(("extend", "suspend", "lift", "withdraw", "freeze", "override")), card=persons, name=names
    )
    def somebody_intervenes(self, what: str, card: int, name: str) -> None:
        because = {"because": "they say why"}
        with contextlib.suppress(PrakerjaError):
            if what == "extend" and len(self.extensions) < 2:
                self.extensions.append((self.clock, self._deadline() + timedelta(days=card)))
                self._write_calendar()
            elif what == "suspend":
                people.suspend(number(card), self.clock, is_permanent=False, suspended_by=name, **because)
                self.suspended.setdefault(card, []).append((self.clock, date.max))
            elif what == "lift":
                people.lift_suspension(number(card), self.clock, lifted_by=name, **because)
                self.suspended[card][-1] = (self.suspended[card][-1][0], self.clock)
            elif what == "withdraw":
                people.withdraw(number(card), self.clock, recorded_by=name, **because)
                self.withdrawn[card] = self.clock
            elif what == "freeze":
                freezes.freeze(
                    12, self.clock, self.clock + timedelta(days=card - 1), frozen_by=name, on=self.clock, **because
                )
            else:
                attempt = overrides.attempt_name(overrides.find_blocked_attempt(12)["decision_id"])
                overrides.override(12, attempt, overridden_by=name, on=self.clock, **because)

    @precondition(lambda self: self.revoked)
    @rule(card=persons, name=names, is_upheld=st.booleans())
    def a_revoked_person_appeals(self, card: int, name: str, is_upheld: bool) -> None:
        with contextlib.suppress(PrakerjaError):
            appeals.open_appeal(number(card), "Saya sudah membeli.", opened_by="ani", on=self.clock)
        for appeal in appeals.list_appeals():
            with contextlib.suppress(PrakerjaError):
                appeals.decide(appeal["appeal_id"], is_upheld=is_upheld, because="seen", decided_by=name, on=self.clock)

    # -- what holds ----------------------------------------------------------------------------------------------------

    @invariant()
    def totals_add_up(self) -> None:
        with warehouse.transaction("decide") as connection:
            made = decision.find_decision(connection, 12)
        assert made is None or made.selected == made.purchased + made.held + made.overdue + made.excluded == len(PEOPLE)

    @invariant()
    def history_only_grows(self) -> None:
        """What was in the log is in it unchanged; and whoever was revoked is in the history of revocations."""
        log = [row["hash"] for row in audit.list_entries(10_000)]
        assert log[: len(self.log)] == self.log
        self.log = log
        assert self._cards("revocations") >= self.revoked

    @invariant()
    def niks_in_force_are_those_that_two_people_said(self) -> None:
        with warehouse.transaction("decide") as connection:
            found = connection.exec_driver_sql("select card_number, nik from recipients_in_force").all()
        assert dict(map(tuple, found)) == self.niks
        assert len({*self.niks.values()}) == len(PEOPLE)

    @invariant()
    def an_override_is_on_the_evidence_that_was_decided_by(self) -> None:
        with warehouse.transaction("decide") as connection:
            cited = connection.exec_driver_sql(
                "select count(*) from decisions d cross join lateral unnest(d.overrides) as o (attempt)"
                " where d.status = 'made'"
                " and array(select delivery_id from decision_deliveries where decision_id = d.decision_id order by 1)"
                " <> array(select delivery_id from decision_deliveries where decision_id = o.attempt order by 1)"
            ).scalar_one()
        assert cited == 0

    def teardown(self) -> None:
        """Two nights after all that waits was approved, nobody with a purchase in time is listed; the rest is told."""
        self.is_in_calendar = True
        self._write_calendar()
        self.clock += timedelta(days=1)
        self._morning()
        for name in ("rina", "dewi"):
            self._approve(name)
        for _ in range(2):
            self.clock += timedelta(days=1)
            self._morning()
        stays = self._cards("revocations") - self._cards("reinstatements")
        bought = {card for card in PEOPLE if self._has_bought(card, self._deadline())} - self.withdrawn.keys()
        assert not stays & bought
        self._look_at_what_vanished()
        for hold in holds.list_holds(12, is_masked=False):
            if hold["state"] in ("open", "resolvable"):
                holds.resolve(hold["card"], is_purchased=True, because="asked", resolved_by="ani", on=self.clock)
        self.somebody_lets_the_list_grow("rina")
        publishing.publish(f"{self.clock}", self._at(9), self.clock)
        assert self._listed() == {self.niks[card] for card in stays}
        assert audit.verify().problems == []
        self.seen.update(
            decided=bool(self._cards("outcomes")),
            revoked=len(self._cards("revocations")),
            reinstated=len(self._cards("reinstatements")),
            resolved=len(self._cards("hold_resolutions")),
        )

    # -- how -----------------------------------------------------------------------------------------------------------

    def _morning(self) -> None:
        yesterday = self.clock - timedelta(days=1)
        days = [self.clock - timedelta(days=back) for back in range(1, 5)]  # what stayed out comes a day later
        expected = {(platform, day) for day in days for platform in platforms() if platform not in self.withheld}
        self._deliver({feed: ([], []) for feed in sorted(expected - self.feeds.keys())})
        self.withheld.clear()
        run = RunContext("daily", yesterday, self._at(2))
        tasks.feeds.refresh_standing(run)
        with contextlib.suppress(pending.OutOfBoundsError):
            tasks.feeds.apply_late_evidence(run)
        self._look_at_who_was_revoked()
        self._look_at_what_is_proposed()
        cohort = find_cohort(12).as_known_on(self.clock) if self.is_in_calendar else None
        if cohort and self.clock >= cohort.decided_on:
            with contextlib.suppress(PrakerjaError):
                made = decision.decide(cohort, self.clock)
                with contextlib.suppress(PrakerjaError):
                    revocation.propose_and_require_approval(made, self.clock)
                revocation.revoke(cohort, made, self.clock)
            self._look_at_who_was_revoked()
        with contextlib.suppress(pending.OutOfBoundsError):
            publishing.publish(f"morning {self.clock}", self._at(6), self.clock, is_daily=True)
        # Additions may wait; whoever was reinstated, or is listed under a stranger's NIK, does not.
        stays = self._cards("revocations") - self._cards("reinstatements")
        assert self._listed() <= {self.niks[card] for card in stays}

    def _listed(self) -> set[int]:
        """The NIKs of this life that the published list has."""
        with contextlib.suppress(NotReadyError):
            published = verification.latest_version(find_list(str(self.home / "publish")))
            return {
                nik
                for nik in range(1, 13)
                if configured_keys.load_subject_key().digest(number(nik)) in published.subjects
            }
        return set()

    def _look_at_what_is_proposed(self) -> None:
        """Whoever is proposed for reinstatement is in the batch that stands: it waits, or is approved."""
        with warehouse.transaction("decide") as connection:
            made = decision.find_decision(connection, 12)
            batches = approval.list_batches(connection, made, "reinstatement") if made else []
        (row,) = [each for each in overview.cohort_table() if each["cohort"] == 12] if self.is_in_calendar else [None]
        if row and row["reinstatements_proposed"]:
            assert not batches[0].has_lapsed
            assert batches[0].people >= row["reinstatements_proposed"]

    def _look_at_what_vanished(self) -> None:
        """A purchase that counted (for the decision, for sparing, for reinstating) and stands no more is a case."""
        with warehouse.transaction("decide") as connection:
            counted = connection.exec_driver_sql(
                "select r.card_number from recipients r"
                " left join reinstatements e using (recipient_id)"
                " left join late_findings s on s.recipient_id = r.recipient_id and s.kind = 'spared'"
                " where e.because = 'purchase' or s.delivery_id is not null or 'purchased' = (select o.outcome::text"
                " from outcomes o where o.recipient_id = r.recipient_id order by o.deadline_on desc limit 1)"
            ).scalars().all()  # fmt: skip
            gone = connection.exec_driver_sql(
                "select r.card_number from late_findings f join recipients r using (recipient_id)"
                " where f.kind = 'purchase_gone'"
            ).scalars().all()  # fmt: skip
        stands = {card for card in PEOPLE if self._has_bought(card, self._deadline(), is_undone_at_any_time=True)}
        assert {*counted} - stands - self.withdrawn.keys() <= {*gone}
        self.seen["gone"] += len(gone)

    def _look_at_who_was_revoked(self) -> None:
        """Nobody who has bought, is suspended, has left, or was cleared; nobody without an approval, or in a freeze."""
        now = self._cards("revocations")
        for card in now - self.revoked:
            assert not self._has_bought(card, self._deadline()), card
            assert card not in self.cleared
            assert self.is_in_calendar
            with warehouse.transaction("decide") as connection:
                (outcome, deadline, digest, approvals, frozen), = connection.exec_driver_sql(
                    "select (select o.outcome::text from outcomes o where o.recipient_id = v.recipient_id"
                    " order by deadline_on desc limit 1),"
                    " (select d.deadline_on from decisions d where d.decision_id = v.decision_id), v.digest,"
                    " (select count(*) from approvals a where a.digest = v.digest),"
                    " (select count(*) from freezes f where v.revoked_on between f.starts_on and f.ends_on)"
                    " from revocations v join recipients r using (recipient_id) where r.card_number = %s",
                    (card,),
                )  # fmt: skip
            assert (approvals > 0, frozen) == (True, 0)
            assert self.approved[digest][card] == self.niks[card]
            assert self.withdrawn.get(card, date.max) > deadline
            suspended = [begun for begun, ended in self.suspended.get(card, []) if begun <= deadline < ended]
            assert outcome == "held" or not (suspended or self._is_doubtful(card))
            assert outcome != "held" or not any(a <= self.clock < b for a, b in self.suspended.get(card, []))
        self.revoked = now

    def _approve(self, name: str, which: int | None = None) -> None:
        with warehouse.transaction("decide") as connection:
            made = decision.find_decision(connection, 12)
            waiting = approval.list_waiting_batches(connection, made) if made else []
            for batch in waiting if which is None else waiting[which : which + 1]:
                with contextlib.suppress(PrakerjaError):
                    approval.approve(connection, batch, name, self.clock)
                    self.approved.setdefault(batch.digest, dict(self.niks))

    def _deliver(self, feeds: dict[tuple[str, date], tuple[list[Any], list[int]]]) -> None:
        """Let feeds come, each with its rows and the people whose rows are damaged; all in one transaction."""
        with warehouse.transaction(as_owner=True) as connection:
            world = World(connection)
            for (platform, day), (rows, damaged) in feeds.items():
                revision = self.feeds.get((platform, day), (0,))[0] + 1
                delivery = world.delivery(day.isoformat(), platform, revision, self.clock.isoformat())
                for card, event, hour, transaction in rows:
                    world.row(delivery, self._instant(hour), card, event, transaction)
                for card in damaged:
                    world.damaged(delivery, str(card))
                self.feeds[platform, day] = (revision, rows, damaged)

    def read_again(self, _: Any, facts: Facts, progress: Any = None) -> SecondReading:  # noqa: ARG002 - as the reading
        """The second reading, which has no files here: who bought and who is in doubt are the model's."""
        cards, last = [number(card) for card in PEOPLE], last_date(facts)
        bought = [card for card in PEOPLE if self._has_bought(card, facts.deadline_on, until=last)]
        doubtful = [card for card in PEOPLE if self._is_doubtful(card, last)]
        by_card = decide(
            facts,
            cards,
            {number(card): Purchase(self._at(0), "tokopedia", ANNOUNCED, 1, 1, "a") for card in bought},
            {number(card): DamagedRow(ANNOUNCED, "tokopedia", 1, 1) for card in doubtful},
        )
        return SecondReading(by_card, find_deliveries_in_force(facts, is_later=False), {})

    def _has_bought(
        self, card: int, deadline: date, is_undone_at_any_time: bool = False, until: date = date.max
    ) -> bool:
        """The rule as it is written, by the deliveries in force now. Undone in time, or at any time."""
        start, end = (datetime.combine(day, time(), WIB) for day in (ANNOUNCED, deadline + timedelta(days=1)))
        undone = {
            (platform, transaction)
            for (platform, day), (_, rows, _) in self.feeds.items()
            if day <= until
            for _, event, hour, transaction in rows
            if event != "PAID" and (is_undone_at_any_time or self._instant(hour) < end)
        }
        return any(
            owner == card
            and event == "PAID"
            and start <= self._instant(hour) < end
            and (platform, transaction) not in undone
            for (platform, day), (_, rows, _) in self.feeds.items()
            if day <= until
            for owner, event, hour, transaction in rows
        )

    def _is_doubtful(self, card: int, last: date | None = None) -> bool:
        last = last or self._deadline() + timedelta(days=1)
        return any(card in damaged for (_, day), (_, _, damaged) in self.feeds.items() if day <= last)

    @staticmethod
    def _instant(hour: int) -> datetime:
        return datetime.combine(ANNOUNCED, time(), WIB) + timedelta(hours=hour)

    def _deadline(self) -> date:
        """The deadline as the decision stands, or as known now where there is a later one."""
        return self.extensions[-1][1] if self.extensions else FIRST_DEADLINE

    def _at(self, hour: int) -> datetime:
        return datetime.combine(self.clock, time(hour), WIB)

    @staticmethod
    def _cards(table: str) -> set[int]:
        with warehouse.transaction("decide") as connection:
            return set(
                connection.exec_driver_sql(
                    f"select r.card_number from {table} join recipients r using (recipient_id)"
                ).scalars()
            )

    def _write_calendar(self) -> None:
        told = ", ".join(
            f"{{announced_on: {announced}, deadline_on: {deadline}, because: flood}}"
            for announced, deadline in self.extensions
        )
        entry = (
            f"- {{cohort: 12, announced_on: {ANNOUNCED}, deadline_on: {FIRST_DEADLINE}, note: short,"
            f" extensions: [{told}]}}\n"
        )
        (self.home / "calendar.yaml").write_text(
            "cohorts:\n- {cohort: 9, announced_on: 2020-09-17, deadline_on: 2020-10-16}\n" + entry * self.is_in_calendar
        )
        calendar._read.cache_clear()


@contextlib.contextmanager
def fuse(count: int) -> Iterator[None]:
    """The process dies at its n-th statement."""
    left, real = [count], warehouse.execute

    def execute(connection: Any, name: str, **parameters: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KilledError
        return real(connection, name, **parameters)

    warehouse.execute = statements.execute = execute
    try:
        yield
    finally:
        warehouse.execute = statements.execute = real


def test_whatever_happens_the_invariants_hold(
    home: Path, empty_warehouse: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programme().revocations, "overdue_share_max", 1)
    for name, value in BOUNDS.items():
        monkeypatch.setattr(programme().blacklist, name, value)

    seen: Counter[str] = Counter()

    def begin() -> Life:
        for file in sorted((home / "publish").rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()
        life = Life(home, empty_warehouse, seen)
        monkeypatch.setattr(second_reading, "read_again", life.read_again)
        return life

    run_state_machine_as_test(
        begin,
        settings=settings(max_examples=settings.default.max_examples // 8, stateful_step_count=25),
    )
    assert min(seen[what] for what in ("decided", "revoked")) > 0, f"idle lives: {seen}"


def test_a_life_that_goes_all_the_way(
    home: Path, empty_warehouse: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decided, corrected, revoked, listed, reinstated by a late proof and by an appeal: its parts do what they say."""
    monkeypatch.setattr(programme().revocations, "overdue_share_max", 1)
    for name, value in BOUNDS.items():
        monkeypatch.setattr(programme().blacklist, name, value)
    life = Life(home, empty_warehouse, Counter())
    monkeypatch.setattr(second_reading, "read_again", life.read_again)
    life.a_delivery_comes("sisnaker", 5, [], [5])
    for _ in range(3):
        life.a_day_passes(None)
    assert life.revoked == set()
    life.niks_are_corrected({1: 11, 2: 1}, "ani")
    life.somebody_answers_a_correction("siti", is_approved=True)
    assert (life.niks[1], life.niks[2]) == (11, 1)
    life.a_day_passes(None)  # what waited is proposed anew
    life.somebody_approves_all_that_waits("siti")
    life.a_day_passes(None)
    assert (life.revoked, life._listed()) == ({1, 2, 3, 4}, set())
    life.somebody_lets_the_list_grow("siti")
    life.a_day_passes(None)
    assert life._listed() == {11, 1, 3, 4}
    life.a_delivery_comes("tokopedia", 9, [(1, "PAID", 100, "a")], [])
    life.a_day_passes("siti")
    life.a_revoked_person_appeals(2, "budi", is_upheld=True)
    life.a_hold_is_looked_into(5, is_purchased=False)
    life.a_day_passes("siti")
    assert life._cards("reinstatements") == {1, 2}
    assert life.revoked == {1, 2, 3, 4, 5}
    life.teardown()
