"""`Retry-After`, as RFC 9110 (10.2.3) has it: seconds, or a date."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MOST = 300.0  # seconds: who asks for more is asked again sooner, since the deadline does not wait


def pause_of(asked: str, dated: str = "") -> float:
    """Return for how many seconds a server asks to be left alone; 0 for what is past, or says nothing.

    `dated` is the answer's own `Date`: by the server's clock a date tells how long, whatever ours says.
    """
    asked = asked.strip()
    if re.fullmatch(r"[0-9]+", asked):
        return min(float(asked.lstrip("0")[:6] or 0), MOST)
    until = _date(asked)
    if until is None:
        return 0.0
    since = _date(dated.strip()) or datetime.now(UTC)
    return min(max((until - since).total_seconds(), 0.0), MOST)


def _date(text: str) -> datetime | None:
    # "HTTP-date = IMF-fixdate / obs-date": all three begin with the day's name, and are in GMT.
    if not re.match(r"[A-Z][a-z]{2,8},? ", text):
        return None
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
