"""Every error of the service as a problem document, and what the OpenAPI tells about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from prakerja.serving.problems import MEDIA_TYPE, ProblemError, phrase_of


def install(app: FastAPI) -> None:
    """Answer every error of an application with a problem document."""

    async def of_problem(_: Request, problem: Exception) -> Response:
        assert isinstance(problem, ProblemError)  # noqa: S101 - as it was registered
        return _respond(problem)

    async def of_framework(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - as it was registered
        headers = {name: value for name, value in (error.headers or {}).items() if name.lower() in ("allow",)}
        return _respond(
            ProblemError(error.status_code, HTTPStatus(error.status_code).description or "no", headers=headers)
        )

    async def of_validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as it was registered
        return _respond(ProblemError(422, place_of(error.errors())))

    async def of_defect(_: Request, error: Exception) -> Response:
        return _respond(ProblemError(500, f"a defect of ours ({type(error).__name__})"))

    app.add_exception_handler(ProblemError, of_problem)
    app.add_exception_handler(HTTPException, of_framework)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(Exception, of_defect)


def _respond(problem: ProblemError) -> Response:
    return Response(problem.content(), problem.status, problem.headers, MEDIA_TYPE)


def place_of(errors: Any) -> str:
    """Return the place and rule of the first validation error, and never the value."""
    first = errors[0]
    # The client chooses the name of an unknown member: it could be a NIK.
    known = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
    place = "/".join(str(part) for part in known) or "the body"
    return f"{place}: {first['type']}"


#: What an answer of a status tells in its headers, and an example of each.
HEADERS: dict[int, dict[str, str]] = {
    401: {"www-authenticate": "Bearer"},
    405: {"allow": "GET"},
    429: {"retry-after": "3"},
    503: {"retry-after": "5"},
}
EXAMPLES = {
    400: "this is no HTTP request, or one with too many headers",
    401: "an API key is needed, and this is none",
    403: "this key has not the scope check",
    404: "there is no such version here",
    405: "Specified method is invalid for this resource",
    408: "the request did not come in time",
    413: "a body has at most 65,536 bytes",
    422: "niks/0: string_pattern_mismatch",
    429: "this key may ask about 6,000 a minute",
    503: "there is no verified list here yet",
}


def documented_headers(examples: Mapping[str, str]) -> dict[str, Any]:
    """Return the headers of an answer, for the OpenAPI."""
    return {name: {"schema": {"type": "string"}, "example": example} for name, example in examples.items()}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the problems of an operation for the OpenAPI, with those that every operation may answer."""
    return {
        status: {
            "description": phrase_of(status),
            "headers": documented_headers(HEADERS.get(status, {})),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/ProblemDocument"},
                    "example": json.loads(ProblemError(status, EXAMPLES[status]).content()),
                }
            },
        }
        for status in sorted({*statuses, 400, 405, 408})
    }
