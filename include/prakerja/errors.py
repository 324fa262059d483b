"""Errors that a person reads: one line that says what is wrong, where, and what to do. Never a NIK.

The format of the published list defines them, because it imports nothing else of the package (ADR 29).
"""

from __future__ import annotations

from prakerja_blacklist.errors import NotReadyError, PrakerjaError, TransientError

__all__ = ["NotReadyError", "PrakerjaError", "TransientError"]
