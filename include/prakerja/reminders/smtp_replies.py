"""The table of SMTP replies: what each means, by the command that it answers.

Sources: RFC 5321 (sections 3.8, 4.2 and 4.3.2), RFC 4954 (AUTH), RFC 3207 (STARTTLS) and RFC 3463 (the classes 4yz and
5yz). The text of a reply is not read, because it may quote the address.
"""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """What a mail server's reply, or an HTTP gateway's answer, means for a message and for the session.

    `state` is the state that the message takes. `is_servers` is true if the fault is the server's and not the
    message's, `refuses_us` if the server would take no message of ours, and `must_close` if the session cannot be used
    again.
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

#: By command, then by code; `4` and `5` match every other code of their class.
REPLIES: dict[str, dict[str, Meaning]] = {
    # 554: no mail service. 521 (RFC 7504): accepts no mail. 550: our address is rejected.
    "connect": {"4": NOT_NOW, "5": NOT_US},
    "ehlo": {"4": NOT_NOW, "5": NOT_US},
    # 454: TLS is temporarily unavailable (RFC 3207).
    "starttls": {"4": NOT_NOW, "5": NOT_US},
    # 454: authentication failed temporarily; 432: the password must be changed; 535: wrong password (RFC 4954).
    "auth": {"4": NOT_NOW, "5": NOT_US},
    # 452: no storage at present. 503: the previous command has not ended. 5yz: our sender is rejected.
    "mail": {"421": GOES_AWAY, "503": OUT_OF_STEP, "4": LATER, "5": NOT_US},
    # 450: the mailbox is busy. 452: too many recipients, for which servers also send 552 (RFC 5321, 4.5.3.1.10). 530:
    # authentication required, so the fault is ours.
    "rcpt": {"421": GOES_AWAY, "503": OUT_OF_STEP, "530": NOT_US, "552": LATER, "4": LATER, "5": NEVER},
    # 451: local error. 452: no storage at present. 552: message too large. 554: transaction failed.
    "data": {"421": GOES_AWAY, "503": OUT_OF_STEP, "4": LATER, "5": NEVER},
}


def meaning_of(command: str, code: int) -> Meaning:
    """Return what a reply means. A code of no standard counts as a server that is out of step."""
    replies = REPLIES[command]
    return replies.get(str(code)) or replies.get(str(code)[:1]) or OUT_OF_STEP
