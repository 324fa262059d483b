"""Roots: numbered lists of the keys that people keep offline, as TUF's root is, and their endorsements of keyrings.

A root is signed by a threshold of its own keys and, from the second on, of the keys of the one before it. Roots are
files with consecutive numbers and are never replaced. An endorsement names the root and contains the keyring, so that a
signature of it counts under no other root and for no other keyring. Readers that pin a root believe the keyrings that
the newest root has endorsed, whatever the key that signs lists has signed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.contract import (
    ENDORSEMENT_CONTRACT,
    ROOT_CONTRACT,
    Endorsement,
    Keyring,
    Root,
    RootKey,
    SignedDocument,
    format_instant,
)
from prakerja_blacklist.format.documents import (
    DoesNotFitError,
    canonical_json,
    decode_base64,
    encode_base64,
    parse_document,
)
from prakerja_blacklist.format.keyring import UntrustedError, read_keyring
from prakerja_blacklist.format.signatures import PublicKey, SigningKey
from prakerja_blacklist.format.snapshot import sha256

ROOTS_AT_ONCE = 256  # a reader follows no endless chain


def root_name(number: int) -> str:
    """Return the name of a root below the list's folder."""
    return f"keys/root-{number:06d}.json"


def endorsement_name(keyring: int, root: int) -> str:
    """Return the name of a root's endorsement of a keyring below the list's folder."""
    return f"keys/keyring-{keyring:06d}.root-{root:06d}.json"


@dataclass(frozen=True)
class TrustedRoot:
    """A root that is believed. `data` are the bytes that are signed, `file` is what is published."""

    root: Root
    data: bytes
    file: bytes

    @classmethod
    def from_file(cls, file: bytes, name: str) -> TrustedRoot:
        """Return a root that enough of its own keys have signed, e.g. one that a person gave.

        Raise `UntrustedError` or `DoesNotFitError`.
        """
        signed, data = open_signed(file, name)
        root = cls(parse_root(data, name), data, file)
        root.require_signatures(signed, name)
        return root

    @property
    def number(self) -> int:
        """The root's number."""
        return self.root.number

    @property
    def sha256(self) -> str:
        """What identifies the root: people compare its first digits."""
        return sha256(self.data)

    def require_signatures(self, signed: SignedDocument, name: str) -> None:
        """Raise `UntrustedError` unless as many of the root's keys have signed a document as it asks for."""
        found = len(find_signers(self.root, signed))
        if found < self.root.threshold:
            raise UntrustedError(
                f"{name} has {found} of the {self.root.threshold} signatures that root {self.number} asks for"
            )

    def follow(self, read: Callable[[str], bytes | None]) -> Iterator[TrustedRoot]:
        """Yield every newer root, each once it is believed. `read` returns a root by name.

        Raise `UntrustedError` or `DoesNotFitError` at the first that does not follow.
        """
        newest = self
        for number in range(self.number + 1, self.number + 1 + ROOTS_AT_ONCE):
            if (file := read(root_name(number))) is None:
                return
            newest = newest.read_next(file)
            yield newest

    def read_next(self, file: bytes) -> TrustedRoot:
        """Return the root that follows this one. Raise `UntrustedError` or `DoesNotFitError`."""
        name = f"root {self.number + 1}"
        following = TrustedRoot.from_file(file, name)
        if following.number != self.number + 1:
            raise UntrustedError(f"{name} is another one, {following.number}")
        if following.root.previous != self.sha256:
            raise UntrustedError(f"{name} follows another root {self.number} than the one that is believed")
        self.require_signatures(open_signed(file, name)[0], name)
        return following

    def read_endorsed(self, file: bytes, number: int) -> Keyring:
        """Return the keyring of that number out of this root's endorsement.

        Raise `UntrustedError` or `DoesNotFitError`.
        """
        name = f"the keyring {number}"
        signed, data = open_signed(file, name)
        self.require_signatures(signed, name)
        endorsement = parse_document(Endorsement, data, name)
        if (endorsement.root, endorsement.root_number) != (self.sha256, self.number):
            raise UntrustedError(f"{name} is endorsed by another root than {self.number}")
        return read_keyring(decode_base64(endorsement.keyring, name), number)


def open_signed(file: bytes, name: str) -> tuple[SignedDocument, bytes]:
    """Return a signed document and the bytes that are signed. Raise `DoesNotFitError`."""
    signed = parse_document(SignedDocument, file, name)
    return signed, decode_base64(signed.document, name)


def parse_root(data: bytes, name: str) -> Root:
    """Return a root from its own bytes, whoever has signed it. Raise `DoesNotFitError`."""
    root = parse_document(Root, data, name)
    ids = [key.root_key_id for key in root.keys]
    if len(set(ids)) < len(ids):
        raise DoesNotFitError(f"{name} names a key twice")
    if any(_public_key(key, name).key_id != key.root_key_id for key in root.keys):
        raise DoesNotFitError(f"{name} names a key by another key's name")
    if root.threshold > len(ids):
        raise DoesNotFitError(f"{name} asks for {root.threshold} signatures of {len(ids)} keys")
    if (root.previous is None) != (root.number == 1):
        raise DoesNotFitError(f"{name} must name the root before it, unless it is the first")
    return root


def find_signers(root: Root, signed: SignedDocument) -> set[str]:
    """Return the ids of the root's keys that have signed a document. Each counts once, and other signatures do not."""
    data = decode_base64(signed.document, "the document")
    return {
        key.root_key_id
        for key in root.keys
        if (signature := signed.signatures.get(key.root_key_id)) is not None
        and _public_key(key, "the root").has_signed(data, signature.encode())
    }


def build_root(before: TrustedRoot | None, keys: Collection[PublicKey], threshold: int, at: datetime) -> SignedDocument:
    """Return the root that follows another one, or the first, without signatures. Raise `DoesNotFitError`."""
    root = Root(
        contract=ROOT_CONTRACT,
        number=before.number + 1 if before else 1,
        previous=before.sha256 if before else None,
        created_at=format_instant(at),
        threshold=threshold,
        keys=[RootKey(key.key_id, key.pem.decode()) for key in sorted(keys, key=lambda key: key.key_id)],
    )
    data = canonical_json(root)
    parse_root(data, f"root {root.number}")
    return SignedDocument(encode_base64(data), {})


def build_endorsement(root_data: bytes, keyring: bytes) -> SignedDocument:
    """Return the endorsement of a keyring's bytes by a root, without signatures."""
    endorsement = Endorsement(
        contract=ENDORSEMENT_CONTRACT,
        root=sha256(root_data),
        root_number=parse_root(root_data, "the root").number,
        keyring=encode_base64(keyring),
    )
    return SignedDocument(encode_base64(canonical_json(endorsement)), {})


def add_signature(signed: SignedDocument, key: SigningKey) -> SignedDocument:
    """Return a document with another key's signature."""
    signature = key.sign_text(decode_base64(signed.document, "the document"))
    return SignedDocument(signed.document, {**signed.signatures, key.public.key_id: signature})


def join_signatures(copies: Iterable[SignedDocument], roots: Collection[Root]) -> SignedDocument:
    """Return a document with the signatures of all its copies that are of a key of one of the roots, and right.

    Raise `PrakerjaError` if one is a copy of another document.
    """
    documents, signatures = set[str](), dict[str, str]()
    for copy in copies:
        documents.add(copy.document)
        signers = {key_id for root in roots for key_id in find_signers(root, copy)}
        signatures |= {key_id: copy.signatures[key_id] for key_id in signers}
    if len(documents) != 1:
        raise PrakerjaError("these files are not copies of one proposal: give those that were signed together")
    return SignedDocument(documents.pop(), dict(sorted(signatures.items())))


def _public_key(key: RootKey, name: str) -> PublicKey:
    try:
        return PublicKey.from_pem(key.public_key.encode())
    except PrakerjaError:
        raise DoesNotFitError(f"{name} has a key that is not an Ed25519 key in PEM") from None
