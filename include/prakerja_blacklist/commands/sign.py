"""Make a root key, and sign with it what the publisher proposes: on a machine that needs no network."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from prakerja_blacklist.commands.key_files import write_key_pair
from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.proposals import PROPOSAL_BYTES_MAX, OpenProposal
from prakerja_blacklist.format.signatures import SigningKey
from prakerja_blacklist.reader.durable_files import replace_durably
from prakerja_blacklist.terminal import say, write_line

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

HELP = "Sign a proposal of the publisher with a root key, or make such a key. Needs no network."
MAKE_KEY = "make-key"


def add_arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "document",
        metavar="DOCUMENT",
        help=f"The proposal, which gets the signature; or the word {MAKE_KEY}, to make a root key.",
    )
    parser.add_argument("new_key", metavar="KEYFILE", nargs="?", type=Path, help=f"With {MAKE_KEY}: the new file.")
    parser.add_argument("--key", metavar="KEYFILE", type=Path, help="Your root key.")
    parser.add_argument("--passphrase", action="store_true", help=f"With {MAKE_KEY}: encrypt the key; you are asked.")
    parser.add_argument("--yes", action="store_true", help="Sign without asking. What is signed is shown all the same.")


def run(arguments: Namespace) -> int:
    """Make a key or sign a proposal. Raise `PrakerjaError`."""
    if arguments.document == MAKE_KEY:
        if arguments.new_key is None or arguments.key:
            raise PrakerjaError(f"name the new file: sign {MAKE_KEY} KEYFILE")
        make_key(arguments.new_key, _ask_new_passphrase() if arguments.passphrase else None)
        return 0
    if arguments.key is None or arguments.new_key:
        raise PrakerjaError("name the proposal and your key: sign DOCUMENT --key KEYFILE")
    return 0 if sign(Path(arguments.document), arguments.key, is_confirmed=arguments.yes) else 1


def make_key(path: Path, passphrase: bytes | None) -> None:
    """Write a new root key, and its public key beside it. Raise `PrakerjaError`."""
    public, beside = write_key_pair(path, passphrase)
    write_line(f"root key {public.key_id}")
    write_line(f"{path}: the private key. Keep it offline, and a copy of it elsewhere; give it to nobody")
    write_line(f"{beside}: the public key. Give it to the publisher, and the id above by another way")


def sign(path: Path, key_path: Path, *, is_confirmed: bool) -> bool:
    """Show a proposal, and add the signatures of a key to it. Return False if the person does not want to.

    Raise `PrakerjaError`.
    """
    opened = OpenProposal.open(_read(path, "the publisher's proposal"), str(path))
    for line in opened.describe():
        write_line(line)
    write_line(f"signed so far by: {', '.join(opened.signers()) or 'nobody'}")
    key = _load_key(key_path)
    signed = opened.sign(key)
    say("compare each id with the person who asks you, by telephone or in person: a file says what its writer wants")
    if not is_confirmed and not _is_yes(f"sign with {key.public.key_id}? Type yes: "):
        say("nothing was signed")
        return False
    _replace(path, signed.file)
    missing = signed.missing()
    write_line(f"{path}: signed by {', '.join(signed.signers())}")
    write_line(f"it has {'; '.join(missing)}" if missing else "it has all signatures: give it to the publisher")
    return True


def _load_key(path: Path) -> SigningKey:
    pem = _read(path, "your root key")
    if b"ENCRYPTED" not in pem:
        return SigningKey.from_pem(pem, str(path))
    passphrase = getpass.getpass(f"passphrase of {path}: ").encode()
    return SigningKey.from_pem(pem, f"{path}, or its passphrase", passphrase)


def _ask_new_passphrase() -> bytes:
    passphrase = getpass.getpass("passphrase: ")
    if not passphrase or passphrase != getpass.getpass("once more: "):
        raise PrakerjaError("the passphrases differ, or are empty: nothing was made")
    return passphrase.encode()


def _is_yes(question: str) -> bool:
    sys.stdout.flush()
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "yes"


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(PROPOSAL_BYTES_MAX + 1)
    except OSError as error:
        raise PrakerjaError(f"{path} cannot be read ({error.strerror}): name the file of {what}") from None
    if len(data) > PROPOSAL_BYTES_MAX:
        raise PrakerjaError(f"{path} is too large to be {what}")
    return data


def _replace(path: Path, data: bytes) -> None:
    try:
        replace_durably(path, data, mode=0o644)
    except OSError as error:
        raise PrakerjaError(f"{path} cannot be written ({error.strerror}): copy it to where you may write") from None
