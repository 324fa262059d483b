"""The errors that a person reads. A message says what is wrong, where, and what to do: one line, no personal data."""


class PrakerjaError(Exception):
    """A request was refused or cannot be done. Its message is the line that a command prints (exit code 1)."""


class NotReadyError(PrakerjaError):
    """Something that is needed does not exist yet: waiting, or another command, provides it."""


class TransientError(PrakerjaError):
    """An outside system failed (the warehouse, the storage, a gateway): it is safe to retry."""
