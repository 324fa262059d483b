"""The cards of a cohort's roster."""

from __future__ import annotations

from upath import UPath

from prakerja.recheck.facts import Facts
from prakerja.recheck.files import EvidenceError, open_roster
from prakerja.recheck.reading import read_csv
from prakerja.recheck.rows import CARD
from prakerja.recheck.texts import decode_text

COLUMNS = ["card_number", "nik", "full_name", "phone", "email", "region_code"]


def read_roster(landing: UPath, facts: Facts) -> dict[str, str]:
    """Return the NIK of each card of the cohort, sorted by card. Raise `EvidenceError` if a row breaks a rule."""
    evidence = open_roster(landing, facts)
    try:
        text = decode_text(evidence.content)
    except ValueError:
        raise EvidenceError(evidence.where, "the file is not UTF-8 text") from None
    nik_of: dict[str, str] = {}
    niks: set[str] = set()
    rows = 0
    # "`roster.csv.gz`: `card_number,nik,full_name,phone,email,region_code`"
    for row in read_csv(evidence.where, text, ",", COLUMNS):
        rows += 1
        card_number, nik = row.cells[:2]
        if not row.is_readable or not CARD.fullmatch(card_number) or not CARD.fullmatch(nik):
            raise EvidenceError(evidence.where, f"line {row.line} cannot be read, or has no card and NIK of 16 digits")
        # Rejected: "a duplicate card or NIK"
        if card_number in nik_of or nik in niks:
            raise EvidenceError(evidence.where, f"line {row.line} repeats a card or NIK")
        nik_of[card_number] = nik
        niks.add(nik)
    if rows != evidence.rows:
        raise EvidenceError(evidence.where, f"the file has {rows} rows, its manifest says {evidence.rows}")
    return dict(sorted(nik_of.items()))
