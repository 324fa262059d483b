"""Numbers and addresses that fail, one for each way in which a message may fail.

A number is +62 811 0000 NN DD with any DD, an address begins with its word, e.g. `drop.1@sandbox.example`. Messages to
any other are delivered.
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
    """What happens to a message. The first `times` submissions are refused with `refuses`, if it is not None.

    `ends` is the end of a submission that is taken: an answer, none (`hang`) or a broken connection (`drop`).
    """

    summary: str
    refuses: int | None = None
    code: str | None = None
    times: int = 10**9
    ends: str = "answer"
    receipts: tuple[Receipt, ...] = (Receipt("delivered"),)


NUMBERS = {
    "01": Behaviour("delivered, late", receipts=(Receipt("delivered", after=LATE),)),
    "02": Behaviour("refused permanently", refuses=422, code="unknown_subscriber"),
    "03": Behaviour("taken, then failed permanently", receipts=(Receipt("permanent_failure", "unknown_subscriber"),)),
    "04": Behaviour("refused temporarily, twice", refuses=503, times=2),
    "05": Behaviour("taken, then failed temporarily; delivered the next time",
                    receipts=(Receipt("temporary_failure", "handset_off"),)),
    "06": Behaviour("delivered, reported three times", receipts=(Receipt("delivered"),) * 3),
    "07": Behaviour("delivered; then an older failure is reported",
                    receipts=(Receipt("delivered"), Receipt("temporary_failure", "handset_off", 0.2))),
    "08": Behaviour("taken, and never answered", ends="hang"),
    "09": Behaviour("taken, and the connection broken after the body", ends="drop"),
    "10": Behaviour("taken, and no receipt", receipts=()),
    "11": Behaviour("taken, and answered 500", ends="500"),
    "12": Behaviour("connection broken before it is taken, twice", refuses=0, times=2),
    "13": Behaviour("taken, then an unknown status", receipts=(Receipt("undelivered"),)),
    "14": Behaviour("taken, then failed permanently with an unknown code",
                    receipts=(Receipt("permanent_failure", "EC_ABSENT"),)),
}  # fmt: skip
ADDRESSES = {
    "refused": Behaviour("refused permanently (550)", refuses=550),
    "later": Behaviour("refused temporarily (451), twice", refuses=451, times=2),
    "full": Behaviour("refused after the body (552)", ends="552"),
    "hang": Behaviour("taken, and never answered", ends="hang"),
    "drop": Behaviour("taken, and the connection broken after the body", ends="drop"),
}
ORDINARY = Behaviour("delivered")


def behaviour_of_number(number: str) -> Behaviour:
    match = NUMBER.fullmatch(number)
    return NUMBERS.get(match["kind"], ORDINARY) if match else ORDINARY


def behaviour_of_address(address: str) -> Behaviour:
    match = ADDRESS.fullmatch(address)
    return ADDRESSES.get(match["kind"].lower(), ORDINARY) if match else ORDINARY
