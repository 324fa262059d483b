"""A publisher without a warehouse, as python-tuf's RepositorySimulator is: it also signs what no publisher would."""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pyarrow import parquet

from prakerja_blacklist.format import keyring
from prakerja_blacklist.format.chain import CHAIN_CONTRACT
from prakerja_blacklist.format.contract import (
    FIRST_CONTRACT,
    KEYRING_CONTRACT,
    POINTER,
    Latest,
    RevokedKey,
    RingKey,
    SignedKeyring,
    earlier_list_folder,
    format_instant,
)
from prakerja_blacklist.format.documents import canonical_json
from prakerja_blacklist.format.keyring import Trust
from prakerja_blacklist.format.signatures import PublicKey, SigningKey
from prakerja_blacklist.format.snapshot import HEX, sha256
from prakerja_blacklist.format.subject_keys import SubjectKey
from prakerja_blacklist.reader.sources import Folder

AT = datetime(2021, 3, 15, 1, tzinfo=UTC)
EXPIRES_AFTER = timedelta(days=7)
HEADER, DELTA_HEADER = FIRST_CONTRACT.header, FIRST_CONTRACT.delta_header
REASON = {"ADD": "NO_FIRST_PURCHASE", "WITHDRAW": "REINSTATED"}


def signing_key(name: str) -> SigningKey:
    """A key that signs, always the same one for a name."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()))


def subject_key(name: str) -> SubjectKey:
    """A key of subjects, always the same one for a name."""
    return SubjectKey(hashlib.sha256(name.encode()).digest())


@cache
def entry_of(key: SubjectKey, nik: int, cohort: int = 12) -> bytes:
    """The list's line of a person."""
    return line_of(key.digest(f"{nik:016d}").hex(), cohort)


def line_of(subject: str, cohort: int = 12) -> bytes:
    """The list's line of a subject."""
    return f"{subject},{cohort},NO_FIRST_PURCHASE,2021-03-13T17:00:00Z,gelombang-{cohort}-{'a' * 24}\n".encode()


def change_of(op: str, line: bytes, reason: str | None = None) -> bytes:
    """The delta's line about a line of the list."""
    subject, cohort, _, rest = line.decode().split(",", 3)
    return ",".join([op, subject, cohort, reason or REASON[op], rest]).encode()


def changes_between(
    before: Mapping[bytes, bytes], after: Mapping[bytes, bytes], reason: str | None = None
) -> list[bytes]:
    """The delta's lines between two lists, each of them lines by subject."""
    withdrawn = [(subject, 0, line) for subject, line in before.items() if after.get(subject) != line]
    added = [(subject, 1, line) for subject, line in after.items() if before.get(subject) != line]
    return [
        change_of("ADD", line) if is_added else change_of("WITHDRAW", line, reason)
        for _, is_added, line in sorted([*withdrawn, *added])
    ]


def list_of(lines: Mapping[bytes, bytes], header: bytes = HEADER) -> bytes:
    """The canonical CSV of a list."""
    return header + b"".join(line for _, line in sorted(lines.items()))


@cache
def gzipped(data: bytes) -> bytes:
    """As gzip, without a time of day."""
    pack = zlib.compressobj(6, zlib.DEFLATED, 31)
    return pack.compress(data) + pack.flush()


def file_of(version: int, name: str) -> str:
    """The name of a version's file below the list's folder."""
    return f"v{version:06d}/{name}"


def delta_of(version: int) -> str:
    return file_of(version, "delta.csv.gz")


def snapshot_of(version: int) -> str:
    return file_of(version, "snapshot.csv.gz")


def manifest_of(version: int) -> str:
    return file_of(version, "manifest.json")


def chain_of(version: int) -> str:
    return file_of(version, "chain.json")


def signature_of(version: int) -> str:
    return file_of(version, "manifest.json.sig")


def flipped(data: bytes, position: int | None = None) -> bytes:
    """With one bit turned over."""
    bent = bytearray(data)
    bent[len(bent) // 2 if position is None else position] ^= 1
    return bytes(bent)


class Repository:
    """A published folder. People are NIKs; `publish` gives the next version, everything else bends what lies there.

    `at` is when the newest version was made, `now` an hour later.
    """

    def __init__(self, folder: Path, *, has_keyrings: bool = True, has_chains: bool = False) -> None:
        self.folder, self.root = folder, folder / "blacklist"
        self.at, self.version = AT, 0
        self.signer = signing_key("first")
        self.standby: SigningKey | None = None
        self.subject_keys = [subject_key("first")]
        self.overlaps = True
        self.people: dict[int, int] = {}
        self.contract = FIRST_CONTRACT
        self.trust = Trust({})
        self._has_keyrings, self._has_chains = has_keyrings, has_chains
        self._signed_by: str | None = None
        self._lists: dict[Path, dict[bytes, bytes]] = {self.root: {}}
        self._written_by = self.contract
        self._key_id = self.subject_keys[0].key_id

    @property
    def now(self) -> datetime:
        return self.at + timedelta(hours=1)

    @property
    def source(self) -> Folder:
        return Folder(self.root)

    def listed(self, key: SubjectKey | None = None) -> dict[bytes, bytes]:
        """The list as it should be by now: lines by subject."""
        lines = [entry_of(key or self.subject_keys[0], nik, cohort) for nik, cohort in self.people.items()]
        if self.contract != FIRST_CONTRACT:
            lines = [line[:-1] + b",2021-03-15\n" for line in lines]
        return {line[:HEX]: line for line in lines}

    def fork(self, folder: Path) -> Repository:
        """The same publisher, who goes on in another folder: a thief's, or a second history."""
        other = copy.copy(self)
        shutil.copytree(self.folder, folder, copy_function=os.link)  # no file is ever written to, but replaced
        other.folder, other.root = folder, folder / "blacklist"
        other.people, other.subject_keys = dict(self.people), list(self.subject_keys)
        other._lists = {folder / root.relative_to(self.folder): lines for root, lines in self._lists.items()}
        return other

    # -- what a publisher does -----------------------------------------------------------------------------------------

    def publish(
        self,
        add: Iterable[int] = (),
        withdraw: Iterable[int] = (),
        *,
        cohort: int = 12,
        after: timedelta = timedelta(days=1),
        version: int | None = None,
    ) -> int:
        """The next version, or one that is further ahead."""
        self.at += after if self.version else timedelta(0)
        self.version = version or self.version + 1
        for nik in withdraw:
            del self.people[nik]
        self.people |= dict.fromkeys(add, cohort)
        self.write_keyring()
        current, *earlier = self.subject_keys
        if earlier and self.overlaps:
            self._write(self.root.parent / earlier_list_folder(earlier[0].key_id), earlier[0])
        self._write(self.root, current, "KEY_ROTATED" if current.key_id != self._key_id else None)
        self._written_by = self.contract
        self._key_id, self._signed_by = current.key_id, self.signer.public.key_id
        return self.version

    def announce(self, key: SigningKey) -> None:
        """Let readers know the key that signs next."""
        self.standby = key
        self.write_keyring()

    def rotate(self) -> None:
        """Let the announced key sign from the next version on."""
        assert self.standby is not None
        self.signer, self.standby = self.standby, None

    def revoke(self, key: SigningKey) -> None:
        """Let nothing of a key be believed."""
        self.write_keyring(revoking=[key.public.key_id])

    def rotate_subjects(self, key: SubjectKey) -> None:
        """Re-issue the next version's list under another key."""
        self.subject_keys.insert(0, key)

    def write_keyring(self, revoking: Sequence[str] = ()) -> None:
        """The keyring of who signs, if it says anything new."""
        if not self._has_keyrings:
            return
        version = self.version if not (self.root / manifest_of(self.version)).exists() else self.version + 1
        made = keyring.build_next_keyring(
            self.trust, self.signer, self.standby, version, self.at, revoking, signed_by=self._signed_by
        )
        if made:
            self._believe(self.trust.number + 1, made)

    def _believe(self, number: int, data: bytes) -> None:
        self.put(keyring.file_name(number), data)
        ring = keyring.parse_keyring(data, number)
        self.trust = Trust(
            {key.signing_key_id: key for key in ring.keys},
            number,
            {key.signing_key_id: key for key in ring.revoked},
        )

    def _write(self, root: Path, key: SubjectKey, reason: str | None = None) -> None:
        before, after = self._lists.get(root, self._lists[self.root]), self.listed(key)
        before = before if self._written_by == self.contract else {}
        self._lists[root], listed = after, list_of(after, self.contract.header)
        delta = changes_between(before, after, reason)
        files = {
            "snapshot.csv.gz": (gzipped(listed), len(after)),
            "snapshot.parquet": (self.parquet_of(listed), len(after)),
            "delta.csv.gz": (gzipped(self.contract.delta_header + b"".join(delta)), len(delta)),
        }
        for name, (data, _) in files.items():
            _write_file(root / file_of(self.version, name), data)
        added = sum(change.startswith(b"ADD") for change in delta)
        cohorts = sorted(self.people.values())
        manifest = self.contract.manifest(
            contract=self.contract.name,
            version=self.version,
            previous_version=self.version - 1 or None,
            created_at=format_instant(self.at),
            checked_at=format_instant(self.at),
            changed_at=format_instant(self.at),
            expires_at=format_instant(self.at + EXPIRES_AFTER),
            data_as_of={"tokopedia": "2021-03-14"},
            key_id=key.key_id,
            signing_key_id=self.signer.public.key_id,
            counts={
                "entries": len(after),
                "added": added,
                "withdrawn": len(delta) - added,
                "by_cohort": {str(each): len(list(same)) for each, same in itertools.groupby(cohorts)},
            },
            result_sha256=sha256(listed),
            files=[
                {"name": name, "bytes": len(data), "sha256": sha256(data), "rows": rows}
                for name, (data, rows) in files.items()
            ],
        )
        _write_file(root / "keys" / f"{self.signer.public.key_id}.pem", self.signer.public.pem)
        self.sign(canonical_json(manifest), self.version, root=root)
        if self._has_chains:
            self.write_chain(self.version, root=root)
        self.point(self.version, root=root)

    def parquet_of(self, data: bytes) -> bytes:
        """The list's canonical CSV as Parquet."""
        return _parquet(data)

    def write_chain(self, version: int, /, root: Path | None = None, **fields: Any) -> None:
        """Write the chain file of a version as it lies there, or one that says something else."""
        root, name = root or self.root, chain_of(version)
        data = (root / manifest_of(version)).read_bytes()
        places = [place / chain_of(version - 1) for place in (root, self.root)]
        before = next((place.read_bytes() for place in places if place.exists()), None)
        chain = {
            "contract": CHAIN_CONTRACT,
            "version": version,
            "key_id": json.loads(data)["key_id"],
            "manifest_sha256": sha256(data),
            "previous_chain_sha256": sha256(before) if before else None,
            "audit": {"position": version, "hash": f"{version:064x}"},
            "created_at": json.loads(data)["created_at"],
            "signing_key_id": self.signer.public.key_id,
        }
        written = canonical_json(chain | fields)
        _write_file(root / name, written)
        _write_file(root / f"{name}.sig", self.signer.sign(written))

    # -- what nobody should do -----------------------------------------------------------------------------------------

    def data(self, name: str) -> bytes:
        """What lies there."""
        return (self.root / name).read_bytes()

    def put(self, name: str, data: bytes) -> None:
        """Lay something there, whatever it is."""
        _write_file(self.root / name, data)

    def put_endless(self, name: str) -> None:
        """Lay something there that never ends."""
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        with path.open("xb") as file:
            file.truncate(1 << 38)  # and takes no room

    def drop(self, name: str) -> None:
        """Take a file away."""
        (self.root / name).unlink()

    def flip(self, name: str, position: int | None = None) -> None:
        """Turn over one bit of a file."""
        self.put(name, flipped(self.data(name), position))

    def swap(self, name: str, with_name: str) -> None:
        """Lay a file in another one's place."""
        self.put(name, self.data(with_name))

    def sign(self, data: bytes, version: int, by: SigningKey | None = None, root: Path | None = None) -> None:
        """Lay a manifest there, signed, whatever it says."""
        _write_file((root or self.root) / manifest_of(version), data)
        _write_file((root or self.root) / signature_of(version), (by or self.signer).sign(data))

    def point(self, version: int, root: Path | None = None) -> None:
        """Let the pointer name a version as it lies there."""
        root = root or self.root
        data = (root / manifest_of(version)).read_bytes()
        pointer = Latest(version=version, manifest=manifest_of(version), sha256=sha256(data))
        _write_file(root / POINTER, canonical_json(pointer))

    def restate(self, version: int, /, by: SigningKey | None = None, **fields: Any) -> None:
        """Change what a manifest says, and sign it; where the pointer names it, it does so anew."""
        manifest = json.loads(self.data(manifest_of(version)))
        if by is not None:
            fields = {"signing_key_id": by.public.key_id, **fields}
        self.sign(canonical_json(manifest | fields), version, by)
        if json.loads(self.data(POINTER))["version"] == version:
            self.point(version)

    def declare(self, name: str, data: bytes, *, rows: int | None = None, **fields: Any) -> None:
        """Change a version's file, and sign that this is what it should be."""
        version, file = int(name[1:7]), name.partition("/")[2]
        self.put(name, data)
        files = json.loads(self.data(manifest_of(version)))["files"]
        for entry in files:
            if entry["name"] == file:
                entry |= {"bytes": len(data), "sha256": sha256(data)} | ({} if rows is None else {"rows": rows})
        self.restate(version, files=files, **fields)

    def declare_list(self, version: int, data: bytes, entries: int) -> None:
        """Change a version's list, and sign that this is what it should be."""
        counts = json.loads(self.data(manifest_of(version)))["counts"] | {"entries": entries}
        self.declare(snapshot_of(version), gzipped(data), rows=entries, counts=counts, result_sha256=sha256(data))

    def put_keyring(
        self,
        number: int,
        /,
        keys: Iterable[SigningKey | RingKey],
        by: Iterable[SigningKey],
        revoked: Iterable[SigningKey] = (),
        **fields: Any,
    ) -> None:
        """Lay a keyring there, signed by whomever, whatever it says."""
        ring = {
            "contract": KEYRING_CONTRACT,
            "number": number,
            "created_at": format_instant(self.at),
            "keys": [asdict(ring_key(key.public) if isinstance(key, SigningKey) else key) for key in keys],
            "revoked": [
                asdict(RevokedKey(signing_key_id=key.public.key_id, revoked_at=format_instant(self.at)))
                for key in revoked
            ],
        }
        data = canonical_json(ring | fields)
        signed = SignedKeyring(
            keyring=base64.b64encode(data).decode(),
            signatures={key.public.key_id: key.sign(data).decode().strip() for key in by},
        )
        self.put(keyring.file_name(number), canonical_json(signed))


def ring_key(key: PublicKey, last_version: int | None = None, name: str | None = None) -> RingKey:
    """A keyring's entry."""
    return RingKey(signing_key_id=name or key.key_id, public_key=key.pem.decode(), last_version=last_version)


def _write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)


@cache
def _parquet(data: bytes) -> bytes:
    rows = [line.split(",") for line in data.decode().splitlines()[1:]]
    names = data.partition(b"\n")[0].decode().split(",")
    texts = dict(zip(names, zip(*rows, strict=True), strict=False)) if rows else {}
    buffer = pa.BufferOutputStream()
    parquet.write_table(pa.table({name: pa.array(texts.get(name, ()), pa.string()) for name in names}), buffer)
    return buffer.getvalue().to_pybytes()
