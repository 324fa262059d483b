"""`Retry-After` headers: seconds or a date (RFC 9110, 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

PAUSE_MAX = 300.0  # seconds: the deadline does not wait for a server that asks for more


def parse_retry_after(value: str, date: str = "") -> float:
    """Return the seconds that a server asks to wait, at most `PAUSE_MAX`; 0 for a past or unreadable value.

    `date` is the answer's `Date` header. The wait is measured by the server's clock, which may differ from ours.
    """
    value = value.strip()
    if re.fullmatch(r"[0-9]+", value):
        return min(float(value.lstrip("0")[:6] or 0), PAUSE_MAX)
    until = _parse_date(value)
    if until is None:
        return 0.0
    since = _parse_date(date.strip()) or datetime.now(UTC)
    return min(max((until - since).total_seconds(), 0.0), PAUSE_MAX)


def _parse_date(text: str) -> datetime | None:
    # "HTTP-date = IMF-fixdate / obs-date": all three forms begin with the day's name and are in GMT.
    if not re.match(r"[A-Z][a-z]{2,8},? ", text):
        return None
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
