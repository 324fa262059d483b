"""What has changed since the last version, and what of it waits for a person: each side of it by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from prakerja import warehouse
from prakerja.blacklist.publisher import signed_changes
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.signed_batches import SHOWN


class WaitingError(PrakerjaError):
    """Changes of the list wait for a person. All others are published."""


class OutOfBoundsError(WaitingError):
    """The list would grow or shrink by more than it may without a person's approval."""


@dataclass(frozen=True)
class UnusualChange:
    """The additions, or the withdrawals, that are out of bounds together. `digest` identifies these very changes."""

    digest: str
    added: int
    withdrawn: int
    listed_before: int

    def __str__(self) -> str:
        would_be = f"{self.added:,} would be added" if self.added else f"{self.withdrawn:,} would be withdrawn"
        return (
            f"of {self.listed_before:,} listed, {would_be}: more than may change without approval: "
            f"prakerja blacklist approve --digest {self.digest[:SHOWN]}"
        )


@dataclass(frozen=True)
class Pending:
    """What has changed since the last version, and what of it waits for a person.

    `replaced` are listed under a NIK that was corrected. `unusual` changes are out of bounds. `unsigned` says by its
    digest why nobody of a batch may be added or withdrawn. `held` are the people of corrections that lack their
    signature, and those who would get a NIK under which one of them is still listed; `held_because` says why.
    """

    added: int
    withdrawn: int
    replaced: int
    unusual: list[UnusualChange]
    unsigned: dict[str, str]
    held: list[int]
    held_because: list[str]

    @property
    def ops(self) -> list[str]:
        """The kinds of changes that do not wait."""
        waiting = {"ADD" if change.added else "WITHDRAW" for change in self.unusual}
        return [op for op in ("ADD", "WITHDRAW") if op not in waiting]

    @property
    def has_changed(self) -> bool:
        """Whether there is anything to publish."""
        return bool(self.replaced) or any({"ADD": self.added, "WITHDRAW": self.withdrawn}[op] for op in self.ops)

    @property
    def does_wait(self) -> bool:
        """Whether any change waits for a person."""
        return bool(self.unusual or self.unsigned or self.held_because)

    def require_nothing_waits(self, run_name: str, version: int | None) -> None:
        """Raise `WaitingError` if a change waits. All others were published as `version`."""
        reasons = [*self.unsigned.values(), *self.held_because, *map(str, self.unusual)]
        if reasons:
            error = OutOfBoundsError if self.unusual else WaitingError
            published = f"version {version} lacks what waits: " if version else ""
            raise error(f"{run_name}: {published}{'; '.join(reasons)}")


def cutoffs_of(as_of: date, *, is_daily: bool) -> dict[str, date]:
    """Return by which day a publication counts revocations and reinstatements.

    A daily one leaves the revocations of its own day to the deadline's run, which comes after it.
    """
    return {"revoked_by": as_of - timedelta(days=1) if is_daily else as_of, "reinstated_by": as_of}


def find_pending(connection: warehouse.Connection, cutoffs: dict[str, date]) -> Pending:
    """Return what has changed since the last version, measured as the next one would contain it."""
    digests = [row["digest"] for row in warehouse.rows(connection, "blacklist/list_pending_batches", **cutoffs)]
    unsigned = signed_changes.find_unsigned(connection, digests)
    corrected = warehouse.rows(connection, "blacklist/list_corrected_changes", **cutoffs)
    reasons = signed_changes.find_unsigned_corrections(connection, corrected, unsigned)
    held = _find_held(corrected, reasons, may_withdraw=True)
    pending = _measure(connection, cutoffs, unsigned, held, list(reasons.values()))
    if "WITHDRAW" not in pending.ops:  # a person who stays listed keeps a NIK that another person has by now
        still_held = _find_held(corrected, reasons, may_withdraw=False)
        if still_held != held:
            pending = _measure(connection, cutoffs, unsigned, still_held, list(reasons.values()))
    return pending


def list_unusual_changes(as_of: date) -> list[UnusualChange]:
    """Return the changes out of bounds that wait for approval, of the daily publication and of a deadline's."""
    found: dict[str, UnusualChange] = {}
    with warehouse.transaction("publish", one_snapshot=True) as connection:
        for is_daily in (True, False):
            for change in find_pending(connection, cutoffs_of(as_of, is_daily=is_daily)).unusual:
                found[change.digest] = change
    return list(found.values())


def approve_unusual_change(digest: str, as_of: date, *, because: str, approved_by: str) -> UnusualChange:
    """Record that a person approves these very changes. Raise `PrakerjaError`."""
    changes = [change for change in list_unusual_changes(as_of) if change.digest.startswith(digest.lower())]
    if len(digest) < SHOWN or len(changes) != 1:
        raise PrakerjaError(f"no change {digest} of the list waits for approval: see `prakerja blacklist approve`")
    with warehouse.transaction("publish") as connection:
        record_approval(connection, changes[0], as_of, because, approved_by, is_in_advance=False)
    return changes[0]


def record_approval(
    connection: warehouse.Connection,
    change: UnusualChange,
    as_of: date,
    because: str,
    approved_by: str,
    *,
    is_in_advance: bool,
) -> None:
    """Record who approved changes out of bounds. In a replay they are approved in advance."""
    warehouse.execute(
        connection,
        "blacklist/insert_publication_approval",
        digest=change.digest,
        approved_by=approved_by,
        because=because,
        approved_on=as_of,
        is_in_advance=is_in_advance,
    )


def _measure(
    connection: warehouse.Connection,
    cutoffs: dict[str, date],
    unsigned: dict[str, str],
    held: list[int],
    held_because: list[str],
) -> Pending:
    (found,) = warehouse.rows(connection, "blacklist/measure_pending", **cutoffs, unsigned=list(unsigned), waiting=held)
    added, withdrawn, before = found["added"], found["withdrawn"], found["listed_before"]
    rules = programme().blacklist
    unusual = []
    if added > max(rules.grows_free, rules.grows_share_max * before):
        unusual.append(UnusualChange(found["additions"], added, 0, before))
    if withdrawn > max(rules.shrinks_free, rules.shrinks_share_max * before):
        unusual.append(UnusualChange(found["withdrawals"], 0, withdrawn, before))
    unusual = [change for change in unusual if not _is_approved(connection, change)]
    return Pending(added, withdrawn, found["replaced"], unusual, unsigned, held, held_because)


def _find_held(corrected: Sequence[Any], unsigned: dict[str, str], *, may_withdraw: bool) -> list[int]:
    """Return whose additions wait: of corrections without their signature, and of a NIK that another keeps listed.

    A NIK belongs to one person at a time. That of a corrected person is free once they are withdrawn, in the same
    version.
    """
    held = {row["recipient_id"] for row in corrected if row["request"] in unsigned}
    while True:
        freed = {
            row["recipient_id"]
            for row in corrected
            if row["op"] == "WITHDRAW" and (row["recipient_id"] not in held if row["is_replacement"] else may_withdraw)
        }
        taken = {
            row["nik"]: row["recipient_id"]
            for row in corrected
            if row["op"] == "LISTED" and row["recipient_id"] not in freed
        }
        more = {
            row["recipient_id"]
            for row in corrected
            if row["op"] == "ADD" and taken.get(row["nik"], row["recipient_id"]) != row["recipient_id"]
        }
        if more <= held:
            return sorted(held)
        held |= more


def _is_approved(connection: warehouse.Connection, change: UnusualChange) -> bool:
    return bool(warehouse.execute(connection, "blacklist/is_publication_approved", digest=change.digest).scalar_one())
