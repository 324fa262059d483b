"""Root keys beside a simulated publisher: roots and endorsements, right ones and those that nobody should sign."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from prakerja_blacklist.format import keyring
from prakerja_blacklist.format.contract import ROOT_CONTRACT, SignedDocument, format_instant
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.roots import (
    TrustedRoot,
    add_signature,
    build_endorsement,
    endorsement_name,
    open_signed,
    root_name,
)
from prakerja_blacklist.format.signatures import SigningKey
from prakerja_blacklist.format.snapshot import sha256
from tests.support.simulated_publisher import Repository, signing_key

#: The keys of ten people. Tests name them by their number, as python-tuf's do.
HOLDERS = [signing_key(f"holder {number}") for number in range(10)]


def root_entry(key: SigningKey, name: str | None = None) -> dict[str, str]:
    """A root's entry of a key."""
    return {"root_key_id": name or key.public.key_id, "public_key": key.public.pem.decode()}


def put_root(
    repository: Repository,
    number: int,
    keys: Iterable[int] = (0, 1, 2),
    threshold: int = 2,
    by: Iterable[int] = (0, 1),
    says: Mapping[str, Any] | None = None,
) -> bytes:
    """Lay a root there, signed by whomever, whatever it says; gives its file."""
    before = repository.root / root_name(number - 1)
    root = {
        "contract": ROOT_CONTRACT,
        "number": number,
        "previous": sha256(open_signed(before.read_bytes(), "")[1]) if before.exists() else None,
        "created_at": format_instant(repository.at),
        "threshold": threshold,
        "keys": [root_entry(HOLDERS[key]) for key in keys],
    }
    file = signed_by(canonical_json(root | dict(says or {})), by)
    repository.put(root_name(number), file)
    return file


def endorse(
    repository: Repository,
    under: int = 1,
    by: Iterable[int] = (0, 1),
    number: int | None = None,
    **fields: Any,
) -> None:
    """Lay a root's endorsement of a keyring there, of the newest if none is named, whatever it says."""
    number = number or max(int(path.stem[8:]) for path in repository.root.glob("keys/keyring-??????.json"))
    ring = keyring.keyring_bytes(repository.data(keyring.file_name(number)), number)
    root = open_signed(repository.data(root_name(under)), "")[1]
    endorsement = json.loads(base64.b64decode(build_endorsement(root, ring).document))
    repository.put(endorsement_name(number, under), signed_by(canonical_json(endorsement | fields), by))


def signed_by(data: bytes, by: Iterable[int]) -> bytes:
    """A document as it is published, with the signatures of some people."""
    signed = SignedDocument(base64.b64encode(data).decode(), {})
    for each in by:
        signed = add_signature(signed, HOLDERS[each])
    return canonical_json(signed)


def root_of(repository: Repository, number: int = 1) -> TrustedRoot:
    """A root to pin."""
    return TrustedRoot.from_file(repository.data(root_name(number)), "the root")


def seen_roots(reader: Any) -> int:
    """The number of the newest root that a reader has seen."""
    proof = json.loads((reader.folder / "trusted.json").read_bytes())["root"]
    return int(json.loads(open_signed(proof["roots"][-1].encode(), "")[1])["number"])
