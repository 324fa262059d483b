"""Verify that everybody who was revoked, reinstated or listed was approved: by enough people, of this batch, in time.

The database's triggers refuse anything else, but its owner can replace them. Here the rule comes from `program.yaml`,
keys from the list of people, and times from the log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from prakerja import warehouse
from prakerja.cohorts import corrections
from prakerja.people import load_people
from prakerja.programme import programme
from prakerja.settings import WIB
from prakerja.signatures import PURPOSES, ApprovalText, CorrectionText, is_signed

#: The tables that are read for it.
TABLES = (
    "batches", "batch_members", "proposals", "approvals", "decisions", "overrides", "hold_resolutions", "revocations",
    "reinstatements", "appeals", "appeal_decisions", "blacklist_changes", "recipients", "corrections",
    "correction_decisions", "correction_values",
)  # fmt: skip
#: An entry is sealed after its transaction, or by a later one if the process dies between: that night at the latest.
SEALED_WITHIN = timedelta(days=1)
#: How far a clock that is corrected may go back.
CLOCK_STEP = timedelta(minutes=10)
REPLAY, LIVE = "prakerja_replay", "prakerja_decide"


@dataclass(frozen=True)
class Entry:
    """What the log proves of an entry: its position, when it was sealed, and the role that wrote it.

    `proved_at` is not before any earlier entry was sealed: what an anchor covers cannot have been sealed later.
    `is_earlier` is true of entries before the first one with a login: the rules of that time are not known.
    """

    position: int
    sealed_at: datetime
    proved_at: datetime
    role: str | None
    is_earlier: bool


@dataclass
class Approved:
    """The number of approvals with a valid signature; `problems` and `unproved` have a line each."""

    signatures: int = 0
    problems: list[str] = field(default_factory=list)
    unproved: list[str] = field(default_factory=list)


@dataclass
class _Batch:
    """A batch, and whose approvals of it count, with a signature or without."""

    row: Any
    entry: Entry | None
    had_a_part: set[str] = field(default_factory=set)
    signed_by: set[str] = field(default_factory=set)
    unsigned_by: dict[str, int] = field(default_factory=dict)
    is_approved_in_advance: bool = False

    @property
    def name(self) -> str:
        return f"batch {self.row['digest'][:16]} of gelombang-{self.row['cohort']}"


def verify(connection: warehouse.Connection, warehouse_id: str, log: Mapping[int, Entry]) -> Approved:
    """Verify every approval, every batch, and that what was done was approved. The log is by entry."""
    found = Approved()
    acts = warehouse.rows(connection, "audit/list_acts")
    batches = {
        row["digest"]: _Batch(row, log.get(row["entry"])) for row in warehouse.rows(connection, "audit/list_batches")
    }
    for row in warehouse.rows(connection, "audit/list_parts"):
        if row["digest"] in batches:
            batches[row["digest"]].had_a_part.add(str(row["person"]).lower())
    found.problems += [problem for batch in batches.values() if (problem := _batch_problem(batch))]
    _count_approvals(connection, warehouse_id, batches, log, _first_live(acts, log), found)
    first_signed = _first_signed(batches)
    found.problems += _act_problems(acts, batches, log, first_signed, found)
    _verify_corrections(connection, warehouse_id, log, first_signed, found)
    for row in warehouse.rows(connection, "audit/list_unfounded"):
        entry = log.get(row["entry"])
        if row["op"] == "ADD" or not entry or not entry.is_earlier:
            what = "lists {} who are not revoked" if row["op"] == "ADD" else "withdraws {} who are not reinstated"
            found.problems.append(f"version {row['version']} {what.format(_people(row['people']))}")
    found.problems += [
        f"version {row['version']} lists {_people(row['people'])} under a NIK that nobody else has approved"
        for row in warehouse.rows(connection, "audit/list_uncorrected")
    ]
    return found


def _batch_problem(batch: _Batch) -> str | None:
    row = batch.row
    if batch.entry is None or batch.entry.is_earlier:
        return None
    if row["cohort"] is None or row["subject"] not in PURPOSES:
        return f"batch {row['digest'][:16]} is of no decision, or for nothing that a batch is for"
    if row["digest"] not in row["digests_of_members"] or row["people"] != row["members"]:
        return f"{batch.name} is not of its members any more: its digest is over other people"
    return None


def _first_live(acts: Iterable[Any], log: Mapping[int, Entry]) -> int | None:
    """Return the first position at which the warehouse decided, revoked or reinstated outside a replay, if it did."""
    positions = [log[act["entry"]].position for act in acts if act["entry"] in log and log[act["entry"]].role == LIVE]
    return min(positions, default=None)


def _count_approvals(
    connection: warehouse.Connection,
    warehouse_id: str,
    batches: Mapping[str, _Batch],
    log: Mapping[int, Entry],
    first_live: int | None,
    found: Approved,
) -> None:
    people, unknown = load_people(), 0
    for row in warehouse.rows(connection, "audit/list_approvals"):
        batch, entry = batches.get(row["digest"]), log.get(row["entry"])
        if batch is None or entry is None or batch.row["cohort"] is None or batch.row["subject"] not in PURPOSES:
            continue  # reported with the batch, or as an approval that is in no entry
        by, subject = row["approved_by"], f"the approval of batch {row['digest'][:16]} by {row['approved_by']}"
        found.problems += _time_problems(subject, row, entry)
        if row["is_recorded_in_advance"]:
            is_in_replay = entry.role == REPLAY or not (entry.role or "").startswith("prakerja_")
            if entry.is_earlier or (is_in_replay and (first_live is None or entry.position < first_live)):
                batch.is_approved_in_advance = True
            else:
                found.problems.append(f"{subject} is in advance, and this warehouse was live at that time")
            continue
        if row["signature"] is None:
            batch.unsigned_by.setdefault(by.lower(), entry.position)
        elif people.listed is None:
            unknown += 1
            batch.unsigned_by.setdefault(by.lower(), entry.position)
        else:
            text = ApprovalText(
                warehouse_id, batch.row["cohort"], row["digest"], batch.row["members"], row["identities_sha256"] or "",
                batch.row["subject"], row["approved_on"], by,
            )  # fmt: skip
            person = people.listed.get(by)
            # A key that was retired by the time that the log proves does not count, whatever time the approval states.
            proved_at = max(row["recorded_at"], entry.proved_at)
            if person and is_signed(text, row["signature"], person, not_before=proved_at):
                found.signatures += 1
                batch.signed_by.add(by.lower())
                batch.unsigned_by.pop(by.lower(), None)
            else:
                found.problems.append(f"{subject} is not signed by a key of theirs")
    if unknown:
        found.unproved.append(f"{unknown:,} signatures of approvals: no list of people says whose keys are whose")


def _time_problems(subject: str, row: Any, entry: Entry) -> Iterable[str]:
    if entry.is_earlier or entry.sealed_at - SEALED_WITHIN <= row["recorded_at"] <= entry.sealed_at + CLOCK_STEP:
        return
    yield (
        f"{subject} says {row['recorded_at']:%Y-%m-%d %H:%M} UTC, and was sealed at "
        f"{entry.sealed_at:%Y-%m-%d %H:%M} UTC: its time was changed"
    )


def _first_signed(batches: Mapping[str, _Batch]) -> int | None:
    """Return the position from which approvals are signed. Earlier approvals have no signature."""
    return min((batch.entry.position for batch in batches.values() if batch.signed_by and batch.entry), default=None)


def _verify_corrections(
    connection: warehouse.Connection,
    warehouse_id: str,
    log: Mapping[int, Entry],
    first_signed: int | None,
    found: Approved,
) -> None:
    """Verify every approval of corrected NIKs: of these corrections, by another person, and signed if others are."""
    people, unknown = load_people(), 0
    for row in warehouse.rows(connection, "audit/list_corrections"):
        entry = log.get(row["entry"])
        if entry is None:
            continue  # reported as an approval that is in no entry
        by, subject = row["decided_by"], f"the approval of correction {row['request'][:16]} by {row['decided_by']}"
        found.problems += _time_problems(subject, row, entry)
        if by.lower() in row["corrected_by"]:
            found.problems.append(f"{subject} is by who has corrected it")
        if corrections.request_of(row["digests"]) != row["request"]:
            found.problems.append(f"{subject} is not for these NIKs")
        elif row["signature"] is None:
            if people.must_sign and first_signed is not None and entry.position >= first_signed:
                found.problems.append(f"{subject} lacks its signature")
        elif people.listed is None:
            unknown += 1
        else:
            text = CorrectionText(warehouse_id, row["request"], len(row["digests"]), row["decided_on"], by)
            person = people.listed.get(by)
            proved_at = max(row["recorded_at"], entry.proved_at)
            if person and is_signed(text, row["signature"], person, not_before=proved_at):
                found.signatures += 1
            else:
                found.problems.append(f"{subject} is not signed by a key of theirs")
    if unknown:
        found.unproved.append(f"{unknown:,} signatures of corrections: no list of people says whose keys are whose")


def _act_problems(
    acts: Iterable[Any],
    batches: Mapping[str, _Batch],
    log: Mapping[int, Entry],
    first_signed: int | None,
    found: Approved,
) -> Iterable[str]:
    """Yield what was done without a batch, to people outside it, or without enough approvals."""
    must_sign = load_people().must_sign
    done: dict[str, list[Any]] = defaultdict(list)
    for act in acts:
        entry = log.get(act["entry"])
        if act["what"] == "decided" or entry is None or entry.is_earlier:
            continue
        if act["digest"] is None:
            yield f"{_people(act['people'])} {act['what']} in no batch, and by no appeal that another person upheld"
        elif act["strays"]:
            yield f"{_people(act['strays'])} {act['what']} by batch {act['digest'][:16]}, and not of it"
        else:
            done[act["digest"]].append(act)
    unsigned = 0
    for digest, its_acts in done.items():
        batch = batches[digest]
        if batch.is_approved_in_advance:
            continue
        counted = set(batch.signed_by)
        for person, position in batch.unsigned_by.items():
            if not must_sign or first_signed is None or position < first_signed:
                counted.add(person)
        counted -= batch.had_a_part
        needed = _needed(batch.row["members"], min(log[act["entry"]].proved_at for act in its_acts))
        if len(counted) < needed:
            lacks = "signatures" if must_sign and first_signed is not None else "approvals"
            people = sum(act["people"] for act in its_acts)
            yield (
                f"{batch.name} lacks {lacks} ({len(counted)} of {needed}), and {_people(people)} "
                f"{its_acts[0]['what']} by it"
            )
        elif must_sign and first_signed is None:
            unsigned += 1
    if unsigned:
        found.unproved.append(
            f"not proved: {unsigned:,} batches were carried out by approvals without a signature, though the list of "
            "people gives keys; from the first signature on, all need theirs"
        )


def _needed(people: int, at: datetime) -> int:
    """Return how many people must have approved a batch that was applied at an instant."""
    return programme().approvals.as_of(at.astimezone(WIB).date()).count_approvers(people)


def _people(count: int) -> str:
    return f"{count:,} {'person' if count == 1 else 'people'}"
