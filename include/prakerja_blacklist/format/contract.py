"""The published contract: each document, and each row by the format's number.

The docstrings of these classes and the descriptions of their fields are part of the published JSON Schemas
(`schemas/`, which `python -m prakerja.blacklist.publisher.json_schemas` writes). A column is added here alone: as a row
that has it, with a `Contract` of the next number among `CONTRACTS`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, make_dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from prakerja_blacklist.format.documents import (
    Bounds,
    Description,
    Document,
    DoesNotFitError,
    Pattern,
    Size,
    column_names,
    field_hints,
    line_pattern,
    parse_chosen_document,
)

KEYRING_CONTRACT: Final = "prakerja.keyring/1"
ROOT_CONTRACT: Final = "prakerja.root/1"
ENDORSEMENT_CONTRACT: Final = "prakerja.endorsement/1"
PROPOSAL_CONTRACT: Final = "prakerja.proposal/1"
SCHEMAS = Path(__file__).parent / "schemas"
#: The pointer's file.
POINTER = "latest.json"
#: A version may seem to be from so far in the future: clocks differ.
CLOCK_SKEW = timedelta(hours=1)
#: What the name of a list's contract looks like.
CONTRACT_NAME = r"^prakerja\.blacklist/[1-9]\d{0,3}$"

Sha256 = Annotated[str, Pattern(r"^[0-9a-f]{64}$")]
KeyId = Annotated[str, Pattern(r"^[0-9a-f]{16}$")]
Instant = Annotated[str, Pattern(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
Day = Annotated[str, Pattern(r"^\d{4}-\d\d-\d\d$")]
CohortNumber = Annotated[int, Bounds(1, 9999)]
VersionNumber = Annotated[int, Bounds(1, 999_999_999)]
Count = Annotated[int, Bounds(0)]
DecisionId = Annotated[str, Pattern(r"^gelombang-\d{1,4}-[0-9a-f]{24}$")]
Subject = Annotated[str, Pattern(r"^[0-9a-f]{64}$"), Description("lower-case hex HMAC-SHA256(key, NIK)")]


@dataclass(frozen=True, slots=True)
class SnapshotRow(Document):
    """One listed person. The list is sorted by `subject`."""

    subject: Subject
    cohort: CohortNumber
    reason: Literal["NO_FIRST_PURCHASE"]
    effective_at: Annotated[Instant, Description("the deadline's end, UTC")]
    decision_id: DecisionId


@dataclass(frozen=True, slots=True)
class Latest(Document):
    """The pointer, `latest.json`: the only file that is ever replaced."""

    version: VersionNumber
    manifest: Annotated[str, Pattern(r"^v\d{6,9}/manifest\.json$")]
    sha256: Annotated[Sha256, Description("of the manifest")]


@dataclass(frozen=True, slots=True)
class Counts(Document):
    """What a version counts."""

    entries: Count
    added: Count
    withdrawn: Count
    by_cohort: dict[Annotated[str, Pattern(r"^\d+$")], Count]


@dataclass(frozen=True, slots=True)
class PublishedFile(Document):
    """A file of a version."""

    name: Literal["snapshot.csv.gz", "snapshot.parquet", "delta.csv.gz"]
    bytes: Annotated[int, Bounds(0, below=2**40)]
    sha256: Sha256
    rows: Annotated[int, Bounds(0, below=2**40)]


@dataclass(frozen=True, slots=True)
class Manifest(Document):
    """What a version of the blacklist is made of; `manifest.json.sig` signs its bytes."""

    contract: Annotated[str, Pattern(CONTRACT_NAME)]
    version: VersionNumber
    previous_version: VersionNumber | None
    created_at: Instant
    checked_at: Annotated[Instant, Description("when it was last looked whether anything had changed")]
    changed_at: Annotated[Instant, Description("when the list last changed")]
    expires_at: Annotated[Instant, Description("a reader refuses the list afterwards")]
    data_as_of: Annotated[dict[str, Day], Description("platform: latest business date in force")]
    key_id: Annotated[KeyId, Description("the HMAC key of the subjects")]
    signing_key_id: KeyId
    counts: Counts
    result_sha256: Annotated[Sha256, Description("of the uncompressed snapshot CSV")]
    files: Annotated[list[PublishedFile], Size(3, 3)]

    def file(self, name: str) -> PublishedFile:
        """Return the file of that name. Raise `DoesNotFitError` if the manifest does not name it exactly once."""
        found = [file for file in self.files if file.name == name]
        if len(found) != 1:
            raise DoesNotFitError(f"{version_folder(self.version)}: the manifest does not name {name} once")
        return found[0]


@dataclass(frozen=True, slots=True)
class RingKey(Document):
    """A key that signs, or has signed. One that was retired signs nothing after `last_version`."""

    signing_key_id: KeyId
    public_key: Annotated[str, Description("PEM")]
    last_version: VersionNumber | None


@dataclass(frozen=True, slots=True)
class RevokedKey(Document):
    """A key that nothing is believed of any more."""

    signing_key_id: KeyId
    revoked_at: Instant


@dataclass(frozen=True, slots=True)
class Keyring(Document):
    """Which keys sign: `keys/keyring-000001.json`, ... Each is signed by a key of the one before it."""

    contract: Literal["prakerja.keyring/1"]
    number: Annotated[int, Bounds(1, 999_999)]
    created_at: Instant
    keys: Annotated[list[RingKey], Size(1, 256)]
    revoked: list[RevokedKey]


@dataclass(frozen=True, slots=True)
class SignedKeyring(Document):
    """A keyring as it is published: its bytes in base64, and signatures over them by key."""

    keyring: Annotated[str, Description("base64 of the keyring's bytes")]
    signatures: Annotated[dict[KeyId, str], Description("base64 of Ed25519 signatures over these bytes")]


@dataclass(frozen=True, slots=True)
class RootKey(Document):
    """A key that a person keeps offline."""

    root_key_id: KeyId
    public_key: Annotated[str, Description("PEM")]


@dataclass(frozen=True, slots=True)
class Root(Document):
    """Whose signatures a keyring needs for readers that pin a root: `keys/root-000001.json`, ...

    Each is signed by `threshold` of its own keys, and by as many of the root before it as that one says.
    """

    contract: Literal["prakerja.root/1"]
    number: Annotated[int, Bounds(1, 999_999)]
    previous: Annotated[Sha256 | None, Description("of the bytes of the root before it")]
    created_at: Instant
    threshold: Annotated[int, Bounds(1, 16)]
    keys: Annotated[list[RootKey], Size(1, 16)]


@dataclass(frozen=True, slots=True)
class Endorsement(Document):
    """A root's word for a keyring: `keys/keyring-000003.root-000001.json`."""

    contract: Literal["prakerja.endorsement/1"]
    root: Annotated[Sha256, Description("of the root's bytes")]
    root_number: Annotated[int, Bounds(1, 999_999)]
    keyring: Annotated[str, Description("base64 of the keyring's bytes")]


@dataclass(frozen=True, slots=True)
class SignedDocument(Document):
    """A root or an endorsement as it is published: its bytes in base64, and signatures over them by root key."""

    document: Annotated[str, Description("base64 of the document's bytes")]
    signatures: Annotated[dict[KeyId, str], Description("base64 of Ed25519 signatures over these bytes")]


@dataclass(frozen=True, slots=True)
class Proposal(Document):
    """What a publisher gives the holders of root keys to sign. It is never published itself."""

    contract: Literal["prakerja.proposal/1"]
    in_force: Annotated[SignedDocument | None, Description("the newest root that is published")]
    root: Annotated[SignedDocument | None, Description("the root that is to follow it")]
    endorsement: Annotated[SignedDocument, Description("of the last keyring, by the newest of these roots")]
    keyrings: Annotated[list[str], Size(1, 16), Description("as they are published, signed by the list's own keys")]


class UnknownContractError(DoesNotFitError):
    """A list is of a contract that this release does not know. It is not read."""


@dataclass(frozen=True)
class Contract:
    """A format of the list, by its number. All of it follows from its row.

    A row of a later contract is a row of `prakerja.blacklist/1` with columns behind them: the publisher fills each with
    the column of that name of `include/sql/blacklist/list_entries.sql` and `list_changes.sql`. The value of a person
    may not change while they are listed. No line may be longer than `LINE_BYTES_MAX`.
    """

    number: int
    row: type[SnapshotRow]

    @property
    def name(self) -> str:
        """The name that manifests state."""
        return f"prakerja.blacklist/{self.number}"

    @property
    def folder(self) -> str:
        """The folder in which its list is published."""
        return LIST_FOLDER if self.number == 1 else f"{LIST_FOLDER}-format-{self.number}"

    @cached_property
    def delta_row(self) -> type[Document]:
        """The row of a delta: what happens to a row, before its columns."""
        reason = Annotated[Literal["NO_FIRST_PURCHASE", "REINSTATED", "KEY_ROTATED"], Description("of a WITHDRAW: why")]
        hints: dict[str, Any] = {"op": Literal["ADD", "WITHDRAW"], **field_hints(self.row), "reason": reason}
        about = "One change since the previous version. The delta is sorted by `subject`."
        return _derive("DeltaRow", Document, about, hints)

    @cached_property
    def manifest(self) -> type[Manifest]:
        """The manifest of a version, which states this contract and no other."""
        return _derive("Manifest", Manifest, Manifest.__doc__, {"contract": Literal.__getitem__(self.name)})

    @cached_property
    def header(self) -> bytes:
        """The first line of a list."""
        return (",".join(column_names(self.row)) + "\n").encode()

    @cached_property
    def delta_header(self) -> bytes:
        """The first line of a delta."""
        return (",".join(column_names(self.delta_row)) + "\n").encode()

    @cached_property
    def lines(self) -> re.Pattern[bytes]:
        """What finds the lines of a list; the group is the subject."""
        return re.compile(b"^" + line_pattern(self.row).replace(b"[0-9a-f]{64}", b"([0-9a-f]{64})", 1), re.MULTILINE)

    @cached_property
    def delta_lines(self) -> re.Pattern[bytes]:
        """What finds the lines of a delta; the groups are what happens, the subject, and the list's line."""
        line = line_pattern(self.delta_row).removeprefix(b"(?:ADD|WITHDRAW),")
        return re.compile(b"^(ADD|WITHDRAW),(?=([0-9a-f]{64}))(" + line + b")", re.MULTILINE)

    @property
    def own_documents(self) -> dict[str, type[Document]]:
        """What is published in this contract's form, by the names of the schemas."""
        return {"manifest": self.manifest, "snapshot_row": self.row, "delta_row": self.delta_row}


def _derive(name: str, base: type[Any], about: str | None, hints: dict[str, Any]) -> type[Any]:
    return make_dataclass(name, [*hints.items()], bases=(base,), namespace={"__doc__": about}, frozen=True, slots=True)


#: The folder of the list by the first contract; those by later ones and under earlier keys lie beside it.
LIST_FOLDER: Final = "blacklist"
#: The first contract.
FIRST_CONTRACT: Final = Contract(1, SnapshotRow)
#: Every contract that this release can read, by its name, the earliest first.
CONTRACTS: dict[str, Contract] = {each.name: each for each in (FIRST_CONTRACT,)}
#: What is published in the same form whatever the list's contract, by the names of the schemas.
COMMON_DOCUMENTS: dict[str, type[Document]] = {
    "latest": Latest, "keyring": Keyring, "signed_keyring": SignedKeyring, "root": Root, "endorsement": Endorsement,
    "signed_document": SignedDocument,
}  # fmt: skip


def find_contract(name: str, found_in: str = "the list") -> Contract:
    """Return a contract by its name. Raise `UnknownContractError`, whose line begins with `found_in`."""
    if name not in CONTRACTS:
        raise UnknownContractError(
            f"{found_in} is of the contract {name}, and this release knows {', '.join(CONTRACTS)}: install a newer one"
        )
    return CONTRACTS[name]


def parse_manifest(data: bytes, name: str) -> Manifest:
    """Return a manifest from its JSON, by the contract that it states. Raise `DoesNotFitError`."""

    def choose(value: Any) -> type[Manifest]:
        stated = value.get("contract") if isinstance(value, dict) else None
        if isinstance(stated, str) and re.fullmatch(CONTRACT_NAME, stated, re.ASCII):
            return find_contract(stated, name).manifest
        return FIRST_CONTRACT.manifest  # which refuses it

    return parse_chosen_document(choose, data, name)


def version_folder(version: int) -> str:
    """Return the name of a version's folder: `v000017`."""
    return f"v{version:06d}"


def manifest_name(version: int) -> str:
    """Return the name of a version's manifest: `v000017/manifest.json`."""
    return f"{version_folder(version)}/manifest.json"


def earlier_list_folder(key_id: str, beside: str = LIST_FOLDER) -> str:
    """Return the name of the folder of the list under an earlier key of the subjects, which lies `beside` the list.

    A list of a later contract has folders of its own; a list that a reader has put anywhere has those of the first.
    """
    is_later = any(beside == each.folder for each in CONTRACTS.values())
    return f"{beside if is_later else LIST_FOLDER}-{key_id}"


def format_instant(at: datetime) -> str:
    """Return an instant as the contract writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_instant(text: str) -> datetime:
    """Return an instant of the contract. Raise `DoesNotFitError` if there is no such day (`2021-99-99`)."""
    try:
        found = datetime.fromisoformat(text)
        _ = found + timedelta(days=400)  # the rules of freshness add days to it
    except (ValueError, OverflowError):
        raise DoesNotFitError("an instant is none") from None
    return found
