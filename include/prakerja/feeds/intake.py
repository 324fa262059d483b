"""The intake: each new delivery is checked, validated, and loaded or rejected."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from prakerja import warehouse
from prakerja.errors import PrakerjaError, TransientError
from prakerja.escaping import one_line
from prakerja.feeds import canonical, readers
from prakerja.feeds import delivery as deliveries
from prakerja.feeds.canonical import Rows
from prakerja.feeds.delivery import Delivery
from prakerja.feeds.ledger import Entry, ValidatedRows, Waiver, load, record
from prakerja.landing import OpenedFile, RejectedError, StorageError, landing_zone
from prakerja.platforms import Platform
from prakerja.programme import programme
from prakerja.settings import Settings

log = logging.getLogger(__name__)


@dataclass
class Intake:
    """The result of an intake: the accepted deliveries, and a line for each rejected one and each unexpected file."""

    accepted: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)


def waiting_platforms(active: Sequence[str]) -> list[str]:
    """Return the active platforms and every other folder of the landing zone, so that no folder is skipped."""
    return sorted({*active, *deliveries.feed_folders(Settings.from_environment().landing)})


def has_arrived(slug: str, business_date: date) -> bool:
    """Whether the landing zone has a complete delivery of this platform and business date."""
    day = landing_zone(Settings.from_environment().landing) / "feeds" / slug / business_date.isoformat()
    return day.is_dir() and any((folder / "manifest.json").is_file() for folder in day.iterdir())


def has_news(slug: str, business_date: date) -> bool:
    """Whether the landing zone has an unexamined delivery of a platform's business date. Lists one folder."""
    found, _ = deliveries.survey(Settings.from_environment().landing, slug, business_date)
    known = _known(slug)
    return any(not _is_known(delivery, known[business_date, delivery.revision]) for delivery in found)


def take_in(slug: str, as_of: date, *, is_replay: bool = False) -> Intake:
    """Take in the new deliveries of one platform that arrived by the WIB day `as_of`, oldest first.

    In a replay a delivery arrives on the day on which it was generated; otherwise all that are there have arrived.
    Safe to repeat: a known delivery is skipped, and concurrent intakes of a platform wait for each other.
    """
    intake = Intake()
    with warehouse.exclusive(f"intake {slug}"):
        found, unexpected_files = deliveries.survey(Settings.from_environment().landing, slug)
        intake.rejected += [f"{name}: rename or remove it" for name in unexpected_files]
        known = _known(slug)
        storage: StorageError | None = None
        for delivery in found:
            if is_replay and delivery.arrived_on > as_of:
                continue
            altered = False
            earlier = known[delivery.business_date, delivery.revision]
            if any(row["status"] == "accepted" for row in earlier):
                if not _is_altered(delivery, earlier):
                    continue
                altered = True
            elif _is_known(delivery, earlier):
                continue  # rejected before and not repaired since
            try:
                entry = _examine(delivery, as_of, altered=altered)
            except StorageError as fault:
                storage = fault  # the others may be readable; the task then fails and is retried
                continue
            except TransientError:
                raise
            except Exception as defect:
                # A defect in one delivery must not keep out the others. Its message may quote a row: report its type.
                kind = str(defect) if isinstance(defect, PrakerjaError) else type(defect).__name__
                intake.rejected.append(f"{delivery.name}: could not be taken in ({kind}): this is a defect, report it")
                log.error("%s", intake.rejected[-1])
                continue
            if entry.status == "rejected":
                intake.rejected.append(f"{delivery.name}: {entry.reason}: {entry.detail}")
                log.error("rejected %s", intake.rejected[-1])
            else:
                intake.accepted.append(
                    {
                        "platform": slug,
                        "business_date": delivery.business_date.isoformat(),
                        "revision": delivery.revision,
                        "is_restatement": any(
                            row["status"] == "accepted"
                            for (day, revision), looked_at in known.items()
                            if day == delivery.business_date and revision < delivery.revision
                            for row in looked_at
                        ),
                        "is_late": delivery.arrived_on > delivery.business_date + timedelta(days=1),
                        "loaded": entry.loaded,
                        "quarantined": entry.quarantined,
                        "duplicates": entry.duplicates,
                    }
                )
                log.info(
                    "accepted %s: %d loaded, %d quarantined, %d duplicates",
                    delivery.name,
                    entry.loaded,
                    entry.quarantined,
                    entry.duplicates,
                )
                earlier.append({"status": "accepted", "sha256": entry.sha256, "fingerprint": entry.fingerprint})
                for warning in (entry.verdict or {}).get("warnings", []):
                    log.warning("%s: %s: %d rows, see its Data Docs", delivery.name, warning, entry.rows)
        if storage is not None:
            raise storage
    return intake


def accept(slug: str, business_date: date, waiver: Waiver, as_of: date) -> Entry:
    """Accept a delivery that was rejected only for its quarantine bound. A person answers for it.

    Raise `PrakerjaError` if there is none, or if the stored files are no longer those that were rejected.
    """
    where = f"{slug} {business_date}"
    with warehouse.exclusive(f"intake {slug}"):
        with warehouse.transaction() as connection:
            found = warehouse.rows(connection, "feeds/find_over_bound", platform=slug, business_date=business_date)
        if not found:
            raise PrakerjaError(f"{where}: no delivery was rejected for its quarantine bound")
        for delivery in deliveries.survey(Settings.from_environment().landing, slug)[0]:
            is_it = (delivery.business_date, delivery.revision) == (business_date, found[0]["revision"])
            if is_it and _fingerprint(delivery, delivery.file_mark()) == found[0]["fingerprint"]:
                entry = _examine(delivery, as_of, waiver=waiver)
                break
        else:
            raise PrakerjaError(f"{where}: the rejected files have changed: run platform_feeds first")
    if entry.status == "rejected":
        raise PrakerjaError(f"{delivery.name}: {entry.reason}: {entry.detail}")
    return entry


def _known(slug: str) -> dict[tuple[date, int], list[Any]]:
    known: dict[tuple[date, int], list[Any]] = defaultdict(list)
    with warehouse.transaction() as connection:
        for row in warehouse.rows(connection, "feeds/known_deliveries", platform=slug):
            known[row["business_date"], row["revision"]].append(row)
    return known


def _is_known(delivery: Delivery, earlier: list[Any]) -> bool:
    """Whether a delivery was already examined in its present form."""
    return bool(earlier) and any(row["fingerprint"] == _fingerprint(delivery, delivery.file_mark()) for row in earlier)


def _is_altered(delivery: Delivery, earlier: list[Any]) -> bool:
    """Whether an accepted revision declares another file than it did. The same file again changes nothing."""
    declared = delivery.declared_sha256()
    known = {row["sha256"] for row in earlier if row["status"] == "accepted"}
    examined = {row["fingerprint"] for row in earlier}
    return declared not in known and _fingerprint(delivery, "altered") not in examined


def _fingerprint(delivery: Delivery, mark: str) -> str:
    return hashlib.sha256(f"{delivery.manifest_sha256} {mark}".encode()).hexdigest()


def _examine(delivery: Delivery, as_of: date, *, altered: bool = False, waiver: Waiver | None = None) -> Entry:
    """Check, validate and load or reject one delivery; return its recorded entry."""
    # Marked before it is read: if the file changes meanwhile, it is examined again.
    mark = "altered" if altered else delivery.file_mark()
    entry = Entry(
        delivery.platform,
        delivery.business_date,
        delivery.revision,
        fingerprint=_fingerprint(delivery, f"{mark} accepted by a person" if waiver else mark),
        arrived_on=min(delivery.arrived_on, as_of),
        generated_at=delivery.generated_at,
    )
    try:
        platform = deliveries.known_platform(delivery.platform)
        if altered:
            raise RejectedError(
                "revision_altered", "this revision was accepted with another file: deliver a higher one"
            )
        manifest = delivery.manifest()
        entry.generated_at, entry.sha256 = manifest.generated_at, manifest.file.sha256
        entry.bytes, entry.rows, entry.amount_idr = manifest.file.bytes, manifest.file.rows, manifest.file.amount_idr
        with canonical.Rows() as rows:
            with delivery.opened(platform, manifest, as_of) as file:
                _read(file, platform, rows, entry)
            with warehouse.transaction("ingest") as connection:
                usual = _usual_rows(connection, platform, entry, as_of)
                load(connection, entry, _validate(rows, platform, entry, usual, is_bounded=waiver is None), waiver)
    except RejectedError as rejection:
        entry.status, entry.reason, entry.detail = "rejected", rejection.reason, rejection.detail
        entry.loaded = entry.quarantined = entry.duplicates = 0
        entry.quarantined_by_reason = {}
        with warehouse.transaction("ingest") as connection:
            record(connection, entry)
    return entry


def _read(file: OpenedFile, platform: Platform, rows: Rows, entry: Entry) -> None:
    """Store the file's rows and check their totals. Raise `RejectedError` if manifest or trailer disagree."""
    reading, amount = readers.read(file, platform), 0
    with contextlib.closing(reading.batches):
        for batch in reading.batches:
            table, adds = canonical.canonical(batch, platform)
            rows.add(table)
            amount += adds
            if entry.rows is not None and rows.count > entry.rows:  # however many rows follow
                raise RejectedError("row_count_mismatch", f"expected {entry.rows} rows, found at least {rows.count}")
    if reading.extra_columns:
        log.warning(
            "%s %s r%s: columns that are not in the contract are ignored: %s",
            entry.platform,
            entry.business_date,
            entry.revision,
            ", ".join(map(one_line, sorted(reading.extra_columns))),
        )
    if rows.count != entry.rows:
        raise RejectedError("row_count_mismatch", f"expected {entry.rows} rows, found {rows.count}")
    if amount != entry.amount_idr:
        raise RejectedError("amount_mismatch", f"expected Rp {entry.amount_idr} in all, found Rp {amount}")
    if reading.trailer is not None:
        stated_rows, stated_amount = reading.trailer
        if not (_whole(stated_rows) == rows.count and _whole(stated_amount) == amount):
            raise RejectedError("trailer_mismatch", f"the trailer disagrees with {rows.count} rows and Rp {amount}")


def _usual_rows(connection: warehouse.Connection, platform: Platform, entry: Entry, as_of: date) -> int | None:
    """Return the median rows of the platform's last weeks, or None if too few days or rows make it meaningless."""
    (history,) = warehouse.rows(
        connection,
        "feeds/usual_rows",
        platform=entry.platform,
        first_date=entry.business_date - timedelta(days=platform.volume.days),
        before=entry.business_date,
        as_of=as_of,
    )
    is_meaningful = history["days"] >= platform.volume.days_least and history["rows"] >= platform.volume.rows_least
    return int(history["rows"]) if is_meaningful else None


def _validate(
    rows: Rows, platform: Platform, entry: Entry, usual: int | None, *, is_bounded: bool
) -> Iterator[ValidatedRows]:
    """Yield the rows as they are validated, then complete the entry's counts.

    Raise `RejectedError` if more rows are quarantined than the bound allows.
    """
    from prakerja.feeds import expectations

    validator = expectations.DeliveryValidator(platform, entry.business_date)
    share = Fraction(str(programme().feeds.quarantined_share_max))  # exact: 5 of 100 is not more than 5 %
    distinct, is_over = 0, False
    for table in rows.distinct():
        reasons = validator.validate_rows(table)
        distinct += len(table)
        entry.quarantined += len(reasons)
        is_over = is_bounded and entry.quarantined > share * rows.count
        if not is_over:  # over the bound, only the counts matter
            is_bad = np.zeros(len(table), np.bool_)
            is_bad[list(reasons)] = True
            yield ValidatedRows(
                table.filter(pa.array(~is_bad)),
                table.filter(pa.array(is_bad)),
                [reasons[at] for at in sorted(reasons)],
                platform.layout in ("json", "jsonl"),
            )
    if usual is not None:
        validator.validate_volume(rows.count, usual)
    entry.loaded, entry.duplicates = distinct - entry.quarantined, rows.count - distinct
    entry.quarantined_by_reason, entry.verdict = dict(sorted(validator.counts.items())), validator.summary
    if is_over:
        raise RejectedError(
            "quarantine_bound_exceeded",
            f"{entry.quarantined} of {entry.rows} rows are quarantined, more than {float(share):.0%} "
            f"({', '.join(f'{reason} {n}' for reason, n in entry.quarantined_by_reason.items())})",
        )


def _whole(text: str) -> int | None:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdecimal() and len(digits) <= 20 else None
