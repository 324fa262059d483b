"""Which of many secrets a text holds, in one pass over the text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable


def leaked(secrets: Iterable[str], text: str) -> list[str]:
    """Those that the text holds; each has seven characters at least."""
    size, by_beginning = 7, defaultdict(list)
    for secret in secrets:
        assert len(secret) >= size, "too short to be looked up"
        by_beginning[secret[:size]].append(secret)
    found = set()
    for at in range(len(text) - size + 1):
        if (beginning := text[at : at + size]) in by_beginning:
            found |= {secret for secret in by_beginning[beginning] if text.startswith(secret, at)}
    return sorted(found)
