"""What this process is, in context variables that the warehouse reads: for whom it acts, whether it replays, and the
line in which a command names its warehouse."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class WarehouseLine:
    """The line that names the warehouse of a command: `say` is given it once."""

    say: Callable[[str], None]
    text: str | None = None  # until the warehouse is open
    is_said: bool = False

    def say_once(self) -> None:
        """Say the line unless it was said. The warehouse must be open."""
        if not self.is_said and self.text is not None:
            self.is_said = True
            self.say(self.text)


#: Who acts, for the audit log: a run and its task, or a command and its user.
acting: ContextVar[str] = ContextVar("acting", default="prakerja")
#: Whether this process replays past days: then, and only then, a run's instant is believed, and approvals may be given
#: in advance.
is_replaying: ContextVar[bool] = ContextVar("is_replaying", default=False)
#: The line that names the warehouse. Only the command line has one: tasks and pages name it nowhere.
warehouse_line: ContextVar[WarehouseLine | None] = ContextVar("warehouse_line", default=None)
