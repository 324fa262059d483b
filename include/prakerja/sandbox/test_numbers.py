"""Numbers and addresses that misbehave, so that every way in which a message may fail can be seen.

A number is +62 811 0000 NN DD with any DD, an address begins with its word: `drop.1@sandbox.example`. All others are
delivered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBER = re.compile(r"\+628110000(?P<kind>\d\d)\d\d")
ADDRESS = re.compile(r"(?P<kind>[a-z]+)[^@]*@sandbox\.example", re.IGNORECASE)
LATE = 2.0  # seconds until a late receipt


@dataclass(frozen=True)
class Receipt:
    """A receipt that follows `after` seconds after the message was taken."""

    status: str
    code: str | None = None
    after: float = 0.0


@dataclass(frozen=True)
class Behaviour:
    """What happens to a message. `refuses` is an answer instead of taking it, for the first `times` submissions.

    `ends` says how the connection ends once it is taken: with an answer, none (`hang`), or broken off (`drop`).
    """

    told: str
    refuses: int | None = None
    code: str | None = None
    times: int = 10**9
    ends: str = "answer"
    receipts: tuple[Receipt, ...] = (Receipt("delivered"),)


NUMBERS = {
    "01": Behaviour("delivered, late", receipts=(Receipt("delivered", after=LATE),)),
    "02": Behaviour("refused for good", refuses=422, code="unknown_subscriber"),
    "03": Behaviour("taken, then failed for good", receipts=(Receipt("permanent_failure", "unknown_subscriber"),)),
    "04": Behaviour("refused for now, twice", refuses=503, times=2),
    "05": Behaviour("taken, then failed for now; delivered the next time",
                    receipts=(Receipt("temporary_failure", "handset_off"),)),
    "06": Behaviour("delivered, said three times", receipts=(Receipt("delivered"),) * 3),
    "07": Behaviour("delivered; then an older failure is told",
                    receipts=(Receipt("delivered"), Receipt("temporary_failure", "handset_off", 0.2))),
    "08": Behaviour("taken, and never answered", ends="hang"),
    "09": Behaviour("taken, and broken off after the body", ends="drop"),
    "10": Behaviour("taken, and no receipt", receipts=()),
    "11": Behaviour("taken, and answered 500", ends="500"),
    "12": Behaviour("broken off before it is taken, twice", refuses=0, times=2),
    "13": Behaviour("taken, then a status that nobody knows", receipts=(Receipt("undelivered"),)),
    "14": Behaviour("taken, then failed for good, with a code that nobody knows",
                    receipts=(Receipt("permanent_failure", "EC_ABSENT"),)),
}  # fmt: skip
ADDRESSES = {
    "refused": Behaviour("refused for good (550)", refuses=550),
    "later": Behaviour("refused for now (451), twice", refuses=451, times=2),
    "full": Behaviour("refused after the body (552)", ends="552"),
    "hang": Behaviour("taken, and never answered", ends="hang"),
    "drop": Behaviour("taken, and broken off after the body", ends="drop"),
}
ORDINARY = Behaviour("delivered")


def of_number(number: str) -> Behaviour:
    """What happens to an SMS."""
    named = NUMBER.fullmatch(number)
    return NUMBERS.get(named["kind"], ORDINARY) if named else ORDINARY


def of_address(address: str) -> Behaviour:
    """What happens to an e-mail."""
    named = ADDRESS.fullmatch(address)
    return ADDRESSES.get(named["kind"].lower(), ORDINARY) if named else ORDINARY
