"""The chain of a list's versions, and what witnesses say of it.

Beside each manifest lies `chain.json`, which names the manifest and the chain file of the version before by their
SHA-256. So one chain file vouches for all before it, whoever has signed those. A list under an earlier key of the
subjects continues the chain of the list that it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from prakerja_blacklist.format.contract import Instant, KeyId, Sha256, VersionNumber, version_folder
from prakerja_blacklist.format.documents import (
    Bounds,
    Description,
    Document,
    DoesNotFitError,
    Size,
    canonical_json,
    decode_base64,
    encode_base64,
    parse_document,
)
from prakerja_blacklist.format.signatures import PublicKey, SigningKey
from prakerja_blacklist.format.snapshot import sha256

CHAIN_CONTRACT: Final = "prakerja.chain/1"
WITNESS_CONTRACT: Final = "prakerja.witness/1"
CONFLICT_CONTRACT: Final = "prakerja.witness-conflict/1"
CHAIN_BYTES_MAX, STATEMENT_BYTES_MAX = 4_000, 20_000


@dataclass(frozen=True, slots=True)
class AuditHead(Document):
    """An entry of the publisher's audit log, as the version's anchor names it: nothing before it was changed since."""

    position: Annotated[int, Bounds(1)]
    hash: Sha256


@dataclass(frozen=True, slots=True)
class Chain(Document):
    """What a version follows from, `chain.json`; `chain.json.sig` signs its bytes."""

    contract: Literal["prakerja.chain/1"]
    version: VersionNumber
    key_id: Annotated[KeyId, Description("the HMAC key of the subjects")]
    manifest_sha256: Sha256
    previous_chain_sha256: Annotated[Sha256, Description("of the version before; null in the first chain file")] | None
    audit: AuditHead | None
    created_at: Annotated[
        Instant, Description("when the version was made; its chain file was written later if `audit` is null")
    ]
    signing_key_id: KeyId


@dataclass(frozen=True, slots=True)
class Statement(Document):
    """A chain file that a witness has seen, and that continues all that it had seen before."""

    contract: Literal["prakerja.witness/1"]
    first_chain_sha256: Annotated[Sha256, Description("which list: the SHA-256 of its first chain file")]
    version: VersionNumber
    key_id: Annotated[KeyId, Description("the HMAC key of the subjects")]
    chain_sha256: Sha256
    seen_at: Instant
    witness_key_id: KeyId


@dataclass(frozen=True, slots=True)
class SignedStatement(Document):
    """A statement as a witness publishes it: one file, so that it is there whole or not at all."""

    statement: Annotated[str, Description("base64 of the statement's bytes")]
    signature: Annotated[str, Description("base64 of the witness's Ed25519 signature over these bytes")]
    chain: Annotated[str, Description("base64 of the chain file that the statement names")]


@dataclass(frozen=True, slots=True)
class OfferedChain(Document):
    """A chain file of the publisher's, with its signature as it lay beside it."""

    chain: Annotated[str, Description("base64 of the chain file's bytes")]
    signature: Annotated[str, Description("base64 of the publisher's Ed25519 signature, empty if none lay there")]


@dataclass(frozen=True, slots=True)
class Conflict(Document):
    """Two histories of one list: what a witness had signed, and the chain files that it was offered since."""

    contract: Literal["prakerja.witness-conflict/1"]
    first_chain_sha256: Sha256
    version: Annotated[VersionNumber, Description("the version of which there are two chain files")]
    key_id: KeyId
    seen: SignedStatement
    offered: Annotated[
        list[OfferedChain],
        Size(1, 100_000),
        Description("from the version that was offered down to this one; the first one's signature was verified"),
    ]
    found_at: Instant
    witness_key_id: KeyId


@dataclass(frozen=True, slots=True)
class SignedConflict(Document):
    """A conflict as a witness publishes it."""

    conflict: Annotated[str, Description("base64 of the conflict's bytes")]
    signature: Annotated[str, Description("base64 of the witness's Ed25519 signature over these bytes")]


CHAIN_DOCUMENTS: dict[str, type[Document]] = {
    "chain": Chain,
    "witness_statement": Statement,
    "signed_witness_statement": SignedStatement,
    "witness_conflict": Conflict,
    "signed_witness_conflict": SignedConflict,
}


def chain_name(version: int) -> str:
    """Return the name of a version's chain file: `v000017/chain.json`."""
    return f"{version_folder(version)}/chain.json"


def statement_name(version: int, earlier_key_id: str | None = None) -> str:
    """Return the name of a witness's statement: `v000017.json`, or `v000017-<key id>.json`.

    The latter is about the list under an earlier key of the subjects, which is published beside the list.
    """
    return f"{version_folder(version)}{f'-{earlier_key_id}' if earlier_key_id else ''}.json"


@dataclass(frozen=True)
class SeenChain:
    """A witness's statement whose signature was verified, with the chain file that it names, and the bytes of that."""

    statement: Statement
    chain: Chain
    data: bytes


def sign_statement(statement: Statement, chain: bytes, signer: SigningKey) -> bytes:
    """Return a statement's file."""
    data = canonical_json(statement)
    return canonical_json(SignedStatement(encode_base64(data), signer.sign_text(data), encode_base64(chain)))


def open_statement(data: bytes, name: str, key: PublicKey | None) -> SeenChain:
    """Return what a statement's file says. Without a `key`, its signature is not verified.

    Raise `DoesNotFitError` if it does not fit, or if the key has not signed it.
    """
    signed = parse_document(SignedStatement, data, name)
    inner, chain = decode_base64(signed.statement, name), decode_base64(signed.chain, name)
    statement = parse_document(Statement, inner, name)
    if key is not None and statement.witness_key_id != key.key_id:
        raise OtherWitnessKeyError(
            f"{name} is signed by the key {statement.witness_key_id}, and not by {key.key_id}", statement.witness_key_id
        )
    if key is not None and not key.has_signed(inner, signed.signature.encode()):
        raise DoesNotFitError(f"{name} has a wrong signature")
    if sha256(chain) != statement.chain_sha256:
        raise DoesNotFitError(f"{name} names another chain file than it has")
    found = parse_document(Chain, chain, name)
    if (found.version, found.key_id) != (statement.version, statement.key_id):
        raise DoesNotFitError(f"{name} is of another version than its chain file")
    return SeenChain(statement, found, chain)


class OtherWitnessKeyError(DoesNotFitError):
    """A statement says that another key than the witness's has signed it."""

    def __init__(self, detail: str, key_id: str) -> None:
        super().__init__(detail)
        self.key_id = key_id


def sign_conflict(conflict: Conflict, signer: SigningKey) -> bytes:
    """Return a conflict's file."""
    data = canonical_json(conflict)
    return canonical_json(SignedConflict(encode_base64(data), signer.sign_text(data)))


def offer_chain(data: bytes, signature: bytes) -> OfferedChain:
    """Return a chain file as a conflict has it."""
    return OfferedChain(encode_base64(data), signature.decode("ascii", errors="replace").strip())
