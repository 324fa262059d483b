"""Find revisions in the landing zone that should count, but were passed over or rejected without reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from fractions import Fraction

from upath import UPath

from prakerja.platforms import platforms
from prakerja.programme import programme
from prakerja.recheck.facts import Delivery, Facts
from prakerja.recheck.files import EvidenceError, find_delivery, open_delivery, translate_storage_errors
from prakerja.recheck.rows import Conflicts, Row, read_rows
from prakerja.recheck.rule import business_dates

TO_DO = "take it in: clear platform_feeds; if it was rejected, one of the two readings is wrong: report it"


def require_none_passed_over(landing: UPath, facts: Facts, in_force: Iterable[Delivery]) -> None:
    """Raise `EvidenceError` if a higher revision than the one in force has arrived and keeps the contract."""
    highest = {(delivery.platform, delivery.business_date): delivery.revision for delivery in in_force}
    for day in business_dates(facts):
        for platform in platforms():
            for revision in _revisions_of(landing, platform, day):
                if revision > highest.get((platform, day), 0):
                    delivery = find_delivery(landing, platform, day, revision)
                    # In a replay "a delivery arrives at the start of the WIB day of its `generated_at`".
                    if delivery and delivery.accepted_on <= facts.as_of and keeps_contract(landing, delivery):
                        where = f"feeds/{platform}/{day}/r{revision}"
                        raise EvidenceError(where, "it has arrived, keeps the contract, and does not count", TO_DO)


def keeps_contract(landing: UPath, delivery: Delivery) -> bool:
    """Whether a delivery keeps the contract, so that an intake accepts it."""
    conflicts = Conflicts()
    distinct: dict[object, Row] = {}
    damaged = 0
    try:
        evidence = open_delivery(landing, delivery)
        # Rejected: "more than 5 % (configurable) of `rows` quarantined (5 of 100 is accepted)"
        most = Fraction(str(programme().feeds.quarantined_share_max)) * evidence.rows
        for row in read_rows(evidence, delivery):
            conflicts.note(row)
            if distinct.setdefault(row.content, row) is row:  # a repeat "is dropped and counted as a duplicate"
                damaged += bool(row.reasons)
            if damaged > most:
                return False
    except EvidenceError:
        return False
    return sum(bool(row.reasons) or row in conflicts for row in distinct.values()) <= most


def _revisions_of(landing: UPath, platform: str, day: date) -> Iterator[int]:
    """Yield the revisions of a business date. "revisions are ordered as numbers, gaps are allowed" """
    where = f"feeds/{platform}/{day}"
    try:
        with translate_storage_errors(where):
            names = [path.name for path in (landing / where).iterdir()]
    except EvidenceError:
        return  # nothing was delivered
    for name in names:
        if name[:1] == "r" and name[1:].isascii() and name[1:].isdigit() and name[1:2] != "0" and len(name) < 15:
            yield int(name[1:])
