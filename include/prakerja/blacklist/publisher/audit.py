"""Verify the audit log: every entry, every fact, what was approved, and every anchor.

The warehouse is not trusted: its functions, operators and views are not used, since its owner can replace them. Hashes
are computed here, and the digests of facts by PostgreSQL's own functions over plain tables, whose names and columns a
file of this program gives.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import anchors, audited_approvals, audited_tables, witnessed_log
from prakerja.blacklist.publisher.audited_approvals import Entry
from prakerja.blacklist.publisher.audited_tables import Table, expected_tables
from prakerja.blacklist.publisher.published_folder import versions_in
from prakerja.blacklist.publisher.storage import folder_under_key, newest_list, parse_place, read_document
from prakerja.blacklist.publisher.witnessed_log import LogWitness
from prakerja.errors import PrakerjaError
from prakerja.settings import Settings
from prakerja_blacklist.format.contract import find_contract, manifest_name, parse_manifest, version_folder
from prakerja_blacklist.format.documents import DoesNotFitError
from prakerja_blacklist.format.signatures import PublicKey

SEAL_ATTEMPTS = 3  # facts that commit between the sealing and the comparison are sealed by the next attempt
#: Columns that were added to the facts from before logins were recorded, and left empty. Others were filled.
ADDED_EMPTY = {"signature", "approvers", "nik_correction_id"}
#: The value of such an added column that counts as empty, if that is not null.
EMPTY = {"nik_correction_id": "0"}
#: Without these nothing can be verified.
NEEDED = ("audit_log", "blacklist_versions", "published_lists")


@dataclass
class Verified:
    """What was verified: log entries, rows of facts, anchors, published lists.

    `anchored` is the last position that an anchor has, `copied` the last version whose anchor somebody else has kept,
    `witnessed` the last version that a witness has signed.
    `problems` and `unproved` have a line each.
    """

    entries: int = 0
    rows: int = 0
    anchors: int = 0
    lists: int = 0
    anchored: int = 0
    copied: int = 0
    witnessed: int = 0
    signatures: int = 0
    problems: list[str] = field(default_factory=list)
    unproved: list[str] = field(default_factory=list)


def verify(pins: Sequence[PublicKey] = (), copies: str | None = None, witnesses: Sequence[LogWitness] = ()) -> Verified:
    """Verify the chain, the facts of each entry, that no fact is outside the log, the anchors, and the published lists.

    `pins` are public keys that the publisher handed over; `copies` is where somebody else has kept the anchors;
    `witnesses` have signed the list's versions. Without any of them, a person who can write beside the list could have
    exchanged keys and anchors, and `unproved` says so. Raise `PrakerjaError` for a login that may not read all of it.
    """
    with _plain_snapshot() as (_, problems):  # finds what is wrong with the tables before anything of the owner's runs
        if any(name in problems for name in NEEDED):
            return Verified(problems=[*problems.values()])
    found = Verified(problems=_find_unlogged_facts())
    publish = Settings.from_environment().publish
    root = newest_list(publish)
    kept = anchors.read_copies(copies) if copies else []
    # Anchors that must exist were recorded before the anchors are read; those that may exist, by the later snapshot.
    with _plain_snapshot() as (connection, _):
        ends_before = anchors.read_ends(connection)
    required = anchors.published_versions(ends_before.values(), root)
    lying = anchors.read_anchors(anchors.folder())
    in_folder = versions_in(root)
    testimonies = [witnessed_log.read_testimony(witness, ends_before) for witness in witnesses]
    with _plain_snapshot() as (connection, problems):
        if any(name in problems for name in NEEDED):
            return Verified(problems=[*problems.values()])
        found.problems += problems.values()
        log = warehouse.rows(connection, "audit/list_log")
        baseline = _one_row(connection, "audit_baseline", problems, found) or {"last_position": 0, "last_version": 0}
        identity = _one_row(connection, "warehouse_identity", problems, found)
        warehouse_id = identity["warehouse_id"] if identity else None
        found.entries = len(log)
        found.rows = sum(fact["rows"] for row in log for fact in _facts_of(row).values())
        found.problems += _chain_problems(log, baseline["last_position"])
        found.problems += _fact_problems(connection, log, problems)
        against = anchors.Log(
            warehouse_id,
            anchors.read_ends(connection),
            {row["position"]: bytes(row["hash"]).hex() for row in log},
            baseline["last_version"],
        )
        if warehouse_id and not problems.keys() & {*audited_approvals.TABLES}:
            approved = audited_approvals.verify(connection, warehouse_id, _entries_of(log))
            found.signatures = approved.signatures
            found.problems += approved.problems
            found.unproved += approved.unproved
        documents = {}
        if "published_documents" not in problems:
            rows = warehouse.rows(connection, "blacklist/list_documents")
            documents = {row["name"]: bytes(row["content"]) for row in rows}
        for row in warehouse.rows(connection, "blacklist/list_published"):
            found.lists += 1
            found.problems += _list_problems(parse_place(publish), row, documents)
    for testimony in testimonies:
        found.problems += witnessed_log.list_problems(testimony, against, documents, root.name)
        if testimony.witness.key is None:
            place = testimony.witness.place
            found.unproved.append(f"not proved: whose statements lie in {place}; give NAME=KEY.pem@{place}")
    found.witnessed = max((each.chain.version for testimony in testimonies for each in testimony.seen), default=0)
    found.problems += _end_problems(against.ends.values())
    found.problems += [
        f"{version_folder(version)} lies in {root}, but this warehouse lacks that version: it is older than its list, "
        "or another's"
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
    if not pins and not copies and not any(witness.key for witness in witnesses):
        found.unproved.append(
            "not proved: the keys and anchors lie beside the list, and whoever can write there could have exchanged "
            "them; give --pin KEY.pem, --anchors DIR with copies that somebody else has kept, or --witness"
        )
    return found


def list_entries(last: int) -> list[Any]:
    """Return the log's last entries: position, at, actor, login, role, facts, hash."""
    with _plain_snapshot() as (connection, problems):
        if "audit_log" in problems:
            raise PrakerjaError(problems["audit_log"])
        return list(warehouse.rows(connection, "audit/list_entries", last=last))


# -- the log -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _plain_snapshot() -> Iterator[tuple[warehouse.Connection, dict[str, str]]]:
    """Open one snapshot of the tables themselves, with what is wrong with those that are not as expected.

    Raise `PrakerjaError` for a login that may not read them.
    """
    with warehouse.plain_session() as session:
        unsound = audited_tables.list_problems(session)
        with warehouse.plain_snapshot(session, [name for name in expected_tables() if name not in unsound]):
            # Again, since the tables cannot change once they are locked.
            yield session, audited_tables.list_problems(session)


def _one_row(connection: warehouse.Connection, table: str, problems: Mapping[str, str], found: Verified) -> Any:
    """Return the row of a table that must have one. Otherwise add a problem and return None."""
    if table in problems:
        return None
    statements = {"audit_baseline": "audit/find_baseline", "warehouse_identity": "audit/find_warehouse_id"}
    rows = warehouse.rows(connection, statements[table])
    if len(rows) != 1:
        found.problems.append(f"{table} has {len(rows)} rows, and must have one: restore it from a backup")
        return None
    return rows[0]


def _facts_of(row: Any) -> dict[str, Any]:
    """Return the facts of an entry, or none if they do not have the form of an entry's facts."""
    facts = row["facts"]
    is_said = isinstance(facts, dict) and all(
        isinstance(value, dict)
        and isinstance(value.get("rows"), int)
        and isinstance(value.get("sha256"), str)
        and isinstance(value.get("columns"), list)
        and all(isinstance(name, str) for name in value["columns"])
        for value in facts.values()
    )
    return facts if is_said else {}


def _entries_of(log: Iterable[Any]) -> dict[int, Entry]:
    """Return what the log proves of each entry. No entry is older than one before it."""
    found, latest, has_login = {}, None, False
    for row in log:
        latest = row["sealed_at"] if latest is None else max(latest, row["sealed_at"])
        has_login = has_login or row["login"] is not None
        found[row["entry"]] = Entry(row["position"], row["sealed_at"], latest, row["role"], is_earlier=not has_login)
    return found


def _hash_of(row: Any) -> bytes:
    """Return the hash that an entry must have.

    Entries from before logins were recorded have the earlier form, a text. The parts of the present form are hashes, so
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
    problems, position, last_hash, has_login = [], 0, b"", False
    entries = set[int]()
    for row in log:
        if row["position"] != position + 1:
            problems.append(f"entries are missing before position {row['position']} of the log")
        elif bytes(row["previous"]) != last_hash:
            problems.append(f"position {row['position']} of the log does not follow the one before")
        elif bytes(row["hash"]) != _hash_of(row):
            problems.append(f"position {row['position']} of the log was edited")
        elif row["login"] is None and (row["position"] > last_earlier_position or has_login):
            problems.append(f"position {row['position']} of the log does not say which login wrote it")
        if row["entry"] in entries:  # of two, one would vouch for facts that the other was sealed over
            problems.append(
                f"position {row['position']} of the log has entry {row['entry']}, which an earlier position has"
            )
        if row["facts"] != {} and not _facts_of(row):
            problems.append(f"position {row['position']} of the log does not say its facts as entries do")
        entries.add(row["entry"])
        position, last_hash, has_login = row["position"], bytes(row["hash"]), has_login or row["login"] is not None
    return problems


def _end_problems(ends: Iterable[anchors.End]) -> list[str]:
    """Return versions that were not recorded after the one before. Those from before the log are all in its entry 0."""
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


def _find_unlogged_facts() -> list[str]:
    """Return the tables with facts that are in no entry. What has just committed is sealed first."""
    problems: list[str] = []
    for _ in range(SEAL_ATTEMPTS):
        problems = []
        try:
            warehouse.seal_apart()
        except warehouse.RefusedError as error:
            problems.append(f"what was committed last cannot be sealed: {error}")
        with _plain_snapshot() as (connection, unsound):
            if "audit_log" in unsound:
                return problems
            logged = defaultdict[str, set[Any]](set)
            for row in warehouse.rows(connection, "audit/list_log"):
                for fact in _facts_of(row):
                    logged[fact].add(row["entry"])
            for fact, table in expected_tables().items():
                if not table.is_fact or fact in unsound:
                    continue
                counts = connection.exec_driver_sql(
                    f'select t.entry, count(*) from only public."{fact}" as t group by t.entry'  # noqa: S608 - names are ours
                )
                if unlogged := sum(count for entry, count in counts if entry not in logged[fact]):
                    problems.append(f"{unlogged:,} rows of {fact} are in no entry of the log")
        if not problems:
            break
    return problems


def _fact_problems(connection: warehouse.Connection, log: Iterable[Any], unsound: Mapping[str, str]) -> list[str]:
    """Compare each fact of the log with its table, in one statement for all entries that have the same columns."""
    tables = {name: table for name, table in expected_tables().items() if table.is_fact}
    sealed: dict[tuple[str, tuple[str, ...], bool], dict[int, Any]] = defaultdict(dict)
    for row in log:
        for fact, value in _facts_of(row).items():
            if fact not in unsound:  # otherwise it is reported as not the table any more
                sealed[fact, tuple(value["columns"]), row["login"] is None][row["entry"]] = row
    problems = []
    for (fact, columns, is_earlier), rows in sealed.items():
        table = tables.get(fact)
        if table is None or not {*columns} <= {*table.columns}:
            problems.append((0, f"{fact} is not the table any more that the log was sealed over"))
            continue
        found = digest_facts(connection, table, columns, list(rows), is_earlier=is_earlier)
        for entry, row in rows.items():
            count, digest, filled = found.get(entry, (0, "", None))
            value = row["facts"][fact]
            of_position = f"{fact} of position {row['position']}"
            if filled:
                problems.append(
                    (row["position"], f"{of_position} was sealed without its column {filled}, which has contents now")
                )
            if count == value["rows"] and digest == value["sha256"]:
                continue
            same = " that are not the same" if count == value["rows"] else ""
            problems.append(
                (
                    row["position"],
                    f"{of_position} ({row['actor']}, {row['at']}): sealed {value['rows']} rows, found {count}{same}",
                )
            )
    return [problem for _, problem in sorted(problems)]


def digest_facts(
    connection: warehouse.Connection,
    table: Table,
    columns: Sequence[str],
    entries: list[int],
    *,
    is_earlier: bool = False,
) -> Mapping[int, tuple[int, str, str | None]]:
    """Return for each entry the number of its rows of a fact, and the SHA-256 over them, as `digest_of` seals them.

    The third value is a column that the entry was sealed without and that has contents, or None.
    """
    listed = ", ".join(f't."{name}"' for name in columns)
    by = " order by " + ", ".join(
        f't."{name}"' + (' collate pg_catalog."C"' if table.columns[name] == "text" else "")
        for name in table.ordered_by
    )
    over = (
        f"sha256(convert_to(string_agg(row({listed})::text, chr(10){by}), 'UTF8'))"
        if is_earlier
        else f"sha256(string_agg(sha256(convert_to(row({listed})::text, 'UTF8')), ''::bytea{by}))"
    )
    unsealed = [
        name for name in table.columns if name not in {*columns, "entry"} and (name in ADDED_EMPTY or not is_earlier)
    ]
    filled = ", ".join(
        f"""case when count({f'nullif(t."{name}", {EMPTY[name]})' if name in EMPTY else f't."{name}"'}) > 0"""
        f" then '{name}' end"
        for name in unsealed
    )
    found = connection.exec_driver_sql(
        f"select t.entry, count(*), encode({over}, 'hex'), coalesce({filled or 'null'}, null::text)"  # noqa: S608 - names are ours
        f' from only public."{table.name}" as t where t.entry = any(cast(%s as bigint[])) group by t.entry',
        (entries,),
    )
    return {entry: (count, digest, column) for entry, count, digest, column in found}


# -- the published lists -----------------------------------------------------------------------------------------------


def _list_problems(place: UPath, row: Any, documents: Mapping[str, bytes]) -> list[str]:
    """Return what is wrong with a version's list, unless it lies there as this warehouse has published it.

    `documents` are those that the warehouse has recorded, by their names below the published folder.
    """
    name, file = version_folder(row["version"]), manifest_name(row["version"])
    root = place / find_contract(row["contract"], "published_lists").folder
    for folder in (root, folder_under_key(root, row["key_id"])):
        if (data := read_document(folder, file)) is None:
            continue
        try:
            manifest = parse_manifest(data, file)
        except DoesNotFitError as error:
            return [f"{error}: restore it"]
        if manifest.key_id != row["key_id"]:
            continue
        if manifest.result_sha256 != row["result_sha256"]:
            return [f"{name} in {folder} is not the list that this warehouse has published"]
        if documents.get(f"{folder.name}/{file}", data) != data:
            return [f"{name} in {folder} has another manifest than this warehouse has published"]
        return []
    return [f"{name} under the key {row['key_id']} does not lie in {place} any more"]
