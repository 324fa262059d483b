"""Following a list, and signing each chain file that continues what was seen.

A chain file is recorded with its signature in the witness's own folder before it is published, and no file there is
written over. So no two chain files of one version are ever signed, whenever the witness is killed and however many run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.chain import (
    CHAIN_BYTES_MAX,
    CONFLICT_CONTRACT,
    WITNESS_CONTRACT,
    Chain,
    Conflict,
    SeenChain,
    SignedStatement,
    Statement,
    chain_name,
    offer_chain,
    open_statement,
    sign_conflict,
    sign_statement,
    statement_name,
)
from prakerja_blacklist.format.contract import POINTER, Latest, format_instant, version_folder
from prakerja_blacklist.format.documents import DoesNotFitError, parse_document
from prakerja_blacklist.format.keyring import Trust
from prakerja_blacklist.format.signatures import PublicKey, SigningKey
from prakerja_blacklist.format.snapshot import sha256
from prakerja_blacklist.reader.kept_list import KeptList
from prakerja_blacklist.reader.own_folder import lock_folder, require_own_folder
from prakerja_blacklist.reader.sources import DOCUMENT_BYTES_MAX, NotThereError, Source, read, read_if_there
from prakerja_blacklist.reader.sync import Client
from prakerja_blacklist.reader.verification import (
    SIGNATURE_BYTES_MAX,
    Offer,
    RefusedListError,
    SignedChain,
    fetch_chain_of,
)
from prakerja_blacklist.witness.statement_files import StatementFolder, describe_errors

VERSIONS_AT_ONCE = 100_000  # nobody publishes so many; a thief of the key could make them up
CONFLICTS_MAX = 100
PATIENCE_SECONDS = 60.0  # for another witness in the same folder


class ConflictError(RefusedListError):
    """A chain file does not continue what was seen."""


@dataclass
class Round:
    """What one look at the list came to: the names of the statements that were signed, and the conflicts on record.

    `notes` has a line for each list under an earlier key that could not be followed.
    """

    signed: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Follower:
    """A witness: `folder` is its own, `out` is where its statements are published."""

    def __init__(self, folder: Path, pins: Iterable[PublicKey], signer: SigningKey, out: Path) -> None:
        self.folder, self.pins, self.signer, self.out = folder, list(pins), signer, out
        self._seen, self._conflicts = StatementFolder(folder / "seen"), StatementFolder(folder / "conflicts")
        self._out = StatementFolder(out, is_public=True)
        self._out_conflicts = StatementFolder(out / "conflicts", is_public=True, is_below=True)

    def follow(self, source: Source, now: datetime | None = None) -> Round:
        """Look at the list once: sign and publish what continues what was seen.

        Raise `ConflictError` for what does not, which is recorded and published as evidence, and `PrakerjaError`.
        """
        now, found = now or datetime.now(UTC), Round()
        with describe_errors(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            require_own_folder(self.folder)
            with lock_folder(self.folder, PATIENCE_SECONDS):
                for files in (self._seen, self._conflicts, self._out, self._out_conflicts):
                    files.make()
                self._publish_recorded()
                found.signed += self._follow_list(source, None, now)
                for key_id in self._earlier_keys():
                    found.signed += self._follow_earlier_list(source, key_id, now, found.notes)
                found.conflicts = self.list_conflicts()
        return found

    def list_conflicts(self) -> list[str]:
        """Return the names of the conflicts on record."""
        return self._conflicts.names() if self._conflicts.folder.is_dir() else []

    # -- a list, and those under earlier keys --------------------------------------------------------------------------

    def _follow_list(self, source: Source, key_id: str | None, now: datetime) -> list[str]:
        """Sync the reader's copy, and sign what is new. `key_id` is that of an earlier list, None for the list."""
        found = list[bytes]()

        folder = self.folder / (f"list-{key_id}" if key_id else "list")
        held = KeptList(folder).trusted()

        def examine(offer: Offer, trust: Trust) -> None:
            if held and held.contract != offer.manifest.contract:
                # It has a chain of its own, and no fault of the publisher's would be in it.
                raise RefusedListError(
                    "another_contract",
                    f"{offer.pointer.manifest} is of {offer.manifest.contract}, and this witness follows the list by "
                    f"{held.contract}: follow it with another folder, place and key (docs/runbooks/witnesses.md)",
                )
            found[:] = self._find_new(offer, trust, key_id, now)

        Client(folder, self.pins, takes_expired=True, examine=examine).sync(source, now)
        return [self._sign(data, key_id, now) for data in found]

    def _follow_earlier_list(self, source: Source, key_id: str, now: datetime, notes: list[str]) -> list[str]:
        """Follow the list under an earlier key of the subjects, as long as there is one."""
        try:
            pointer = read_if_there(source.under_key(key_id), POINTER, DOCUMENT_BYTES_MAX)
            if pointer is None or self._is_seen(parse_document(Latest, pointer, POINTER), key_id):
                return []
            return self._follow_list(_EarlierList(source, key_id), key_id, now)
        except ConflictError:
            raise
        except RefusedListError as error:
            if error.reason != "rollback" or self._head(key_id):  # it ended before this witness began
                notes.append(f"the list under the key {key_id}: {error}")
        except PrakerjaError as error:
            notes.append(f"the list under the key {key_id}: {error}")
        return []

    def _earlier_keys(self) -> list[str]:
        """Return the keys that the subjects of the list had before, oldest first."""
        seen = (self._find(version, None) for version in self._seen.versions(None))
        keys = [each.chain.key_id for each in seen if each]
        return [key for key in dict.fromkeys(keys) if key != keys[-1]]

    def _is_seen(self, pointer: Latest, key_id: str) -> bool:
        seen = self._find(pointer.version, key_id)
        return seen is not None and seen.chain.manifest_sha256 == pointer.sha256 and seen == self._head(key_id)

    # -- what was seen -------------------------------------------------------------------------------------------------

    def _find(self, version: int, key_id: str | None) -> SeenChain | None:
        """Return what was signed of a version, or None. Raise `PrakerjaError` if that is damaged."""
        name = statement_name(version, key_id)
        data = self._seen.read(name)
        return open_statement(data, str(self._seen.folder / name), None) if data is not None else None

    def _head(self, key_id: str | None) -> SeenChain | None:
        versions = self._seen.versions(key_id)
        return self._find(versions[-1], key_id) if versions else None

    def _find_new(self, offer: Offer, trust: Trust, key_id: str | None, now: datetime) -> list[bytes]:
        """Return the chain files from the one that was seen last to the offered one, oldest first.

        The offered one's signature vouches for those before it. Raise `ConflictError` or `PrakerjaError`.
        """
        found = self._follow_back(offer, trust, key_id, now)
        self._require_published_among(found, key_id)
        return found

    def _follow_back(self, offer: Offer, trust: Trust, key_id: str | None, now: datetime) -> list[bytes]:
        newest, head = fetch_chain_of(offer, trust), self._head(key_id)
        if newest.chain.version - (head.statement.version if head else 0) > VERSIONS_AT_ONCE:
            raise RefusedListError("fast_forward", f"{offer.pointer.manifest} is too far ahead of what was seen")
        offered = list[SignedChain]()
        for chain in self._walk_back(offer.source, newest):
            offered.append(chain)
            seen = self._find(chain.chain.version, key_id)
            contradicted = seen if seen and seen.data != chain.data else None
            before = None
            if not seen:
                before, contradicted = self._find_before(chain.chain, key_id)
            if contradicted:
                raise self._record_conflict(contradicted, offered, key_id, now)
            if seen or before:
                return [each.data for each in reversed(offered) if not (seen and each is chain)]
        return [each.data for each in reversed(offered)]

    def _find_before(self, chain: Chain, key_id: str | None) -> tuple[SeenChain | None, SeenChain | None]:
        """Return what was seen that a chain file continues, or what was seen that it contradicts, or neither.

        A list under an earlier key leaves the list where that got another key, and nowhere else.
        """
        version, previous = chain.version - 1, chain.previous_chain_sha256
        before = self._find(version, key_id) or (self._head(key_id) if previous is None else None)
        if before is None and key_id:
            before, beside = self._find(version, None), self._find(chain.version, None)
            if before and previous and sha256(before.data) != previous:
                return None, None  # it may continue the version before of its own list
            if beside and beside.chain.key_id == chain.key_id:
                return None, beside
        if before and sha256(before.data) != previous:
            return None, before
        return before, None

    def _walk_back(self, source: Source, newest: SignedChain) -> Iterator[SignedChain]:
        """Yield chain files from the newest to the first, each the very one that the one behind it names."""
        chain = newest
        yield chain
        while (previous := chain.chain.previous_chain_sha256) is not None:
            name = chain_name(chain.chain.version - 1)
            try:
                data = read(source, name, CHAIN_BYTES_MAX)
            except NotThereError:
                raise RefusedListError("missing", f"{name} is not there: ask the publisher for it") from None
            if sha256(data) != previous:
                raise RefusedListError("broken_chain", f"{name} is not the one that the version behind it names")
            parsed = parse_document(Chain, data, name)
            if parsed.version != chain.chain.version - 1:
                raise RefusedListError("broken_chain", f"{name} is the chain file of another version")
            signature = read_if_there(source, f"{name}.sig", SIGNATURE_BYTES_MAX) or b""
            chain = SignedChain(parsed, data, signature)
            yield chain

    # -- signing -------------------------------------------------------------------------------------------------------

    def _sign(self, data: bytes, key_id: str | None, now: datetime) -> str:
        """Record a chain file with a statement of it, publish that, and return its name."""
        chain = parse_document(Chain, data, "a chain file")
        name, first = statement_name(chain.version, key_id), self._first_sha256()
        statement = Statement(
            contract=WITNESS_CONTRACT,
            first_chain_sha256=first or sha256(data),
            version=chain.version,
            key_id=chain.key_id,
            chain_sha256=sha256(data),
            seen_at=format_instant(now),
            witness_key_id=self.signer.public.key_id,
        )
        self._seen.create(name, self._find_published(name, data) or sign_statement(statement, data, self.signer))
        self._publish(name)
        return name

    def _first_sha256(self) -> str | None:
        versions = self._seen.versions(None)
        found = self._find(versions[0], None) if versions else None
        return found.statement.first_chain_sha256 if found else None

    def _require_published_among(self, found: list[bytes], key_id: str | None) -> None:
        """Raise `PrakerjaError` if more is published than this folder has seen and these chain files are.

        A folder that was lost, or is of a backup, knows less than this witness has signed.
        """
        offered = {parse_document(Chain, data, "a chain file").version: data for data in found}
        for version in sorted({*self._out.versions(key_id)} - {*self._seen.versions(key_id)}):
            name = statement_name(version, key_id)
            if version not in offered:
                raise PrakerjaError(
                    f"{self._out.folder / name} is published, and is neither in {self._seen.folder} nor of the list "
                    "that is offered: restore that folder, or begin again with another folder, place and key "
                    "(docs/runbooks/witnesses.md)"
                )
            self._find_published(name, offered[version])

    def _find_published(self, name: str, chain: bytes) -> bytes | None:
        """Return the statement that is published already, by a witness of the same key whose own folder was lost.

        Raise `PrakerjaError` if that has signed another chain file.
        """
        published = self._out.read(name)
        if published is None:
            return None
        path = self._out.folder / name
        try:
            found = open_statement(published, str(path), self.signer.public)
        except DoesNotFitError as error:
            raise PrakerjaError(f"{error}: give the witness a place of its own (--out)") from None
        if found.data != chain:
            raise PrakerjaError(
                f"{path} is of another chain file, so it is another list's, or another history: look into it, and "
                "begin again with another folder, place and key (docs/runbooks/witnesses.md)"
            )
        return published

    def _publish(self, name: str) -> None:
        data = self._seen.read(name)
        if data is None or self._out.read(name) == data:
            return
        try:
            self._out.create(name, data)
        except FileExistsError:
            raise PrakerjaError(
                f"{self._out.folder / name} is not what this witness has signed: find out who has written there, and "
                "remove it"
            ) from None

    def _publish_recorded(self) -> None:
        """Publish what a killed witness has signed, and the conflicts that it has found.

        Raise `PrakerjaError` if something else lies in a statement's place, e.g. another witness's of the same key.
        """
        for name in self._seen.names():
            self._publish(name)
        for name in self._conflicts.names():
            self._publish_conflict(name)

    # -- conflicts -----------------------------------------------------------------------------------------------------

    def _record_conflict(
        self, seen: SeenChain, offered: list[SignedChain], key_id: str | None, now: datetime
    ) -> ConflictError:
        """Record and publish the evidence of two histories, once, and return the refusal."""
        disputed = offered[-1].chain.version
        names = (statement_name(seen.statement.version, each) for each in (key_id, None))
        signed = next(data for data in map(self._seen.read, names) if data is not None)
        conflict = Conflict(
            contract=CONFLICT_CONTRACT,
            first_chain_sha256=seen.statement.first_chain_sha256,
            version=disputed,
            key_id=offered[-1].chain.key_id,
            seen=parse_document(SignedStatement, signed, "a statement"),
            offered=[offer_chain(each.data, each.signature) for each in offered],
            found_at=format_instant(now),
            witness_key_id=self.signer.public.key_id,
        )
        name = f"{statement_name(disputed, key_id).removesuffix('.json')}-{sha256(offered[-1].data)[:16]}-conflict.json"
        if self._conflicts.read(name) is None and len(self._conflicts.names()) < CONFLICTS_MAX:
            self._conflicts.create(name, sign_conflict(conflict, self.signer))
            self._publish_conflict(name)
        return ConflictError(
            "conflict",
            f"{version_folder(offered[0].chain.version)} does not continue what was seen: of version "
            f"{seen.statement.version} this witness has signed another history. The evidence is "
            f"{self._conflicts.folder / name}: tell the publisher, and the readers (docs/runbooks/witnesses.md)",
        )

    def _publish_conflict(self, name: str) -> None:
        data = self._conflicts.read(name)
        if data is not None and self._out_conflicts.read(name) is None:
            self._out_conflicts.create(name, data)


class _EarlierList:
    """The list under an earlier key of the subjects. Its keyrings are those of the list itself."""

    def __init__(self, main: Source, key_id: str) -> None:
        self._main, self._earlier, self._key_id = main, main.under_key(key_id), key_id

    def __str__(self) -> str:
        return f"{self._main} under the key {self._key_id}"

    def chunks(self, name: str, bytes_max: int) -> Iterator[bytes]:
        """Yield a file's bytes. Raise as `Source.chunks` does."""
        return (self._main if name.startswith("keys/") else self._earlier).chunks(name, bytes_max)

    def under_key(self, key_id: str) -> Source:
        """Return the list under another key."""
        return self._main.under_key(key_id)
