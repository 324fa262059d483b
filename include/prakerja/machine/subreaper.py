"""Run one process and end with it, leaving none of its descendants: `python subreaper.py SECONDS COMMAND...`.

A process that is asked to stop has so many seconds for it, and is killed then.

Between the supervisor and each of its processes, since two things are beyond a supervisor: when it is killed itself,
its processes must end; and when a process is killed, so must what that has started, whatever session it is in.
Standard library alone: it starts at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

GRACE_SECONDS = 5.0  # what is left below a process that has ended is killed then
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def main(command: list[str], seconds: float) -> int:
    """Run a command to its end, and return its exit code."""
    parent = os.getppid()
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans become our children, whatever session they are in
        if os.getppid() != parent:  # it died before we had asked to be told
            return 1
    process: subprocess.Popen[bytes] | None = None
    early = list[int]()  # signals that came before there was anybody to pass them on to

    def stop(number: int, _: object) -> None:
        if process is None:
            early.append(number)
            return
        process.send_signal(number)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    signal.signal(signal.SIGALRM, lambda *_: process.kill() if process else None)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    process = subprocess.Popen(command)  # noqa: S603 - the supervisor's own commands
    for each in early:
        stop(each, None)
    code = process.wait()
    _end_children()
    return code if code >= 0 else 128 - code


def _end_children() -> None:
    """End all that is left below us: at first asked to, then made to."""
    until = time.monotonic() + GRACE_SECONDS
    asked = set[int]()
    while children := _children():
        is_over = time.monotonic() > until
        for pid in children:
            if is_over or pid not in asked:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if is_over else signal.SIGTERM)
                asked.add(pid)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.05)


def _children() -> list[int]:
    """The processes below this one that are alive: children, and who became one."""
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children") as file:  # noqa: PTH123
        return [int(pid) for pid in file.read().split()]
    return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], float(sys.argv[1])))
