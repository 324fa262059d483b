"""The witnesses that a reader asks before it trusts a version, and what its folder remembers of them.

A witness follows the list and signs each chain file that continues what it has seen. A reader that goes to a new
version only if so many of them have signed it is shown the same list as they are, and the same history.

The folder remembers its witnesses: a later call that names none goes by those, and one that would ask for less is
refused unless it says so. A witness that is away, slow or lying is counted as absent, and is named.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.chain import (
    STATEMENT_BYTES_MAX,
    OtherWitnessKeyError,
    open_statement,
    statement_name,
)
from prakerja_blacklist.format.contract import Instant, VersionNumber, format_instant, version_folder
from prakerja_blacklist.format.documents import (
    Bounds,
    Document,
    DoesNotFitError,
    Pattern,
    Size,
    canonical_json,
    parse_document,
)
from prakerja_blacklist.format.keyring import Trust
from prakerja_blacklist.format.signatures import PublicKey
from prakerja_blacklist.format.snapshot import sha256
from prakerja_blacklist.reader.durable_files import replace_durably, sync_folder
from prakerja_blacklist.reader.own_folder import open_own_file
from prakerja_blacklist.reader.places import is_url
from prakerja_blacklist.reader.sources import (
    Folder,
    NotThereError,
    Source,
    TooLargeError,
    UnreachableError,
    bounded_chunks,
    read,
)
from prakerja_blacklist.reader.trusted_list import Trusted
from prakerja_blacklist.reader.verification import Offer, RefusedListError, fetch_chain_of

MEMORY = "witnesses.json"
MEMORY_BYTES_MAX = 1 << 20
ASK_SECONDS = 15.0  # for all of them, since they are asked at once
SPARE_SECONDS = 1.0  # for those that were not needed, so that one that lies is named
RUNBOOK = "docs/runbooks/witnesses.md"
NAME = r"^[a-z0-9][a-z0-9._-]{0,39}$"
GIVEN = re.compile(r"(?P<name>[^=@]*)=(?P<key>.+?)@(?P<place>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Witness(Document):
    """A witness: its name here, its public key (PEM), and the folder or URL where its statements are."""

    name: Annotated[str, Pattern(NAME)]
    public_key: str
    place: str

    @property
    def key(self) -> PublicKey:
        """The key that it signs with."""
        return PublicKey.from_pem(self.public_key.encode())


@dataclass(frozen=True, slots=True)
class Waiting(Document):
    """A version that was offered and too few witnesses had signed, and what each of the others did."""

    version: VersionNumber
    since: Instant
    absent: list[str]


@dataclass(frozen=True, slots=True)
class Required(Document):
    """What a reader's folder remembers: `needed` of these witnesses must have signed a version."""

    needed: Annotated[int, Bounds(1)]
    witnesses: Annotated[list[Witness], Size(1, 64)]
    waiting: Waiting | None = None


@dataclass(frozen=True)
class GivenWitnesses:
    """What a call says of witnesses. `needed` is None if it says no number, 0 if it wants none.

    With `changes` it may ask for less than the folder remembers.
    """

    witnesses: Sequence[Witness] = ()
    needed: int | None = None
    changes: bool = False


@dataclass(frozen=True)
class Witnessed:
    """The ids of the keys of the witnesses that have signed a version, and a line for each of the others."""

    keys: Sequence[str] = ()
    absent: Sequence[str] = field(default_factory=list)


def parse_witness(given: str) -> Witness:
    """Return the witness of `NAME=KEY.pem@PLACE`. Raise `PrakerjaError`."""
    parts = GIVEN.fullmatch(given)
    if parts is None or not re.fullmatch(NAME, parts["name"]):
        raise PrakerjaError(f"{given} is no witness: give NAME=KEY.pem@URL, with a name of letters and digits")
    try:
        key = PublicKey.from_pem(Path(parts["key"]).read_bytes())
    except OSError as error:
        raise PrakerjaError(
            f"{parts['key']} cannot be read ({error.strerror}): give the key of {parts['name']} as PEM"
        ) from None
    except PrakerjaError as error:
        raise PrakerjaError(f"{parts['key']}: {error}") from None
    place = parts["place"] if is_url(parts["place"]) else str(Path(parts["place"]).absolute())
    return Witness(parts["name"], key.pem.decode(), place)


def open_place(place: str) -> Source:
    """Return the source of a witness's statements."""
    if is_url(place):
        from prakerja_blacklist.reader.static_source import StaticSource

        return StaticSource(place)
    return Folder(place)


# -- what the folder remembers -----------------------------------------------------------------------------------------


def load_required(folder: Path) -> Required | None:
    """Return what a reader's folder remembers of witnesses, or None if it goes without. Raise `PrakerjaError`."""
    try:
        with open_own_file(folder / MEMORY) as file:
            data = b"".join(bounded_chunks(file, MEMORY, MEMORY_BYTES_MAX))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return parse_document(
        Required, data, f"{folder / MEMORY} is damaged: find out who has written there, empty the folder, then sync"
    )


def settle_witnesses(folder: Path, given: GivenWitnesses | None) -> Required | None:
    """Return whom this sync asks, and remember it. Raise `PrakerjaError` if a call asks for less than it may."""
    before = load_required(folder)
    if given is None or (not given.witnesses and given.needed is None):
        return before
    after = _combine(before, given)
    if before and not given.changes:
        _require_no_less(folder, before, after)
    if after is None:
        (folder / MEMORY).unlink(missing_ok=True)
        sync_folder(folder)
    elif after != before:
        replace_durably(folder / MEMORY, canonical_json(after))
    return after


def _combine(before: Required | None, given: GivenWitnesses) -> Required | None:
    if given.needed == 0:
        if given.witnesses:
            raise PrakerjaError("--witnesses 0 asks nobody: leave --witness out, or give the number that is needed")
        return None
    witnesses = list(given.witnesses) or (before.witnesses if before else [])
    needed = given.needed or (before.needed if before and not given.changes else len(witnesses))
    names, keys = {each.name for each in witnesses}, {each.key.key_id for each in witnesses}
    if len(names) < len(witnesses) or len(keys) < len(witnesses):
        raise PrakerjaError("a witness is given twice, by its name or its key: each must be another's")
    if not 1 <= needed <= len(witnesses):
        raise PrakerjaError(
            f"--witnesses {needed} needs as many witnesses, and there are {len(witnesses)}: "
            "give each as --witness NAME=KEY.pem@URL"
        )
    return Required(needed, witnesses, before.waiting if before else None)


def _require_no_less(folder: Path, before: Required, after: Required | None) -> None:
    given = {each.name: each for each in after.witnesses} if after else {}
    say_so = "add --change-witnesses if that is meant"
    if after is None or after.needed < before.needed:
        raise PrakerjaError(
            f"{folder} goes by {before.needed} of {len(before.witnesses)} witnesses, and this call asks for "
            f"{after.needed if after else 0}: {say_so}"
        )
    for witness in before.witnesses:
        if witness.name not in given:
            raise PrakerjaError(f"{folder} goes by the witness {witness.name}, whom this call leaves out: {say_so}")
        if (key := given[witness.name].key.key_id) != witness.key.key_id:
            raise PrakerjaError(
                f"{witness.name} had the key {witness.key.key_id}, and this call gives {key}: ask who runs it, by "
                f"telephone, whether its key has changed; {say_so} ({RUNBOOK})"
            )


# -- asking ------------------------------------------------------------------------------------------------------------


def require_witnessed(
    folder: Path,
    required: Required | None,
    offer: Offer,
    trust: Trust,
    *,
    before: Trusted | None,
    is_earlier: bool,
    now: datetime,
) -> Witnessed:
    """Return who has signed an offered version. Raise `RefusedListError` if too few have, and remember that.

    `is_earlier` says that it is the list under an earlier key of the subjects. What was witnessed once is not asked
    for again.
    """
    if required is None:
        return Witnessed()
    keys = {each.key.key_id for each in required.witnesses}
    if before and before.manifest_sha256 == offer.pointer.sha256:
        known = sorted(keys & {*before.witnessed})
        if len(known) >= required.needed:
            _note(folder, required, None)
            return Witnessed(known)
    version = offer.manifest.version
    digest = sha256(fetch_chain_of(offer, trust).data)
    name = statement_name(version, offer.manifest.key_id if is_earlier else None)
    found = _ask_all(required, name, version, digest)
    if len(found.keys) < required.needed:
        _note(folder, required, Waiting(version, format_instant(now), list(found.absent)))
        raise RefusedListError("unwitnessed", describe_shortage(required, version, found.absent))
    _note(folder, required, None)
    return found


def describe_shortage(required: Required, version: int, absent: Sequence[str]) -> str:
    """Return a line that says how many witnesses a version lacks, and why."""
    signed = len(required.witnesses) - len(absent)
    return (
        f"{version_folder(version)} is signed by {signed} of the {required.needed} witnesses that it needs: "
        f"{'; '.join(absent)} ({RUNBOOK})"
    )


def describe_witnesses(folder: Path, trusted: Trusted) -> list[str]:
    """Return what a reader's folder says of witnesses, in lines. Raise `PrakerjaError`."""
    if (required := load_required(folder)) is None:
        return []
    names = [each.name for each in required.witnesses if each.key.key_id in trusted.witnessed]
    of = f"{required.needed} of {len(required.witnesses)} are needed"
    lines = [f"version {trusted.version} is witnessed by {', '.join(names) or 'nobody'}; {of}"]
    if required.waiting:
        waiting = required.waiting
        lines.append(
            f"since {waiting.since} it was not replaced: {describe_shortage(required, waiting.version, waiting.absent)}"
        )
    return lines


def _note(folder: Path, required: Required, waiting: Waiting | None) -> None:
    remembered = required.waiting
    if waiting and remembered and remembered.version == waiting.version:
        waiting = replace(waiting, since=remembered.since)
    if waiting != remembered:
        replace_durably(folder / MEMORY, canonical_json(replace(required, waiting=waiting)))


def _ask_all(required: Required, name: str, version: int, digest: str) -> Witnessed:
    """Ask all witnesses at once, and wait for no more than it takes to have as many as are needed."""
    answers = queue.SimpleQueue[tuple[str, str | None]]()

    def ask(witness: Witness) -> None:
        answers.put((witness.name, _find_fault(witness, name, version, digest)))

    for witness in required.witnesses:
        threading.Thread(target=ask, args=(witness,), daemon=True).start()
    deadline, answered = time.monotonic() + ASK_SECONDS, dict[str, str | None]()
    has_enough = False
    while len(answered) < len(required.witnesses):
        try:
            witness_name, fault = answers.get(timeout=max(deadline - time.monotonic(), 0.0))
        except queue.Empty:
            break
        answered[witness_name] = fault
        if not has_enough and list(answered.values()).count(None) >= required.needed:
            has_enough, deadline = True, min(deadline, time.monotonic() + SPARE_SECONDS)
    late = "has not answered yet" if has_enough else f"has not answered in {ASK_SECONDS:.0f} seconds"
    faults = {each.name: answered.get(each.name, late) for each in required.witnesses}
    return Witnessed(
        sorted(each.key.key_id for each in required.witnesses if faults[each.name] is None),
        [f"{name} {fault}" for name, fault in faults.items() if fault is not None],
    )


def _find_fault(witness: Witness, name: str, version: int, digest: str) -> str | None:
    """Return None if a witness has signed this chain file of a version, or what it did instead."""
    try:
        data = read(open_place(witness.place), name, STATEMENT_BYTES_MAX)
        statement = open_statement(data, "its statement", witness.key).statement
    except NotThereError:
        return "has not signed it yet"
    except TooLargeError:
        return "gives a statement that is larger than any: ask who runs it"
    except OtherWitnessKeyError as error:
        return (
            f"signs with another key, {error.key_id}, than was given, {witness.key.key_id}: ask who runs it, by "
            "telephone; if its key has changed, give the new one with --change-witnesses"
        )
    except UnreachableError as error:
        return f"is away: {error}"
    except DoesNotFitError as error:
        return f"gives no statement of its own: {error}"
    except PrakerjaError as error:
        return f"cannot be asked: {error}"
    except Exception as error:  # a place may be anything that somebody has typed
        return f"cannot be asked ({type(error).__name__}): correct its place"
    if statement.version != version:
        return f"gives its statement of version {statement.version}: ask who runs it"
    if statement.chain_sha256 != digest:
        return (
            "has signed ANOTHER chain file of this version: somebody is shown another list than you, or it lies; "
            "call both"
        )
    return None
