"""What witnesses saw of the audit log: each chain file that they have signed names an entry of it.

The owner of the database can write another log, and with the signing key other anchors and chain files. What others
have signed stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prakerja.blacklist.publisher.anchors import Log
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.chain import (
    STATEMENT_BYTES_MAX,
    SeenChain,
    chain_name,
    open_statement,
    statement_name,
)
from prakerja_blacklist.format.contract import version_folder
from prakerja_blacklist.format.documents import DoesNotFitError
from prakerja_blacklist.format.signatures import PublicKey
from prakerja_blacklist.format.snapshot import sha256
from prakerja_blacklist.reader.places import is_url
from prakerja_blacklist.reader.sources import TooLargeError, read_if_there
from prakerja_blacklist.reader.witnesses import open_place, parse_witness


@dataclass(frozen=True)
class LogWitness:
    """A witness of the log: its name, where its statements are, and its key if that was given."""

    name: str
    place: str
    key: PublicKey | None = None

    @classmethod
    def parse(cls, given: str) -> LogWitness:
        """Return the witness of `NAME=KEY.pem@PLACE`, or of its place alone. Raise `PrakerjaError`."""
        if is_url(given) or "@" not in given:
            return cls(given, given)
        found = parse_witness(given)
        return cls(found.name, found.place, found.key)


@dataclass(frozen=True)
class Testimony:
    """What a witness has signed of the list's versions, and a line for each statement that is none."""

    witness: LogWitness
    seen: Sequence[SeenChain]
    problems: Sequence[str]


def read_testimony(witness: LogWitness, versions: Iterable[int]) -> Testimony:
    """Return a witness's statements of these versions, and of those that follow them.

    Raise `PrakerjaError` if there are none, and `UnreachableError`.
    """
    source, seen, problems = open_place(witness.place), list[SeenChain](), list[str]()
    known = sorted(versions)
    version, newest = 0, max(known, default=0)
    while True:
        version += 1
        try:
            data = read_if_there(source, statement_name(version), STATEMENT_BYTES_MAX)
        except TooLargeError:
            data = b""
        if data is None and version > newest:
            break
        if data is None:
            continue
        name = f"the statement {statement_name(version)} of {witness.name}"
        try:
            found = open_statement(data, name, witness.key)
            if found.statement.version != version:
                raise DoesNotFitError(f"{name} is of version {found.statement.version}")
            seen.append(found)
        except DoesNotFitError as error:
            problems.append(f"{error}: ask who runs it")
    if not seen and not problems:
        raise PrakerjaError(f"{witness.name} has signed nothing in {witness.place}: give the place of its statements")
    return Testimony(witness, seen, problems)


def list_problems(testimony: Testimony, log: Log, documents: Mapping[str, bytes], list_name: str) -> list[str]:
    """Return where the log, or what this warehouse has published, is not what a witness saw.

    `documents` are those that the warehouse has recorded, by their names below the published folder.
    """
    problems = list(testimony.problems)
    for each in testimony.seen:
        version, who = each.chain.version, testimony.witness.name
        recorded = documents.get(f"{list_name}/{chain_name(version)}")
        head, end = each.chain.audit, log.ends.get(version)
        if end is None:
            problems.append(
                f"{who} saw version {version}, which this warehouse does not have: it is older than its list"
            )
        elif recorded is not None and sha256(recorded) != each.statement.chain_sha256:
            problems.append(f"{who} saw another {version_folder(version)} than this warehouse has published")
        if head is None:
            continue
        if log.hashes.get(head.position) != head.hash:
            problems.append(
                f"{who} saw position {head.position} with version {version}, which the log lacks: "
                "it was cut or rewritten, or is of an earlier day"
            )
        elif end is not None and end.position != head.position:
            problems.append(
                f"{who} saw version {version} at position {head.position}, but the log has it at {end.position}"
            )
    return problems
