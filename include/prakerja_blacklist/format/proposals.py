"""Proposals: what a publisher gives the holders of root keys to sign, in one file, which they sign and pass on.

A proposal has everything that it is about, so that it can be shown in plain words on a machine that has nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.contract import (
    PROPOSAL_CONTRACT,
    Endorsement,
    Keyring,
    Proposal,
    Root,
    SignedDocument,
    SignedKeyring,
)
from prakerja_blacklist.format.documents import DoesNotFitError, canonical_json, decode_base64, parse_document
from prakerja_blacklist.format.keyring import keyring_bytes, read_keyring
from prakerja_blacklist.format.roots import (
    TrustedRoot,
    add_signature,
    build_endorsement,
    find_signers,
    join_signatures,
    parse_root,
)
from prakerja_blacklist.format.signatures import SigningKey
from prakerja_blacklist.format.snapshot import sha256

PROPOSAL_BYTES_MAX = 4_000_000


@dataclass(frozen=True)
class OpenProposal:
    """A proposal whose parts fit one another. `rings` are its keyrings, of which the last is endorsed."""

    proposal: Proposal
    in_force: TrustedRoot | None
    root: Root | None
    rings: Sequence[Keyring]

    @classmethod
    def build(
        cls, in_force: TrustedRoot | None, root: SignedDocument | None, keyrings: Sequence[bytes], first: int
    ) -> OpenProposal:
        """Return the proposal of a root, if any, and of keyrings from the `first` number on. Nobody has signed it."""
        signed = parse_document(SignedDocument, in_force.file, "the root in force") if in_force else None
        newest = root or signed
        if newest is None:
            raise PrakerjaError("there are no root keys: name them")
        data = decode_base64(newest.document, "the root")
        endorsement = build_endorsement(data, keyring_bytes(keyrings[-1], first + len(keyrings) - 1))
        texts = [keyring.decode() for keyring in keyrings]
        return cls.open(canonical_json(Proposal(PROPOSAL_CONTRACT, signed, root, endorsement, texts)), "the proposal")

    @classmethod
    def open(cls, data: bytes, name: str) -> OpenProposal:
        """Return a proposal from its file, whoever has signed it. Raise `PrakerjaError`."""
        proposal = parse_document(Proposal, data, name)
        in_force = TrustedRoot.from_file(canonical_json(proposal.in_force), name) if proposal.in_force else None
        root = parse_root(decode_base64(proposal.root.document, name), name) if proposal.root else None
        endorsement = parse_document(Endorsement, decode_base64(proposal.endorsement.document, name), name)
        rings, inner = list[Keyring](), b""
        for position, text in enumerate(proposal.keyrings):
            number = rings[0].number + position if rings else _number_of(text, name)
            inner = keyring_bytes(text.encode(), number)
            rings.append(read_keyring(inner, number))
        opened = cls(proposal, in_force, root, rings)
        if root and (root.number, root.previous) != ((in_force.number + 1, in_force.sha256) if in_force else (1, None)):
            raise DoesNotFitError(f"{name}: its root does not follow the one in force")
        if (endorsement.root, decode_base64(endorsement.keyring, name)) != (opened.newest_sha256, inner):
            raise DoesNotFitError(f"{name}: it endorses another keyring than it shows, or by another root")
        return opened

    @property
    def newest(self) -> Root:
        """The root under which the keyring is endorsed."""
        if self.root:
            return self.root
        assert self.in_force is not None  # noqa: S101 - `newest_sha256` has looked
        return self.in_force.root

    @property
    def newest_sha256(self) -> str:
        """What identifies that root. Raise `DoesNotFitError` if the proposal has none."""
        if self.proposal.root:
            return sha256(decode_base64(self.proposal.root.document, "the root"))
        if self.in_force is None:
            raise DoesNotFitError("a proposal has no root")
        return self.in_force.sha256

    @property
    def file(self) -> bytes:
        """The proposal's file."""
        return canonical_json(self.proposal)

    def sign(self, key: SigningKey) -> OpenProposal:
        """Return the proposal with a root key's signatures. Raise `PrakerjaError` if it needs none of this key."""
        key_id, roots = key.public.key_id, self._roots()
        if not any(key_id == each.root_key_id for root in roots for each in root.keys):
            raise PrakerjaError(f"no signature of {key_id} is asked for: it is no key of these roots")
        proposal = self.proposal
        if proposal.root:
            proposal = replace(proposal, root=add_signature(proposal.root, key))
        if any(key_id == each.root_key_id for each in self.newest.keys):
            proposal = replace(proposal, endorsement=add_signature(proposal.endorsement, key))
        return replace(self, proposal=proposal)

    def join(self, others: Sequence[OpenProposal]) -> OpenProposal:
        """Return the proposal with the signatures of its copies. Raise `PrakerjaError` if one is of another."""
        copies = [each.proposal for each in (self, *others)]
        if any(
            copy.keyrings != self.proposal.keyrings or (copy.root is None) != (self.root is None) for copy in copies
        ):
            raise PrakerjaError("these files are not copies of one proposal: give those that were signed together")
        endorsement = join_signatures([copy.endorsement for copy in copies], [self.newest])
        roots = [copy.root for copy in copies if copy.root]
        root = join_signatures(roots, self._roots()) if roots else None
        return replace(self, proposal=replace(self.proposal, root=root, endorsement=endorsement))

    def missing(self) -> list[str]:
        """Return a line for each root whose signatures do not suffice yet."""
        wanted = [(f"root {self.newest.number}", self.newest, self.proposal.endorsement)]
        if self.proposal.root:
            wanted += [(f"root {root.number}", root, self.proposal.root) for root in self._roots()]
        found = {name: (len(find_signers(root, signed)), root.threshold) for name, root, signed in reversed(wanted)}
        return [f"{have} of the {need} signatures of {name}" for name, (have, need) in found.items() if have < need]

    def signers(self) -> list[str]:
        """Return the ids of the keys that have signed."""
        documents = [document for document in (self.proposal.root, self.proposal.endorsement) if document]
        return sorted(
            {each for root in self._roots() for document in documents for each in find_signers(root, document)}
        )

    def describe(self) -> Iterator[str]:
        """Yield in plain words what a signature is for."""
        if self.root:
            follows = f"in place of root {self.in_force.number}" if self.in_force else "the first"
            yield f"root {self.root.number} ({self.newest_sha256[:16]}), {follows}: "
            yield f"  {self.root.threshold} of these {len(self.root.keys)} keys must sign from then on:"
            yield from (f"    {key.root_key_id}" for key in self.root.keys)
            kept = {key.root_key_id for key in self.root.keys}
            before = [key.root_key_id for key in self.in_force.root.keys] if self.in_force else []
            yield from (f"  it counts no longer: {key_id}" for key_id in before if key_id not in kept)
        ring = self.rings[-1]
        yield f"keyring {ring.number} of {ring.created_at}, under root {self.newest.number}:"
        for key in ring.keys:
            until = "signs lists" if key.last_version is None else f"retired: signs no list after {key.last_version}"
            yield f"    {key.signing_key_id}  {until}"
        yield from (f"    {key.signing_key_id}  REVOKED: nothing of it counts" for key in ring.revoked)

    def _roots(self) -> list[Root]:
        return [*([self.in_force.root] if self.in_force else []), *([self.root] if self.root else [])]


def _number_of(text: str, name: str) -> int:
    inner = decode_base64(parse_document(SignedKeyring, text.encode(), name).keyring, name)
    return parse_document(Keyring, inner, name).number
