"""A reader's folder, synced with a source: fetched, verified, deltas applied, and the last trusted list kept.

A refused list leaves the folder as it was. A reader withstands the attacks that TUF describes: rollback, freeze,
mix-and-match, fast-forward, endless data, and keys that are wrong, retired or stolen (docs/reading-the-list.md).
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.contract import (
    CLOCK_SKEW,
    Manifest,
    find_contract,
    format_instant,
    manifest_name,
    parse_instant,
    version_folder,
)
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.keyring import Trust, file_name
from prakerja_blacklist.format.roots import TrustedRoot
from prakerja_blacklist.format.signatures import PublicKey
from prakerja_blacklist.format.snapshot import (
    SUBJECT_BYTES,
    Change,
    Lines,
    NotCanonicalError,
    Subjects,
    merge_deltas,
    parse_delta,
    sha256,
)
from prakerja_blacklist.format.subject_keys import SubjectKey
from prakerja_blacklist.reader.durable_files import open_durable, open_new, replace_durably, sync_folder
from prakerja_blacklist.reader.kept_lines import CHANGES_KEPT_MAX, LINES, write_lines
from prakerja_blacklist.reader.kept_list import (
    STATE,
    SUBJECTS,
    KeptList,
    refuse_key,
    refuse_unproved,
    require_without_root,
)
from prakerja_blacklist.reader.own_folder import LOCK, lock_folder, map_own_file, require_own_folder
from prakerja_blacklist.reader.root_follower import RootFollower
from prakerja_blacklist.reader.sources import (
    CHUNK_BYTES,
    DOCUMENT_BYTES_MAX,
    NotThereError,
    Source,
    document_reader,
    read,
    read_if_there,
)
from prakerja_blacklist.reader.trusted_list import Trusted, manifest_fields, trust_fields
from prakerja_blacklist.reader.verification import (
    SIGNATURE_BYTES_MAX,
    Offer,
    RefusedListError,
    fetch_manifest,
    fetch_offer,
    inflate,
    require_contents,
    unpacked_bytes_max,
    unzip,
)
from prakerja_blacklist.reader.witnesses import MEMORY, GivenWitnesses, require_witnessed, settle_witnesses

KEYRINGS_BYTES_MAX = 8 << 20  # what is kept of keyrings, which a thief could go on signing
BATCH_PIECES = 1_000
DELTAS_AT_ONCE, DELTA_ROWS_MAX = 64, 250_000  # further behind than that, the whole list is less work
VERSIONS_A_DAY_MAX, VERSIONS_SPARE = 24, 100  # a list that is further ahead was not published, but made up
PATIENCE_SECONDS = 60.0  # for another sync of the same folder
#: What is a reader's in its folder. Earlier readers named what is not finished by their process.
OWNED = re.compile(
    r"v\d{6,9}-[0-9a-f]{16}|\.([0-9a-f]{16}|\d+)\.new|\.trusted\.json\.([0-9a-f]{16}|\d+)|\.lock|trusted\.json"
    r"|witnesses\.json|\.witnesses\.json\.[0-9a-f]{16}"
)
IGNORED = ("lost+found", ".DS_Store")  # a file system puts these anywhere


@dataclass(frozen=True)
class Synced:
    """How a sync ended. `how` is `unchanged`, `delta` or `full`; `changes` are those of the deltas.

    `absent` has a line for each witness that has not signed the version.
    """

    trusted: Trusted
    how: str
    changes: Sequence[Change]
    absent: Sequence[str] = ()


class DeltaUnusableError(Exception):
    """The deltas do not lead from the trusted list to the new one. The whole list is fetched."""


class Client(KeptList):
    """A reader that syncs its folder.

    With `subject_keys` it refuses a list whose subjects it cannot compute. It prefers the first of its keys. With an
    earlier one it takes the list that is still published under that key while the keys overlap. `takes_expired` is for
    a reader that tells others, in each answer, that the list has expired. Up to `changes_kept_max` changes are kept
    beside the lines that they change; with 0, the lines are always the list's. `witnesses` are whom it asks before it
    trusts a version; without them it asks those that its folder remembers. `examine` is given every version that a
    source offers, before it is known whether it may follow, and may refuse it.
    """

    def __init__(
        self,
        folder: Path,
        pins: Iterable[PublicKey] = (),
        subject_keys: Sequence[SubjectKey] = (),
        *,
        root: TrustedRoot | None = None,
        takes_expired: bool = False,
        changes_kept_max: int = CHANGES_KEPT_MAX,
        witnesses: GivenWitnesses | None = None,
        examine: Callable[[Offer, Trust], None] | None = None,
    ) -> None:
        super().__init__(folder, pins, subject_keys, root=root)
        self.takes_expired, self.changes_kept_max = takes_expired, changes_kept_max
        self.witnesses, self.examine = witnesses, examine

    # -- syncing -------------------------------------------------------------------------------------------------------

    def sync(self, source: Source, now: datetime | None = None) -> Synced:
        """Bring the folder up to the source's version, or leave it as it is.

        Raise `RefusedListError`, `UntrustedError`, `NotCanonicalError` or `DoesNotFitError` if the list is refused, and
        `UnreachableError` if retrying is safe. The reader learns newer keyrings in each of these cases.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            require_own_folder(self.folder)
            if any(not OWNED.fullmatch(path.name) and path.name not in IGNORED for path in self.folder.iterdir()):
                raise PrakerjaError(f"{self.folder} holds other files: give the reader a folder of its own")
            return self._sync(source, now or datetime.now(UTC))
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise PrakerjaError(
                f"{self.folder} cannot be written ({why}): make room; the list before is kept"
            ) from None

    def _sync(self, source: Source, now: datetime) -> Synced:
        with lock_folder(self.folder, PATIENCE_SECONDS):
            self._remove_leftovers()
            required = settle_witnesses(self.folder, self.witnesses)
            before, trust, fields = self._learn_by_root(source) if self.root else self._learn_by_pins(source)
            is_recovering = before is not None and before.is_revoked
            if is_recovering:
                # A list that a stolen key has signed bounds nothing, however far ahead it was.
                before = None
            offer = self._choose_offer(source, trust, before, now)
            if is_recovering and trust.keys[offer.manifest.signing_key_id].last_version is not None:
                # How far the publisher had come is unknown, so only a key that signs today may continue.
                name = version_folder(offer.manifest.version)
                raise RefusedListError("rollback", f"{name} is signed by a key that signs no more")
            witnessed = require_witnessed(
                self.folder, required, offer, trust, before=before, is_earlier=offer.source is not source, now=now
            )
            fields |= {"witnessed": list(witnessed.keys)}
            if before and before.manifest_sha256 == offer.pointer.sha256 and self._is_intact(before):
                return Synced(self._keep(before, fields, now), "unchanged", [], witnessed.absent)
            aside = self.folder / f".{secrets.token_hex(8)}.new"
            aside.mkdir(mode=0o700)
            try:
                changes, digest = self._fetch_list(offer, trust, before, aside)
                replaced = self._replace_list(aside, offer, digest, fields, now)
                return Synced(replaced, "full" if changes is None else "delta", changes or [], witnessed.absent)
            finally:
                self._remove_leftovers()

    def _fetch_list(
        self, offer: Offer, trust: Trust, before: Trusted | None, aside: Path
    ) -> tuple[list[Change] | None, str]:
        """Write the new list aside: from deltas if they suffice, else from the whole list, once.

        Return the changes of the deltas, or None, and the SHA-256 of the subjects.
        """
        is_same = before and (before.contract, before.key_id) == (offer.manifest.contract, offer.manifest.key_id)
        if before and is_same and before.version < offer.manifest.version:
            with contextlib.suppress(DeltaUnusableError):
                return self._write_from_deltas(offer, trust, before, aside)
            for unfinished in aside.iterdir():
                unfinished.unlink()
        return None, self._write_from_snapshot(offer, aside)

    def _remove_leftovers(self) -> None:
        """Remove earlier lists, and what a sync that was killed has left."""
        trusted = self._read_state()
        for leftover in self.folder.iterdir():
            is_needed = leftover.name in (STATE, LOCK, MEMORY) or (trusted and leftover.name == trusted.folder)
            if is_needed or not OWNED.fullmatch(leftover.name):  # somebody may have put a file there since the check
                continue
            if leftover.is_dir() and not leftover.is_symlink():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)

    def _learn_by_pins(self, source: Source) -> tuple[Trusted | None, Trust, dict[str, Any]]:
        """Return what was trusted, the keys that are believed by now, and the state's fields that say so.

        They are kept even if the list is refused: nobody can withhold a revocation that was learnt once.
        """
        before = self._load_before(source)
        keyrings = [ring.encode() for ring in before.keyrings] if before else []
        trust = (before.trust if before else self._trust_pins()).follow(_collecting(source, keyrings))
        fields = trust_fields(trust, keyrings)
        if before and trust.number > before.keyring:
            before = replace(before, **fields)
            self._write_state(before)
        return before, trust, fields

    def _learn_by_root(self, source: Source) -> tuple[Trusted | None, Trust, dict[str, Any]]:
        """As `_learn_by_pins`, by the pinned root. A list that no key of its keyring has signed counts as none."""
        assert self.root is not None  # noqa: S101 - its caller looks
        before, follower = self._read_state(), RootFollower(self.root)
        if before and not before.manifest:
            before = _fetch_proofs(before, source)
        is_resumed = before is not None and self.resume_root(follower, before)
        try:
            follower.follow(document_reader(source))
        finally:
            if before and is_resumed and before.root != follower.fields["root"]:
                before = replace(before, **follower.fields)
                self._write_state(before)
        if before and not is_resumed:
            before = replace(before, **follower.fields) if follower.has_signed(before) else None
        return before, follower.trust, follower.fields

    def _load_before(self, source: Source) -> Trusted | None:
        """Return what was trusted, or None if the publisher's key was pinned anew, since a lost key has no successor.

        A key is pinned anew if it was not given at the last sync and the keyring does not say that it signs. A thief's
        keyring may say so: the reader's folder is to be emptied then. Raise `RefusedListError` if the state does not
        follow from the pins.
        """
        before = self._read_state()
        if before:
            require_without_root(before, self.folder)
        if before is None or not self.pins:
            return before
        if self._is_pinned_anew(before):
            return None
        if not before.manifest:  # of a reader that kept no proofs: they are published
            before = _fetch_proofs(before, source)
        if (trust := before.prove(self.pins)) is None:
            raise refuse_unproved(self.folder)
        return replace(before, keys=list(trust.keys.values()))

    def _trust_pins(self) -> Trust:
        if not self.pins:
            raise PrakerjaError("a reader believes nobody by itself: give it the publisher's public key (--pin FILE)")
        return Trust.from_pins(self.pins)

    def _choose_offer(self, source: Source, trust: Trust, before: Trusted | None, now: datetime) -> Offer:
        """Return the version that the source points at, under a key of this reader, if it may be trusted."""
        offer = fetch_offer(source, trust)
        if self.examine:
            self.examine(offer, trust)
        version = offer.manifest.version
        if version < max((key.last_version or 0 for key in trust.keys.values()), default=0):
            raise RefusedListError(
                "rollback", f"the source points at version {version}, and its keyring tells of later ones"
            )
        own_keys = {key.key_id for key in self.subject_keys}
        if own_keys and offer.manifest.key_id not in own_keys:
            offer = self._find_offer_under_earlier_key(source, trust, offer.manifest, now)
        if before:
            _require_successor(offer, before, now)
        manifest, name = offer.manifest, version_folder(offer.manifest.version)
        if parse_instant(manifest.created_at) > now + CLOCK_SKEW:
            raise RefusedListError("from_the_future", f"{name} says that it is of {manifest.created_at}")
        if parse_instant(manifest.expires_at) <= now and not self.takes_expired:
            raise RefusedListError(
                "expired", f"the newest list, {name}, has expired at {manifest.expires_at}: ask the publisher"
            )
        return offer

    def _find_offer_under_earlier_key(self, source: Source, trust: Trust, newest: Manifest, now: datetime) -> Offer:
        for key in self.subject_keys:
            with contextlib.suppress(NotThereError):
                offer = fetch_offer(source.under_key(key.key_id), trust)
                is_over = parse_instant(offer.manifest.expires_at) <= now < parse_instant(newest.expires_at)
                if offer.manifest.key_id == key.key_id and not is_over:
                    return offer
        raise refuse_key(newest.key_id)

    def _is_intact(self, trusted: Trusted) -> bool:
        """Return whether the subjects are those that were trusted.

        No answer comes from the lines: the next delta must turn them into a list with the next version's hash, or the
        whole list is fetched. A power cut may take them, so a sync does not wait until they are on the disk.
        """
        folder = self.folder / trusted.folder
        with contextlib.suppress(OSError):
            return (folder / LINES).is_file() and sha256(map_own_file(folder / SUBJECTS)) == trusted.subjects_sha256
        return False

    # -- writing the new list aside ------------------------------------------------------------------------------------

    def _write_from_deltas(self, offer: Offer, trust: Trust, before: Trusted, aside: Path) -> tuple[list[Change], str]:
        """Apply the deltas since the trusted list. Return the changes and the SHA-256 of the subjects after them.

        Raise `DeltaUnusableError` whatever is wrong with them.
        """
        versions = range(before.version + 1, offer.manifest.version + 1)
        if len(versions) > DELTAS_AT_ONCE:
            raise DeltaUnusableError
        with ThreadPoolExecutor(1) as pool:  # for hashing and the disk, which need no interpreter
            is_intact = pool.submit(self._is_intact, before)
            try:
                changes = merge_deltas(_fetch_deltas(offer, trust, versions))
                if not is_intact.result():
                    raise DeltaUnusableError
                digest = self._write_changed(self.folder / before.folder, changes, offer.manifest, aside, pool)
            except (PrakerjaError, OSError):
                raise DeltaUnusableError from None
        return changes, digest

    def _write_changed(
        self, before: Path, changes: list[Change], manifest: Manifest, aside: Path, pool: ThreadPoolExecutor
    ) -> str:
        # Where the changes belong is found before the second thread begins: both would want the interpreter.
        subjects = list(Subjects(map_own_file(before / SUBJECTS)).apply_changes(changes))
        written = pool.submit(_write_durably, aside / SUBJECTS, subjects)
        contract = find_contract(manifest.contract)
        if write_lines(before, aside, changes, contract, self.changes_kept_max) != manifest.result_sha256:
            raise NotCanonicalError("the trusted list and the deltas do not give the new list")
        return written.result()

    def _write_from_snapshot(self, offer: Offer, aside: Path) -> str:
        manifest, file = offer.manifest, offer.manifest.file("snapshot.csv.gz")
        name, download = f"{version_folder(manifest.version)}/{file.name}", aside / "download"
        digest, size = hashlib.sha256(), 0
        try:
            with open_new(download) as out:
                for chunk in offer.source.chunks(name, file.bytes):
                    digest.update(chunk)
                    size += len(chunk)
                    out.write(chunk)
        except NotThereError:
            raise RefusedListError("missing", f"{name} is not there") from None
        if size != file.bytes or digest.hexdigest() != file.sha256:
            raise RefusedListError("tampered", f"{name} is not what the manifest says")
        lines, subjects_digest = Lines(find_contract(manifest.contract)), hashlib.sha256()
        with (
            download.open("rb") as packed,
            open_new(aside / LINES) as listed,
            open_durable(aside / SUBJECTS) as subjects,
        ):
            for chunk in inflate(iter(partial(packed.read, CHUNK_BYTES), b""), unpacked_bytes_max(file), name):
                found = lines.read_chunk(chunk)
                subjects_digest.update(found)
                subjects.write(found)
                listed.write(chunk)
        lines.require_end()
        if lines.digest.hexdigest() != manifest.result_sha256 or lines.rows != manifest.counts.entries:
            raise RefusedListError("tampered", f"{name} is not the list that result_sha256 names")
        download.unlink()
        return subjects_digest.hexdigest()

    # -- the folder's state --------------------------------------------------------------------------------------------

    def _replace_list(
        self, aside: Path, offer: Offer, subjects_sha256: str, trust: dict[str, Any], now: datetime
    ) -> Trusted:
        """Move the new list into the folder, then the state that names it."""
        manifest, subjects = offer.manifest, aside / SUBJECTS
        name = version_folder(manifest.version)
        if subjects.stat().st_size != manifest.counts.entries * SUBJECT_BYTES:
            raise RefusedListError("tampered", f"{name} does not list as many as its manifest says")
        trusted = Trusted(
            folder=f"{name}-{secrets.token_hex(8)}",
            subjects_sha256=subjects_sha256,
            signature=offer.signed.signature.decode(),
            synced_at=format_instant(now),
            pins=self._pin_ids(),
            **manifest_fields(manifest, offer.signed.data),
            **trust,
        )
        sync_folder(aside)
        aside.rename(self.folder / trusted.folder)
        sync_folder(self.folder)
        self._write_state(trusted)
        return trusted

    def _keep(self, before: Trusted, trust: dict[str, Any], now: datetime) -> Trusted:
        kept = replace(before, synced_at=format_instant(now), pins=self._pin_ids(), **trust)
        self._write_state(kept)
        return kept

    def _pin_ids(self) -> list[str]:
        before = self._read_state()
        if self.root:
            return []
        return [pin.key_id for pin in self.pins] or (before.pins if before else [])

    def _write_state(self, trusted: Trusted) -> None:
        replace_durably(self.folder / STATE, canonical_json(trusted))


def _write_durably(path: Path, pieces: list[Any]) -> str:
    """Write a file that is on the disk afterwards, and return its SHA-256."""
    digest = hashlib.sha256()
    with open_durable(path) as out:
        for start in range(0, len(pieces), BATCH_PIECES):  # in few calls: another thread needs the interpreter
            batch = b"".join(pieces[start : start + BATCH_PIECES])
            out.write(batch)
            digest.update(batch)
    return digest.hexdigest()


def _require_successor(offer: Offer, before: Trusted, now: datetime) -> None:
    """Raise `RefusedListError` unless the offered version may follow the trusted one."""
    manifest, name = offer.manifest, version_folder(offer.manifest.version)
    if manifest.version < before.version:
        raise RefusedListError(
            "rollback", f"the source points at version {manifest.version}, {before.version} was trusted already"
        )
    # A version is published by each contract and under each key once.
    is_same = (manifest.version, manifest.contract, manifest.key_id) == (before.version, before.contract, before.key_id)
    if is_same and offer.pointer.sha256 != before.manifest_sha256:
        raise RefusedListError("two_of_one", f"{name} is another one than the {name} that was trusted")
    days = max((now - parse_instant(before.created_at)).days, 0)
    if manifest.version - before.version > VERSIONS_SPARE + VERSIONS_A_DAY_MAX * days:
        raise RefusedListError(
            "fast_forward", f"{name} is {manifest.version - before.version:,} versions ahead of the trusted one"
        )
    if parse_instant(manifest.created_at) < parse_instant(before.created_at) and manifest.version > before.version:
        raise RefusedListError("rollback", f"{name} says that it is older than the version before it")


def _fetch_deltas(offer: Offer, trust: Trust, versions: range) -> Iterator[list[Change]]:
    """Yield the deltas of some versions. Raise `DeltaUnusableError` once the whole list would be less work.

    Changes are held in memory, and a list is not.
    """
    bytes_left, rows_left = offer.manifest.file("snapshot.csv.gz").bytes, DELTA_ROWS_MAX
    for version in versions:
        is_newest = version == offer.manifest.version
        manifest = offer.manifest if is_newest else fetch_manifest(offer.source, trust, version).manifest
        file = manifest.file("delta.csv.gz")
        bytes_left, rows_left = bytes_left - file.bytes, rows_left - file.rows
        is_other = (manifest.contract, manifest.key_id) != (offer.manifest.contract, offer.manifest.key_id)
        if is_other or min(bytes_left, rows_left) < 0:
            raise DeltaUnusableError
        name = f"{version_folder(version)}/{file.name}"
        data = require_contents(read(offer.source, name, file.bytes), file, name)
        yield parse_delta(unzip(data, unpacked_bytes_max(file), name), find_contract(manifest.contract))


def _collecting(source: Source, keyrings: list[bytes]) -> Callable[[str], bytes | None]:
    """Return a function that reads a keyring by name, and adds it to those that are kept. Raise `RefusedListError`."""
    read_keyring = document_reader(source)

    def read_and_keep(name: str) -> bytes | None:
        if (ring := read_keyring(name)) is not None:
            keyrings.append(ring)
            if sum(map(len, keyrings)) > KEYRINGS_BYTES_MAX:
                raise RefusedListError("tampered", f"{name} and those before are longer than any list's")
        return ring

    return read_and_keep


def _fetch_proofs(before: Trusted, source: Source) -> Trusted:
    """Return a state with the manifest and the keyrings that it follows from, as far as the source has them."""
    rings = [read_if_there(source, file_name(number), DOCUMENT_BYTES_MAX) for number in range(1, before.keyring + 1)]
    name = manifest_name(before.version)
    for lies_in in (source, source.under_key(before.key_id)):
        manifest = read_if_there(lies_in, name, DOCUMENT_BYTES_MAX)
        signature = read_if_there(lies_in, f"{name}.sig", SIGNATURE_BYTES_MAX)
        if manifest and signature and sha256(manifest) == before.manifest_sha256:
            with contextlib.suppress(UnicodeDecodeError):
                before = replace(before, manifest=manifest.decode(), signature=signature.decode())
    return replace(before, keyrings=[(ring or b"").decode(errors="replace") for ring in rings])
