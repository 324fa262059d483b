"""Lookups by the first digits of a subject: the service does not learn who is asked about."""

from __future__ import annotations

import json
import re
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from prakerja.blacklist.service.admission import admit
from prakerja.blacklist.service.answers import RangeAnswer
from prakerja.blacklist.service.lookup_answers import answer_about, record_lookup
from prakerja.blacklist.service.openapi import KEY_NEEDED
from prakerja.blacklist.service.problems import documented
from prakerja.blacklist.service.state import service_of
from prakerja.serving.problems import ProblemError

router = APIRouter()
PREFIX = re.compile(r"[0-9a-f]{5}")


@router.get(
    "/v1/blacklist/range/{prefix}", operation_id="range", tags=["lookup"], openapi_extra=KEY_NEEDED,
    response_model=RangeAnswer, responses=documented(401, 403, 404, 429, 503),
)  # fmt: skip
async def range_(
    request: Request,
    prefix: Annotated[
        str, Path(json_schema_extra={"pattern": f"^{PREFIX.pattern}$"}, examples=["0a1b2"], description="of a subject")
    ],
) -> Response:
    """Every listed subject that begins so, without that beginning; filled up to a constant size. Scope `range`."""
    consumer = admit(request, "range")
    if not PREFIX.fullmatch(prefix):
        raise ProblemError(404, "a range is named by five hex digits in lower case")
    service = service_of(request)
    loaded = service.lists.current()
    ranges = loaded.ranges
    if ranges is None:
        raise ProblemError(503, "the list is being fetched again", kind="no-list", headers={"retry-after": "5"})
    suffixes, found = ranges.answer(prefix)
    record_lookup(service, consumer.key.api_key_id, "range", 1, found, loaded)
    about = {
        "suffixes": suffixes,
        "smallest_range": ranges.smallest,
        "largest_range": ranges.largest,
    }
    return answer_about(loaded, json.dumps(about, separators=(",", ":")).encode()[1:-1])
