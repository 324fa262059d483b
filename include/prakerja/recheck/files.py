"""Open the files that a decision cites as evidence, and refuse a file that is not the cited one."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta, timezone
from io import BytesIO
from typing import Any, NamedTuple

from upath import UPath

from prakerja.errors import PrakerjaError, TransientError
from prakerja.platforms import platforms
from prakerja.programme import programme
from prakerja.recheck.facts import Delivery, Facts
from prakerja.recheck.texts import REPEATED, Number, decode_text, parse_json, whole

WIB = timezone(timedelta(hours=7), "WIB")
# Rejected: "opening (gzip, XLSX) to more than a cap (default 400 MB)"
MOST_BYTES = programme().feeds.opened_bytes_max
MOST_MANIFEST_BYTES = 1_000_000

RESTORE = "restore it as it was accepted, from a backup"
COMPARE = "the intake accepted it, so one of the two readings is wrong: revoke nobody and report it"

# ISO 8601 allows times without seconds, offsets without minutes, and a decimal comma.
ISO_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-9]{2})(:[0-9]{2}(?:[.,]([0-9]+))?)?"
    r"(Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)"
)


class EvidenceError(PrakerjaError):
    """The evidence cannot be read again. Says where in the landing zone, what and what to do, but no value of a row."""

    def __init__(self, where: str, what: str, to_do: str = COMPARE) -> None:
        super().__init__(f"{where}: {what}; {to_do}")
        self.where, self.what, self.to_do = where, what, to_do

    def __reduce__(self) -> tuple[type[EvidenceError], tuple[str, str, str]]:
        """Keep the three parts when the error is sent between processes."""
        return type(self), (self.where, self.what, self.to_do)


class Evidence(NamedTuple):
    """A cited file: its path in the landing zone, its bytes, and the totals in its manifest."""

    where: str
    content: bytes
    rows: int
    amount_idr: int


def open_delivery(landing: UPath, delivery: Delivery) -> Evidence:
    """Return the file of an accepted delivery. Raise `EvidenceError` if it is not the accepted one."""
    where = f"feeds/{delivery.platform}/{delivery.business_date}/r{delivery.revision}"
    # Rejected: "platform unknown or not active"
    platform = platforms().get(delivery.platform)
    if platform is None or not platform.is_active_on(delivery.business_date):
        raise EvidenceError(where, "the platform is unknown, or not active on this date")
    manifest = _read_manifest(landing, where, "prakerja.feed/1")
    generated_at = read_iso_time(manifest.get("generated_at"))
    # "Path and manifest agree" and "`revision` from 1"
    _require(where, "platform", manifest.get("platform") == delivery.platform)
    _require(where, "business_date", manifest.get("business_date") == delivery.business_date.isoformat())
    _require(where, "revision", _count(manifest.get("revision")) == delivery.revision >= 1)
    # "`generated_at` carries an offset". Rejected: "business date in the future (`generated_at` before the date begins,
    # WIB, or the date after today)"
    _require(where, "business_date", delivery.business_date <= delivery.accepted_on)
    _require(where, "generated_at", generated_at is not None and generated_at >= start_of(delivery.business_date))
    return _open_file(landing, where, manifest, delivery.sha256, has_amount=True)


def find_delivery(landing: UPath, platform: str, business_date: date, revision: int) -> Delivery | None:
    """Return a delivery of the landing zone, accepted or not, or None if its manifest is not legible.

    Its `accepted_on` is the WIB day on which it was generated, the earliest on which it can have been accepted.
    """
    where = f"feeds/{platform}/{business_date}/r{revision}"
    try:
        manifest = _read_manifest(landing, where, "prakerja.feed/1")
        generated_at = read_iso_time(manifest["generated_at"])
        sha256 = str(manifest["files"][0]["sha256"])
        generated_on = generated_at.astimezone(WIB).date() if generated_at else None
    except (EvidenceError, OverflowError, LookupError, TypeError):
        return None
    return Delivery(platform, business_date, revision, sha256, generated_on) if generated_on else None


def open_roster(landing: UPath, facts: Facts) -> Evidence:
    """Return the roster's file, decompressed. Raise `EvidenceError` if it is not the accepted one."""
    where = f"rosters/gelombang-{facts.cohort}"
    manifest = _read_manifest(landing, where, "prakerja.roster/1")
    # Rejected: "dates that differ from the calendar's". A deadline may have been extended since.
    _require(where, "cohort", _count(manifest.get("cohort")) == facts.cohort)
    _require(where, "announced_on", manifest.get("announced_on") == facts.announced_on.isoformat())
    deadline_on = manifest.get("deadline_on")
    is_date = isinstance(deadline_on, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", deadline_on) is not None
    _require(where, "deadline_on", is_date and str(deadline_on) <= facts.deadline_on.isoformat())
    evidence = _open_file(landing, where, manifest, facts.roster_sha256, has_amount=False)
    return evidence._replace(content=open_gzip(evidence.where, evidence.content))


def open_gzip(where: str, content: bytes) -> bytes:
    """Return the content of a gzip file. Raise `EvidenceError` if it is damaged or too large."""
    try:
        with gzip.open(BytesIO(content)) as opened:
            content = opened.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise EvidenceError(where, "the file is not gzip, or is cut off") from None
    if len(content) > MOST_BYTES:
        raise EvidenceError(where, f"the file opens to more than {MOST_BYTES:,} bytes")
    return content


def read_iso_time(value: Any) -> datetime | None:
    """Return the instant of an ISO 8601 time with an offset, or None."""
    if not isinstance(value, str) or not (found := ISO_TIME.fullmatch(value)):
        return None  # "An ISO time without an offset is `occurred_at_invalid`."
    minutes, seconds, fraction, offset = found.groups()
    try:
        instant = datetime.fromisoformat(minutes + (seconds or ":00")[:3] + offset)
    except ValueError:
        return None
    # "More than six fractional digits are cut off, never rounded up"
    return instant.replace(microsecond=int(fraction[:6].ljust(6, "0"))) if fraction else instant


def start_of(day: date) -> datetime:
    """Return 00:00 WIB of a date."""
    return datetime.combine(day, time(), WIB)


def _read_manifest(landing: UPath, where: str, contract: str) -> dict[str, Any]:
    content = _read_bytes(landing, f"{where}/manifest.json", MOST_MANIFEST_BYTES)
    try:
        manifest, has_repeated = parse_json(decode_text(content))
    except (ValueError, RecursionError):
        raise EvidenceError(where, "the manifest is not JSON", RESTORE) from None
    # "a key twice in one object ... in the document around the rows or in a manifest it is a rejection"
    if not isinstance(manifest, dict) or has_repeated:
        raise EvidenceError(where, "the manifest is not one JSON object with each key once", RESTORE)
    # Rejected: "of an unknown contract"
    _require(where, "contract", manifest.get("contract") == contract)
    return manifest


def _open_file(landing: UPath, where: str, manifest: dict[str, Any], sha256: str, *, has_amount: bool) -> Evidence:
    # "exactly one file; `name` is a plain file name (`[A-Za-z0-9_][A-Za-z0-9_.-]*`)"
    files = manifest.get("files")
    entry = files[0] if isinstance(files, list) and len(files) == 1 else None
    if not isinstance(entry, dict):
        raise EvidenceError(where, "the manifest does not name exactly one file", RESTORE)
    name, size, rows = entry.get("name"), _count(entry.get("bytes")), _count(entry.get("rows"))
    _require(where, "name", _is_text(name) and re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_.-]*", str(name)) is not None)
    amount = _integer(entry.get("amount_idr")) if has_amount else 0
    _require(where, "bytes", size is not None)
    _require(where, "rows", rows is not None)
    # "(`amount_idr` may be [negative]), within 40 bits (`amount_idr` 64)"
    _require(where, "amount_idr", amount is not None and -(2**63) <= amount < 2**63)
    where = f"{where}/{name}"
    content = _read_bytes(landing, where, MOST_BYTES)
    # Rejected: "file missing, undecodable, of another size or SHA-256"
    digest = hashlib.sha256(content).hexdigest()
    if len(content) != size or digest != str(entry.get("sha256")).lower():
        raise EvidenceError(where, "the file has another size or SHA-256 than its manifest says", RESTORE)
    if digest != sha256.lower():
        raise EvidenceError(where, "the file has another SHA-256 than the one that was accepted", RESTORE)
    return Evidence(where, content, rows or 0, amount or 0)


@contextmanager
def translate_storage_errors(where: str) -> Iterator[None]:
    """Translate storage errors: `EvidenceError` if the file is gone, `TransientError` if the storage failed."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        raise EvidenceError(where, "the file is gone or cannot be read", RESTORE) from None
    except Exception as error:  # any storage's own error
        raise TransientError(f"{where}: the landing zone failed temporarily ({type(error).__name__}): retry") from None


def _read_bytes(landing: UPath, where: str, most: int) -> bytes:
    with translate_storage_errors(where):
        size = (landing / where).stat().st_size
        if size <= most:
            return (landing / where).read_bytes()
    raise EvidenceError(where, f"the file has more than {most:,} bytes", RESTORE)


def _require(where: str, field: str, is_right: bool) -> None:
    if not is_right:
        raise EvidenceError(
            where, f"`{field}` of the manifest breaks the contract or is not what was accepted", RESTORE
        )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number) and value is not REPEATED


def _integer(value: Any) -> int | None:
    return whole(value) if isinstance(value, Number) else None


def _count(value: Any) -> int | None:
    # "numbers are integers, not negative ..., within 40 bits"
    number = _integer(value)
    return number if number is not None and 0 <= number < 2**40 else None
