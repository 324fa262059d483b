"""Publishing: an immutable folder per version, then one pointer, replaced atomically.

The version is decided in the warehouse first. Its files follow from that row alone, byte for byte, so a publisher that
died anywhere is finished by the next one; readers see the old list or the new one, never a mixture. Nothing is pointed
at that does not follow from what was pointed at before.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.format import keyring
from prakerja.blacklist.format.contract import (
    CONTRACT,
    Counts,
    DeltaRow,
    DoesNotFitError,
    Latest,
    Manifest,
    PublishedFile,
    SnapshotRow,
    canonical_json,
    parsed,
    utc_text,
)
from prakerja.blacklist.format.signing import SigningKey, SubjectKey, next_signing_key, signing_key, subject_keys
from prakerja.blacklist.format.snapshot import HEADER, NotCanonicalError, sha256
from prakerja.blacklist.publisher import anchors, signed_changes
from prakerja.blacklist.publisher.files import Rows, VersionFiles
from prakerja.blacklist.publisher.storage import clear_leftovers, write_whole
from prakerja.blacklist.publisher.verification import snapshot_of
from prakerja.blacklist.reader.freshness import CLOCK_SKEW
from prakerja.blacklist.reader.sources import (
    DOCUMENT_BYTES_MAX,
    POINTER,
    Folder,
    keyrings_of,
    place_of,
    read_if_there,
    under_key,
)
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.settings import WIB, Settings
from prakerja.signed_batches import SHOWN, require_same_rule

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)


class WaitingError(PrakerjaError):
    """Changes of the list wait for a person. All others are published."""


class OutOfBoundsError(WaitingError):
    """The list would grow or shrink by more than it may without a person's word."""


@dataclass(frozen=True)
class Jump:
    """The additions, or the withdrawals, that are out of bounds together; `digest` names these very changes."""

    digest: str
    added: int
    withdrawn: int
    listed_before: int

    def __str__(self) -> str:
        would_be = f"{self.added:,} would be added" if self.added else f"{self.withdrawn:,} would be withdrawn"
        return (
            f"of {self.listed_before:,} listed, {would_be}: more than may change without approval: "
            f"prakerja blacklist approve --digest {self.digest[:SHOWN]}"
        )


@dataclass(frozen=True)
class Pending:
    """What has changed since the last version, and what of it waits for a person, each side of it by itself.

    `replaced` are listed under a NIK that was corrected. `jumps` are out of bounds; `unsigned` says by its digest why
    nobody of a batch may be added or withdrawn; `held` are the people of corrections that lack their signature, and who
    would get a NIK under which one of them is still listed, and `held_because` says why.
    """

    added: int
    withdrawn: int
    replaced: int
    jumps: list[Jump]
    unsigned: dict[str, str]
    held: list[int]
    held_because: list[str]

    @property
    def ops(self) -> list[str]:
        """The kinds of changes that do not wait."""
        waiting = {"ADD" if jump.added else "WITHDRAW" for jump in self.jumps}
        return [op for op in ("ADD", "WITHDRAW") if op not in waiting]

    @property
    def has_changed(self) -> bool:
        """Whether there is anything to publish."""
        return bool(self.replaced) or any({"ADD": self.added, "WITHDRAW": self.withdrawn}[op] for op in self.ops)

    @property
    def does_wait(self) -> bool:
        """Whether any change waits for a person."""
        return bool(self.jumps or self.unsigned or self.held_because)

    def require_nothing_waits(self, occasion: str, version: int | None) -> None:
        """Raise `WaitingError`, after what does not wait was published as `version`."""
        told = [*self.unsigned.values(), *self.held_because, *map(str, self.jumps)]
        if told:
            error = OutOfBoundsError if self.jumps else WaitingError
            published = f"version {version} lacks what waits: " if version else ""
            raise error(f"{occasion}: {published}{'; '.join(told)}")


@dataclass(frozen=True)
class Keys:
    """What a publisher holds. `subjects` are by their id, the current one first."""

    signer: SigningKey
    standby: SigningKey | None
    subjects: dict[str, SubjectKey]

    @classmethod
    def configured(cls) -> Keys:
        """From the settings. Raises `PrakerjaError`."""
        return cls(signing_key(), next_signing_key(), {key.key_id: key for key in subject_keys()})

    @property
    def current(self) -> str:
        """The id of the key that new versions have."""
        return next(iter(self.subjects))

    def of(self, version: Any) -> str:
        """The id of a version's key."""
        return str(version["key_id"] or list(self.subjects)[-1])


def publish(
    occasion: str, at: datetime, as_of: date, *, is_daily: bool = False, approve_as: str | None = None
) -> int | None:
    """Publish what was revoked and reinstated by `as_of` and not yet; gives the version that this occasion published.

    An occasion publishes at least once, with an empty delta where nothing changed (it proves that the day was looked
    at). The daily intake's does so where no version is of its day yet, once there is a list; and it leaves what is
    revoked on its own day to the deadline's run, which comes after it. A second call finds nothing left to do, unless a
    key was changed since: readers are not to wait for the next day. Two publishers take turns. `approve_as` answers in
    advance for a list that jumps, in a replay.

    Additions that wait for a person keep neither withdrawals nor one another from being published: a batch that lacks
    its signatures waits alone, and withdrawals that are out of bounds keep no addition.

    Raises `WaitingError` for what waits, once all else is published; `PrakerjaError`.
    """
    with warehouse.transaction() as connection:
        require_same_rule(connection)
    with warehouse.exclusive("publish"):
        # Which keys sign is known once nobody else can change that.
        version, made, pending = _published(
            occasion, at, as_of, Keys.configured(), is_daily=is_daily, approve_as=approve_as
        )
    pending.require_nothing_waits(occasion, made)
    return version


def _published(
    occasion: str, at: datetime, as_of: date, keys: Keys, *, is_daily: bool, approve_as: str | None
) -> tuple[int | None, int | None, Pending]:
    """Publish what does not wait; gives the occasion's version, the one that was made now, and what was pending."""
    root = _root()
    _require_own_list(root, keys)
    _materialise(root, keys)  # what an earlier publisher left unfinished
    newest = _pointed_manifest(root)
    has_new_key = newest is not None and (newest.signing_key_id, newest.key_id) != (
        keys.signer.public.key_id,
        keys.current,
    )
    found = _next_version(occasion, at, as_of, keys, is_daily=is_daily, approve_as=approve_as, has_new_key=has_new_key)
    _materialise(root, keys)
    return found


def waiting_jumps(as_of: date) -> list[Jump]:
    """What waits for approval because the list would jump: by the daily publication, or by a deadline's of that day."""
    found: dict[str, Jump] = {}
    with warehouse.transaction("publish", one_snapshot=True) as connection:
        for is_daily in (True, False):
            for jump in _pending(connection, _cutoffs(as_of, is_daily=is_daily)).jumps:
                found[jump.digest] = jump
    return list(found.values())


def approve_jump(digest: str, as_of: date, *, because: str, approved_by: str) -> Jump:
    """Record that a person answers for these very changes. Raises `PrakerjaError`."""
    jumps = [jump for jump in waiting_jumps(as_of) if jump.digest.startswith(digest.lower())]
    if len(digest) < SHOWN or len(jumps) != 1:
        raise PrakerjaError(f"no change {digest} of the list waits for approval: see `prakerja blacklist approve`")
    with warehouse.transaction("publish") as connection:
        _approve(connection, jumps[0], as_of, because, approved_by, is_in_advance=False)
    return jumps[0]


def revoke_key(key_id: str, at: datetime, *, because: str, answered_by: str) -> None:
    """Let readers believe nothing of a signing key any more. Raises `PrakerjaError`.

    Where the newest version is signed by it, one that is not is published first, so that readers have a list.
    """
    with warehouse.exclusive("publish"):
        keys, root = Keys.configured(), _root()
        if keys.standby and keys.standby.public.key_id == key_id:  # it was announced, and has signed nothing yet
            keys = replace(keys, standby=None)
            Settings.from_environment().drop_next_signing_key()  # first: with it, nothing could be published any more
        _require_own_list(root, keys)
        _materialise(root, keys)
        newest = _pointed_manifest(root)
        if newest and newest.signing_key_id == key_id != keys.signer.public.key_id:
            _published(f"revoke {key_id}", at, at.astimezone(WIB).date(), keys, is_daily=True, approve_as=None)
        version, before = _pointed_version(root) + 1, _trust(root, keys)
        if key_id not in before.keys:
            raise PrakerjaError(f"the list's readers believe no key {key_id}: see its keyring in {root / 'keys'}")
        made = keyring.made(before, keys.signer, keys.standby, version, at, [key_id], signed_by=_signed_by(root))
        assert made is not None  # noqa: S101 - it says that the key is revoked
        record_rotation("signing_revoked", key_id, because=because, answered_by=answered_by)
        write_whole(root / keyring.file_name(before.number + 1), made)


def announce(at: datetime) -> None:
    """Publish the keyring of the configured keys, if it says anything new."""
    with warehouse.exclusive("publish"):
        keys, root = Keys.configured(), _root()
        _require_own_list(root, keys)
        _materialise(root, keys)  # under the keys that it was begun with
        _write_keyring(root, keys, _pointed_version(root) + 1, at)


def listed_key_id() -> str | None:
    """The key of the subjects of the list that is published; nothing where none is."""
    newest = _pointed_manifest(_root())
    return newest.key_id if newest else None


def signed_by() -> str | None:
    """The key that signed the newest version; nothing where there is none."""
    return _signed_by(_root())


def announced_at(key_id: str) -> str | None:
    """Since when every keyring has this key as one that signs, or may; nothing where the newest has not."""
    keyrings, since = keyrings_of(_root()), None
    for number in itertools.count(1):
        data = keyrings(keyring.file_name(number))
        if data is None:
            break
        ring = keyring.contents(data, number)
        if not any(key.signing_key_id == key_id and key.last_version is None for key in ring.keys):
            since = None
        elif since is None:
            since = ring.created_at
    return since


def overlaps_until() -> datetime | None:
    """Until when the list is published under an earlier key of the subjects, too; nothing where it never was."""
    versions, keys = _versions(), Keys.configured()
    ids = [keys.of(version) for version in versions]
    changes = [position for position in range(1, len(ids)) if ids[position] != ids[position - 1]]
    return versions[changes[-1]]["created_at"] + _overlap() if changes else None


def record_rotation(kind: str, key_id: str, *, because: str, answered_by: str) -> None:
    """Record who changed which key, and why."""
    with warehouse.transaction("publish") as connection:
        warehouse.execute(
            connection, "blacklist/insert_rotation", kind=kind, key_id=key_id, because=because, answered_by=answered_by
        )


# -- the next version, in the warehouse --------------------------------------------------------------------------------


def _next_version(
    occasion: str,
    at: datetime,
    as_of: date,
    keys: Keys,
    *,
    is_daily: bool,
    approve_as: str | None,
    has_new_key: bool,
) -> tuple[int | None, int | None, Pending]:
    by = _cutoffs(as_of, is_daily=is_daily)

    def record(connection: warehouse.Connection) -> tuple[int | None, int | None, Pending]:
        (published,) = warehouse.rows(connection, "blacklist/published_for", occasion=occasion)
        pending = _pending(connection, by)
        if approve_as:
            for jump in pending.jumps:
                _approve(connection, jump, as_of, "replayed", approve_as, is_in_advance=True)
            pending = replace(pending, jumps=[])
        has_changed = pending.has_changed
        if not has_changed and not has_new_key and published["version"]:
            return int(published["version"]), None, pending
        last, now = published["last_created_at"], published["server_now"]
        if (newest := max(at, last or at)) > now + CLOCK_SKEW:
            raise PrakerjaError(
                f"{occasion}: {'this' if at == newest else 'the newest version'} is of a time to come, "
                f"{newest.astimezone(WIB):%Y-%m-%d %H:%M} WIB, by the warehouse's clock, and readers would refuse it: "
                "set the clocks right (docs/runbooks/blacklist.md)"
            )
        every = timedelta(days=programme().blacklist.publishes_every_days)
        is_due = last is not None and as_of >= last.astimezone(WIB).date() + every
        # A day has its version also where all of its changes wait: a list must not expire because of them.
        proves_the_day = is_due if is_daily else not pending.does_wait
        if not (has_changed or has_new_key or proves_the_day):
            return None, None, pending
        version = _insert(connection, occasion, at, by, keys.current, pending, as_of=as_of)
        signed_changes.list_changes(connection, version)  # raises where a row of it is not signed for
        return version, version, pending

    return warehouse.write_in_one_snapshot("publish", record)


def _pending(connection: warehouse.Connection, by: dict[str, date]) -> Pending:
    """What has changed since the last version, measured as the next one would have it."""
    digests = [row["digest"] for row in warehouse.rows(connection, "blacklist/list_pending_batches", **by)]
    unsigned = signed_changes.find_unsigned(connection, digests)
    corrected = warehouse.rows(connection, "blacklist/list_corrected_changes", **by)
    told = signed_changes.find_unsigned_corrections(connection, corrected, unsigned)
    held = _held(corrected, told, may_withdraw=True)
    pending = _measured(connection, by, unsigned, held, list(told.values()))
    if "WITHDRAW" not in pending.ops:  # who stays listed keeps whoever has their NIK by now
        kept = _held(corrected, told, may_withdraw=False)
        if kept != held:
            pending = _measured(connection, by, unsigned, kept, list(told.values()))
    return pending


def _measured(
    connection: warehouse.Connection, by: dict[str, date], unsigned: dict[str, str], held: list[int], because: list[str]
) -> Pending:
    (found,) = warehouse.rows(connection, "blacklist/measure_pending", **by, unsigned=list(unsigned), waiting=held)
    added, withdrawn, before = found["added"], found["withdrawn"], found["listed_before"]
    rules = programme().blacklist
    jumps = []
    if added > max(rules.grows_free, rules.grows_share_max * before):
        jumps.append(Jump(found["additions"], added, 0, before))
    if withdrawn > max(rules.shrinks_free, rules.shrinks_share_max * before):
        jumps.append(Jump(found["withdrawals"], 0, withdrawn, before))
    jumps = [jump for jump in jumps if not _is_approved(connection, jump)]
    return Pending(added, withdrawn, found["replaced"], jumps, unsigned, held, because)


def _held(corrected: Sequence[Any], unsigned: dict[str, str], *, may_withdraw: bool) -> list[int]:
    """Whose additions wait: of corrections without their signature, and of a NIK that somebody stays listed under.

    A NIK is of one person at a time; that of a corrected person is free once they are withdrawn, in the same version.
    """
    held = {row["recipient_id"] for row in corrected if row["request"] in unsigned}
    while True:
        freed = {
            row["recipient_id"]
            for row in corrected
            if row["op"] == "WITHDRAW" and (row["recipient_id"] not in held if row["is_replacement"] else may_withdraw)
        }
        taken = {
            row["nik"]: row["recipient_id"]
            for row in corrected
            if row["op"] == "LISTED" and row["recipient_id"] not in freed
        }
        more = {
            row["recipient_id"]
            for row in corrected
            if row["op"] == "ADD" and taken.get(row["nik"], row["recipient_id"]) != row["recipient_id"]
        }
        if more <= held:
            return sorted(held)
        held |= more


def _is_approved(connection: warehouse.Connection, jump: Jump) -> bool:
    return bool(warehouse.execute(connection, "blacklist/is_publication_approved", digest=jump.digest).scalar_one())


def _cutoffs(as_of: date, *, is_daily: bool) -> dict[str, date]:
    return {"revoked_by": as_of - timedelta(days=1) if is_daily else as_of, "reinstated_by": as_of}


def _insert(
    connection: warehouse.Connection,
    occasion: str,
    at: datetime,
    by: dict[str, date],
    key_id: str,
    pending: Pending,
    *,
    as_of: date,
) -> int:
    data_as_of = {
        row["platform"]: row["business_date"].isoformat()
        for row in warehouse.rows(connection, "blacklist/data_as_of", as_of=as_of)
    }
    version = int(
        warehouse.execute(
            connection,
            "blacklist/insert_version",
            occasion=occasion,
            at=at,
            has_changed=pending.has_changed,
            data_as_of=json.dumps(data_as_of),
            key_id=key_id,
        ).scalar_one()
    )
    warehouse.execute(
        connection,
        "blacklist/insert_changes",
        version=version,
        **by,
        ops=pending.ops,
        unsigned=list(pending.unsigned),
        waiting=pending.held,
    )
    warehouse.execute(connection, "blacklist/analyze_changes")
    return version


def _approve(
    connection: warehouse.Connection, jump: Jump, as_of: date, because: str, approved_by: str, *, is_in_advance: bool
) -> None:
    warehouse.execute(
        connection,
        "blacklist/insert_publication_approval",
        digest=jump.digest,
        approved_by=approved_by,
        because=because,
        approved_on=as_of,
        is_in_advance=is_in_advance,
    )


# -- its files ---------------------------------------------------------------------------------------------------------


def _root() -> UPath:
    return place_of(Settings.from_environment().publish) / "blacklist"


def _materialise(root: UPath, keys: Keys) -> None:
    """Write every version that the warehouse has and the pointer does not reach yet, in order.

    Until it does: somebody who has lost the lock in the middle may have turned the pointer back meanwhile.
    """
    versions = _versions()
    while unfinished := range(_pointed_version(root), len(versions)):  # versions are numbered from one, without a gap
        for folder in (root, anchors.folder()):
            clear_leftovers(folder)
        for position in unfinished:
            _write_version(root, versions, position, keys)
        versions = _versions()


def _versions() -> Sequence[Any]:
    with warehouse.transaction() as connection:
        return warehouse.rows(connection, "blacklist/list_versions")


def _require_own_list(root: UPath, keys: Keys) -> None:
    """The list that is there must be ours, under our keys: the next version is the difference to it."""
    pointed = _pointed_version(root)
    newest = max((row["version"] for row in _versions()), default=0)
    if not pointed:
        if newest > 1 and _has_published(root, newest - 1):
            raise PrakerjaError(
                f"{root / POINTER} is missing, beside versions that this warehouse has published: put it back "
                "(docs/runbooks/blacklist.md)"
            )
        return
    if pointed > newest:
        if newest and _has_published(root, newest):
            raise PrakerjaError(
                f"this warehouse is older than its list: it knows {newest} versions, {root} holds {pointed}. Restore a "
                "later backup (docs/runbooks/backup.md)"
            )
        raise PrakerjaError(
            f"{root} holds version {pointed}, but this warehouse knows {newest}: it is another system's list; "
            "set PRAKERJA_PUBLISH to this one's folder, or an empty one"
        )
    manifest = _manifest_of(root, pointed)
    if manifest is None:
        raise PrakerjaError(f"{root} points at version {pointed}, which is not there: restore it")
    known = {keys.signer.public.key_id}
    if keyrings_of(root)(keyring.file_name(1)) is not None:
        try:
            trust = _trust(root, keys)
            known = {*trust.keys, *trust.revoked}
        except keyring.UntrustedError:
            known = set()
    if manifest.key_id not in keys.subjects or manifest.signing_key_id not in known:
        raise PrakerjaError(
            f"the list in {root} was published under the keys {manifest.key_id} and {manifest.signing_key_id}, these "
            f"are {keys.current} and {keys.signer.public.key_id}: put PRAKERJA_SUBJECT_KEY and PRAKERJA_SIGNING_KEY "
            "back, or rotate them (docs/runbooks/blacklist.md)"
        )


def _write_version(root: UPath, versions: Sequence[Any], position: int, keys: Keys) -> None:
    """Write a version's files: what readers believe, the list under an earlier key while that overlaps, the list.

    Nothing is written before it is known that the list follows from the one that is there.
    """
    row, key_id = versions[position], keys.of(versions[position])
    before = keys.of(versions[position - 1]) if position else key_id
    made = _List.made(root, root, row, key_id, before, keys)
    _write_keyring(root, keys, int(row["version"]), row["created_at"])
    for name, data in anchors.build_anchor(int(row["version"]), keys.signer).items():
        write_whole(anchors.folder() / name, data)
    _write_earlier_list(root, versions, position, keys)
    made.write()


def _write_earlier_list(root: UPath, versions: Sequence[Any], position: int, keys: Keys) -> None:
    """Bring the list under an earlier key up to a version, while that key overlaps. It keeps nobody waiting."""
    first = position
    while first and keys.of(versions[first - 1]) == keys.of(versions[position]):
        first -= 1
    if not first or versions[position]["created_at"] >= versions[first]["created_at"] + _overlap():
        return
    key_id = keys.of(versions[first - 1])
    if key_id not in keys.subjects:
        log.warning("the list is no longer published under the key %s, which is not here any more", key_id)
        return
    earlier = under_key(root, key_id)
    try:
        pointed = _pointed_version(earlier)
        for row in versions[first : position + 1]:
            if row["version"] > pointed:
                _List.made(earlier, earlier if row["version"] > versions[first]["version"] else root,
                           row, key_id, key_id, keys).write()  # fmt: skip
    except PrakerjaError as error:
        log.warning("the list under the key %s stays behind: %s", key_id, error)


@dataclass(frozen=True)
class _List:
    """A version of a list, ready to be written."""

    root: UPath
    files: VersionFiles
    manifest: Manifest
    signer: SigningKey

    @classmethod
    def made(cls, root: UPath, base: UPath, row: Any, key_id: str, key_id_before: str, keys: Keys) -> _List:
        """The version of `row` under a key, which must follow from the version before, in `base`. Raises where not."""
        version = int(row["version"])
        for each in (key_id, key_id_before):
            if each not in keys.subjects:
                raise PrakerjaError(
                    f"v{version:06d} has subjects of the key {each}, which is not here: "
                    "set PRAKERJA_SUBJECT_KEY_PREVIOUS to it"
                )
        files = _files(base, version, key_id, key_id_before, keys).written()
        created_at = row["created_at"]
        manifest = Manifest(
            contract=CONTRACT,
            version=version,
            previous_version=version - 1 or None,
            created_at=utc_text(created_at),
            checked_at=utc_text(created_at),
            changed_at=utc_text(row["changed_at"]),
            expires_at=utc_text(created_at + timedelta(days=programme().blacklist.expires_after_days)),
            data_as_of=row["data_as_of"],
            key_id=key_id,
            signing_key_id=keys.signer.public.key_id,
            counts=Counts(**files.counts),
            result_sha256=files.result_sha256,
            files=[
                PublishedFile(name=name, bytes=len(data), sha256=sha256(data), rows=rows)  # type: ignore[arg-type]
                for name, (data, rows) in files.files.items()
            ],
        )
        return cls(root, files, manifest, keys.signer)

    def write(self) -> None:
        """Write the files, then the pointer at them."""
        version, data = self.manifest.version, canonical_json(self.manifest)
        pointer = Latest(version=version, manifest=f"v{version:06d}/manifest.json", sha256=sha256(data))
        folder = self.root / f"v{version:06d}"
        for name, (content, _) in self.files.files.items():
            write_whole(folder / name, content)
        write_whole(folder / "manifest.json", data)
        write_whole(folder / "manifest.json.sig", self.signer.signature(data))
        self._record()
        if _pointed_version(self.root) < version:  # somebody who lost the lock in the middle must not turn it back
            write_whole(self.root / POINTER, canonical_json(pointer))
        log.info("published version %d: %d entries, %d changes", version, self.files.entries, self.files.changes)

    def _record(self) -> None:
        """Let the warehouse keep the digest of what is published from it. Raises where it has published another."""
        of = {"version": self.manifest.version, "key_id": self.manifest.key_id}
        with warehouse.transaction("publish") as connection:
            digest = self.manifest.result_sha256
            warehouse.execute(connection, "blacklist/insert_published_list", **of, result_sha256=digest)
            if warehouse.execute(connection, "blacklist/digest_of_list", **of).scalar_one() != digest:
                raise PrakerjaError(
                    f"this is another list than this warehouse has published as version {self.manifest.version}: "
                    "restore the warehouse"
                )


def _files(base: UPath, version: int, key_id: str, key_id_before: str, keys: Keys) -> VersionFiles:
    """A version's list, which is the list before with what the warehouse has changed since, and that delta.

    The list before must be the very one that this warehouse has published, whose digest it keeps. Raises where not.
    Nobody is added but by the changes, which are verified as they are read: also where everybody is issued anew.
    """
    before = snapshot_of(base, version - 1) if version > 1 else HEADER
    key = keys.subjects[key_id]
    with warehouse.transaction("publish", one_snapshot=True) as connection:
        digest = warehouse.execute(
            connection, "blacklist/digest_of_list", version=version - 1, key_id=key_id_before
        ).scalar_one_or_none()
        entries = warehouse.execute(connection, "blacklist/count_listed", version=version).scalar_one()
        changes = signed_changes.list_changes(connection, version)
        files = None
        if version == 1 or key_id != key_id_before:
            people = _people(connection, version - 1)
            was = Rows.of(SnapshotRow, people, keys.subjects[key_id_before])
            now = Rows.of(SnapshotRow, _changed(people, changes), key)
            if was.csv() == before:
                files = VersionFiles(now.csv(), Rows.reissued(was, now).csv())
        else:
            changed = Rows.of(DeltaRow, changes, key)
            with contextlib.suppress(NotCanonicalError):
                files = VersionFiles.following(before, changed)
            # A list from before digests were kept is held against everybody.
            if files and digest is None and files.snapshot != _listed(connection, version, key).csv():
                files = None
    if files is None or files.entries != entries or digest not in (None, sha256(before)):
        raise PrakerjaError(
            "the list that is published is not what this warehouse has published: restore the warehouse it belongs "
            "to, or publish into another folder"
        )
    return files


def _listed(connection: warehouse.Connection, version: int, key: SubjectKey) -> Rows:
    return Rows.of(SnapshotRow, _people(connection, version), key)


def _people(connection: warehouse.Connection, version: int) -> pa.Table:
    return warehouse.table(connection, "blacklist/list_entries", signed_changes.ENTRY, version=version)


def _changed(people: pa.Table, changes: pa.Table) -> pa.Table:
    """Who is listed after changes of a list of people."""
    import pyarrow as pa
    import pyarrow.compute as pc

    withdrawn = changes.filter(pc.equal(changes["op"], "WITHDRAW"))["nik"].combine_chunks()
    kept = people.filter(pc.invert(pc.is_in(people["nik"], value_set=withdrawn)))
    return pa.concat_tables([kept, changes.filter(pc.equal(changes["op"], "ADD")).select(people.column_names)])


# -- the keys that readers believe -------------------------------------------------------------------------------------


def _trust(root: UPath, keys: Keys) -> keyring.Trust:
    pins = [keys.signer.public, *([keys.standby.public] if keys.standby else [])]
    return keyring.Trust.in_pins(pins).followed(keyrings_of(root), at_most=None)


def _write_keyring(root: UPath, keys: Keys, version: int, at: datetime) -> None:
    """Write the keyring of the keys that sign, if it says anything new; each key as PEM beside it."""
    before = _trust(root, keys)
    for key in (keys.signer, keys.standby):
        if key and read_if_there(Folder(root), name := f"keys/{key.public.key_id}.pem", DOCUMENT_BYTES_MAX) is None:
            write_whole(root / name, key.public.pem)
    made = keyring.made(before, keys.signer, keys.standby, version, at, signed_by=_signed_by(root))
    if made:
        write_whole(root / keyring.file_name(before.number + 1), made)


def _signed_by(root: UPath) -> str | None:
    newest = _pointed_manifest(root)
    return newest.signing_key_id if newest else None


def _overlap() -> timedelta:
    return timedelta(days=programme().blacklist.key_overlap_days)


# -- what lies there ---------------------------------------------------------------------------------------------------


def _pointed_manifest(root: UPath) -> Manifest | None:
    return _manifest_of(root, _pointed_version(root))


def _manifest_of(root: UPath, version: int) -> Manifest | None:
    name = f"v{version:06d}/manifest.json"
    data = read_if_there(Folder(root), name, DOCUMENT_BYTES_MAX)
    return parsed(Manifest, data, name) if data else None


def _has_published(root: UPath, version: int) -> bool:
    """Whether a version that lies there is one that this warehouse has published."""
    manifest = _manifest_of(root, version)
    if manifest is None:
        return False
    with warehouse.transaction() as connection:
        digest = warehouse.execute(
            connection, "blacklist/digest_of_list", version=version, key_id=manifest.key_id
        ).scalar_one_or_none()
    return digest in (None, manifest.result_sha256)  # none is kept of lists from before


def _pointed_version(root: UPath) -> int:
    data = read_if_there(Folder(root), POINTER, DOCUMENT_BYTES_MAX)
    if data is None:
        return 0
    try:
        return parsed(Latest, data, POINTER).version
    except DoesNotFitError:
        raise PrakerjaError(f"{root / POINTER} is damaged: put back the last good one, then publish again") from None
