"""Corrections of roster entries. Rosters are typed by people, and a wrong digit is another citizen's NIK.

The roster's rows stay as delivered. A correction is a fact beside them, and a view shows the values in force. Names,
addresses and regions take effect at once. Corrected NIKs take effect once another person approves their request: all
NIKs of one file.

The audit log keeps a digest of the values: an HMAC with a key drawn for each correction. That key is sealed together
with the values, where the warehouse cannot read it (`contacts`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from prakerja import landing, signatures, warehouse
from prakerja.cohorts.contacts import Contact, Contacts
from prakerja.cohorts.people import UNKNOWN_CARD
from prakerja.cohorts.roster import COLUMNS, DIGITS
from prakerja.errors import PrakerjaError
from prakerja.people import load_people
from prakerja.signatures import CorrectionText

#: The hex digits of a request that a person is shown, and the fewest that they may give.
SHOWN, NAMED = 16, 12
FIELDS = tuple(name for name in COLUMNS if name != "card_number")
CONTACT_FIELDS = tuple(name for name in FIELDS if name != "nik")
ENTRIES_MAX = 10_000
PROBLEMS_SHOWN = 10
PHONE = re.compile(r"(08|\+62)[0-9]{6,13}")
EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
TEXT_MAX = 200


class CorrectionError(PrakerjaError):
    """A file of corrections was refused as a whole, with a line for each entry at fault, by its position."""


@dataclass(frozen=True)
class Correction:
    """A correction of one recipient: the values of the changed fields before and after.

    `number` is the recipient's id in the warehouse. `nik` is None if the NIK stays, or already waits for approval.
    """

    number: int
    card_number: int
    cohort: int
    before: dict[str, str]
    after: dict[str, str]
    contact: Contact
    region_code: str

    @property
    def contact_fields(self) -> list[str]:
        """The fields that take effect at once."""
        return [name for name in CONTACT_FIELDS if name in self.after]

    @property
    def nik(self) -> str | None:
        """The NIK that another person must approve."""
        return self.after.get("nik")

    def __str__(self) -> str:
        changes = ", ".join(
            f"{name} {_masked(name, self.before[name], self.after[name])}" for name in FIELDS if name in self.after
        )
        return f"gelombang-{self.cohort}, card •••• {self.card_number % 10_000:04}: {changes}"


@dataclass(frozen=True)
class Request:
    """The corrected NIKs of one file, which wait for approval. `people` has a line for each that identifies nobody."""

    request: str
    because: str
    corrected_by: str
    corrected_on: date
    people: list[str]

    @property
    def command(self) -> str:
        """The command with which another person approves the request."""
        signed = " --sign-with KEY" if load_people().must_sign else ""
        return f"prakerja correct --digest {self.request[:SHOWN]} --as ID{signed}"


def read_entries(text: str) -> list[Any]:
    """Return the objects of a JSON object, list or lines. Raise `CorrectionError` without quoting a value."""
    text = text.removeprefix("\ufeff")
    try:
        whole = landing.strict_json(text)
    except ValueError:
        entries, malformed = [], []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    entries.append(landing.strict_json(line))
                except (ValueError, RecursionError):
                    malformed.append(str(number))
        if malformed:
            raise CorrectionError(
                f"not JSON in line {', '.join(malformed[:PROBLEMS_SHOWN])}: give an object, a list of objects, or an "
                "object a line, no key twice"
            ) from None
    except RecursionError:
        raise CorrectionError("not readable as JSON: give an object, a list, or an object a line") from None
    else:
        entries = whole if isinstance(whole, list) else [whole]
    if not entries:
        raise CorrectionError("no corrections found: give objects with card_number and the fields to correct")
    if len(entries) > ENTRIES_MAX:
        raise CorrectionError(f"{len(entries):,} corrections: one file may have at most {ENTRIES_MAX:,}")
    return entries


def prepare(entries: Sequence[Any]) -> list[Correction]:
    """Return the corrections that entries ask for, without those that change nothing.

    Raise `CorrectionError` with every entry at fault, by its position: a file is recorded as a whole or not at all.
    """
    problems = [(n, problem) for n, entry in enumerate(entries, 1) for problem in _malformed(entry)]
    _require(problems)
    problems += _repeated(entries, "card_number", "the same card")
    problems += _repeated(entries, "nik", "the same NIK")
    with warehouse.transaction(one_snapshot=True) as connection:
        cards = [int(entry["card_number"]) for entry in entries]
        found = {row["card_number"]: row for row in warehouse.rows(connection, "cohorts/list_correctable", cards=cards)}
        niks = [int(entry["nik"]) for entry in entries if "nik" in entry]
        holders = {
            row["nik"]: row["recipient_id"] for row in warehouse.rows(connection, "cohorts/list_holders", niks=niks)
        }
    problems += [(n, UNKNOWN_CARD) for n, card in enumerate(cards, 1) if card not in found]
    _require(problems)
    contacts = Contacts.configured()
    corrections = [_correction(entry, found[int(entry["card_number"])], contacts) for entry in entries]
    leaving = {each.number for each in corrections if each.nik}
    for position, each in enumerate(corrections, 1):
        holder = holders.get(int(each.nik)) if each.nik else None
        if holder not in (None, each.number) and holder not in leaving:
            problems.append((position, "somebody else has this NIK: correct theirs first, or in the same file"))
    _require(problems)
    return [each for each in corrections if each.after]


def record(corrections: Sequence[Correction], *, because: str, corrected_by: str, on: date) -> str | None:
    """Record all corrections or none; return the request that another person must approve, or None.

    Corrections that somebody else has recorded since they were prepared are left out.
    """
    contacts = Contacts.configured()
    facts = {each.number: _fact(each, contacts, ["nik"]) for each in corrections if each.nik}
    request = _request(fact["digest"] for fact in facts.values()) if facts else None
    with warehouse.transaction("decide") as connection:
        for each in corrections:
            given = {"because": because, "corrected_by": corrected_by, "corrected_on": on}
            if each.contact_fields:
                sealed = contacts.columns([(each.card_number, each.contact)])
                warehouse.execute(
                    connection,
                    "cohorts/insert_corrections",
                    **_fact(each, contacts, each.contact_fields),
                    **given,
                    request=None,
                    nik=None,
                    **{name: values[0] for name, values in sealed.items()},
                    region_code=each.region_code,
                )
            if each.nik:
                nothing = dict.fromkeys(("contact", "phone_token", "email_token", "region_code"))
                warehouse.execute(
                    connection,
                    "cohorts/insert_corrections",
                    **facts[each.number],
                    **given,
                    request=request,
                    nik=int(each.nik),
                    **nothing,
                )
    return request


def correct(
    entries: Sequence[Any], *, because: str, corrected_by: str, on: date, show: Callable[[Correction], object]
) -> tuple[int, str | None]:
    """Prepare, show and record corrections under a lock; return their number, and the request that needs approval.

    Safe to repeat: a value that is in force, or waits for approval, is left out. Raise `CorrectionError` if refused.
    """
    with warehouse.exclusive("corrections"):
        corrections = prepare(entries)
        for each in corrections:
            show(each)
        return len(corrections), record(corrections, because=because, corrected_by=corrected_by, on=on)


def waiting() -> list[Request]:
    """Return the requests that wait for approval, the earliest first."""
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "cohorts/list_waiting_corrections")
    found = []
    for request, group in groupby(rows, key=lambda row: row["request"]):
        people = [*group]
        lines = [
            f"gelombang-{row['cohort']}, card •••• {row['card_number'] % 10_000:04}: nik "
            + _masked("nik", f"{row['nik']:016}", f"{row['corrected_nik']:016}")
            + (", who is listed" if row["is_listed"] else "")
            for row in people
        ]
        first = people[0]
        found.append(Request(request, first["because"], first["corrected_by"], first["corrected_on"], lines))
    return found


def decide(
    digest: str, decided_by: str, on: date, *, is_approved: bool, because: str, sign_with: Path | None = None
) -> Request:
    """Approve or dismiss the NIKs of a request. Raise `PrakerjaError` if this person may not, or it does not wait."""
    with warehouse.exclusive("corrections"):
        found = [each for each in waiting() if len(digest) >= NAMED and each.request.startswith(digest.lower())]
        if len(found) != 1:
            raise PrakerjaError(f"no correction {digest} waits: see `prakerja correct`")
        (request,) = found
        signature = None
        if is_approved:
            if decided_by.lower() == request.corrected_by:
                raise PrakerjaError(f"{decided_by} corrected this NIK: another person must approve it")
            if load_people().must_sign and not sign_with:
                raise PrakerjaError("approvals are signed here: prakerja correct ... --sign-with KEY")
            signature = _sign(request, decided_by, sign_with, on) if sign_with else None
        try:
            with warehouse.transaction("decide") as connection:
                warehouse.execute(
                    connection,
                    "cohorts/insert_correction_decision",
                    request=request.request,
                    is_approved=is_approved,
                    because=because,
                    decided_by=decided_by,
                    decided_on=on,
                    signature=signature,
                )
        except warehouse.RefusedError as refusal:
            raise PrakerjaError(
                f"{refusal}: somebody else may have one of these NIKs; dismiss the request and correct it again"
            ) from None
    return request


def niks_of(card_number: int, sealed: bytes, digest: str, contacts: Contacts) -> tuple[int, int] | None:
    """Return the NIK before and after a correction, or None if its digest does not match the sealed values.

    Raise `PrakerjaError` if the seal cannot be opened.
    """
    values = json.loads(contacts.open_values(card_number, sealed))
    if not hmac.compare_digest(_digest(card_number, values), digest) or set(values["after"]) != {"nik"}:
        return None
    return int(values["before"]["nik"]), int(values["after"]["nik"])


def request_of(digests: Iterable[str]) -> str:
    """Return the id of the request that consists of the corrections with these digests."""
    return _request(digests)


def forget(connection: warehouse.Connection, before: date) -> int:
    """Delete the values of earlier corrections that are not in force; return the number of corrections."""
    return warehouse.execute(connection, "cohorts/forget_corrections", before=before).rowcount


def _malformed(entry: Any) -> list[str]:
    """Return what is wrong with an entry itself. No message quotes a value."""
    if not isinstance(entry, dict):
        return ["is not an object"]
    problems = []
    if set(entry) - set(COLUMNS):
        problems.append(f"has a field that cannot be corrected: give card_number and some of {', '.join(FIELDS)}")
    if not set(entry) & set(FIELDS):
        problems.append(f"corrects nothing: give some of {', '.join(FIELDS)}")
    if "card_number" not in entry:
        problems.append("has no card_number")
    for name in COLUMNS:
        if name not in entry:
            continue
        value = entry[name]
        if not isinstance(value, str):
            problems.append(f"{name} is not a text")
        elif name in DIGITS:
            what, digits = DIGITS[name]
            if not (len(value) == digits and value.isascii() and value.isdecimal()):
                problems.append(f"{name} is not a {what} of {digits} digits")
        elif not value.isprintable() or len(value) > TEXT_MAX or value != value.strip():
            problems.append(f"{name} is longer than {TEXT_MAX} characters, has spaces around it, or cannot be printed")
        elif name == "full_name" and not value:
            problems.append("full_name is empty")
        elif name == "phone" and value and not PHONE.fullmatch(value):
            problems.append("phone is not a number that begins with 08 or +62")
        elif name == "email" and value and not EMAIL.fullmatch(value):
            problems.append("email is not an address")
    return problems


def _repeated(entries: Sequence[Mapping[str, str]], name: str, what: str) -> list[tuple[int, str]]:
    values = [entry.get(name) for entry in entries]
    counts: dict[str, int] = {}
    for value in values:
        if value is not None:
            counts[value] = counts.get(value, 0) + 1
    return [
        (n, f"{what} appears in another entry") for n, value in enumerate(values, 1) if counts.get(value or "", 0) > 1
    ]


def _require(problems: Sequence[tuple[int, str]]) -> None:
    if problems:
        lines = [f"entry {position}: {problem}" for position, problem in sorted(problems)[:PROBLEMS_SHOWN]]
        more = len(problems) - len(lines)
        raise CorrectionError(
            "\n".join([*lines, *([f"and {more:,} more"] if more else []), "nothing was corrected: correct the file"])
        )


def _correction(entry: Mapping[str, str], row: Any, contacts: Contacts) -> Correction:
    contact = contacts.open(row["card_number"], bytes(row["contact"]))
    now = {
        "nik": f"{row['nik']:016}",
        "full_name": contact.full_name,
        "phone": contact.phone,
        "email": contact.email,
        "region_code": row["region_code"],
    }
    after = {name: entry[name] for name in FIELDS if name in entry and entry[name] != now[name]}
    if row["waiting_nik"] is not None and entry.get("nik") == f"{row['waiting_nik']:016}":
        after.pop("nik", None)  # repeats a correction that waits for approval
    then = now | after
    return Correction(
        row["recipient_id"],
        row["card_number"],
        row["cohort"],
        {name: now[name] for name in after},
        after,
        Contact(then["full_name"], then["phone"], then["email"]),
        then["region_code"],
    )


def _fact(correction: Correction, contacts: Contacts, fields: list[str]) -> dict[str, Any]:
    """Return a correction of these fields as recorded: the recipient, the fields, the digest and the sealed values."""
    values = {
        "key": secrets.token_hex(32),
        "before": {name: correction.before[name] for name in fields},
        "after": {name: correction.after[name] for name in fields},
    }
    return {
        "recipient_id": correction.number,
        "fields": fields,
        "digest": _digest(correction.card_number, values),
        "sealed": contacts.key.seal_values(correction.card_number, json.dumps(values).encode()),
    }


def _digest(card_number: int, values: Mapping[str, Any]) -> str:
    content = json.dumps([card_number, values["before"], values["after"]], sort_keys=True, ensure_ascii=False)
    return hmac.digest(bytes.fromhex(values["key"]), content.encode(), "sha256").hex()


def _request(digests: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(["corrections", *sorted(digests)]).encode()).hexdigest()


def _sign(request: Request, person_id: str, key: Path, on: date) -> str:
    with warehouse.transaction() as connection:
        warehouse_id = warehouse.warehouse_id(connection)
    text = CorrectionText(warehouse_id, request.request, len(request.people), on, person_id)
    signature, person = signatures.sign(text, key), load_people().find(person_id, "approve")
    if not signatures.is_signed(text, signature, person):
        raise PrakerjaError(f"{key} is not a key that the list of people gives {person_id} today")
    return signature


def _masked(name: str, before: str, after: str) -> str:
    """Describe a change without the value: the digits of a NIK that differ, else only that there is a value."""
    if name == "nik":
        places = [str(n) for n, (old, new) in enumerate(zip(before, after, strict=True), 1) if old != new]
        return f"•••• {before[-2:]} -> •••• {after[-2:]} (digits that differ: {', '.join(places)})"
    if name == "region_code":
        return f"{before} -> {after}"
    return " -> ".join("•••" if value else "none" for value in (before, after))
