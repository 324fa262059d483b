"""What a person reads when something is refused: what is wrong, where, and what to do. One line, nothing personal."""


class PrakerjaError(Exception):
    """Something was refused or cannot be done; the message is the one line that a person sees (exit code 1)."""


class NotReadyError(PrakerjaError):
    """What is needed is not there yet, and waiting or another command brings it."""


class TransientError(PrakerjaError):
    """What is outside gave way (the warehouse, the storage, a gateway): trying again may do, and does nothing twice."""
