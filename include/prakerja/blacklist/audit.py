"""Verify the audit log: every entry, every fact, and every anchor.

Nothing that the warehouse keeps is believed for being there: its functions are not called, since its owner can replace
them. Hashes are computed here, and the digests of facts by plain statements over the tables themselves.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist import anchors
from prakerja.blacklist.contract import Manifest, parsed
from prakerja.blacklist.signing import PublicKey
from prakerja.blacklist.sources import DOCUMENT_BYTES_MAX, Folder, place_of, read_if_there, under_key
from prakerja.errors import PrakerjaError
from prakerja.people import load_people
from prakerja.settings import Settings
from prakerja.signatures import ApprovalText, is_signed

LOOKS_FOR_STRAYS = 3  # facts that commit between the sealing and the look are sealed by the next one
NAME = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass
class Verified:
    """What was verified: log entries, rows of facts, anchors, published lists.

    `anchored` is the last position that an anchor has, `copied` the last version whose anchor somebody else has kept.
    `problems` and `unproved` have a line each.
    """

    entries: int = 0
    rows: int = 0
    anchors: int = 0
    lists: int = 0
    anchored: int = 0
    copied: int = 0
    signatures: int = 0
    problems: list[str] = field(default_factory=list)
    unproved: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Columns:
    """The columns of a table of facts, which of them are text, and by which its rows are ordered."""

    names: list[str]
    texts: set[str]
    ordered_by: list[str]


def verify(pins: Sequence[PublicKey] = (), copies: str | None = None) -> Verified:
    """Verify the chain, the facts of each entry, that no fact is outside the log, the anchors, and the published lists.

    `pins` are public keys that the publisher handed over; `copies` is where somebody else has kept the anchors. Without
    either, whoever can write beside the list could have exchanged keys and anchors, and `unproved` says so.
    """
    found = Verified(problems=_list_strays())
    root = _list_folder()
    kept = anchors.read_copies(copies) if copies else []
    # What must lie there was recorded before the anchors are read; what may lie there, by the snapshot afterwards.
    with _plain_look() as connection:
        ends_before = anchors.read_ends(connection)
    required = anchors.published_versions(ends_before.values(), root)
    lying = anchors.read_anchors(anchors.folder())
    in_folder = _versions_in(root)
    with _plain_look() as connection:
        log = warehouse.rows(connection, "audit/list_log")
        (baseline,) = warehouse.rows(connection, "audit/find_baseline")
        found.entries = len(log)
        found.rows = sum(int(fact["rows"]) for row in log for fact in row["facts"].values())
        found.problems += _chain_problems(log, baseline["last_position"])
        found.problems += _fact_problems(connection, log)
        against = anchors.Log(
            warehouse.warehouse_id(connection),
            anchors.read_ends(connection),
            {row["position"]: bytes(row["hash"]).hex() for row in log},
            baseline["last_version"],
        )
        found.signatures, problems, unproved = _signature_problems(connection)
        found.problems += problems
        found.unproved += unproved
        for row in warehouse.rows(connection, "blacklist/list_published"):
            found.lists += 1
            found.problems += _list_problems(root, row)
    found.problems += _end_problems(against.ends.values())
    found.problems += [
        f"v{version:06d} lies in {root}, but this warehouse lacks that version: it is older than its list, or another's"
        for version in sorted(in_folder - {*against.ends})
    ]
    signers = None
    if lying or kept:
        try:
            signers = anchors.find_signers(root, pins)
        except PrakerjaError as error:
            found.problems.append(f"no anchor's signature can be verified: {error}")
    found.problems += anchors.list_problems(lying, against, signers)
    found.problems += anchors.list_problems(kept, against, signers, "copy")
    found.problems += anchors.list_missing(required, lying, "though its version was published")
    copied = anchors.versions_of(kept)
    found.problems += anchors.list_missing(copied - required, lying, "of which somebody has kept a copy")
    found.anchors, found.copied = len(lying), max(copied, default=0)
    found.anchored = max(
        (against.ends[v].position or 0 for v in anchors.versions_of(lying) & {*against.ends}), default=0
    )
    if not pins and not copies:
        found.unproved.append(
            "not proved: the keys and anchors lie beside the list, and whoever can write there could have exchanged "
            "them; give --pin KEY.pem, or --anchors DIR with copies that somebody else has kept"
        )
    return found


def list_entries(last: int) -> list[Any]:
    """Return the log's last entries: position, at, actor, login, role, facts, hash."""
    with warehouse.transaction() as connection:
        return list(warehouse.rows(connection, "audit/list_entries", last=last))


# -- the log -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _plain_look() -> Iterator[warehouse.Connection]:
    """Look at one snapshot of the tables themselves, whatever settings the logins were given."""
    with warehouse.transaction(one_snapshot=True) as connection:
        warehouse.execute(connection, "audit/fix_settings")
        yield connection


def _hash_of(row: Any) -> bytes:
    """Return the hash that an entry must have.

    Entries from before logins were recorded have the earlier form: a text. The parts of the form of now are hashes, so
    neither form can pass for the other.
    """
    previous = bytes(row["previous"])
    if row["login"] is None:
        text = f"{row['position']} {row['entry']} {row['epoch']} {row['actor']} {row['facts_text']}"
        return hashlib.sha256(previous + text.encode()).digest()
    parts = (
        "prakerja.audit/2", str(row["position"]), str(row["entry"]), row["epoch"], row["actor"], row["login"],
        row["role"], row["xact_id"], row["facts_text"],
    )  # fmt: skip
    return hashlib.sha256(previous + b"".join(hashlib.sha256(part.encode()).digest() for part in parts)).digest()


def _chain_problems(log: Iterable[Any], last_earlier_position: int) -> list[str]:
    problems, position, last_hash = [], 0, b""
    for row in log:
        if row["position"] != position + 1:
            problems.append(f"entries are missing before position {row['position']} of the log")
        elif bytes(row["previous"]) != last_hash:
            problems.append(f"position {row['position']} of the log does not follow the one before")
        elif bytes(row["hash"]) != _hash_of(row):
            problems.append(f"position {row['position']} of the log was edited")
        elif row["login"] is None and row["position"] > last_earlier_position:
            problems.append(f"position {row['position']} of the log does not say which login wrote it")
        position, last_hash = row["position"], bytes(row["hash"])
    return problems


def _end_problems(ends: Iterable[anchors.End]) -> list[str]:
    """A later version is recorded later. Those from before the log are all in its first entry, 0."""
    problems, before = [], 0
    for end in ends:
        if end.position is None:
            problems.append(f"the log lacks the entry of version {end.version}: it was cut or rewritten")
            continue
        if end.position <= before and end.entry != 0:
            problems.append(f"version {end.version} was recorded at position {end.position}, not after the one before")
        before = end.position
    return problems


# -- the facts ---------------------------------------------------------------------------------------------------------


def _fact_tables(connection: warehouse.Connection) -> dict[str, Columns]:
    """Return the plain tables that keep facts, whatever the warehouse says is audited."""
    found: dict[str, list[Any]] = defaultdict(list)
    for row in warehouse.rows(connection, "audit/list_fact_columns"):
        found[row["fact"]].append(row)
    return {
        fact: Columns(
            [row["column_name"] for row in rows],
            {row["column_name"] for row in rows if row["is_text"]},
            [
                row["column_name"]
                for row in sorted((r for r in rows if r["ordered_as"]), key=lambda r: int(r["ordered_as"]))
            ],
        )
        for fact, rows in found.items()
        if NAME.fullmatch(fact)
    }


def _list_strays() -> list[str]:
    """Return the tables with facts that no entry tells of. What has just committed is sealed first."""
    problems: list[str] = []
    for _ in range(LOOKS_FOR_STRAYS):
        with warehouse.transaction("publish") as connection:
            warehouse.execute(connection, "blacklist/seal_entries")
        with _plain_look() as connection:
            strays = {
                fact: connection.exec_driver_sql(
                    f'select count(*) from public."{fact}" as t where not exists ('  # noqa: S608 - names are checked
                    f"select from public.audit_log as l where l.entry = t.entry and l.facts ? '{fact}')"
                ).scalar_one()
                for fact in sorted(_fact_tables(connection))
            }
        problems = [f"{count:,} rows of {fact} are in no entry of the log" for fact, count in strays.items() if count]
        if not problems:
            break
    return problems


def _fact_problems(connection: warehouse.Connection, log: Iterable[Any]) -> list[str]:
    """Compare each fact of the log with its table, in one statement for all entries that have the same columns."""
    tables = _fact_tables(connection)
    sealed: dict[tuple[str, tuple[str, ...], bool], dict[int, Any]] = defaultdict(dict)
    for row in log:
        for fact, value in row["facts"].items():
            sealed[fact, tuple(value["columns"]), row["login"] is None][row["entry"]] = row
    problems = []
    for (fact, columns, is_earlier), rows in sealed.items():
        table = tables.get(fact)
        if table is None or not {*columns} <= {*table.names} or not all(map(NAME.fullmatch, columns)):
            problems.append((0, f"{fact} is not the table any more that the log was sealed over"))
            continue
        digests = _digests(connection, fact, table, columns, list(rows), is_earlier=is_earlier)
        for entry, row in rows.items():
            count, digest = digests.get(entry, (0, ""))
            value = row["facts"][fact]
            if count == int(value["rows"]) and digest == value["sha256"]:
                continue
            same = " that are not the same" if count == int(value["rows"]) else ""
            problems.append(
                (
                    row["position"],
                    f"{fact} of position {row['position']} ({row['actor']}, {row['at']}): "
                    f"sealed {value['rows']} rows, found {count}{same}",
                )
            )
    return [problem for _, problem in sorted(problems)]


def _digests(
    connection: warehouse.Connection,
    fact: str,
    table: Columns,
    columns: Sequence[str],
    entries: list[int],
    *,
    is_earlier: bool,
) -> Mapping[int, tuple[int, str]]:
    """Return how many rows each entry has of a fact, and the SHA-256 over them, as `digest_of` seals them."""
    listed = ", ".join(f't."{name}"' for name in columns)
    order = ", ".join(f't."{name}"' + (' collate "C"' if name in table.texts else "") for name in table.ordered_by)
    by = f" order by {order}" if order else ""
    over = (
        f"sha256(convert_to(string_agg(row({listed})::text, chr(10){by}), 'UTF8'))"
        if is_earlier
        else f"sha256(string_agg(sha256(convert_to(row({listed})::text, 'UTF8')), ''::bytea{by}))"
    )
    found = connection.exec_driver_sql(
        f"select t.entry, count(*), encode({over}, 'hex')"  # noqa: S608 - names are checked
        f' from public."{fact}" as t where t.entry = any(%s) group by t.entry',
        (entries,),
    )
    return {entry: (count, digest) for entry, count, digest in found}


# -- the published lists -----------------------------------------------------------------------------------------------


def _list_folder() -> UPath:
    return place_of(Settings.from_environment().publish) / "blacklist"


def _versions_in(root: UPath) -> set[int]:
    """Return the versions that lie in a folder of the list."""
    names = [path.name for path in root.glob("v*")] if root.exists() else []
    return {int(name[1:]) for name in names if re.fullmatch(r"v\d{6,9}", name)}


def _signature_problems(connection: warehouse.Connection) -> tuple[int, list[str], list[str]]:
    """Return how many signatures of approvals are right as of their day, the problems, and what nobody can prove."""
    people, warehouse_id = load_people(), warehouse.warehouse_id(connection)
    rows = warehouse.rows(connection, "revocations/list_signed_approvals")
    if rows and people.listed is None:
        return 0, [], [f"{len(rows):,} signatures of approvals: no list of people says whose keys are whose"]
    problems = []
    for row in rows:
        text = ApprovalText(
            warehouse_id, row["cohort"], row["digest"], row["people"], row["identities_sha256"], row["subject"],
            row["approved_on"], row["approved_by"],
        )  # fmt: skip
        person = (people.listed or {}).get(row["approved_by"])
        if person is None or not is_signed(text, row["signature"], person):
            problems.append(
                f"the approval of batch {row['digest'][:16]} by {row['approved_by']} is not signed by a key of theirs"
            )
    return len(rows) - len(problems), problems, []


def _list_problems(root: UPath, row: Any) -> list[str]:
    """Return whether a version's list lies there as this warehouse has published it."""
    name = f"v{row['version']:06d}"
    for folder in (root, under_key(root, row["key_id"])):
        data = read_if_there(Folder(folder), f"{name}/manifest.json", DOCUMENT_BYTES_MAX)
        if data is None:
            continue
        manifest = parsed(Manifest, data, f"{name}/manifest.json")
        if manifest.key_id == row["key_id"]:
            is_ours = manifest.result_sha256 == row["result_sha256"]
            return [] if is_ours else [f"{name} in {folder} is not the list that this warehouse has published"]
    return [f"{name} under the key {row['key_id']} does not lie in {root.parent} any more"]
