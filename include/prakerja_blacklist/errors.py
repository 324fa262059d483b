"""Errors that a person reads: one line that says what is wrong, where, and what to do. Never a NIK.

`prakerja.errors` exports these classes to the rest of the package.
"""


class PrakerjaError(Exception):
    """Something was refused or cannot be done. The message is the line that a person sees (exit code 1)."""


class NotReadyError(PrakerjaError):
    """Something does not exist yet. Waiting or another command creates it."""


class TransientError(PrakerjaError):
    """The warehouse, the storage or a gateway failed temporarily. Retrying is safe."""
