"""What goes on behind the requests: syncing, loading API keys and recording lookups, in threads of their own."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool

from prakerja.blacklist.service.access import REFRESH_SECONDS
from prakerja.blacklist.service.state import Service
from prakerja.errors import PrakerjaError

log = logging.getLogger(__name__)

SYNC_SECONDS, LOAD_SECONDS, END_SECONDS = 10.0, 5.0, 5.0


@contextlib.asynccontextmanager
async def keep_up_to_date(service: Service) -> AsyncIterator[None]:
    """Run the threads while the service serves. No error in them ends the service.

    They are daemons: a warehouse or storage that hangs does not keep the service from ending.
    """
    is_over = threading.Event()
    threads = [
        threading.Thread(target=_repeat, args=(is_over, *each), daemon=True)
        for each in (
            (SYNC_SECONDS, service.lists.refresh),
            (REFRESH_SECONDS, service.refresh_keys),
            (LOAD_SECONDS, service.lookups.load),
        )
    ]
    for thread in threads:
        thread.start()
    gc.freeze()  # what is there by now stays: collecting it again and again would delay requests
    try:
        yield
    finally:
        is_over.set()
        await run_in_threadpool(_end, service, threads)


def _repeat(is_over: threading.Event, seconds: float, work: Callable[[], None]) -> None:
    """Do the work every so many seconds. An error is logged once, until it is another one."""
    last_line = ""
    while True:
        try:
            work()
            last_line = ""
        except Exception as error:  # requests go on meanwhile, and the next attempt may succeed
            line = str(error) if isinstance(error, PrakerjaError) else type(error).__name__
            if line != last_line:
                log.warning("%s", line)
            last_line = line
        if is_over.wait(seconds):
            return


def _end(service: Service, threads: list[threading.Thread]) -> None:
    """Load the last lookups. What is not done in time is left to the next service."""

    def close() -> None:
        with contextlib.suppress(PrakerjaError, OSError):
            service.lookups.close()

    patience = time.monotonic() + END_SECONDS
    for thread in threads:
        thread.join(max(patience - time.monotonic(), 0))
    if not any(thread.is_alive() for thread in threads):
        closing = threading.Thread(target=close, daemon=True)
        closing.start()
        closing.join(END_SECONDS)
