"""Check a published list against a second reading of the files, person by person: each night, and by anybody."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from datetime import date, datetime
from functools import partial
from pathlib import Path

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher.configured_keys import load_subject_key
from prakerja.blacklist.publisher.storage import find_list
from prakerja.errors import PrakerjaError
from prakerja.landing import landing_zone
from prakerja.programme import programme
from prakerja.recheck import known
from prakerja.recheck.files import EvidenceError
from prakerja.recheck.published import Checked, Difference, Progress, Report, check_cohort, read_list
from prakerja.recheck.roster import read_roster
from prakerja.settings import WIB, Settings
from prakerja_blacklist.format.subject_keys import SubjectKey

log = logging.getLogger(__name__)

#: Every listed person is read again once in so many nights.
NIGHTS = 28


def decided_cohorts() -> list[int]:
    """Return the cohorts that have a decision."""
    with warehouse.transaction("recheck") as connection:
        return [int(row["cohort"]) for row in warehouse.rows(connection, "recheck/list_decided_cohorts")]


def due_on(night: date, cohorts: Collection[int]) -> list[int]:
    """Return the cohorts that are read again in a night: each has its turn once in `NIGHTS` nights, at the latest."""
    turns = min(len(cohorts), NIGHTS)
    return [cohort for place, cohort in enumerate(sorted(cohorts)) if place % turns == night.toordinal() % turns]


def export_facts(cohorts: Collection[int], as_of: date) -> Iterator[str]:
    """Yield the facts for a second reading of the list, a line each. No NIK is in them.

    Raise `EvidenceError` if a roster cannot be read again.
    """
    settings, settlement_days = Settings.from_environment(), programme().settlement_days
    landing, key = landing_zone(settings.landing), load_subject_key()
    rows, niks = {}, {}
    for cohort in sorted(cohorts):
        announced_on, _ = known.dates_of(settings.calendar, cohort, as_of)
        with warehouse.transaction("recheck", one_snapshot=True) as connection:
            rows[cohort] = known.load_rows(partial(warehouse.rows, connection), cohort, announced_on)
        facts = known.facts_at(rows[cohort], settings.calendar, cohort, settlement_days, as_of)
        niks[cohort] = read_roster(landing, facts)
    about = {"as_of": as_of.isoformat(), "key_id": key.key_id, "settlement_days": settlement_days}
    yield from known.export(rows, niks, key.key, about)


def check(
    landing: UPath,
    calendar: Path,
    facts: Iterable[str],
    published: UPath,
    key: SubjectKey,
    cohorts: Collection[int] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check a published list by an export of facts, without a warehouse. Raise `EvidenceError` or `PrakerjaError`.

    All cohorts of the facts are checked, or `cohorts`. A cohort whose evidence cannot be read is a difference.
    """
    about, rows = known.read_export(facts)
    manifest, entries = read_list(published)
    if not key.key_id == about["key_id"] == manifest["key_id"]:
        raise PrakerjaError(
            f"the list has the subjects' key {manifest['key_id']}, the facts have {about['key_id']}, and "
            f"{key.key_id} is given: give that key as PRAKERJA_SUBJECT_KEY, and export the facts anew"
        )
    published_on = datetime.fromisoformat(manifest["created_at"]).astimezone(WIB).date()
    report = Report()
    for cohort in sorted(rows if cohorts is None else cohorts):
        try:
            if cohort not in rows:
                raise EvidenceError("the facts", f"they have nothing of gelombang-{cohort}", "export them anew")
            checked = Checked.read(landing, calendar, rows[cohort], cohort, about["as_of"], key.key, progress)
        except EvidenceError as error:
            report.differences.append(Difference(cohort, str(error), "", None))
            continue
        found = check_cohort(cohort, checked, [each for each in entries if each.cohort == cohort], published_on)
        report.counts |= found.counts
        report.differences += found.differences
    if cohorts is None:
        report.differences += [
            Difference(each.cohort, "a cohort of which the facts have nothing", each.decision_id, each.line)
            for each in entries
            if each.cohort not in rows
        ]
    return report


def check_own(cohorts: Collection[int], as_of: date, progress: Progress | None = None) -> Report:
    """Check this system's published list by the facts of its warehouse, as anybody would. Raise as `check` does."""
    settings = Settings.from_environment()
    return check(
        landing_zone(settings.landing),
        settings.calendar,
        export_facts(cohorts, as_of),
        find_list(settings.publish),
        load_subject_key(),
        cohorts,
        progress,
    )
