"""Subjects: a keyed HMAC of a NIK, which nobody without the key can find by trying all NIKs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class SubjectKey:
    """The HMAC key of the subjects. `key_id` identifies it and does not reveal it."""

    key: bytes

    @property
    def key_id(self) -> str:
        return hashlib.sha256(b"prakerja subject key " + self.key).hexdigest()[:16]

    def subject(self, nik: str) -> str:
        """Return the lower-case hex HMAC-SHA256(key, NIK)."""
        return self.digest(nik).hex()

    def digest(self, nik: str) -> bytes:
        """Return the HMAC-SHA256(key, NIK), 32 bytes."""
        return hmac.digest(self.key, nik.encode(), "sha256")

    def subjects(self, niks: Iterable[int]) -> list[str]:
        """Return the subjects of many NIKs, in order."""
        return [digest.hex() for digest in self.digests(b"%016d" % nik for nik in niks)]

    def digests(self, niks: Iterable[bytes]) -> list[bytes]:
        """Return the digests of many NIKs, in order. Hashing the key's two blocks once makes it three times as fast."""
        inner, outer = self._blocks
        found = []
        for nik in niks:
            first, second = inner.copy(), outer.copy()
            first.update(nik)
            second.update(first.digest())
            found.append(second.digest())
        return found

    @cached_property
    def _blocks(self) -> tuple[Any, Any]:
        block = (hashlib.sha256(self.key).digest() if len(self.key) > 64 else self.key).ljust(64, b"\0")
        return hashlib.sha256(bytes(b ^ 0x36 for b in block)), hashlib.sha256(bytes(b ^ 0x5C for b in block))
