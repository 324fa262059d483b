"""What a reader that pins a root believes: the roots that follow from it, and the keyring that the newest has endorsed.

The key that signs lists has no say in it. A keyring that the root has not endorsed is passed over: it neither announces
nor revokes a key, whoever has signed it. What was verified is kept, also where a later document is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.contract import Endorsement, Keyring
from prakerja_blacklist.format.documents import DoesNotFitError, parse_document
from prakerja_blacklist.format.keyring import Trust, UntrustedError, file_name
from prakerja_blacklist.format.roots import TrustedRoot, endorsement_name, open_signed, parse_root, root_name
from prakerja_blacklist.reader.sources import DOCUMENT_BYTES_MAX
from prakerja_blacklist.reader.trusted_list import RootProof, Trusted, trust_fields

KEYRINGS_AT_ONCE = 1024  # a reader that is new looks through all of them, and follows no endless chain
ADVICE = "the root has not endorsed it, so somebody else may have signed; ask the publisher by telephone"


def read_pinned_root(path: Path) -> TrustedRoot:
    """Return the root of a file that a person has given. Raise `PrakerjaError`."""
    try:
        with path.open("rb") as file:
            data = file.read(DOCUMENT_BYTES_MAX)
    except OSError as error:
        raise PrakerjaError(f"{path} cannot be read ({error.strerror}): give a root of the publisher") from None
    return TrustedRoot.from_file(data, str(path))


class RootFollower:
    """The roots from a pinned one on, oldest first, and the newest keyring that one of them has endorsed, if any."""

    def __init__(self, pin: TrustedRoot) -> None:
        self.roots = [pin]
        self._held: dict[str, bytes] = {}  # roots that were seen, where an earlier one is pinned than before
        self._ring: Keyring | None = None
        self._endorsement = b""

    @property
    def trust(self) -> Trust:
        """The keys that are believed. None of them before a keyring is endorsed."""
        trust = Trust.from_keyring(self._ring) if self._ring else Trust({})
        return replace(trust, advice=ADVICE)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a reader's state that say what is believed, and by which documents."""
        proof = RootProof([root.file.decode() for root in self.roots], self._endorsement.decode())
        return trust_fields(self.trust, []) | {"root": proof}

    def resume(self, held: Trusted) -> bool:
        """Take up what a reader's state proves. Return False if it was synced with another root, or with none.

        Raise `UntrustedError` or `DoesNotFitError` if it does not follow from the pinned root, though it says so.
        """
        if held.root is None or not self._resume_roots(held.root):
            return False
        number = _read_endorsement(held.root.endorsement.encode()).root_number
        if number < self.roots[0].number:
            return False  # a later root is pinned by now
        by = next((root for root in self.roots if root.number == number), self.roots[0])
        self._endorsement = held.root.endorsement.encode()
        self._ring = by.read_endorsed(self._endorsement, held.keyring)
        if self.trust != held.trust:
            raise UntrustedError("the keys are others than those of the keyring that the root has endorsed")
        if not held.is_revoked:  # such a list answers nobody
            held.require_signed(self.trust.keys)
        return True

    def _resume_roots(self, proof: RootProof) -> bool:
        """Take up the roots that are held. Return False if the pinned root is not among them."""
        files = [root.encode() for root in proof.roots]
        held = [open_signed(file, "a root that is held")[1] for file in files]
        pin = self.roots[0]
        if pin.data not in held:
            first = parse_root(held[0], "a root that is held").number
            if pin.number < first:
                self._held = {root_name(number): file for number, file in enumerate(files, first)}
            return False
        for file in files[held.index(pin.data) + 1 :]:
            self.roots.append(self.roots[-1].read_next(file))
        return True

    def follow(self, read: Callable[[str], bytes | None]) -> None:
        """Learn the newer roots, then the newest keyring that the newest of them has endorsed. `read` reads by name.

        Raise `UntrustedError` or `DoesNotFitError` if a root does not follow, or if no keyring is endorsed.
        """
        for root in self.roots[-1].follow(lambda name: self._held.get(name) or read(name)):
            self.roots.append(root)
        if any(name > root_name(self.roots[-1].number) for name in self._held):
            raise UntrustedError(f"root {self.roots[-1].number + 1} is not there, and this reader has seen a later one")
        newest, problem = self.roots[-1], ""
        is_by_newest = self._endorsed_by() == newest.number
        # Another root's word bounds nothing: whoever had stolen its keys may have endorsed a keyring far ahead.
        for number in _find_keyrings(read, self.trust.number + 1 if is_by_newest else 1):
            if (file := read(endorsement_name(number, newest.number))) is None:
                continue
            try:
                ring = newest.read_endorsed(file, number)
                if is_by_newest:
                    self.trust.require_kept_revocations(ring)
            except (UntrustedError, DoesNotFitError) as error:
                problem = f" ({error})"  # those after it may be genuine
                continue
            self._ring, self._endorsement, is_by_newest = ring, file, True
        if not is_by_newest:
            raise UntrustedError(f"root {newest.number} has endorsed no keyring that is published here{problem}")

    def has_signed(self, held: Trusted) -> bool:
        """Return whether a key that is believed, or is revoked by now, has signed the list that is held."""
        if held.signing_key_id in self.trust.revoked:
            return True
        with suppress(UntrustedError, DoesNotFitError):
            held.require_signed(self.trust.keys)
            return True
        return False

    def _endorsed_by(self) -> int:
        """Return the number of the root that has endorsed the keyring that is believed, 0 if there is none."""
        return _read_endorsement(self._endorsement).root_number if self._endorsement else 0


def _find_keyrings(read: Callable[[str], bytes | None], first: int) -> Iterator[int]:
    """Yield the numbers of keyrings that are published, from one on."""
    for number in range(first, first + KEYRINGS_AT_ONCE):
        if read(file_name(number)) is None:
            return
        yield number


def _read_endorsement(file: bytes) -> Endorsement:
    return parse_document(Endorsement, open_signed(file, "the endorsement")[1], "the endorsement")
