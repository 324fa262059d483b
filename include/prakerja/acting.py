"""For whom this process acts, and whether it replays: context variables that the warehouse tells the audit log."""

from __future__ import annotations

from contextvars import ContextVar

#: Who acts, for the audit log: a run and its task, or a command and its user.
acting: ContextVar[str] = ContextVar("acting", default="prakerja")
#: Whether this process replays past days: then, and only then, a run's instant is believed, and approvals may be given
#: in advance.
is_replaying: ContextVar[bool] = ContextVar("is_replaying", default=False)
