"""Bounds on requests at once: of one key, and of all of them together."""

from __future__ import annotations

import contextlib
from typing import Any

from fastapi import Request

REQUESTS_OF_ONE_KEY = 128  # also those whose bodies have not come yet
REQUESTS_AT_ONCE = 512  # of all keys; only those that are whole, so that nobody holds a place by sending slowly


class Places:
    """How many requests hold one of some places."""

    def __init__(self) -> None:
        self.taken = 0

    def take(self, request: Request, most: int) -> bool:
        """Take a place until the request's answer was sent; return whether one of `most` was free."""
        if self.taken >= most:
            return False
        self.taken += 1
        request.scope["held_places"].callback(self._give_back)
        return True

    def _give_back(self) -> None:
        self.taken -= 1


class PlacesMiddleware:
    """ASGI middleware that gives a request's places back once its answer was sent or has failed.

    It serves a HEAD as a GET, whose body uvicorn does not send.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request."""
        if scope.get("method") == "HEAD":
            scope = {**scope, "method": "GET", "is_head": True}
        with contextlib.ExitStack() as held:
            scope["held_places"] = held
            await self.app(scope, receive, send)
