"""The published contract: its JSON Schemas, its canonical bytes, and the rows of a list."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from prakerja.errors import PrakerjaError

CONTRACT = "prakerja.blacklist/1"
SCHEMAS = Path(__file__).parent / "schemas"


@dataclass(frozen=True, order=True)
class Entry:
    """One listed person. `effective_at` is UTC as `2021-04-08T17:00:00Z`."""

    subject: str
    cohort: int
    reason: str
    effective_at: str
    decision_id: str


@dataclass(frozen=True, order=True)
class Change:
    """One change since the previous version; `op` is `ADD` or `WITHDRAW`."""

    op: str
    subject: str
    cohort: int
    reason: str
    effective_at: str
    decision_id: str


class DoesNotFitError(PrakerjaError):
    """A document does not fit its schema: it is not published, or not believed."""


def canonical_csv(kind: type[Entry] | type[Change], rows: Iterable[Entry | Change]) -> bytes:
    """The canonical bytes of a list or a delta: CSV, LF, header, sorted by subject."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(kind))
    writer.writerows(astuple(row) for row in sorted(rows, key=lambda row: row.subject))
    return text.getvalue().encode()


def parsed_csv(kind: type[Entry] | type[Change], data: bytes) -> list[Any]:
    """The rows of a canonical CSV. Raises `DoesNotFitError`."""
    try:
        header, *lines = csv.reader(io.StringIO(data.decode()))
    except (ValueError, csv.Error):
        raise DoesNotFitError("a list is no CSV in UTF-8 with a header") from None
    names = [field.name for field in fields(kind)]
    if header != names or any(len(line) != len(names) for line in lines):
        raise DoesNotFitError(f"a list must have the columns {', '.join(names)}")
    number = names.index("cohort")
    if not all(line[number].isascii() and line[number].isdecimal() for line in lines):
        raise DoesNotFitError("a list names a cohort that is no number")
    return [kind(*(int(cell) if i == number else cell for i, cell in enumerate(line))) for line in lines]  # type: ignore[arg-type]


def counts(entries: Sequence[Entry], changes: Sequence[Change]) -> dict[str, Any]:
    """The manifest's counts of a list and the changes that led to it."""
    by_cohort = Counter(entry.cohort for entry in entries)
    return {
        "entries": len(entries),
        "added": sum(change.op == "ADD" for change in changes),
        "withdrawn": sum(change.op == "WITHDRAW" for change in changes),
        "by_cohort": {str(cohort): count for cohort, count in sorted(by_cohort.items())},
    }


def canonical_json(document: dict[str, Any]) -> bytes:
    """The bytes that are signed and hashed: sorted keys, no spaces, a line break at the end."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def require_fit(schema: str, documents: Sequence[dict[str, Any]]) -> None:
    """Check documents against `schemas/<schema>.json`. Raises `DoesNotFitError`, naming the place and not the value."""
    validator = _validator(schema)
    for document in documents:
        for error in validator.iter_errors(document):
            place = "/".join(str(part) for part in error.absolute_path) or "the document"
            raise DoesNotFitError(f"{place} does not fit {schema}.json ({error.validator})")


def sha256(data: bytes) -> str:
    """The SHA-256 of bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def utc_text(instant: datetime) -> str:
    """An instant as the contract writes it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads((SCHEMAS / f"{schema}.json").read_text(encoding="utf-8")))
