"""The ceremony of the root keys: the publisher proposes, people sign on machines of their own, the publisher publishes.

A proposal is a file, and nothing of it is kept here: it is good for as long as the list's keyrings are those that it
follows. Publishing it records every document and who did it and why, then writes the documents. Whoever is killed
meanwhile publishes the same file again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from upath import UPath

from prakerja import atomic_files, warehouse
from prakerja.blacklist.publisher import list_keys, publishing
from prakerja.blacklist.publisher.contracts_in_force import list_root
from prakerja.blacklist.publisher.list_keys import Keys, load_trust, signer_id
from prakerja.blacklist.publisher.own_list import require_own_list
from prakerja.blacklist.publisher.published_folder import pointed_manifest, pointed_version
from prakerja.blacklist.publisher.recorded_documents import Record
from prakerja.blacklist.publisher.root_keys import find_root
from prakerja.blacklist.publisher.writing import write_unfinished_versions
from prakerja.errors import NotReadyError, PrakerjaError
from prakerja.keys import KeyStore
from prakerja_blacklist.format import keyring
from prakerja_blacklist.format.contract import Keyring
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.keyring import Trust, UntrustedError
from prakerja_blacklist.format.proposals import PROPOSAL_BYTES_MAX, OpenProposal
from prakerja_blacklist.format.roots import TrustedRoot, build_root, endorsement_name, root_name
from prakerja_blacklist.format.signatures import PublicKey
from prakerja_blacklist.format.snapshot import sha256

THRESHOLD = 2


@dataclass(frozen=True)
class _PublishedList:
    """The list whose keys are to change, under the lock of publishers."""

    root: UPath
    keys: Keys
    record: Record
    in_force: TrustedRoot | None
    trust: Trust

    @property
    def newest_keyring(self) -> bytes:
        """The newest keyring's file."""
        return self.record.documents[f"{self.root.name}/{keyring.file_name(self.trust.number)}"]

    def require_root(self) -> TrustedRoot:
        """Return the root in force. Raise `NotReadyError`."""
        if self.in_force is None:
            raise NotReadyError(
                "there are no root keys yet: name them (prakerja blacklist root propose --key FILE ...)"
            )
        return self.in_force


def has_root() -> bool:
    """Return whether root keys are in use."""
    root = list_root()
    return find_root(root, Record.load(root)) is not None


def read_root_key(path: Path) -> PublicKey:
    """Return the public key of a file that a holder has given. Raise `PrakerjaError`."""
    pem = _read(path)
    if b"PRIVATE" in pem:
        raise PrakerjaError(f"{path} is a private key, which must not be on this machine: ask for its .pub file")
    return PublicKey.from_pem(pem)


def propose_root(holders: Sequence[PublicKey], threshold: int | None, at: datetime) -> Path:
    """Write the proposal of a root of exactly these keys, which endorses the newest keyring; return its file.

    Raise `PrakerjaError` if one of them is a key of the list.
    """
    with _locked_list() as found:
        signing = [found.keys.signer, *([found.keys.standby] if found.keys.standby else [])]
        own = {*found.trust.keys, *found.trust.revoked, *(key.public.key_id for key in signing)}
        if own & {key.key_id for key in holders}:
            raise PrakerjaError("a key that signs lists is no root key: let each holder make one (sign make-key)")
        before = found.in_force.root.threshold if found.in_force else min(THRESHOLD, len(holders))
        proposed = build_root(found.in_force, holders, threshold or before, at)
        return _write_proposal(OpenProposal.build(found.in_force, proposed, [found.newest_keyring], found.trust.number))


def propose_keyring(at: datetime) -> Path:
    """Write the proposal of the keyring that readers should believe by now; return its file.

    It announces the key that is to sign next, if there is one. Raise `PrakerjaError` if nothing is to be signed.
    """
    with _locked_list() as found:
        in_force, keys = found.require_root(), found.keys
        following = keyring.build_next_keyring(
            found.trust, keys.signer, keys.standby, pointed_version(found.root) + 1, at, signed_by=signer_id(found.root)
        )
        number = found.trust.number
        if following is None and found.record.find(found.root, endorsement_name(number, in_force.number)):
            raise PrakerjaError(f"root {in_force.number} has endorsed keyring {number}: there is nothing to sign")
        rings, first = ([following], number + 1) if following else ([found.newest_keyring], number)
        return _write_proposal(OpenProposal.build(in_force, None, rings, first))


def propose_announcement(key_id: str, at: datetime) -> Path | None:
    """Write the proposal of the keyring that announces a key; return its file.

    Return None if the key is announced, or if there are no root keys.
    """
    root = list_root()
    if not has_root() or key_id in load_trust(root, Keys.from_settings(), Record.load(root)).keys:
        return None
    return propose_keyring(at)


def propose_revocation(key_id: str, at: datetime, *, because: str, answered_by: str) -> Path:
    """Write the proposal of a keyring that revokes a key of the list; return its file.

    If it is the key that signs, another one is made if none is there, and takes its place when the proposal is
    published. Raise `PrakerjaError`.
    """
    with _locked_list() as found:
        in_force, keys = found.require_root(), found.keys
        if key_id not in found.trust.keys:
            raise PrakerjaError(f"the list's readers believe no key {key_id}: see its keyring in {found.root / 'keys'}")
        if keys.standby and keys.standby.public.key_id == key_id:
            keys = replace(keys, standby=None)
        if keys.signer.public.key_id == key_id and keys.standby is None:
            store = list_keys.require_generated("PRAKERJA_SIGNING_KEY", "PRAKERJA_SIGNING_KEY_NEXT")
            keys = replace(keys, standby=list_keys.generate_standby(store, because=because, answered_by=answered_by))
        rings = _build_revocation(found, keys, key_id, at)
        return _write_proposal(OpenProposal.build(in_force, None, rings, found.trust.number + 1))


def publish(paths: Sequence[Path], at: datetime, *, because: str, answered_by: str) -> list[str]:
    """Publish a proposal that enough holders have signed, in one file or in copies; return what was done, in lines.

    A key that it revokes is replaced by the one that it announces, and a version signed by that one is published.
    Raise `PrakerjaError`.
    """
    first, *copies = [OpenProposal.open(_read(path), str(path)) for path in paths]
    proposal = first.join(copies)
    if missing := proposal.missing():
        raise PrakerjaError(f"it has {' and '.join(missing)}: let other holders sign it too")
    with warehouse.exclusive("publish"):
        keys, root = Keys.from_settings(), list_root()
        require_own_list(root, keys)
        record, documents = Record.load(root), _documents_of(proposal)
        signer = _choose_signer(keys, proposal.rings[-1])
        if any(record.find(root, name) != data for name, data in documents.items()):
            write_unfinished_versions(keys)
            record = Record.load(root)
            _require_next(proposal, root, keys, record)
            facts = _list_facts(proposal, load_trust(root, keys, record), keys, signer)
            with warehouse.transaction("publish") as connection:
                record.keep(root, documents, connection)
                for kind, key in facts:
                    list_keys.insert_rotation(connection, kind, key, because=because, answered_by=answered_by)
        _settle_keys(keys, signer, proposal.rings[-1])
        list_keys.write_keys(root, record, documents)
        write_unfinished_versions(signer)
        newest = pointed_manifest(root)
        if newest and newest.signing_key_id in {key.signing_key_id for key in proposal.rings[-1].revoked}:
            publishing.publish_under(signer, f"revoke {newest.signing_key_id}", at)
    return _describe_published(proposal, root, keys, signer)


@contextmanager
def _locked_list() -> Iterator[_PublishedList]:
    with warehouse.exclusive("publish"):
        keys, root = Keys.from_settings(), list_root()
        require_own_list(root, keys)
        write_unfinished_versions(keys)
        record = Record.load(root)
        trust = load_trust(root, keys, record)
        if trust.number == 0 or record.find(root, keyring.file_name(trust.number)) is None:
            raise NotReadyError("no keyring is published yet: publish a list first")
        yield _PublishedList(root, keys, record, find_root(root, record), trust)


def _build_revocation(found: _PublishedList, keys: Keys, key_id: str, at: datetime) -> list[bytes]:
    """Return the next keyrings, of which the last revokes a key.

    Older readers believe a key once a keyring has announced it, so a new one is announced before it revokes.
    """
    trust, rings, version, signed_by = (
        found.trust,
        list[bytes](),
        pointed_version(found.root) + 1,
        signer_id(found.root),
    )
    if key_id == keys.signer.public.key_id and keys.standby:
        announcing = keyring.build_next_keyring(trust, keys.signer, keys.standby, version, at, signed_by=signed_by)
        if announcing:
            rings.append(announcing)
            trust = Trust.from_keyring(keyring.parse_keyring(announcing, trust.number + 1))
        keys = replace(keys, signer=keys.standby, standby=None)
    revoking = keyring.build_next_keyring(trust, keys.signer, keys.standby, version, at, [key_id], signed_by=signed_by)
    assert revoking is not None  # noqa: S101 - it says that the key is revoked
    return [*rings, revoking]


def _write_proposal(proposal: OpenProposal) -> Path:
    number = proposal.rings[-1].number
    name = f"root-{proposal.root.number:06d}.json" if proposal.root else f"keyring-{number:06d}.json"
    folder = KeyStore.from_environment().settings.make_home() / "proposals"
    folder.mkdir(mode=0o700, exist_ok=True)
    with atomic_files.open_replacement(folder / name) as file:
        file.write(proposal.file)
    return folder / name


def _documents_of(proposal: OpenProposal) -> dict[str, bytes]:
    """Return what is published of a proposal, in the order of writing: readers find the endorsement in time."""
    ring, documents = proposal.rings[-1], dict[str, bytes]()
    documents[endorsement_name(ring.number, proposal.newest.number)] = canonical_json(proposal.proposal.endorsement)
    for each in ring.keys:
        documents[f"keys/{each.signing_key_id}.pem"] = each.public_key.encode()
    for number, text in enumerate(proposal.proposal.keyrings, proposal.rings[0].number):
        documents[keyring.file_name(number)] = text.encode()
    if proposal.root and proposal.proposal.root:
        documents[root_name(proposal.root.number)] = canonical_json(proposal.proposal.root)
    return documents


def _require_next(proposal: OpenProposal, root: UPath, keys: Keys, record: Record) -> None:
    """Raise `PrakerjaError` unless a proposal follows what is published by now."""
    in_force, trust = find_root(root, record), load_trust(root, keys, record)
    proposed = {
        keyring.file_name(ring.number): text
        for ring, text in zip(proposal.rings, proposal.proposal.keyrings, strict=True)
    }
    last = proposal.rings[-1].number
    is_other = any(record.find(root, name) not in (None, text.encode()) for name, text in proposed.items())
    if (
        (in_force and in_force.data) != (proposal.in_force and proposal.in_force.data)
        or is_other
        or trust.number > last
    ):
        raise PrakerjaError(
            "the list's keys have changed since this was proposed: propose it again, and let it be signed"
        )
    try:
        following = trust.follow(lambda name: proposed[name].encode() if name in proposed else None)
    except UntrustedError as error:
        raise PrakerjaError(f"the proposal is not this publisher's: {error}") from None
    if following.number != last:
        raise PrakerjaError("the proposal's keyrings do not follow those that are published: propose it again")


def _list_facts(proposal: OpenProposal, trust: Trust, before: Keys, after: Keys) -> list[tuple[str, str]]:
    """Return which keys a proposal changes, as (kind, key)."""
    ring = proposal.rings[-1]
    facts = [("keyring_endorsed", sha256(canonical_json(ring))[:16])]
    if proposal.root:
        facts.append(("root_changed", proposal.newest_sha256[:16]))
    if after.signer.public.key_id != before.signer.public.key_id:
        facts.append(("signing_changed", after.signer.public.key_id))
    revoked = (key.signing_key_id for key in ring.revoked if key.signing_key_id not in trust.revoked)
    return [*facts, *(("signing_revoked", key_id) for key_id in revoked)]


def _choose_signer(keys: Keys, ring: Keyring) -> Keys:
    """Return the keys that sign once a keyring is published. Raise `PrakerjaError` if it lets none of them sign."""
    signing = {key.signing_key_id for key in ring.keys if key.last_version is None}
    standby = keys.standby if keys.standby and keys.standby.public.key_id in signing else None
    if keys.signer.public.key_id in signing:
        return replace(keys, standby=standby)
    if standby is None:
        raise PrakerjaError(
            "the proposal lets no key of this installation sign: set PRAKERJA_SIGNING_KEY_NEXT to the key that it "
            "announces, or propose it again"
        )
    return replace(keys, signer=standby, standby=None)


def _settle_keys(before: Keys, after: Keys, ring: Keyring) -> None:
    """Let the home's keys be those that sign from now on. Keys of the environment are changed there."""
    store = KeyStore.from_environment()
    if before.signer.public.key_id != after.signer.public.key_id:
        if not store.settings.next_signing_key and (pem := store.load_next_signing_key()):
            store.replace("signing_key.pem", pem, f"signing_key_retired_{before.signer.public.key_id}.pem")
            store.drop("signing_key_next.pem")
    elif before.standby and before.standby.public.key_id in {key.signing_key_id for key in ring.revoked}:
        store.drop_next_signing_key()


def _describe_published(proposal: OpenProposal, root: UPath, before: Keys, after: Keys) -> list[str]:
    ring, number = proposal.rings[-1], proposal.newest.number
    lines = [f"keyring {ring.number} is published, endorsed by root {number}"]
    if proposal.root:
        digest = proposal.newest_sha256[:16]
        lines.append(f"root {number} ({digest}) is published: readers that pin an earlier one follow it by themselves")
        if number == 1:
            lines.append(f"give {root / root_name(1)} to the readers, who compare {digest} with you by telephone")
    if before.signer.public.key_id != after.signer.public.key_id:
        lines.append(f"{after.signer.public.key_id} signs from now on")
        if Keys.from_settings().signer.public.key_id != after.signer.public.key_id:
            lines.append("set PRAKERJA_SIGNING_KEY to it now, and unset PRAKERJA_SIGNING_KEY_NEXT")
    return lines


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(PROPOSAL_BYTES_MAX + 1)
    except OSError as error:
        raise PrakerjaError(
            f"{path} cannot be read ({error.strerror}): name a file that the holders have signed"
        ) from None
    if len(data) > PROPOSAL_BYTES_MAX:
        raise PrakerjaError(f"{path} is too large to be a proposal or a key")
    return data
