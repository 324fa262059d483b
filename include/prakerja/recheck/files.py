"""Open the evidence that a decision cites, and refuse whatever is not what was cited."""

from __future__ import annotations

from prakerja.errors import PrakerjaError


class EvidenceError(PrakerjaError):
    """The evidence cannot be read again. One line: what, where below the landing zone, what to do; no value of a row."""
