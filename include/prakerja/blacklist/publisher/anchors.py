"""Anchors: beside each published version lies the position and hash of the audit log at that version, signed.

The owner of the database can write a new log, but can neither sign an anchor for it nor take back the anchors that
others have read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Annotated, Any, Literal

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher import verification
from prakerja.blacklist.publisher.configured_keys import load_next_signing_key, load_signing_key
from prakerja.blacklist.publisher.storage import document_reader_in, parse_place, read_document, source_in
from prakerja.errors import PrakerjaError, TransientError
from prakerja.keys import KeyStore
from prakerja.settings import Settings
from prakerja_blacklist.format.contract import KeyId, Sha256, VersionNumber, manifest_name, version_folder
from prakerja_blacklist.format.documents import (
    Bounds,
    Document,
    DoesNotFitError,
    Pattern,
    canonical_json,
    parse_document,
)
from prakerja_blacklist.format.keyring import Trust
from prakerja_blacklist.format.signatures import PublicKey, SigningKey
from prakerja_blacklist.reader.sources import Source, TooLargeError, UnreachableError, read_if_there

FOLDER = "audit"  # of the anchors, beside the list
ANCHOR_BYTES_MAX = 10_000
UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


@dataclass(frozen=True, slots=True)
class EarlierAnchor(Document):
    """An anchor from before warehouses had an id. It is valid for the versions that were recorded by then."""

    contract: Literal["prakerja.anchor/1"]
    version: VersionNumber
    position: Annotated[int, Bounds(1)]
    hash: Sha256
    signing_key_id: KeyId


@dataclass(frozen=True, slots=True)
class Anchor(Document):
    """The position and hash of a warehouse's log when a version was recorded."""

    contract: Literal["prakerja.anchor/2"]
    warehouse_id: Annotated[str, Pattern(UUID)]
    version: VersionNumber
    position: Annotated[int, Bounds(1)]
    hash: Sha256
    signing_key_id: KeyId


@dataclass(frozen=True)
class AnchorFile:
    """An anchor as it lies in a folder. `signature` is None where there is none."""

    name: str
    data: bytes
    signature: bytes | None


@dataclass(frozen=True)
class End:
    """Where the log stood when a version was recorded. `position` is None if the log does not have that entry."""

    version: int
    entry: int
    position: int | None
    hash: str | None
    is_published: bool


@dataclass(frozen=True)
class Log:
    """What anchors are compared with: the warehouse's log, its versions, and its id if it has one."""

    warehouse_id: str | None
    ends: Mapping[int, End]
    hashes: Mapping[int, str]
    #: The last version whose anchor may lack the warehouse's id.
    last_earlier_version: int


@dataclass(frozen=True)
class Signers:
    """The keys whose signatures count: those that readers believe, pinned ones, and revoked ones for the past."""

    keys: Trust
    pins: Mapping[str, PublicKey] = field(default_factory=dict)
    revoked: Mapping[str, PublicKey] = field(default_factory=dict)

    def key_of(self, anchor: Anchor | EarlierAnchor) -> PublicKey | None:
        """Return the key that may have signed this anchor, or None."""
        ring_key = self.keys.keys.get(anchor.signing_key_id)
        if anchor.signing_key_id in self.keys.revoked:
            return self.revoked.get(anchor.signing_key_id)
        if ring_key is None:
            return self.pins.get(anchor.signing_key_id)
        if ring_key.last_version is not None and anchor.version > ring_key.last_version:
            return None
        return PublicKey.from_pem(ring_key.public_key.encode())


def folder() -> UPath:
    """Return the folder of the anchors."""
    return parse_place(Settings.from_environment().publish) / FOLDER


def file_name(version: int) -> str:
    """Return the name of a version's anchor."""
    return f"{version_folder(version)}.json"


def build_anchor(version: int, signer: SigningKey) -> dict[str, bytes]:
    """Return the files of a version's anchor by name.

    Raise `TransientError` if the log does not have the version's entry yet.
    """
    with warehouse.transaction("publish") as connection:
        warehouse.execute(connection, "blacklist/seal_entries")
    with warehouse.transaction() as connection:
        rows = warehouse.rows(connection, "audit/find_end", version=version)
        warehouse_id = warehouse.warehouse_id(connection)
    if not rows:
        raise TransientError(f"the audit log does not have version {version} yet: try again")
    anchor = canonical_json(
        Anchor(
            contract="prakerja.anchor/2",
            warehouse_id=warehouse_id,
            version=version,
            position=rows[0]["position"],
            hash=rows[0]["hash"],
            signing_key_id=signer.public.key_id,
        )
    )
    return {file_name(version): anchor, f"{file_name(version)}.sig": signer.sign(anchor)}


def read_anchors(place: UPath) -> list[AnchorFile]:
    """Return the anchors of a folder, by name. Raise `UnreachableError`."""
    try:
        # An `exists` would be false if the server is down, as if there were no folder.
        names = sorted(path.name for path in place.iterdir() if fnmatch(path.name, "v*.json"))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except Exception as error:  # an object storage's client has errors of its own
        raise UnreachableError(f"{place} cannot be read ({type(error).__name__}): check the storage") from None
    found, source = [], source_in(place)
    for name in names:
        # A folder of links to one large file must not fill the memory: one that is too large is damaged.
        data = _read_bounded(source, name)
        if data is not None:
            found.append(AnchorFile(name, data, _read_bounded(source, f"{name}.sig")))
    return found


def _read_bounded(source: Source, name: str) -> bytes | None:
    try:
        return read_if_there(source, name, ANCHOR_BYTES_MAX)
    except TooLargeError:
        return b""


def read_copies(place: str) -> list[AnchorFile]:
    """Return the copies of anchors in a folder, or in its folder `audit`. Raise `PrakerjaError` if there are none."""
    try:
        roots = (parse_place(place), parse_place(place) / "audit")
    except (ImportError, ValueError) as error:
        raise PrakerjaError(f"{place} cannot be read ({type(error).__name__}): give a folder or its URL") from None
    for root in roots:
        if found := read_anchors(root):
            return found
    raise PrakerjaError(f"{place} has no anchors: give the folder with the copies of v000001.json and so on")


def read_ends(connection: warehouse.Connection) -> dict[int, End]:
    """Return where the log stood at each version, in order."""
    return {row["version"]: End(**row) for row in warehouse.rows(connection, "audit/list_ends")}


def published_versions(ends: Iterable[End], root: UPath) -> set[int]:
    """Return the versions that must have an anchor.

    These are all but the newest, which its publisher may not have finished: if it has neither a manifest in `root` nor
    a recorded list, it was never published.
    """
    in_order = sorted(ends, key=lambda end: end.version)
    return {
        end.version
        for end in in_order
        if end is not in_order[-1] or end.is_published or read_document(root, manifest_name(end.version)) is not None
    }


def find_signers(root: UPath, pins: Sequence[PublicKey]) -> Signers:
    """Return whose signatures count on the anchors of the list in `root`.

    The keyrings are followed from `pins`; without pins from this home's own signing keys; without those from the key
    that lies beside the list. Raise `PrakerjaError` if no keyring follows.
    """
    believed = list(pins) or _own_keys()
    trust = (
        Trust.from_pins(believed).follow(document_reader_in(root), at_most=None)
        if believed
        else verification.trust_beside(root)
    )
    # A keyring has no public keys of the revoked, but it has their ids, which are hashes of them.
    revoked = {}
    for key_id in trust.revoked:
        pem = read_document(root, f"keys/{key_id}.pem")
        if pem is not None and (key := PublicKey.from_pem(pem)).key_id == key_id:
            revoked[key_id] = key
    return Signers(trust, {key.key_id: key for key in pins}, revoked)


def list_problems(files: Sequence[AnchorFile], log: Log, signers: Signers | None, kind: str = "anchor") -> list[str]:
    """Return what is wrong with anchors, each against its signature and the log. Without `signers` none is checked.

    A revoked key may have been stolen. What it signed counts only below a version that another key has anchored, since
    that anchor's hash covers everything before it.
    """
    problems, parsed = [], list[tuple[str, AnchorFile, Anchor | EarlierAnchor]]()
    for file in files:
        name = f"the {kind} {file.name}"
        try:
            parsed.append((name, file, _parse_anchor(file)))
        except DoesNotFitError:
            problems.append(f"{name} is damaged: restore it")
    confirmed_before = max(
        (a.version for _, file, a in parsed if signers and a.signing_key_id not in signers.keys.revoked
         and _signature_problem(file, a, signers, 0) is None),
        default=0,
    )  # fmt: skip
    for name, file, anchor in parsed:
        problem = (signers and _signature_problem(file, anchor, signers, confirmed_before)) or _log_problem(
            file, anchor, log
        )
        if problem:
            problems.append(f"{name} {problem}")
    return problems


def list_missing(required: Iterable[int], files: Iterable[AnchorFile], reason: str) -> list[str]:
    """Return a problem for each version of `required` that has no anchor."""
    names = {file.name for file in files}
    return [
        f"the anchor {file_name(version)} is missing, {reason}: restore it"
        for version in sorted(required)
        if file_name(version) not in names
    ]


def versions_of(files: Iterable[AnchorFile]) -> set[int]:
    """Return the versions that files of anchors are named for."""
    return {int(file.name[1:-5]) for file in files if file.name[1:-5].isdecimal()}


def _own_keys() -> list[PublicKey]:
    if not KeyStore.from_environment().has_signing_key():
        return []
    standby = load_next_signing_key()
    return [load_signing_key().public, *([standby.public] if standby else [])]


def _parse_anchor(file: AnchorFile) -> Anchor | EarlierAnchor:
    try:
        return parse_document(Anchor, file.data, file.name)
    except DoesNotFitError:
        return parse_document(EarlierAnchor, file.data, file.name)


def _signature_problem(
    file: AnchorFile, anchor: Anchor | EarlierAnchor, signers: Signers, confirmed_before: int
) -> str | None:
    key_id = anchor.signing_key_id
    if file.signature is None:
        return "is damaged: its signature is missing"
    if (key := signers.key_of(anchor)) is None:
        return f"is signed by {key_id}, a key that readers of the list do not believe for version {anchor.version}"
    if not key.has_signed(file.data, file.signature):
        return "has another signature: restore it"
    if key_id in signers.keys.revoked and anchor.version >= confirmed_before:
        return f"is signed by {key_id}, a key that was revoked, and no later anchor confirms it"
    return None


def _log_problem(file: AnchorFile, anchor: Anchor | EarlierAnchor, log: Log) -> str | None:
    end: Any = log.ends.get(anchor.version)
    if file.name != file_name(anchor.version):
        return f"is the anchor of version {anchor.version}"
    if isinstance(anchor, Anchor) and log.warehouse_id and anchor.warehouse_id != log.warehouse_id:
        return f"belongs to another warehouse, {anchor.warehouse_id}"
    if isinstance(anchor, EarlierAnchor) and anchor.version > log.last_earlier_version:
        return "does not say which warehouse it belongs to"
    if log.hashes.get(anchor.position) != anchor.hash:
        return f"has position {anchor.position}, which the log lacks: it was cut or rewritten, or is of an earlier day"
    if end is None:
        return "is of a version that this warehouse does not have"
    if end.position != anchor.position:
        return f"has position {anchor.position}, but its version was recorded at position {end.position}"
    return None
