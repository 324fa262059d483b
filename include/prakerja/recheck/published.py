"""Check a published list person by person: every entry must be justified, and no revoked person may be missing."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from upath import UPath

from prakerja.recheck.facts import Delivery, Facts
from prakerja.recheck.files import EvidenceError, start_of
from prakerja.recheck.known import Rows, facts_at, subject_of
from prakerja.recheck.roster import read_roster
from prakerja.recheck.rule import Reading, read_again

Progress = Callable[[int, int, str], None]
#: The first line of a list, by its contract: the columns that are checked, and those of later contracts, which are not.
HEADERS = {"prakerja.blacklist/1": b"subject,cohort,reason,effective_at,decision_id\n"}
CHECKED = r"([0-9a-f]{64}),([0-9]{1,4}),([^,\n]*),([^,\n]*),([^,\n]*)"
CHECKED_COLUMNS = 5
CONTRACT = re.compile(r"prakerja\.blacklist/[1-9][0-9]{0,3}")
MOST_DOCUMENT_BYTES, MOST_LINE_BYTES, MOST_ROWS = 1_000_000, 200, 50_000_000
SUBJECT_BYTES = 32  # "`subject` is lower-case hex HMAC-SHA256(key, NIK)", which nothing packs into fewer
VERIFY = "run `prakerja blacklist verify`"


class Entry(NamedTuple):
    """A line of the published list. `line` counts from the header, line 1."""

    line: int
    subject: str
    cohort: int
    reason: str
    effective_at: str
    decision_id: str


class Difference(NamedTuple):
    """A difference between the list and the second reading. It identifies a person only by decision and line."""

    cohort: int
    what: str
    decision_id: str
    line: int | None


@dataclass
class Report:
    """The result of a check: the number of people by cohort and result, and each difference."""

    counts: dict[int, Counter[str]] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)


def read_list(folder: UPath) -> tuple[dict[str, Any], list[Entry]]:
    """Return the manifest of the latest version of a published list, and its entries.

    Hashes are followed from the pointer to the list; `prakerja blacklist verify` checks the signature. The manifest has
    a `key_id` and an instant as its `created_at`. Raise `EvidenceError` if the list cannot be read, or is of a contract
    that this reading does not know.
    """
    try:
        pointer = json.loads(_read(folder, "latest.json", MOST_DOCUMENT_BYTES))
        name = f"v{pointer['version']:06d}"
        manifest = json.loads(_read(folder, f"{name}/manifest.json", MOST_DOCUMENT_BYTES, pointer["sha256"]))
        if (contract := manifest["contract"]) not in HEADERS and CONTRACT.fullmatch(contract):
            raise EvidenceError(
                str(folder), f"the list is of the contract {contract}", "install a release that reads it"
            )
        created_at = datetime.fromisoformat(manifest["created_at"])
        is_wrong = manifest["version"] != pointer["version"] or not isinstance(manifest["key_id"], str)
        (file,) = [each for each in manifest["files"] if each["name"] == "snapshot.csv.gz"]
        rows = file["rows"]
        is_wrong = is_wrong or pointer["manifest"] != f"{name}/manifest.json" or created_at.tzinfo is None
        if is_wrong or not isinstance(rows, int) or rows > MOST_ROWS:
            raise ValueError("a list that is not of the contract")
        packed = _read(folder, f"{name}/snapshot.csv.gz", MOST_LINE_BYTES * (rows + 2), file["sha256"])
        if rows * SUBJECT_BYTES > len(packed):
            raise ValueError("more rows than the file can hold")
        with gzip.open(BytesIO(packed)) as lines:
            entries = _read_entries(lines, rows, HEADERS[contract])
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise EvidenceError(str(folder), "no list can be read here", VERIFY) from None
    return manifest, entries


def _read_entries(lines: Any, rows: int, header: bytes) -> list[Entry]:
    """Return the entries of a list that has so many rows, line by line: what it unpacks to is never held whole.

    A person in place of the header, or in a line that is left out, would not be checked. Raise `ValueError`.
    """
    entries, known = list[Entry](), dict[str, str]()
    line_of = re.compile(CHECKED + r",[^,\n]*" * (1 + header.count(b",") - CHECKED_COLUMNS) + "\n")
    if lines.readline(MOST_LINE_BYTES) != header:
        raise ValueError("another header")
    while line := lines.readline(MOST_LINE_BYTES):
        found = line_of.fullmatch(line.decode())
        if found is None or len(entries) == rows:
            raise ValueError("a line that is not of the contract")
        # Most lines have the same reason, instant and decision: each is kept once.
        reason, effective_at, decision_id = (known.setdefault(text, text) for text in found.groups()[2:])
        entries.append(Entry(len(entries) + 2, found[1], int(found[2]), reason, effective_at, decision_id))
    if len(entries) != rows:
        raise ValueError("fewer lines than rows")
    return entries


def _read(folder: UPath, name: str, most: int, sha256: str | None = None) -> bytes:
    """Return a file that has at most so many bytes. Raise `EvidenceError` if it has more, or another SHA-256."""
    path = folder / name
    if not path.is_file():  # a pipe would be waited for without end
        raise FileNotFoundError(name)
    with path.open("rb") as file:
        data: bytes = file.read(most + 1)
    if len(data) > most:
        raise EvidenceError(str(path), f"the file is larger than {most:,} bytes", VERIFY)
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise EvidenceError(str(path), "the file has another SHA-256 than expected", VERIFY)
    return data


@dataclass
class Checked:
    """A cohort whose entries are checked: its facts by card, the second readings, and the card of each subject."""

    rows: Rows
    decisions: dict[str, dict[str, Any]]
    readings: dict[str, dict[str, Reading]]
    later: dict[str, Reading]
    cards: dict[str, str]
    corrected: dict[str, dict[str, Any]]

    @classmethod
    def read(
        cls, landing: UPath, calendar: Path, rows: Rows, cohort: int, as_of: date, key: bytes, progress: Progress | None
    ) -> Checked:
        """Read the evidence of each decision that revoked somebody, and that of `as_of`. Raise `EvidenceError`."""
        decisions = {row["decision_id"]: row for row in rows["decisions"]}
        settlement_days = max([row["settlement_days"] for row in rows["decisions"]], default=1)
        roster = read_roster(landing, facts_at(rows, calendar, cohort, settlement_days, as_of))
        cards = {subject_of(key, nik): card for card, nik in roster.items()}
        known = {
            kind: [{**row, "person": cards.get(row["person"], "")} if "person" in row else row for row in facts]
            for kind, facts in rows.items()
        }

        def facts_of(decision: Mapping[str, Any]) -> Facts:
            cited = [
                Delivery(row["platform"], row["business_date"], row["revision"], row["sha256"], decision["as_of"])
                for row in known["cited"]
                if row["decision_id"] == decision["decision_id"]
            ]
            facts = facts_at(known, calendar, cohort, settlement_days, decision["as_of"])
            return replace(facts, deliveries=tuple(cited))

        now = facts_at(known, calendar, cohort, settlement_days, as_of, is_later=True)
        revoking = {row["decision_id"] for row in known["revocations"]}
        return cls(
            rows=known,
            decisions=decisions,
            readings={
                decision_id: read_again(landing, facts_of(row), progress).by_card
                for decision_id, row in decisions.items()
                if decision_id in revoking
            },
            later=read_again(landing, now, progress, is_later=True).by_card,
            cards=cards,
            corrected={row["person"]: row for row in known["corrections"] if row["person"]},
        )

    def people(self) -> dict[str, str]:
        """Return the card of each subject, including those of corrected NIKs."""
        return self.cards | {row["listed_as"]: card for card, row in self.corrected.items()}

    def find_fault(self, entry: Entry, card: str | None, published_on: date) -> str | None:
        """Return what is wrong with an entry, or None if the second reading agrees with it."""
        decision = self.decisions.get(entry.decision_id)
        if card is None or decision is None:
            return "nobody of this cohort's roster" if card is None else "no decision of this cohort"
        # "`effective_at` is the deadline's end (D+1 00:00 WIB, written in UTC)"
        ends_at = start_of(decision["deadline_on"] + timedelta(days=1)).astimezone(UTC)
        if entry.reason != "NO_FIRST_PURCHASE" or entry.effective_at != f"{ends_at:%Y-%m-%dT%H:%M:%SZ}":
            return "another reason or time than its decision's"
        correction = self.corrected.get(card)
        if correction and correction["decided_on"] < published_on and entry.subject != correction["listed_as"]:
            return "a NIK that was corrected"
        revoked_on = [
            row["revoked_on"]
            for row in self.facts_about(card, "revocations")
            if row["decision_id"] == entry.decision_id
        ]
        if not revoked_on:
            return "nobody has approved this revocation"
        if any(row["reinstated_on"] < published_on for row in self.facts_about(card, "reinstatements")):
            return "reinstated, and listed all the same"
        reading = self.readings[entry.decision_id].get(card)
        if reading is None:
            return "nobody of the roster as of the decision"
        # "and cannot be resolved as not purchased while the suspension lasts."
        if reading.because == "suspended" and any(
            row["suspended_on"] <= decision["deadline_on"]
            and (row["lifted_on"] is None or row["lifted_on"] > max(revoked_on))
            for row in self.facts_about(card, "suspensions")
        ):
            return "revoked while suspended"
        is_found = any(
            row["deadline_on"] == decision["deadline_on"] and not row["is_purchased"]
            for row in self.facts_about(card, "hold_resolutions")
        )
        if reading.outcome == "overdue" or (reading.outcome == "held" and is_found):
            return None
        return f"{reading.outcome} by the second reading"

    def facts_about(self, card: str, kind: str) -> list[dict[str, Any]]:
        """Return the facts of one kind about a person."""
        if kind not in self._by_person:
            by_person: dict[str, list[dict[str, Any]]] = {}
            for row in self.rows[kind]:
                by_person.setdefault(row["person"], []).append(row)
            self._by_person[kind] = by_person
        return self._by_person[kind].get(card, [])

    _by_person: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)


def check_cohort(cohort: int, checked: Checked, entries: Iterable[Entry], published_on: date) -> Report:
    """Compare a cohort's entries with the second reading, and find revoked people whom the list does not have.

    Approvals of the day of publication or later may not be in this version yet.
    """
    counts, differences, listed = Counter[str](), list[Difference](), set[str]()
    people = checked.people()
    for entry in entries:
        card = people.get(entry.subject)
        fault = "listed twice" if card in listed else checked.find_fault(entry, card, published_on)
        if fault:
            differences.append(Difference(cohort, fault, entry.decision_id, entry.line))
        else:
            counts["listed, as the second reading has it"] += 1
        if card is None:
            continue
        listed.add(card)
        if checked.later[card].outcome == "purchased":
            counts["of these with a purchase that came to light since"] += 1
    for row in checked.rows["revocations"]:
        if row["revoked_on"] < published_on and row["person"] not in listed:
            if checked.facts_about(row["person"], "reinstatements"):
                counts["reinstated, and not listed"] += 1
            else:
                differences.append(Difference(cohort, "revoked, and not listed", row["decision_id"], None))
    return Report({cohort: counts}, differences)
