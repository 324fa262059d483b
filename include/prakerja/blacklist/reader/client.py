"""A reader of the published list: fetches, verifies, applies deltas, and keeps what it last trusted.

What it refuses leaves its folder as it was. The attacks that it withstands are those that TUF describes: rollback,
freeze, mix-and-match, fast-forward, endless data, keys that are wrong, retired or stolen (docs/reading-the-list.md).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import mmap
import os
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field

from prakerja.blacklist.format.contract import (
    Document,
    Instant,
    KeyId,
    Latest,
    Manifest,
    RevokedKey,
    RingKey,
    Sha256,
    VersionNumber,
    canonical_json,
    instant,
    parsed,
    utc_text,
)
from prakerja.blacklist.format.keyring import Trust
from prakerja.blacklist.format.signing import PublicKey, SubjectKey
from prakerja.blacklist.format.snapshot import (
    DELTA_HEADER,
    HEADER,
    LINE_BYTES_MAX,
    SUBJECT_BYTES,
    Change,
    Lines,
    NotCanonicalError,
    Subjects,
    applied,
    net,
    parsed_delta,
    sha256,
)
from prakerja.blacklist.publisher.storage import sync_folder
from prakerja.blacklist.reader.freshness import CLOCK_SKEW, Freshness
from prakerja.blacklist.reader.sources import DOCUMENT_BYTES_MAX, POINTER, NotThereError, Source, read, read_if_there
from prakerja.errors import NotReadyError, PrakerjaError, TransientError

STATE, LINES, SUBJECTS = "trusted.json", "list.csv", "subjects.bin"
SIGNATURE_BYTES_MAX = 1_000
BATCH_BYTES = 4 << 20
DELTAS_AT_ONCE = 64  # further behind than that, the whole list is less work
VERSIONS_A_DAY_MAX, VERSIONS_SPARE = 24, 100  # a list that is further ahead than that was not published, but made up
PATIENCE_SECONDS = 60.0  # for another sync of the same folder
OURS = re.compile(r"v\d{6,9}-[0-9a-f]{16}|\.\d+\.new|\.trusted\.json\.\d+|\.lock|trusted\.json")
NOBODYS = ("lost+found", ".DS_Store")  # what a file system puts anywhere


class RefusedListError(PrakerjaError):
    """What the source offers is refused, and the last trusted list kept. `reason` is its code."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class Trusted(Document):
    """What a reader's folder holds: the version that it trusts, and the keys that it believes by now."""

    version: VersionNumber
    folder: str
    manifest_sha256: Sha256
    result_sha256: Sha256
    subjects_sha256: Sha256
    entries: int
    key_id: KeyId
    signing_key_id: KeyId
    created_at: Instant
    expires_at: Instant
    data_as_of: dict[str, str]
    synced_at: Instant
    keyring: int
    keys: list[RingKey]
    revoked: list[RevokedKey]
    pins: list[KeyId] = Field(default=[], description="that it was given at the last sync")

    def freshness(self, now: datetime) -> Freshness:
        """How fresh the list is at an instant. One that was signed by a key that is revoked by now is worth nothing."""
        freshness = Freshness.of(self.version, self.created_at, self.expires_at, self.data_as_of, now)
        return replace(freshness, is_stale=True, is_expired=True) if self.is_revoked else freshness

    @property
    def is_revoked(self) -> bool:
        """Whether who signed the list is believed no more."""
        return self.signing_key_id in self.trust.revoked

    @property
    def trust(self) -> Trust:
        """Whom its reader believes."""
        return Trust(
            {key.signing_key_id: key for key in self.keys},
            self.keyring,
            {key.signing_key_id: key for key in self.revoked},
        )


@dataclass(frozen=True)
class Synced:
    """How a sync ended: `how` is `unchanged`, `delta` or `full`; `changes` are those that deltas brought."""

    trusted: Trusted
    how: str
    changes: Sequence[Change]


@dataclass(frozen=True)
class TrustedList:
    """The list that a reader trusts, opened: it stays as it is, whatever a later sync does."""

    trusted: Trusted
    subjects: Subjects

    def is_listed(self, subject: bytes) -> bool:
        """Whether a subject (32 bytes) is listed."""
        return subject in self.subjects


class Client:
    """A reader with a folder of its own. `pins` are the public keys that it believes at first.

    With `subject_keys` it refuses a list whose subjects it could not compute; the first of its keys is preferred, and
    an earlier one finds the list that is still published under it, while the keys overlap. `takes_expired` is for who
    tells others, in each answer, that the list has expired.
    """

    def __init__(
        self,
        folder: Path,
        pins: Iterable[PublicKey] = (),
        subject_keys: Sequence[SubjectKey] = (),
        *,
        takes_expired: bool = False,
    ) -> None:
        self.folder, self.takes_expired = folder, takes_expired
        self.pins = list(pins)
        self.subject_keys = list(subject_keys)

    # -- reading -------------------------------------------------------------------------------------------------------

    def trusted(self) -> Trusted | None:
        """What the folder holds, without asking anybody; nothing before the first sync."""
        try:
            data = (self.folder / STATE).read_bytes()
        except FileNotFoundError:
            return None
        return parsed(Trusted, data, f"{self.folder / STATE} is damaged: empty the folder, then sync again")

    def opened(self) -> TrustedList:
        """The trusted list, verified as it lies there. Raises `NotReadyError`, `RefusedListError`."""
        trusted = self.trusted()
        while trusted:
            if trusted.is_revoked:
                raise RefusedListError(
                    "revoked", f"the list in {self.folder} was signed by a key that was revoked since: sync it"
                )
            with contextlib.suppress(OSError):
                buffer = _mapped(self.folder / trusted.folder / SUBJECTS)
                if sha256(buffer) == trusted.subjects_sha256:
                    return TrustedList(trusted, Subjects(buffer))
            before, trusted = trusted, self.trusted()
            if trusted == before:  # it was not exchanged meanwhile
                raise RefusedListError("damaged", f"the list in {self.folder} is not the one that was trusted: sync it")
        raise NotReadyError(f"{self.folder} holds no list yet: sync it first")

    def key_of(self, trusted: Trusted) -> SubjectKey:
        """The key of the list's subjects. Raises `RefusedListError` where this reader does not have it."""
        for key in self.subject_keys:
            if key.key_id == trusted.key_id:
                return key
        raise RefusedListError("key_rotated", _ask_for(trusted.key_id))

    # -- syncing -------------------------------------------------------------------------------------------------------

    def sync(self, source: Source, now: datetime | None = None) -> Synced:
        """Bring the folder up to the source's version, or leave it as it is.

        Raises `PrakerjaError`: `RefusedListError`, `UntrustedError`, `NotCanonicalError` or `DoesNotFitError` where the
        list is refused, `UnreachableError` where trying again may do. Which keys are believed is learnt all the same.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(not OURS.fullmatch(path.name) and path.name not in NOBODYS for path in self.folder.iterdir()):
                raise PrakerjaError(f"{self.folder} holds other files: give the reader a folder of its own")
            return self._synced(source, now or datetime.now(UTC))
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise PrakerjaError(
                f"{self.folder} cannot be written ({why}): make room; the list before is kept"
            ) from None

    def _synced(self, source: Source, now: datetime) -> Synced:
        with self._alone():
            self._clear()
            before = self._before()
            trust = (before.trust if before else self._pinned()).followed(
                lambda name: read_if_there(source, name, DOCUMENT_BYTES_MAX)
            )
            if before and trust.number > before.keyring:
                # Kept whatever becomes of the list: a revocation that was learnt cannot be withheld afterwards.
                before = before.model_copy(update=_ring(trust))
                self._write_state(before)
            is_recovering = before is not None and before.signing_key_id in trust.revoked
            if is_recovering:
                # What a stolen key has signed is no reason to refuse what the publisher says, however far ahead it was.
                before = None
            source, pointer, manifest, manifest_bytes = self._offered(source, trust, before, now)
            if is_recovering and trust.keys[manifest.signing_key_id].last_version is not None:
                # How far the publisher had come is unknown by now: but it is who signs today that goes on from there.
                raise RefusedListError("rollback", f"v{manifest.version:06d} is signed by a key that signs no more")
            if before and before.manifest_sha256 == pointer.sha256 and self._is_whole(before):
                kept = self._kept(before, trust, now)
                return Synced(kept, "unchanged", [])
            aside = self.folder / f".{os.getpid()}.new"
            aside.mkdir()
            try:
                how, changes = self._fetched(source, trust, before, manifest, aside)
                return Synced(self._swapped(aside, manifest, manifest_bytes, trust, now), how, changes)
            finally:
                self._clear()

    def _fetched(
        self, source: Source, trust: Trust, before: Trusted | None, manifest: Manifest, aside: Path
    ) -> tuple[str, Sequence[Change]]:
        """The new list, written aside: by deltas where they do, else the whole of it, once."""
        if before and before.key_id == manifest.key_id and before.version < manifest.version:
            with contextlib.suppress(_DeltasDoNotDoError):
                return "delta", self._from_deltas(source, trust, before, manifest, aside)
        self._from_snapshot(source, manifest, aside)
        return "full", []

    def _clear(self) -> None:
        """Take away earlier lists, and what somebody left who died."""
        trusted = self.trusted()
        for leftover in self.folder.iterdir():
            is_needed = leftover.name in (STATE, ".lock") or (trusted and leftover.name == trusted.folder)
            if is_needed or not OURS.fullmatch(leftover.name):  # another's, who came after we had looked
                continue
            if leftover.is_file():
                leftover.unlink()
            else:
                shutil.rmtree(leftover, ignore_errors=True)

    def _before(self) -> Trusted | None:
        """What was trusted; nothing where the publisher's key was pinned anew, since a lost one has no heir.

        Anew is a key that was not given at the last sync, and that the keyring does not say to sign. A thief's keyring
        may say that: then the reader's folder is to be emptied.
        """
        before = self.trusted()
        if before is None or not self.pins:
            return before
        signing = {key for key, ring_key in before.trust.keys.items() if ring_key.last_version is None}
        return before if (signing | {*before.pins}) & {pin.key_id for pin in self.pins} else None

    def _pinned(self) -> Trust:
        if not self.pins:
            raise PrakerjaError("a reader believes nobody by itself: give it the publisher's public key (--pin FILE)")
        return Trust.in_pins(self.pins)

    def _offered(
        self, source: Source, trust: Trust, before: Trusted | None, now: datetime
    ) -> tuple[Source, Latest, Manifest, bytes]:
        """The version that the source points at, if it may follow the trusted one."""
        pointer, manifest, data = _pointed(source, trust)
        if manifest.version < max((key.last_version or 0 for key in trust.keys.values()), default=0):
            raise RefusedListError(
                "rollback", f"the source points at version {manifest.version}, and its keyring tells of later ones"
            )
        ours = {key.key_id for key in self.subject_keys}
        if ours and manifest.key_id not in ours:
            source, pointer, manifest, data = self._under_earlier_key(source, trust, manifest, now)
        name = f"v{manifest.version:06d}"
        if before:
            if manifest.version < before.version:
                raise RefusedListError(
                    "rollback", f"the source points at version {manifest.version}, {before.version} was trusted already"
                )
            is_other = pointer.sha256 != before.manifest_sha256 and manifest.key_id == before.key_id
            if manifest.version == before.version and is_other:
                raise RefusedListError("two_of_one", f"{name} is another one than the {name} that was trusted")
            days = max((now - instant(before.created_at)).days, 0)
            if manifest.version - before.version > VERSIONS_SPARE + VERSIONS_A_DAY_MAX * days:
                raise RefusedListError(
                    "fast_forward", f"{name} is {manifest.version - before.version:,} versions ahead of the trusted one"
                )
            if instant(manifest.created_at) < instant(before.created_at) and manifest.version > before.version:
                raise RefusedListError("rollback", f"{name} says that it is older than the version before it")
        if instant(manifest.created_at) > now + CLOCK_SKEW:
            raise RefusedListError("from_the_future", f"{name} says that it is of {manifest.created_at}")
        if instant(manifest.expires_at) <= now and not self.takes_expired:
            raise RefusedListError(
                "expired", f"the newest list, {name}, has expired at {manifest.expires_at}: ask the publisher"
            )
        return source, pointer, manifest, data

    def _under_earlier_key(
        self, source: Source, trust: Trust, newest: Manifest, now: datetime
    ) -> tuple[Source, Latest, Manifest, bytes]:
        for key in self.subject_keys:
            earlier = source.under_key(key.key_id)
            with contextlib.suppress(NotThereError):
                pointer, manifest, data = _pointed(earlier, trust)
                is_over = instant(manifest.expires_at) <= now < instant(newest.expires_at)
                if manifest.key_id == key.key_id and not is_over:
                    return earlier, pointer, manifest, data
        raise RefusedListError("key_rotated", _ask_for(newest.key_id))

    def _is_whole(self, trusted: Trusted) -> bool:
        """Whether the subjects are those that were trusted.

        The lines answer nobody: with the next delta they must give the next version's hash, or the whole list is
        fetched. So a power cut may take them, and they are not waited for on their way to the disk.
        """
        folder = self.folder / trusted.folder
        with contextlib.suppress(OSError):
            return (folder / LINES).is_file() and sha256(_mapped(folder / SUBJECTS)) == trusted.subjects_sha256
        return False

    def _from_deltas(
        self, source: Source, trust: Trust, before: Trusted, manifest: Manifest, aside: Path
    ) -> list[Change]:
        versions = range(before.version + 1, manifest.version + 1)
        if len(versions) > DELTAS_AT_ONCE:
            raise _DeltasDoNotDoError
        with ThreadPoolExecutor(1) as pool:  # for what needs no interpreter: hashes, and the disk
            return self._applied_deltas(source, trust, before, manifest, versions, aside, pool)

    def _applied_deltas(
        self,
        source: Source,
        trust: Trust,
        before: Trusted,
        manifest: Manifest,
        versions: range,
        aside: Path,
        pool: ThreadPoolExecutor,
    ) -> list[Change]:
        is_whole = pool.submit(self._is_whole, before)
        bytes_left = manifest.file("snapshot.csv.gz").bytes
        deltas = []
        try:
            for version in versions:
                step = manifest if version == manifest.version else verified_manifest(source, trust, version)[0]
                file = step.file("delta.csv.gz")
                bytes_left -= file.bytes
                if step.key_id != manifest.key_id or bytes_left < 0:
                    raise _DeltasDoNotDoError
                name = f"v{version:06d}/delta.csv.gz"
                data = _require_file(read(source, name, file.bytes), file.bytes, file.sha256, name)
                deltas.append(parsed_delta(_unzipped(data, len(DELTA_HEADER) + file.rows * LINE_BYTES_MAX, name)))
            changes = net(deltas)
            if not is_whole.result():
                raise _DeltasDoNotDoError
            base = _mapped(self.folder / before.folder / LINES)
            subjects = Subjects(_mapped(self.folder / before.folder / SUBJECTS))
            with (aside / SUBJECTS).open("wb") as out:
                out.writelines(subjects.applied(changes))
                out.flush()
                is_on_disk = pool.submit(os.fsync, out.fileno())  # which takes as long as all the lines
                if _written(aside / LINES, applied(base, changes)) != manifest.result_sha256:
                    raise NotCanonicalError("the trusted list and the deltas do not give the new list")
                is_on_disk.result()
        except (PrakerjaError, OSError):
            # Whatever is wrong with them: the whole list is tried, once.
            raise _DeltasDoNotDoError from None
        return changes

    def _from_snapshot(self, source: Source, manifest: Manifest, aside: Path) -> None:
        file = manifest.file("snapshot.csv.gz")
        name = f"v{manifest.version:06d}/{file.name}"
        download = aside / "download"
        digest, size = hashlib.sha256(), 0
        try:
            with download.open("wb") as out:
                for chunk in source.chunks(name, file.bytes):
                    digest.update(chunk)
                    size += len(chunk)
                    out.write(chunk)
        except NotThereError:
            raise RefusedListError("missing", f"{name} is not there") from None
        if size != file.bytes or digest.hexdigest() != file.sha256:
            raise RefusedListError("tampered", f"{name} is not what the manifest says")
        lines = Lines()
        with (
            download.open("rb") as packed,
            (aside / LINES).open("wb") as listed,
            _new_file(aside / SUBJECTS) as subjects,
        ):
            for chunk in _inflated(packed, len(HEADER) + file.rows * LINE_BYTES_MAX, name):
                subjects.write(lines.subjects_of(chunk))
                listed.write(chunk)
        lines.require_end()
        if lines.digest.hexdigest() != manifest.result_sha256 or lines.rows != manifest.counts.entries:
            raise RefusedListError("tampered", f"{name} is not the list that result_sha256 names")
        download.unlink()

    def _swapped(self, aside: Path, manifest: Manifest, manifest_bytes: bytes, trust: Trust, now: datetime) -> Trusted:
        subjects = aside / SUBJECTS
        if subjects.stat().st_size != manifest.counts.entries * SUBJECT_BYTES:
            raise RefusedListError("tampered", f"v{manifest.version:06d} does not list as many as its manifest says")
        folder = f"v{manifest.version:06d}-{secrets.token_hex(8)}"
        trusted = Trusted(
            version=manifest.version,
            folder=folder,
            manifest_sha256=sha256(manifest_bytes),
            result_sha256=manifest.result_sha256,
            subjects_sha256=sha256(_mapped(subjects)),
            entries=manifest.counts.entries,
            key_id=manifest.key_id,
            signing_key_id=manifest.signing_key_id,
            created_at=manifest.created_at,
            expires_at=manifest.expires_at,
            data_as_of=manifest.data_as_of,
            synced_at=utc_text(now),
            pins=self._pins(),
            **_ring(trust),
        )
        sync_folder(aside)
        aside.rename(self.folder / folder)
        sync_folder(self.folder)
        self._write_state(trusted)
        return trusted

    def _kept(self, before: Trusted, trust: Trust, now: datetime) -> Trusted:
        kept = before.model_copy(update={"synced_at": utc_text(now), "pins": self._pins(), **_ring(trust)})
        self._write_state(kept)
        return kept

    def _pins(self) -> list[str]:
        before = self.trusted()
        return [pin.key_id for pin in self.pins] or (before.pins if before else [])

    def _write_state(self, trusted: Trusted) -> None:
        aside = self.folder / f".{STATE}.{os.getpid()}"
        with _new_file(aside) as out:
            out.write(canonical_json(trusted))
        aside.replace(self.folder / STATE)
        sync_folder(self.folder)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / ".lock").open("w") as lock:
            patience = time.monotonic() + PATIENCE_SECONDS
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > patience:
                        raise TransientError(f"another sync of {self.folder} is running: wait for it") from None
                    time.sleep(0.05)
            yield


class _DeltasDoNotDoError(Exception):
    """The deltas do not lead from the trusted list to the new one: the whole list is fetched."""


def _pointed(source: Source, trust: Trust) -> tuple[Latest, Manifest, bytes]:
    """The manifest that the pointer names, verified, with its bytes."""
    pointer = parsed(Latest, read(source, POINTER, DOCUMENT_BYTES_MAX), POINTER)
    if pointer.manifest != f"v{pointer.version:06d}/manifest.json":
        raise RefusedListError("mixed", f"{POINTER} points at the manifest of another version")
    try:
        manifest, data, _ = verified_manifest(source, trust, pointer.version)
    except NotThereError:
        raise RefusedListError(
            "missing", f"{POINTER} points at version {pointer.version}, which is not there"
        ) from None
    if sha256(data) != pointer.sha256:
        raise RefusedListError("mixed", f"{POINTER} points at another manifest than the one that lies there")
    return pointer, manifest, data


def verified_manifest(source: Source, trust: Trust, version: int) -> tuple[Manifest, bytes, bytes]:
    """A version's manifest, its bytes and its signature, if who signed it is believed. Raises `PrakerjaError`."""
    name = f"v{version:06d}/manifest.json"
    data = read(source, name, DOCUMENT_BYTES_MAX)
    signature = read(source, f"{name}.sig", SIGNATURE_BYTES_MAX)
    manifest = parsed(Manifest, data, name)
    trust.require_signed(manifest.signing_key_id, manifest.version, data, signature)
    if manifest.version != version or (manifest.previous_version or 0) != version - 1:
        raise RefusedListError("mixed", f"{name} is the manifest of another version")
    return manifest, data, signature


def _require_file(data: bytes, size: int, digest: str, name: str) -> bytes:
    if len(data) != size or sha256(data) != digest:
        raise RefusedListError("tampered", f"{name} is not what the manifest says")
    return data


def _unzipped(data: bytes, bytes_max: int, name: str) -> bytes:
    import io

    return b"".join(_inflated(io.BytesIO(data), bytes_max, name))


def _inflated(packed: Any, bytes_max: int, name: str) -> Iterator[bytes]:
    """The contents of a gzip file, in chunks, up to a bound."""
    unpack, size = zlib.decompressobj(31), 0
    try:
        while not unpack.eof:
            chunk = unpack.unconsumed_tail or packed.read(1 << 18)
            out = unpack.decompress(chunk, 1 << 20)
            if not chunk and not out and not unpack.eof:
                raise RefusedListError("tampered", f"{name} breaks off")
            size += len(out)
            if size > bytes_max:
                raise RefusedListError("tampered", f"{name} opens to more than its rows could have")
            yield out
    except zlib.error:
        raise RefusedListError("tampered", f"{name} is no gzip file") from None
    if unpack.unused_data or packed.read(1):
        raise RefusedListError("tampered", f"{name} has more behind its end")


def _mapped(path: Path) -> Any:
    """A file's bytes, mapped: not read until they are looked at."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _written(path: Path, pieces: Iterable[Any]) -> str:
    """Write a file that need not be on the disk at once (see `Client._is_whole`); gives its SHA-256.

    One thread hashes while the other writes: each is as long as the other, and neither needs the interpreter.
    """
    digest = hashlib.sha256()

    def hashed(batch: list[Any]) -> None:
        for piece in batch:
            digest.update(piece)

    with path.open("wb") as out, ThreadPoolExecutor(1) as pool:
        batch, size, jobs = list[Any](), 0, list[Future[None]]()
        for piece in pieces:
            batch.append(piece)
            size += len(piece)
            if size > BATCH_BYTES:
                jobs.append(pool.submit(hashed, batch))
                out.writelines(batch)
                batch, size = [], 0
        jobs.append(pool.submit(hashed, batch))
        out.writelines(batch)
        for job in jobs:
            job.result()
    return digest.hexdigest()


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[Any]:
    """A file that is on the disk when it is left."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _ring(trust: Trust) -> dict[str, Any]:
    return {"keyring": trust.number, "keys": list(trust.keys.values()), "revoked": list(trust.revoked.values())}


def _ask_for(key_id: str) -> str:
    return f"the list's subjects have the key {key_id}, which this reader does not have: ask the publisher for it"
