"""What a mail server's reply means, by the command that it answers: one table.

Source: RFC 5321 (sections 3.8, 4.2 and 4.3.2), RFC 4954 (AUTH), RFC 3207 (STARTTLS) and RFC 3463 (what 4yz and 5yz
have in common). A server's own words are not read: they could quote the address.
"""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """What a reply means for a message, and for the session; of a gateway, what its answer does.

    `state` is `accepted`, `temporary_failure`, `permanent_failure`, `unknown` (it may have been taken) or `queued` (it
    never left). `is_servers` when the fault is the
    server's and not the message's; `refuses_us` when no message of ours would be taken; `must_close` when the session
    is not to be used again.
    """

    state: str
    is_servers: bool = False
    refuses_us: bool = False
    must_close: bool = False


NOT_NOW = Meaning("queued", is_servers=True, must_close=True)
NOT_US = Meaning("queued", is_servers=True, refuses_us=True, must_close=True)
GOES_AWAY = Meaning("temporary_failure", is_servers=True, must_close=True)
OUT_OF_STEP = Meaning("temporary_failure", is_servers=True, must_close=True)
LATER = Meaning("temporary_failure")
NEVER = Meaning("permanent_failure")

#: By command, then by code; `4` and `5` stand for every other code of that class.
REPLIES: dict[str, dict[str, Meaning]] = {
    # 554: no mail service here. 521 (RFC 7504): takes no mail. 550: our address is not welcome.
    "connect": {"4": NOT_NOW, "5": NOT_US},
    "ehlo": {"4": NOT_NOW, "5": NOT_US},
    # 454: TLS not available for now (RFC 3207).
    "starttls": {"4": NOT_NOW, "5": NOT_US},
    # 454: the check of the login failed for now; 432: a password must be changed; 535: wrong (RFC 4954).
    "auth": {"4": NOT_NOW, "5": NOT_US},
    # 452: no room for now. 503: a command of before was not over. 5yz: our sender is not taken.
    "mail": {"421": GOES_AWAY, "503": OUT_OF_STEP, "4": LATER, "5": NOT_US},
    # 450: the mailbox is busy. 452: too many at once; servers say 552 for that, too (RFC 5321, 4.5.3.1.10). 530: a
    # login is asked for, which is about us.
    "rcpt": {"421": GOES_AWAY, "503": OUT_OF_STEP, "530": NOT_US, "552": LATER, "4": LATER, "5": NEVER},
    # 451: a fault in processing. 452: no room for now. 552: too large for them. 554: failed.
    "data": {"421": GOES_AWAY, "503": OUT_OF_STEP, "4": LATER, "5": NEVER},
}


def meaning_of(command: str, code: int) -> Meaning:
    """Return what a reply means; one that no standard has is taken for a server that is out of step."""
    replies = REPLIES[command]
    return replies.get(str(code)) or replies.get(str(code)[:1]) or OUT_OF_STEP
