"""What the second reading knows besides the files: the calendar's dates, and facts as plain rows of the warehouse.

A cohort's rows are mappings by kind of fact (`KINDS`), in which a person is a card of 16 digits. `load_rows` reads them
from the caller's warehouse. `export` writes them for a reader without a warehouse, one JSON object a line, in which a
person is the subject of the published list.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from prakerja.recheck.facts import Delivery, Facts, Suspension, Withdrawal
from prakerja.recheck.files import EvidenceError

CONTRACT = "prakerja.facts/1"
#: The statement that lists the facts of each kind.
KINDS = {
    "rosters": "recheck/list_rosters",
    "deliveries": "recheck/list_deliveries",
    "extensions": "recheck/list_extensions",
    "suspensions": "recheck/list_suspensions",
    "withdrawals": "recheck/list_withdrawals",
    "overrides": "recheck/list_overrides",
    "decisions": "recheck/list_decisions",
    "cited": "recheck/list_cited",
    "hold_resolutions": "recheck/list_hold_resolutions",
    "revocations": "recheck/list_revocations",
    "reinstatements": "recheck/list_reinstatements",
    "corrections": "recheck/list_corrections",
}
#: The fields read of each kind of fact, and their types. `lifted_on` may be null.
READ: dict[str, dict[str, type]] = {
    "rosters": {"sha256": str},
    "deliveries": {"platform": str, "business_date": date, "revision": int, "sha256": str, "accepted_on": date},
    "extensions": {"announced_on": date, "deadline_on": date},
    "suspensions": {"person": str, "suspended_on": date, "lifted_on": date},
    "withdrawals": {"person": str, "withdrawn_on": date},
    "overrides": {"platform": str, "business_date": date, "overridden_on": date},
    "decisions": {"decision_id": str, "as_of": date, "deadline_on": date, "settlement_days": int},
    "cited": {"decision_id": str, "platform": str, "business_date": date, "revision": int, "sha256": str},
    "hold_resolutions": {"person": str, "deadline_on": date, "is_purchased": bool},
    "revocations": {"person": str, "decision_id": str, "deadline_on": date, "revoked_on": date},
    "reinstatements": {"person": str, "reinstated_on": date},
    "corrections": {"person": str, "decided_on": date, "listed_as": str},
}
#: The key of each kind of fact that is unique: two facts with one key contradict each other.
ONCE = {
    "deliveries": ("platform", "business_date", "revision"),
    "decisions": ("decision_id",),
    "cited": ("decision_id", "platform", "business_date"),
    "withdrawals": ("person",),
    "revocations": ("person",),
    "reinstatements": ("person",),
    "corrections": ("person",),
}
MOST_DAYS = 366  # of settlement
Rows = dict[str, list[dict[str, Any]]]


def load_rows(list_rows: Callable[..., Iterable[Mapping[Any, Any]]], cohort: int, announced_on: date) -> Rows:
    """Return a cohort's facts by kind. `list_rows` runs a statement by name with the given parameters."""
    at = {"cohort": cohort, "announced_on": announced_on}
    found = {kind: [dict(row) for row in list_rows(name, **at)] for kind, name in KINDS.items()}
    for row in (row for rows in found.values() for row in rows if "card_number" in row):
        row["person"] = f"{row.pop('card_number'):016d}"
    return found


def facts_at(
    rows: Rows, calendar: Path, cohort: int, settlement_days: int, as_of: date, *, is_later: bool = False
) -> Facts:
    """Return the facts known on a day, without those of later days.

    Deliveries are those of the decision's business dates, and with `is_later` also of later ones. Raise `EvidenceError`
    unless the calendar names the cohort once and it has one roster.
    """
    announced_on, deadline_on = dates_of(calendar, cohort, as_of)
    moved_to = [row["deadline_on"] for row in rows["extensions"] if row["announced_on"] <= as_of]
    deadline_on = max([deadline_on, *moved_to])
    if len(rows["rosters"]) != 1:
        what = f"{len(rows['rosters']) or 'no'} rosters were accepted"
        raise EvidenceError(f"rosters/gelombang-{cohort}", what, "see `prakerja cohorts`")
    last_date = date.max if is_later else deadline_on + timedelta(days=settlement_days)
    return Facts(
        cohort=cohort,
        announced_on=announced_on,
        deadline_on=deadline_on,
        settlement_days=settlement_days,
        as_of=as_of,
        roster_sha256=rows["rosters"][0]["sha256"],
        deliveries=tuple(
            Delivery(**row)
            for row in rows["deliveries"]
            if row["accepted_on"] <= as_of and row["business_date"] <= last_date
        ),
        suspensions=tuple(
            Suspension(row["person"], row["suspended_on"], row["lifted_on"]) for row in rows["suspensions"]
        ),
        withdrawals=tuple(Withdrawal(row["person"], row["withdrawn_on"]) for row in rows["withdrawals"]),
        revoked_earlier=frozenset(row["person"] for row in rows["revocations"] if row["deadline_on"] < deadline_on),
        missing_overridden=frozenset(
            (row["platform"], row["business_date"]) for row in rows["overrides"] if row["overridden_on"] <= as_of
        ),
    )


def dates_of(calendar: Path, cohort: int, as_of: date) -> tuple[date, date]:
    """Return a cohort's announcement and deadline as known on a day.

    Raise `EvidenceError` unless the calendar names the cohort once.
    """
    try:
        # Parsed as texts only: an entry of another cohort may hold an impossible date.
        entries = yaml.load(calendar.read_text(encoding="utf-8"), yaml.BaseLoader)["cohorts"]  # noqa: S506
        (entry,) = [each for each in entries if isinstance(each, dict) and each.get("cohort") == str(cohort)]
        announced_on, first = (_date(entry[name]) for name in ("announced_on", "deadline_on"))
        extensions = [
            _date(each["deadline_on"]) for each in entry.get("extensions") or [] if _date(each["announced_on"]) <= as_of
        ]
        return announced_on, max([first, *extensions])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, yaml.YAMLError):
        raise EvidenceError(
            str(calendar), f"the calendar does not name gelombang-{cohort} once", "correct it"
        ) from None


def export(
    cohorts: Mapping[int, Rows], niks: Mapping[int, Mapping[str, str]], key: bytes, about: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the lines of an export: a header, then one line per fact.

    A person is written as the subject that `key` derives from the NIK in `niks` (by cohort and card), a corrected NIK
    as its subject `listed_as`. Facts about a card that no roster has are left out.
    """
    yield json.dumps({"contract": CONTRACT, **about}) + "\n"
    for cohort, rows in cohorts.items():
        for kind in KINDS:
            for row in rows[kind]:
                fact = {name: each.isoformat() if isinstance(each, date) else each for name, each in row.items()}
                if "person" in fact:
                    nik = niks[cohort].get(fact["person"])
                    if nik is None:
                        continue
                    fact["person"] = subject_of(key, nik)
                if "nik" in fact:
                    fact["listed_as"] = subject_of(key, f"{fact.pop('nik'):016d}")
                yield json.dumps({"fact": kind, "cohort": cohort, **fact}) + "\n"


def subject_of(key: bytes, nik: str) -> str:
    """Return the subject of a NIK. "`subject` is lower-case hex HMAC-SHA256(key, NIK)." """
    return hmac.new(key, nik.encode(), hashlib.sha256).hexdigest()


def read_export(lines: Iterable[str]) -> tuple[dict[str, Any], dict[int, Rows]]:
    """Return an export's header and each cohort's facts, with persons as subjects. Raise `EvidenceError`."""
    about: dict[str, Any] = {}
    found: dict[int, Rows] = {}
    keys: set[tuple[Any, ...]] = set()
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            row = json.loads(line)
            if number == 1:
                about = {key: _value(key, value) for key, value in row.items()}
                if about["contract"] != CONTRACT:
                    raise ValueError("another contract")
                _require_types(about, {"as_of": date, "key_id": str})
                continue
            kind, cohort = row.pop("fact"), row.pop("cohort")
            _require_types({"cohort": cohort}, {"cohort": int})
            fact = {key: _value(key, value) for key, value in row.items()}
            _require_types(fact, READ[kind])
            is_odd_delivery = kind == "deliveries" and fact.keys() != READ[kind].keys()
            if is_odd_delivery or fact.get("settlement_days", 0) > MOST_DAYS:
                raise ValueError("a value that is not of this contract")
            if kind in ONCE:
                fact_key = (cohort, kind, *(fact[name] for name in ONCE[kind]))
                if fact_key in keys:
                    raise ValueError("one fact twice")
                keys.add(fact_key)
            found.setdefault(cohort, {each: [] for each in KINDS})[kind].append(fact)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise EvidenceError(
            f"line {number} of the facts", f"this is not an export of {CONTRACT}", "export them again"
        ) from None
    if not about:
        raise EvidenceError("the facts", "the file is empty", "export them again")
    return about, found


def _value(key: str, value: Any) -> Any:
    return _date(value) if isinstance(value, str) and key.endswith(("_on", "_date", "as_of")) else value


def _date(text: str) -> date:
    found = date.fromisoformat(text)
    # Code adds days to dates: the year 9999 would overflow.
    if found.isoformat() != text or not 2000 <= found.year < 3000:
        raise ValueError("a date that is not YYYY-MM-DD, or out of range")
    return found


def _require_types(row: Mapping[str, Any], wanted: Mapping[str, type]) -> None:
    """Raise `KeyError` if a value is missing, `ValueError` if it has another type. A boolean is not a number."""
    for name, of_type in wanted.items():
        if type(row[name]) is not of_type and not (name == "lifted_on" and row[name] is None):
            raise ValueError("a value of another type")
        if of_type is int and row[name] < 0:
            raise ValueError("a number below zero")
