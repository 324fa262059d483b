"""Lookups by NIK: whether people are listed."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import TypeAdapter, ValidationError

from prakerja.blacklist.service.access import consume_quota
from prakerja.blacklist.service.admission import admit, read_body
from prakerja.blacklist.service.answers import Answers, Question
from prakerja.blacklist.service.lookup_answers import answer_about, record_lookup
from prakerja.blacklist.service.openapi import KEY_NEEDED
from prakerja.blacklist.service.problems import documented, place_of
from prakerja.blacklist.service.state import service_of
from prakerja.serving.problems import ProblemError

router = APIRouter()
_question = TypeAdapter(Question)


@router.post(
    "/v1/blacklist/check", operation_id="check", tags=["lookup"], response_model=Answers,
    openapi_extra=KEY_NEEDED | {"requestBody": {"required": True, "content": {
        "application/json": {"schema": Question.model_json_schema()}}}},
    responses=documented(401, 403, 413, 422, 429, 503),
)  # fmt: skip
async def check(request: Request) -> Response:
    """Whether people are listed, in order. Scope `check`. NIKs are neither kept nor logged."""
    service = service_of(request)
    consumer = admit(request, "check", awaits_body=True)  # before the body: it may not be wanted
    loaded = service.lists.current()
    niks = _parse_question(await read_body(request))
    consume_quota(consumer, len(niks), paid=1)
    digests = loaded.key.digests([nik.encode() for nik in niks])
    listed = [digest in loaded.listed.subjects for digest in digests]
    record_lookup(service, consumer.key.api_key_id, "check", len(listed), sum(listed), loaded)
    return answer_about(loaded, b'"listed":[' + b",".join(b"true" if each else b"false" for each in listed) + b"]")


def _parse_question(body: bytes) -> list[str]:
    try:
        niks = _question.validate_json(body, strict=True).niks
    except ValidationError as error:
        raise ProblemError(422, place_of(error.errors(include_url=False, include_input=False))) from None
    # The parser takes the last of several members of one name. A question has one member and its NIKs no colon, so a
    # second colon is a second member.
    if body.count(b":") > 1:
        raise ProblemError(422, "niks: given twice")
    return niks
