"""What an SMS gateway's answer means, by its HTTP status: one table.

Source: RFC 9110 (section 15), RFC 6585 (429), RFC 8470 (425). A provider's file may say otherwise of its own statuses
and codes (`include/sms_providers`). A gateway's own words are not read: they could quote the number.
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

#: By status; `2` to `5` stand for every other status of that class.
ANSWERS = {
    "2": "accepted",  # where the answer has an id of the message; else unknown
    "3": "refuses_us",  # it has moved: to follow would take numbers to where nobody has allowed them to go
    "400": "permanent_failure",  # this message is not taken, whoever asks
    "408": "temporary_failure",  # it has not waited for the request to end
    "422": "permanent_failure",
    "425": "temporary_failure",
    "429": "queued",  # nobody's fault: a pace to keep
    "4": "refuses_us",  # the address or the token is wrong, or our form
    "503": "temporary_failure",  # "currently unable to handle the request"
    "5": "unknown",  # it broke down, perhaps after it had taken the message
}


def meaning_of(status: int, *, otherwise: str | None = None) -> Meaning:
    """Return what an answer means; `otherwise` is what a provider's file says of it."""
    word = otherwise or ANSWERS.get(str(status)) or ANSWERS.get(str(status)[:1], "unknown")
    return MEANINGS[word]
