"""The options of `sync` that name witnesses, and what `status` says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from prakerja_blacklist.reader.witnesses import GivenWitnesses

WITNESS = (
    "Somebody who must have signed a version too, with their public key and the place of their statements. Repeat it."
)
NEEDED = "How many of them must have signed; default all. DIR remembers them, and later calls go by those. 0: nobody."
CHANGES = "Let what this call gives take the place of what DIR remembers, also if that is less, or another key."


def add_witness_arguments(parser: ArgumentParser) -> None:
    """Add the options to `sync`."""
    parser.add_argument("--witness", metavar="NAME=KEY.pem@URL", action="append", default=[], help=WITNESS)
    parser.add_argument("--witnesses", metavar="K", type=int, help=NEEDED)
    parser.add_argument("--change-witnesses", action="store_true", help=CHANGES)


def read_witnesses(arguments: Namespace) -> GivenWitnesses:
    """Return what the options say. Raise `PrakerjaError`."""
    from prakerja_blacklist.reader.witnesses import GivenWitnesses, parse_witness

    return GivenWitnesses(
        [parse_witness(each) for each in arguments.witness], arguments.witnesses, arguments.change_witnesses
    )
