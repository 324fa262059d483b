"""A version of the list by one contract and under one key of the subjects, built from the warehouse's rows."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import signed_changes
from prakerja.blacklist.publisher.list_keys import Keys
from prakerja.blacklist.publisher.published_folder import contract_in
from prakerja.blacklist.publisher.recorded_documents import Record
from prakerja.blacklist.publisher.verification import snapshot_of
from prakerja.blacklist.publisher.version_files import Rows, VersionFiles
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.contract import CONTRACTS, FIRST_CONTRACT, Contract, manifest_name, version_folder
from prakerja_blacklist.format.snapshot import NotCanonicalError, sha256
from prakerja_blacklist.reader.sources import NotThereError, TooLargeError
from prakerja_blacklist.reader.verification import RefusedListError

if TYPE_CHECKING:
    import pyarrow as pa


NOT_OWN = (
    "the list that is published is not what this warehouse has published: `prakerja blacklist restore` writes what "
    "was. Otherwise restore the warehouse that the list belongs to, or publish into another folder"
)


@dataclass(frozen=True)
class Edition:
    """A version of the list under one key of the subjects, which lies in `root`; `main` is the list under the newest.

    The version before it lies in `base`, under the key `key_id_before`. Where the list by a later contract begins,
    `base` is the same version by an earlier contract.
    """

    main: UPath
    root: UPath
    base: UPath
    row: Any
    key_id: str
    key_id_before: str

    @classmethod
    def of_list(cls, root: UPath, versions: Sequence[Any], position: int, keys: Keys, record: Record) -> Edition:
        """Return a version of the list itself, by its position among the warehouse's versions."""
        key_id = keys.subject_key_id(versions[position])
        if position and not has_begun(root, versions, position, record):
            folders = [root.parent / contract.folder for contract in CONTRACTS.values()]
            name = manifest_name(versions[position]["version"])
            if base := next((each for each in folders if each.name != root.name and record.find(each, name)), None):
                return cls(root, root, base, versions[position], key_id, key_id)
        before = keys.subject_key_id(versions[position - 1]) if position else key_id
        return cls(root, root, root, versions[position], key_id, before)

    @property
    def version(self) -> int:
        """The version's number."""
        return int(self.row["version"])

    @property
    def contract(self) -> Contract:
        """The contract by which it is published."""
        return contract_in(self.root)

    @property
    def begins(self) -> bool:
        """Whether the list by its contract begins with it: its delta adds everybody."""
        return self.contract != contract_in(self.base)


def has_begun(root: UPath, versions: Sequence[Any], position: int, record: Record) -> bool:
    """Return whether a list was published before a version, by its position. By the first contract it always was."""
    return (
        contract_in(root) == FIRST_CONTRACT
        or record.find(root, manifest_name(versions[position - 1]["version"])) is not None
    )


def build_files(edition: Edition, keys: Keys) -> VersionFiles:
    """Return a version's list and delta: the list before, and what the warehouse has changed since.

    The list before must be the very one that this warehouse has published, whose digest it keeps, or `PrakerjaError` is
    raised. Only the changes add people, and they are verified as they are read, also if everybody is issued anew. A
    list that begins has the people of the same version by an earlier contract.
    """
    for each in (edition.key_id, edition.key_id_before):
        if each not in keys.subjects:
            raise PrakerjaError(
                f"{version_folder(edition.version)} has subjects of the key {each}, which is not here: "
                "set PRAKERJA_SUBJECT_KEY_PREVIOUS to it"
            )
    version, key, contract = edition.version, keys.subjects[edition.key_id], edition.contract
    base_version, base_contract = version if edition.begins else version - 1, contract_in(edition.base)
    with warehouse.transaction("publish", one_snapshot=True) as connection:
        rows = warehouse.execute(connection, "blacklist/count_listed", version=base_version).scalar_one()
        try:
            before = snapshot_of(edition.base, base_version, rows) if base_version else contract.header
        except (NotThereError, RefusedListError, TooLargeError):
            raise PrakerjaError(NOT_OWN) from None
        digest = _find_digest(connection, base_version, edition.key_id_before, base_contract)
        entries = warehouse.execute(connection, "blacklist/count_listed", version=version).scalar_one()
        changes = signed_changes.list_changes(connection, version, contract)
        files = None
        if edition.begins:
            now = Rows.from_people(contract.row, _list_people(connection, version, contract), key)
            if _build_list(connection, version, key, base_contract) == before:
                files = VersionFiles.build(contract, now.csv(), Rows.build_reissue(contract, None, now).csv())
        elif version == 1 or edition.key_id != edition.key_id_before:
            people = _list_people(connection, version - 1, contract)
            was = Rows.from_people(contract.row, people, keys.subjects[edition.key_id_before])
            now = Rows.from_people(contract.row, _apply_changes(people, changes), key)
            if was.csv() == before:
                files = VersionFiles.build(contract, now.csv(), Rows.build_reissue(contract, was, now).csv())
        else:
            changed = Rows.from_people(contract.delta_row, changes, key)
            with contextlib.suppress(NotCanonicalError):
                files = VersionFiles.build_following(contract, before, changed)
            # Digests of the earliest lists are not kept: such a list is compared with everybody who is listed.
            if files and digest is None and files.snapshot != _build_list(connection, version, key, contract):
                files = None
    if files is None or files.entries != entries or digest not in (None, sha256(before)):
        raise PrakerjaError(NOT_OWN)
    return files


def hash_listed(version: int, key_id: str, keys: Keys, *, computes: bool) -> str | None:
    """Return the SHA-256 of a version's list by the first contract as the warehouse keeps it, or None if it does not.

    The digests of the earliest lists are not kept: they are computed from everybody who is listed, if asked for.
    """
    with warehouse.transaction("publish", one_snapshot=True) as connection:
        digest = _find_digest(connection, version, key_id, FIRST_CONTRACT)
        if digest is None and computes:
            digest = sha256(_build_list(connection, version, keys.subjects[key_id], FIRST_CONTRACT))
    return digest


def _find_digest(connection: warehouse.Connection, version: int, key_id: str, contract: Contract) -> str | None:
    digest: str | None = warehouse.execute(
        connection, "blacklist/digest_of_list", version=version, key_id=key_id, contract=contract.name
    ).scalar_one_or_none()
    return digest


def _build_list(connection: warehouse.Connection, version: int, key: Any, contract: Contract) -> bytes:
    return Rows.from_people(contract.row, _list_people(connection, version, contract), key).csv()


def _list_people(connection: warehouse.Connection, version: int, contract: Contract) -> pa.Table:
    types = signed_changes.person_types(contract.row)
    return warehouse.table(connection, "blacklist/list_entries", types, version=version)


def _apply_changes(people: pa.Table, changes: pa.Table) -> pa.Table:
    """Return who is listed after changes of a list of people."""
    import pyarrow as pa
    import pyarrow.compute as pc

    withdrawn = changes.filter(pc.equal(changes["op"], "WITHDRAW"))["nik"].combine_chunks()
    kept = people.filter(pc.invert(pc.is_in(people["nik"], value_set=withdrawn)))
    return pa.concat_tables([kept, changes.filter(pc.equal(changes["op"], "ADD")).select(people.column_names)])
