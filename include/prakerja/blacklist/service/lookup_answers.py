"""Answers to lookups: JSON that is built as bytes, since the framework's own way takes as long as a lookup."""

from __future__ import annotations

import time

from starlette.responses import Response

from prakerja.blacklist.service.list_store import LoadedList
from prakerja.blacklist.service.state import Service
from prakerja.serving.problems import ProblemError


class _Answer(Response):
    def __init__(self, body: bytes) -> None:
        self.status_code, self.background, self.body = 200, None, body
        self.raw_headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]


def answer_about(loaded: LoadedList, members: bytes) -> Response:
    """Return an answer with some JSON members, and those that name the version that it is from."""
    is_expired = b"true" if time.time() >= loaded.expires_at else b"false"
    return _Answer(b'{%b,"is_expired":%b,%b}' % (loaded.about, is_expired, members))


def record_lookup(
    service: Service, api_key_id: str, operation: str, asked: int, listed: int, loaded: LoadedList
) -> None:
    """Record a lookup before its answer leaves. Raise `ProblemError` if that fails."""
    try:
        service.lookups.record(api_key_id, operation, asked, listed, loaded.version)
    except OSError:
        raise ProblemError(503, "this lookup cannot be accounted for: no room is left", kind="no-audit") from None
