"""What a reader's folder holds, verified as it lies there, without asking a source."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from prakerja_blacklist.errors import NotReadyError
from prakerja_blacklist.format.documents import DoesNotFitError, parse_document
from prakerja_blacklist.format.keyring import UntrustedError
from prakerja_blacklist.format.signatures import PublicKey
from prakerja_blacklist.format.snapshot import Subjects, sha256
from prakerja_blacklist.format.subject_keys import SubjectKey
from prakerja_blacklist.reader.own_folder import map_own_file, open_own_file, require_own_folder
from prakerja_blacklist.reader.sources import bounded_chunks
from prakerja_blacklist.reader.trusted_list import Trusted, TrustedList
from prakerja_blacklist.reader.verification import RefusedListError

if TYPE_CHECKING:
    from prakerja_blacklist.format.roots import TrustedRoot
    from prakerja_blacklist.reader.root_follower import RootFollower

STATE, SUBJECTS = "trusted.json", "subjects.bin"
STATE_BYTES_MAX = 64 << 20


class KeptList:
    """A reader's folder. `pins` are the public keys that the reader believes at first.

    What lies in the folder is trusted only as far as it follows from them, whatever it says itself. Without pins it is
    trusted because nobody else may write there. A pinned `root` takes the place of pins: only keyrings that the newest
    root has endorsed are believed then. It answers for NIKs with those of its `subject_keys`.
    """

    def __init__(
        self,
        folder: Path,
        pins: Iterable[PublicKey] = (),
        subject_keys: Sequence[SubjectKey] = (),
        *,
        root: TrustedRoot | None = None,
    ) -> None:
        self.folder, self.root, self.pins, self.subject_keys = folder, root, list(pins), list(subject_keys)

    def trusted(self) -> Trusted | None:
        """Return what the folder holds, without asking a source, or None before the first sync.

        Raise `RefusedListError` if it does not follow from the pinned keys, and `PrakerjaError` if others may have
        written it.
        """
        trusted = self._read_state()
        if trusted and self.root:
            from prakerja_blacklist.reader.root_follower import RootFollower  # most readers pin no root

            if not self.resume_root(RootFollower(self.root), trusted):
                raise RefusedListError("pinned_anew", f"what {self.folder} holds is of another root: sync it")
            return trusted
        if trusted:
            require_without_root(trusted, self.folder)
        if trusted is None or not self.pins:
            return trusted
        if self._is_pinned_anew(trusted):
            raise RefusedListError("pinned_anew", f"what {self.folder} holds is of another publisher's key: sync it")
        if trusted.prove(self.pins) is None:
            raise refuse_unproved(self.folder)
        return trusted

    def _read_state(self) -> Trusted | None:
        require_own_folder(self.folder)
        try:
            with open_own_file(self.folder / STATE) as file:
                data = b"".join(bounded_chunks(file, STATE, STATE_BYTES_MAX))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return parse_document(Trusted, data, f"{self.folder / STATE} is damaged: empty the folder, then sync again")

    def _is_pinned_anew(self, trusted: Trusted) -> bool:
        """Return whether none of the pins was given at the last sync, or signs by the keyring that is believed."""
        signing = {key for key, ring_key in trusted.trust.keys.items() if ring_key.last_version is None}
        return not (signing | {*trusted.pins}) & {pin.key_id for pin in self.pins}

    def open_list(self) -> TrustedList:
        """Return the trusted list, verified as it lies there. Raise `NotReadyError` or `RefusedListError`."""
        trusted = self.trusted()
        while trusted:
            if trusted.is_revoked:
                raise RefusedListError(
                    "revoked", f"the list in {self.folder} was signed by a key that was revoked since: sync it"
                )
            with contextlib.suppress(OSError):
                buffer = map_own_file(self.folder / trusted.folder / SUBJECTS)
                if sha256(buffer) == trusted.subjects_sha256:
                    return TrustedList(trusted, Subjects(buffer))
            before, trusted = trusted, self.trusted()
            if trusted == before:  # no other sync has replaced it meanwhile
                raise RefusedListError("damaged", f"the list in {self.folder} is not the one that was trusted: sync it")
        raise NotReadyError(f"{self.folder} holds no list yet: sync it first")

    def resume_root(self, follower: RootFollower, trusted: Trusted) -> bool:
        """Return whether the state follows from the pinned root. Raise `RefusedListError` if it only says so."""
        try:
            return follower.resume(trusted)
        except (UntrustedError, DoesNotFitError):
            raise refuse_unproved(self.folder) from None

    def key_of(self, trusted: Trusted) -> SubjectKey:
        """Return the key of the list's subjects. Raise `RefusedListError` if this reader does not have it."""
        for key in self.subject_keys:
            if key.key_id == trusted.key_id:
                return key
        raise refuse_key(trusted.key_id)


def require_without_root(trusted: Trusted, folder: Path) -> None:
    """Raise `RefusedListError` if a root was pinned at the last sync: who has stolen a signing key asks for less."""
    if trusted.root:
        raise RefusedListError("rooted", f"{folder} was synced with --root: give it again, or empty the folder")


def refuse_unproved(folder: Path) -> RefusedListError:
    """Return the refusal of a folder that says of itself what no signature does."""
    return RefusedListError(
        "unproved",
        f"what {folder} holds does not follow from what is pinned, though it says so: find out who has written there, "
        "empty the folder, then sync again",
    )


def refuse_key(key_id: str) -> RefusedListError:
    """Return the refusal of a list whose subjects this reader cannot compute."""
    return RefusedListError(
        "key_rotated",
        f"the list's subjects have the key {key_id}, which this reader does not have: ask the publisher for it",
    )
