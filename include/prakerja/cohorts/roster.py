"""Rosters: the recipients of a cohort. A roster that breaks a rule is rejected as a whole and reported by line."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from prakerja import landing, strict_csv, warehouse
from prakerja.calendar import Cohort, calendar, unreadable_entries
from prakerja.cohorts.contacts import Contact, Contacts
from prakerja.errors import PrakerjaError, TransientError
from prakerja.escaping import one_line
from prakerja.landing import File, RejectedError
from prakerja.settings import Settings
from prakerja.strict_csv import Source
from prakerja.warehouse import CopyData

if TYPE_CHECKING:
    import pandas as pd
    from upath import UPath

log = logging.getLogger(__name__)

CONTRACT = "prakerja.roster/1"
COLUMNS = ("card_number", "nik", "full_name", "phone", "email", "region_code")
#: The columns of digits: what each is called, and its number of digits.
DIGITS = {"card_number": ("card number", 16), "nik": ("NIK", 16), "region_code": ("region code", 2)}
FOLDER = re.compile(r"gelombang-([1-9]\d{0,3})", re.ASCII)
LINES_SHOWN = 10
OF_THE_CALENDAR = ("cohort_unknown", "calendar_mismatch")  # reasons that a corrected calendar resolves


@dataclass(frozen=True)
class Delivered:
    """A folder `rosters/gelombang-<n>` that has a manifest."""

    cohort: int
    folder: UPath
    manifest_bytes: bytes

    @property
    def announced_on(self) -> date:
        """The day on which the roster arrives in a replay: the calendar's date, else the manifest's."""
        if self.cohort in calendar():
            return calendar()[self.cohort].announced_on
        try:
            return date.fromisoformat(str(landing.document(self.manifest_bytes).get("announced_on")))
        except (RejectedError, ValueError):
            return date.min

    @property
    def fingerprint(self) -> str:
        """A digest of the manifest and of the file that it declares."""
        try:
            name = landing.file_of(landing.document(self.manifest_bytes), has_amount=False).name
            file = self.folder / name
            mark = landing.sha256_of(file) if file.is_file() else "absent"
        except RejectedError:
            mark = "absent"
        return hashlib.sha256(self.manifest_bytes + b" " + mark.encode()).hexdigest()


@dataclass
class RosterIntake:
    """The result of an intake of rosters: the recipients by cohort, and a line for each rejected roster."""

    accepted: dict[int, int] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)


def take_in_rosters(as_of: date, *, is_replay: bool = False, cohorts: Collection[int] | None = None) -> RosterIntake:
    """Load every new roster that has arrived by `as_of`, in order of announcement. Safe to repeat.

    With `cohorts`, only their folders are read.
    """
    intake = RosterIntake()
    with warehouse.exclusive("rosters"):
        found, unexpected_files = _survey(cohorts)
        intake.rejected += [f"{name}: rename or remove it" for name in unexpected_files]
        with warehouse.transaction() as connection:
            known = warehouse.rows(connection, "cohorts/known_rosters")
        accepted = {row["cohort"]: row["sha256"] for row in known if row["status"] == "accepted"}
        looked_at = {(row["cohort"], row["fingerprint"].partition(" ")[0]): row["corrected_since"] for row in known}
        for delivered in sorted(found, key=lambda roster: (roster.announced_on, roster.cohort)):
            if is_replay and delivered.announced_on > as_of:
                continue
            fingerprint = delivered.fingerprint
            by_calendar = _by_calendar(fingerprint, delivered.cohort)
            if (delivered.cohort, by_calendar) in looked_at:
                continue
            if (delivered.cohort, fingerprint) in looked_at:
                corrected_since = looked_at[delivered.cohort, fingerprint]
                if corrected_since is None:
                    continue
                # A NIK that belonged to somebody else may be free now: the same file is examined again.
                fingerprint = f"{fingerprint} after correction {corrected_since}"
            try:
                rows = _load(delivered, fingerprint, as_of, accepted.get(delivered.cohort))
            except RejectedError as rejection:
                is_calendars = rejection.reason in OF_THE_CALENDAR
                _reject(delivered, by_calendar if is_calendars else fingerprint, as_of, rejection)
                intake.rejected.append(
                    f"roster of gelombang-{delivered.cohort}: {rejection.reason}: {rejection.detail}"
                )
                log.error("rejected %s", intake.rejected[-1])
                continue
            except TransientError:
                raise
            except Exception as defect:
                # A defect in one roster must not keep out the others. Its message may quote a row: report its type.
                kind = str(defect) if isinstance(defect, PrakerjaError) else type(defect).__name__
                hint = "" if isinstance(defect, PrakerjaError) else ": a defect"
                intake.rejected.append(f"roster of gelombang-{delivered.cohort}: could not be loaded ({kind}){hint}")
                log.error("%s", intake.rejected[-1])
                continue
            if rows is not None:
                intake.accepted[delivered.cohort] = rows
                log.info("accepted the roster of gelombang-%d: %d recipients", delivered.cohort, rows)
    return intake


def _survey(cohorts: Collection[int] | None) -> tuple[list[Delivered], list[str]]:
    root = landing.landing_zone(Settings.from_environment().landing)
    found: list[Delivered] = []
    if cohorts is None:
        folders = landing.listed(root / "rosters")
        unexpected_files = [f"{name} is not in feeds/ or rosters/" for name in landing.unexpected_files(root)]
    else:
        folders, unexpected_files = [root / "rosters" / f"gelombang-{number}" for number in cohorts], []
    for folder in folders:
        if not (named := FOLDER.fullmatch(folder.name)):
            unexpected_files.append(f"rosters/{folder.name} is not a roster folder (e.g. gelombang-12)")
        elif (manifest := landing.read_manifest(folder)) is not None:
            found.append(Delivered(int(named[1]), folder, manifest))
    return found, [*map(one_line, unexpected_files)]


def _load(delivered: Delivered, fingerprint: str, as_of: date, accepted_sha256: str | None) -> int | None:
    """Check and load one roster; return its recipients, or None if the same file is loaded. Raise `RejectedError`."""
    cohort, file = _declared(delivered)
    if accepted_sha256 == file.sha256:
        return None
    if accepted_sha256 is not None:
        raise RejectedError("roster_altered", "this cohort's roster is already loaded from another file")
    with landing.opened(delivered.folder, file, "gzip" if file.name.endswith(".gz") else None) as opened:
        try:
            frame = _read(opened, file)
        except UnicodeDecodeError:
            raise RejectedError("file_undecodable", f"{file.name} is not UTF-8") from None
    with warehouse.transaction("ingest") as connection:
        roster_id = warehouse.execute(
            connection,
            "cohorts/insert_roster",
            cohort=cohort.number,
            fingerprint=fingerprint,
            status="accepted",
            reason=None,
            detail=None,
            announced_on=cohort.announced_on,
            deadline_on=cohort.first_deadline_on,
            sha256=file.sha256,
            rows=file.rows,
            arrived_on=min(delivered.announced_on, as_of),
        ).scalar_one()
        warehouse.execute(connection, "cohorts/create_staged_recipients")
        warehouse.copy(connection, CopyData.from_records("staged_recipients", _records(frame)))
        clashes = warehouse.rows(connection, "cohorts/list_clashes", lines_shown=LINES_SHOWN)
        if clashes:
            raise RejectedError(
                "recipient_in_another_cohort",
                "once in a lifetime: "
                + "; ".join(
                    f"gelombang-{row['cohort']} has {row['count']} of these ({_lines(row['lines'])})" for row in clashes
                ),
            )
        warehouse.execute(connection, "cohorts/insert_recipients", roster_id=roster_id, cohort=cohort.number)
    return len(frame)


def _declared(delivered: Delivered) -> tuple[Cohort, File]:
    """Return the cohort and the file that a manifest declares.

    Raise `RejectedError` if it breaks the contract or differs from the calendar.
    """
    manifest = landing.of_contract(landing.document(delivered.manifest_bytes), CONTRACT)
    if type(manifest.get("cohort")) is not int or manifest["cohort"] != delivered.cohort:
        raise RejectedError(
            "path_mismatch", f"the folder says gelombang-{delivered.cohort}, the manifest something else"
        )
    file = landing.file_of(manifest, has_amount=False)
    cohort = calendar().get(delivered.cohort)
    if cohort is None:
        for entry in unreadable_entries():
            if entry.cohort == delivered.cohort:
                raise PrakerjaError(
                    entry.text
                )  # the roster may be right: it is examined again once the entry is readable
        raise RejectedError("cohort_unknown", f"the calendar has no cohort {delivered.cohort}")
    for key, expected in (("announced_on", cohort.announced_on), ("deadline_on", cohort.first_deadline_on)):
        if manifest.get(key) != expected.isoformat():
            raise RejectedError("calendar_mismatch", f"the calendar says {key} {expected}, the manifest something else")
    return cohort, file


def _read(stream: Source, file: File) -> pd.DataFrame:
    """Return the roster's columns with the `line` of each row. Raise `RejectedError` if a row breaks a rule."""
    import pandas as pd
    import pyarrow as pa

    lines: list[Sequence[int]] = []
    parts: list[pa.Table] = []
    count = 0
    for some, columns in _columns(stream, file):
        count += len(some)
        if count > file.rows:  # however many rows follow
            raise RejectedError("row_count_mismatch", f"expected {file.rows} rows, found at least {count}")
        lines.append(some)
        parts.append(pa.table(columns, names=list(COLUMNS)))
    frame = pa.concat_tables(parts).to_pandas() if parts else pd.DataFrame(columns=list(COLUMNS), dtype=str)
    if len(frame) != file.rows:
        raise RejectedError("row_count_mismatch", f"expected {file.rows} rows, found {len(frame)}")
    frame["line"] = [line for some in lines for line in some]
    for column, (what, digits) in DIGITS.items():
        malformed = frame.loc[~frame[column].str.fullmatch(f"[0-9]{{{digits}}}"), "line"]
        if len(malformed):
            raise RejectedError("recipient_malformed", f"no {what} of {digits} digits in {_lines(malformed.tolist())}")
    for column, what in (("card_number", "card number"), ("nik", "NIK")):
        repeated = frame.loc[frame[column].duplicated(keep=False), "line"]
        if len(repeated):
            raise RejectedError("recipient_twice", f"the same {what} appears in {_lines(repeated.tolist())}")
    return frame


def _columns(stream: Source, file: File) -> Iterator[tuple[Sequence[int], list[Any]]]:
    """Yield the lines and columns of several rows at once: plain rows are read by Arrow, others one by one."""
    splitter, header = strict_csv.Splitter(file.name, ","), list[str]()
    positions: list[int] = []
    for given in strict_csv.chunks(stream, file.name):
        chunk = given
        if not positions and not splitter.is_open and (found := strict_csv.plain_header(chunk, ",")):
            header, chunk = found
            positions = _positions(header, file)
        if positions and not splitter.is_open and b'"' not in chunk.data:
            columns = strict_csv.plain_columns(chunk.data, ",", len(header), positions)
            if columns is not None:
                yield range(chunk.line, chunk.line + len(columns[0])), columns
                continue
        rows = splitter.rows(chunk)
        if not positions:
            first = next(rows, (0, [], "", True))
            header = first[1] if first[3] else []
            positions = [] if splitter.is_open else _positions(header, file)
        lines, values = list[int](), list[list[str]]()
        for line, fields, _, is_readable in rows:
            if not is_readable or len(fields) != len(header):
                raise RejectedError("file_undecodable", f"{file.name}: line {line} does not have the header's columns")
            lines.append(line)
            values.append([fields[at] for at in positions])
        if values:
            yield lines, [list(column) for column in zip(*values, strict=True)]
    splitter.require_closed()
    if not positions:
        _positions([], file)


def _positions(header: list[str], file: File) -> list[int]:
    missing = [column for column in COLUMNS if header.count(column) != 1]
    if missing:
        raise RejectedError("columns_missing", f"{file.name} must have each column once: {', '.join(missing)}")
    return [header.index(column) for column in COLUMNS]


def _records(frame: pd.DataFrame) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = {column: pc.cast(pa.array(frame[column], pa.string()), pa.int64()) for column in ("card_number", "nik")}
    people = map(Contact, frame["full_name"], frame["phone"], frame["email"])
    sealed = Contacts.configured().columns(zip(numbers["card_number"].to_pylist(), people, strict=True))
    return pa.table(
        {
            "line": pa.array(frame["line"], pa.int64()),
            **numbers,
            "contact": pa.array([f"\\x{each.hex()}" for each in sealed.pop("contact")]),  # as COPY takes bytes
            **{column: pa.array(values, pa.string()) for column, values in sealed.items()},
            "region_code": pa.array(frame["region_code"], pa.string()),
        }
    )


def _by_calendar(fingerprint: str, number: int) -> str:
    """Return the mark of a roster that the calendar refused: it changes with the calendar's entry."""
    cohort = calendar().get(number)
    dates = f"{cohort.announced_on} {cohort.first_deadline_on}" if cohort else "none"
    return hashlib.sha256(f"{fingerprint} {dates}".encode()).hexdigest()


def _reject(delivered: Delivered, fingerprint: str, as_of: date, rejection: RejectedError) -> None:
    with warehouse.transaction("ingest") as connection:
        warehouse.execute(
            connection,
            "cohorts/insert_roster",
            cohort=delivered.cohort,
            fingerprint=fingerprint,
            status="rejected",
            reason=rejection.reason,
            detail=rejection.detail,
            announced_on=None,
            deadline_on=None,
            sha256=None,
            rows=None,
            arrived_on=as_of if delivered.announced_on == date.min else min(delivered.announced_on, as_of),
        )


def _lines(lines: list[int]) -> str:
    """Return the first few of these line numbers as text."""
    more = f" and {len(lines) - LINES_SHOWN} more" if len(lines) > LINES_SHOWN else ""
    return f"lines {', '.join(map(str, lines[:LINES_SHOWN]))}{more}"
