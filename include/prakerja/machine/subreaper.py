"""Run one process, and end with it and all its descendants: `python subreaper.py SECONDS COMMAND...`.

After a signal to stop, the process has so many seconds before it is killed.

A subreaper runs between the supervisor and each process, because a supervisor cannot do two things: end its processes
when it is killed itself, and end the descendants of a killed process whatever session they are in. It needs the
standard library only, so that it starts at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

GRACE_SECONDS = 5.0  # descendants that outlive the process by this are killed
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def main(command: list[str], seconds: float) -> int:
    """Run a command until it ends, end its descendants, and return its exit code."""
    parent = os.getppid()
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans become children of this process, whatever session they are in
        if os.getppid() != parent:  # the parent died before the signal was requested
            return 1
    process: subprocess.Popen[bytes] | None = None
    early = list[int]()  # signals that arrived before the process was started

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
    for early_signal in early:
        stop(early_signal, None)
    code = process.wait()
    _end_children()
    return code if code >= 0 else 128 - code


def _end_children() -> None:
    """End all descendants: terminate them, and kill those that are left after `GRACE_SECONDS`."""
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
    """Return the living children of this process, adopted orphans included."""
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children") as file:  # noqa: PTH123
        return [int(pid) for pid in file.read().split()]
    return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], float(sys.argv[1])))
