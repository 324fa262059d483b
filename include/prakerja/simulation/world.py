"""Worlds: a landing zone that fits the contract, its calendar, and the expected results, all from one seed."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any

from prakerja import atomic_files
from prakerja.calendar import Cohort, find_cohort
from prakerja.errors import PrakerjaError
from prakerja.settings import WIB
from prakerja.simulation import writers
from prakerja.simulation.behaviour import PLATFORMS, Behaviours, Reported, Truth, shares_of_platforms
from prakerja.simulation.people import People
from prakerja.simulation.writers import Row

#: The share of overdue recipients if the calendar does not have the revoked ones. In past cohorts: 1.5 to 7.8 %.
SHARE_OVERDUE = 0.019
#: The fewest days from announcement to deadline that the nasty cases need.
SHORTEST_WINDOW = 8
#: How often each nasty case occurs in a cohort.
TIMES = 2
#: Good rows per quarantined row, to stay below the 5 % that would reject a delivery.
GOOD_ROWS_PER_BAD = 25


@dataclass(frozen=True)
class WorldSize:
    """The size of a world."""

    recipients: int
    deliveries: int
    rows: int


def write(
    numbers: Sequence[int], scale: float, seed: int, out: Path, *, is_nasty: bool, progress: Callable[[str], None]
) -> WorldSize:
    """Write a world into `out`, and return its size. Safe to repeat.

    Raise `PrakerjaError` if `out` has another world or cannot be written, or a cohort's window is too short.
    """
    cohorts = sorted(find_cohort(number) for number in dict.fromkeys(numbers))
    for cohort in cohorts:
        if (cohort.deadline_on - cohort.announced_on).days < SHORTEST_WINDOW:
            raise PrakerjaError(
                f"gelombang-{cohort.number} is open for less than {SHORTEST_WINDOW} days: choose another cohort"
            )
    if is_nasty and set(shares_of_platforms()) != set(PLATFORMS):
        raise PrakerjaError("a nasty world needs the platforms of include: leave --nasty out for another programme")
    made_by = {"cohorts": [cohort.number for cohort in cohorts], "scale": scale, "seed": seed, "nasty": is_nasty}
    if (out / "expected.json").exists() or (out / "landing").exists():
        return _load_same_world(out, made_by)
    world = _World(cohorts, scale, seed, is_nasty=is_nasty)
    progress("making the people")
    world.populate()
    progress("writing the landing zone")
    try:
        # Written to another folder and then moved: a killed simulation leaves no partial world.
        with atomic_files.make_folder_beside(out) as aside:
            expected = world.write(aside)
            written = WorldSize(len(world.truths), world.deliveries, world.rows)
            (aside / "calendar.yaml").write_text(_calendar(cohorts), "utf-8")
            (aside / "expected.json").write_text(
                json.dumps({"made_by": made_by, "written": vars(written), **expected}, indent=1) + "\n", "utf-8"
            )
            out.mkdir(parents=True, exist_ok=True)
            for name in ("landing", "calendar.yaml", "expected.json"):
                (aside / name).rename(out / name)
    except OSError as error:
        raise PrakerjaError(f"{out} cannot be written ({error.strerror}): choose another folder with --out") from None
    return written


def _load_same_world(out: Path, made_by: dict[str, Any]) -> WorldSize:
    """Return the size of the world that is there. Raise `PrakerjaError` if it is another world or cannot be read."""
    try:
        expected = json.loads((out / "expected.json").read_text("utf-8"))
        if expected["made_by"] == made_by:
            return WorldSize(**expected["written"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise PrakerjaError(f"{out} holds another world: choose an empty folder with --out")


def _calendar(cohorts: Sequence[Cohort]) -> str:
    entries = "".join(
        f"- {{cohort: {cohort.number}, announced_on: {cohort.announced_on}, deadline_on: {cohort.deadline_on}, "
        "note: simulated}\n"
        for cohort in cohorts
    )
    return f"cohorts:\n{entries}"


class _World:
    def __init__(self, cohorts: Sequence[Cohort], scale: float, seed: int, *, is_nasty: bool) -> None:
        self.cohorts, self.scale, self.is_nasty = cohorts, scale, is_nasty
        self.random = Random(seed)
        self.shares = shares_of_platforms()
        self.people = People(self.random)
        self.ids = itertools.count(1)
        self.truths: list[tuple[Cohort, Truth]] = []
        self.feeds: dict[tuple[str, date], list[Reported]] = defaultdict(list)
        self.first = cohorts[0].announced_on - timedelta(days=1)
        self.last = max(cohort.decided_on for cohort in cohorts) + timedelta(days=1)
        self.unmatched: set[str] = set()
        self.deliveries = self.rows = 0

    # -- people --------------------------------------------------------------------------------------------------------

    def populate(self) -> None:
        for cohort in self.cohorts:
            size = max(1, round((cohort.recipients or 500_000) * self.scale))
            behaviours = Behaviours(cohort, self.people, self.random, self.ids)
            cases = [case for case in behaviours.nasty() for _ in range(TIMES)] if self.is_nasty else []
            truths = [case() for case in cases]
            if self.is_nasty or (cohort.revoked is None and cohort.not_bought is None):
                truths += [behaviours.ordinary(SHARE_OVERDUE) for _ in range(max(0, size - len(truths)))]
            else:
                truths += behaviours.as_in_history(size, self.scale)
            self.random.shuffle(truths)
            self.truths += [(cohort, truth) for truth in truths]
        for _, truth in self.truths:
            for reported in truth.rows:
                if self.first <= reported.business_date <= self.last:
                    self.feeds[reported.platform, reported.business_date].append(reported)
        for _ in range(max(3, len(self.truths) // 500)):  # cards that are in no roster
            self._stranger(self.random.choice(list(self.shares)), self._some_day())
        for (platform, day), feed in list(self.feeds.items()):
            for kept in ("only_first", "only_last"):  # bad rows must stay few in every revision
                bad = sum(bool(r.reasons) for r in feed if not getattr(r, kept))
                good = sum(not r.reasons and not r.only_first and not r.only_last for r in feed)
                for _ in range(bad * GOOD_ROWS_PER_BAD - good):
                    self._stranger(platform, day)
        for feed in self.feeds.values():
            self.random.shuffle(feed)

    def _some_day(self) -> date:
        return self.first + timedelta(days=self.random.randrange((self.last - self.first).days))

    def _stranger(self, platform: str, day: date) -> None:
        if len(self.unmatched) > 40 and self.random.random() < 0.9:
            card = self.random.choice(sorted(self.unmatched))
        else:
            card = self.people.card()
            self.unmatched.add(card)
        at = datetime.combine(day, time(8), WIB) + timedelta(seconds=self.random.randrange(50_000))
        row = Row(f"{platform[:3].upper()}-{next(self.ids):010}", "PAID", at, card, 75_000)
        self.feeds[platform, day].append(Reported(platform, day, row))

    # -- files ---------------------------------------------------------------------------------------------------------

    def write(self, out: Path) -> dict[str, Any]:
        """Write the landing zone, and return the expected results."""
        landing = out / "landing"
        for cohort in self.cohorts:
            self._write_roster(landing, cohort)
        deliveries = []
        day = self.first
        while day <= self.last:
            for platform in self.shares:
                deliveries += self._write_day(landing, platform, day)
            day += timedelta(days=1)
        return {
            "cohorts": [self._expected(cohort) for cohort in self.cohorts],
            "deliveries": deliveries,
            "rosters_rejected": {},
            "unmatched_cards": len(self.unmatched),
        }

    def _write_roster(self, landing: Path, cohort: Cohort) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("card_number", "nik", "full_name", "phone", "email", "region_code"))
        people = [truth.person for its_cohort, truth in self.truths if its_cohort is cohort]
        writer.writerows((p.card_number, p.nik, p.full_name, p.phone, p.email, p.region_code) for p in people)
        data = gzip.compress(text.getvalue().encode(), mtime=0)
        manifest = {
            "contract": "prakerja.roster/1", "cohort": cohort.number, "announced_on": cohort.announced_on.isoformat(),
            "deadline_on": cohort.deadline_on.isoformat(), "files": [_file("roster.csv.gz", data, rows=len(people))],
        }  # fmt: skip
        _deliver(landing / "rosters" / f"gelombang-{cohort.number}", "roster.csv.gz", data, manifest)

    def _write_day(self, landing: Path, platform: str, day: date) -> list[dict[str, Any]]:
        """Write one revision, or two if a row is in the first or last one only, or if a damaged second one is due."""
        feed = self.feeds.get((platform, day), [])
        first = [r for r in feed if not r.only_last]
        regular = datetime.combine(day + timedelta(days=1), time(1, 10, 22), WIB)
        deliveries = [self._deliver(landing, platform, day, 1, regular, first)]
        if any(r.only_first or r.only_last for r in feed):
            last = [r for r in feed if not r.only_first]
            decided = max(cohort.decided_on for cohort in self.cohorts if cohort.is_open_on(day))
            is_late = platform == "bukalapak"  # the cases of late evidence are there
            at = (
                datetime.combine(decided + timedelta(days=2), time(10), WIB)
                if is_late
                else regular + timedelta(hours=8)
            )
            # Revisions may skip numbers, and are ordered as numbers.
            deliveries.append(self._deliver(landing, platform, day, 2 if is_late else 10, at, last))
        elif self.is_nasty and self.random.random() < 0.01:
            again_at = regular + timedelta(days=1)
            deliveries.append(self._deliver(landing, platform, day, 2, again_at, first, is_damaged=True))
        return deliveries

    def _deliver(
        self,
        landing: Path,
        platform: str,
        day: date,
        revision: int,
        at: datetime,
        feed: Sequence[Reported],
        *,
        is_damaged: bool = False,
    ) -> dict[str, Any]:
        data = writers.write(platform, [r.row for r in feed])
        amount = sum(r.row.counted for r in feed)
        manifest = {
            "contract": "prakerja.feed/1", "platform": platform, "business_date": day.isoformat(), "revision": revision,
            "generated_at": at.isoformat(),
            "files": [_file(writers.name_file(platform), data, rows=len(feed), amount_idr=amount)],
        }  # fmt: skip
        if is_damaged:
            data = data[: len(data) // 2]
        folder = landing / "feeds" / platform / day.isoformat() / f"r{revision}"
        _deliver(folder, writers.name_file(platform), data, manifest)
        self.deliveries += 1
        self.rows += len(feed)
        bad = [r for r in feed if r.reasons]
        repeats = sum(r.is_repeat for r in feed)
        return {
            "path": f"feeds/{platform}/{day}/r{revision}", "accepted": not is_damaged, "rows": len(feed),
            "loaded": 0 if is_damaged else len(feed) - len(bad) - repeats, "bad": 0 if is_damaged else len(bad),
            "quarantined": {} if is_damaged else dict(sorted(Counter(x for r in bad for x in r.reasons).items())),
            "duplicates": 0 if is_damaged else repeats,
        }  # fmt: skip

    def _expected(self, cohort: Cohort) -> dict[str, Any]:
        truths = [truth for its_cohort, truth in self.truths if its_cohort is cohort]
        outcomes = Counter(truth.outcome for truth in truths)
        later: dict[str, list[str]] = defaultdict(list)
        for truth in truths:
            if truth.later:
                later[truth.later].append(truth.person.card_number)
        return {
            "cohort": cohort.number, "status": "decided", "as_of": cohort.last_business_date.isoformat(), "missing": [],
            "selected": len(truths), **{name: outcomes[name] for name in ("purchased", "held", "overdue", "excluded")},
            "reinstated": len(later["reinstated"]), "resolved": len(later["resolved"]), "cases": len(later["case"]),
            "held_later": len(later["held_later"]),
            "cards": {
                **{
                    name: sorted(truth.person.card_number for truth in truths if truth.outcome == name)
                    for name in ("held", "overdue")
                },
                **{name: sorted(cards) for name, cards in sorted(later.items())},
            },
        }  # fmt: skip


def _file(name: str, data: bytes, **more: int) -> dict[str, Any]:
    return {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), **more}


def _deliver(folder: Path, name: str, data: bytes, manifest: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    (folder / name).write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
