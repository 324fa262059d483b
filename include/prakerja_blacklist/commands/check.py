"""Check NIKs against the list in a reader's folder."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prakerja_blacklist.commands.common import (
    SUBJECT_KEY,
    add_folder_option,
    add_pin_option,
    describe_freshness,
    read_pins,
    read_root,
    read_subject_keys,
)
from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.subject_keys import SubjectKey
from prakerja_blacklist.reader.freshness import Freshness
from prakerja_blacklist.reader.kept_list import KeptList
from prakerja_blacklist.terminal import say, write_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

HELP = "Check NIKs from standard input, one a line: print `listed` or `not listed` for each, in order."
POSITIONS_SHOWN = 10


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    add_folder_option(parser)
    add_pin_option(parser, "The publisher's public key, PEM: a copy that does not follow from it answers nobody.")


def run(arguments: Namespace) -> int:
    """Answer for each NIK, and return 1 if a line is no NIK."""
    keys = read_subject_keys()
    if not keys:
        raise PrakerjaError(f"{SUBJECT_KEY} is not set: give the key of the subjects, which the publisher hands out")
    kept = KeptList(arguments.folder, read_pins(arguments.pin), keys, root=read_root(arguments.root))
    opened = kept.open_list()
    freshness = opened.trusted.freshness(datetime.now(UTC))
    return answer_niks(opened.subjects, kept.key_of(opened.trusted), freshness)


def answer_niks(subjects: Sequence[bytes], key: SubjectKey, freshness: Freshness) -> int:
    """Answer for each line of standard input, and return the exit code: 1 if a line is no NIK."""
    malformed = []
    for position, nik in read_niks():
        write_line("listed" if nik is not None and key.digest(nik) in subjects else "not listed")
        if nik is None:
            malformed.append(position)
    if freshness.is_stale:
        say(describe_freshness(freshness, "the list"))
    if malformed:
        lines = ", ".join(map(str, malformed[:POSITIONS_SHOWN]))
        say(f"not a NIK (sixteen digits) in line {lines}: correct the input")
    return 1 if malformed else 0


def read_niks() -> Iterable[tuple[int, str | None]]:
    """Return the NIKs of standard input with the number of their lines, and None for what is no NIK.

    Empty lines are left out.
    """
    sys.stdin.reconfigure(errors="surrogateescape")  # type: ignore[union-attr] # other bytes are no NIK, and no error
    stripped = [(position, line.strip()) for position, line in enumerate(sys.stdin, 1)]
    return [(position, line if _is_nik(line) else None) for position, line in stripped if line]


def _is_nik(text: str) -> bool:
    return len(text) == 16 and text.isascii() and text.isdecimal()
