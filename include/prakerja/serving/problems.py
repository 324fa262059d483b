"""Errors as RFC 9457 problem documents. They repeat nothing of what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"
#: Statuses that Python 3.13 calls otherwise than before. A kind of problem keeps the name that it was published under.
PHRASES = {413: "Request Entity Too Large", 422: "Unprocessable Entity"}


def phrase_of(status: int) -> str:
    """Return the name of a status. It is the same by every Python."""
    return PHRASES.get(status) or HTTPStatus(status).phrase


class ProblemDocument(BaseModel):
    """RFC 9457. A kind may have members of its own."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="names the kind of problem", examples=["urn:prakerja:problem:unauthorized"])
    title: str
    status: int
    detail: str


class ProblemError(Exception):
    """An answer that is a problem document, of its status' kind or another, and possibly with further members."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        phrase = phrase_of(status)
        self.status, self.headers = status, dict(headers or {})
        self.document = ProblemDocument(
            type=f"urn:prakerja:problem:{kind or phrase.lower().replace(' ', '-')}",
            title=phrase,
            status=status,
            detail=detail,
            **(members or {}),
        )

    def content(self) -> bytes:
        """Return the document as JSON."""
        return self.document.model_dump_json().encode()
