"""A job in a child that is killed before one of its changes of the disk."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from typing import Any

STEPS = ("fsync", "link", "mkdir", "rename", "replace", "rmdir", "unlink")


def killed_at(step: int, job: Callable[[], Any]) -> bool:
    """Do a job in a child that is killed before its n-th change of the disk. Return whether it was killed."""
    pid = os.fork()
    if pid:
        status = os.waitpid(pid, 0)[1]
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    steps = itertools.count(1)

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        return call

    try:
        for name in STEPS:
            setattr(os, name, dying(getattr(os, name)))
        job()
        os._exit(0)
    finally:
        os._exit(1)
