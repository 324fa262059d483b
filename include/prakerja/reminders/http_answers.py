"""The table of HTTP gateways' answers: what each status means.

Sources: RFC 9110 (section 15), RFC 6585 (429), RFC 8470 (425). A provider's file (`include/sms_providers`) overrides
single statuses and codes. The text of an answer is not read, because it may quote the number.
"""

from __future__ import annotations

from prakerja.reminders.smtp_replies import Meaning

#: By the word that a provider's file uses.
MEANINGS = {
    "accepted": Meaning("accepted"),
    "temporary_failure": Meaning("temporary_failure", is_servers=True),
    "permanent_failure": Meaning("permanent_failure"),
    "queued": Meaning("queued"),
    "unknown": Meaning("unknown", is_servers=True),
    "refuses_us": Meaning("queued", is_servers=True, refuses_us=True),
}

#: By status; `2` to `5` match every other status of their class.
ANSWERS = {
    "2": "accepted",  # if the answer has the message's id; otherwise unknown
    "3": "refuses_us",  # a redirect is not followed: it may lead to a host that nobody has allowed
    "400": "permanent_failure",  # this message is refused from any sender
    "408": "temporary_failure",  # the gateway did not wait for the end of the request
    "422": "permanent_failure",
    "425": "temporary_failure",
    "429": "queued",  # too fast: neither the message nor the gateway is at fault
    "4": "refuses_us",  # our URL, token or format is wrong
    "503": "temporary_failure",  # "currently unable to handle the request"
    "5": "unknown",  # the gateway failed, perhaps after it had taken the message
}


def meaning_of(status: int, *, override: str | None = None) -> Meaning:
    """Return what an answer means. `override` is the provider's own word for it, or None."""
    word = override or ANSWERS.get(str(status)) or ANSWERS.get(str(status)[:1], "unknown")
    return MEANINGS[word]
