"""The audit log as its warehouse's owner can bend it: rewritten, with every hash and link right."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from prakerja import warehouse
from prakerja.blacklist.publisher import anchors, audit
from prakerja.blacklist.publisher.audited_tables import expected_tables
from prakerja.blacklist.publisher.configured_keys import load_signing_key
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.signatures import SigningKey

Rows = list[dict[str, Any]]


def problems(**how: Any) -> str:
    return "\n".join(audit.verify(**how).problems)


def as_owner(*statements: str) -> None:
    """Do what somebody can do who owns the database: the triggers that guard it are theirs."""
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        for statement in statements:
            connection.exec_driver_sql(statement)


def pick(query: str) -> list[Any]:
    with warehouse.transaction(as_owner=True) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def rewrite_log(bend: Callable[[Rows], Rows]) -> None:
    """Write the log that `bend` makes of the log: numbered and chained again, so that the log is consistent."""
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("set local session_replication_role = replica")
        rows = bend([dict(row) for row in warehouse.rows(connection, "audit/list_log")])
        connection.exec_driver_sql("delete from audit_log")
        last_hash = b""
        for position, row in enumerate(rows, 1):
            row |= {"position": position, "previous": last_hash, "facts_text": None}
            row["facts_text"] = connection.exec_driver_sql(
                "select cast(%s as jsonb)::text", (json.dumps(row["facts"]),)
            ).scalar_one()
            last_hash = row["hash"] = audit._hash_of(row)
            connection.exec_driver_sql(
                "insert into audit_log (position, entry, at, actor, login, role, xact_id, facts, previous, hash)"
                " values (%(position)s, %(entry)s, to_timestamp(%(epoch)s::numeric), %(actor)s, %(login)s, %(role)s,"
                " cast(%(xact_id)s as xid8), cast(%(facts_text)s as jsonb), %(previous)s, %(hash)s)",
                row,
            )


def to_earlier_form(rows: Rows) -> Rows:
    """Make entries those of before logins were recorded, their digests too."""
    with warehouse.transaction(as_owner=True) as connection:
        tables = expected_tables()
        for row in rows:
            row |= {"login": None, "role": None, "xact_id": None}
            for fact, value in row["facts"].items():
                found = audit.digest_facts(connection, tables[fact], value["columns"], [row["entry"]], is_earlier=True)
                value["sha256"] = found[row["entry"]][1]
    return rows


def sign_anchor(anchor: dict[str, Any], signer: SigningKey | None = None) -> None:
    """Write an anchor with its signature into the folder of the anchors."""
    signer = signer or load_signing_key()
    data = canonical_json(anchor | {"signing_key_id": signer.public.key_id})
    path = anchors.folder() / anchors.file_name(anchor["version"])
    path.write_bytes(data)
    (path.parent / f"{path.name}.sig").write_bytes(signer.sign(data))


def anchor_of(version: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((anchors.folder() / anchors.file_name(version)).read_bytes())
    return found


def anchors_of_the_log() -> list[dict[str, Any]]:
    """What the anchors would say of the log as it is now."""
    found = pick(
        "select v.version, l.position, encode(l.hash, 'hex') from blacklist_versions as v"
        " join audit_log as l on l.entry = v.entry order by 1"
    )
    return [
        anchor_of(version) | {"version": version, "position": position, "hash": digest}
        for version, position, digest in found
    ]


def forget_after(version: int) -> None:
    """Bring the warehouse back to the day of a version: its log, its facts, and what it has published."""
    ((entry,),) = pick(f"select entry from blacklist_versions where version = {version}")
    later = f"(select entry from audit_log where position > (select position from audit_log where entry = {entry}))"
    facts = [fact for (fact,) in pick("select fact from audited")]
    as_owner(
        f"delete from published_lists where version > {version}",
        *(f"delete from {fact} where entry in {later}" for fact in facts),
        f"delete from audit_log where entry in {later}",
    )
