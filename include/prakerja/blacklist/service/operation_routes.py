"""Whether the service lives, whether its list may be relied on, and the statistics, which need no key."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from prakerja.blacklist.service.access import NOT_LOADED
from prakerja.blacklist.service.answers import Health, Readiness, Statistics
from prakerja.blacklist.service.problems import documented
from prakerja.blacklist.service.state import service_of
from prakerja.serving.problems import ProblemError
from prakerja_blacklist.format.contract import format_instant

router = APIRouter()


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", operation_id="healthz", tags=["operation"], responses=documented())
async def healthz() -> Health:
    """Whether the process answers."""
    return Health()


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", operation_id="readyz", tags=["operation"], response_model=Readiness, responses=documented(503))
async def readyz(request: Request) -> Response:
    """Whether the list may be relied on: not without one, nor when it has expired."""
    service = service_of(request)
    loaded = service.lists.current()
    if service.access.loaded_at is None:
        raise ProblemError(503, NOT_LOADED, kind="no-keys", headers={"retry-after": "5"})
    fresh = loaded.freshness()
    members = {name: _plain(each) for name, each in asdict(fresh).items()}
    if fresh.is_expired:
        why = "what is there now is refused: see the log" if service.lists.problem else "nothing newer is there"
        detail = f"version {fresh.version} has expired at {format_instant(fresh.expires_at)} ({why})"
        raise ProblemError(503, detail, kind="expired", members={"is_ready": False, **members})
    loaded_at = format_instant(service.access.loaded_at)
    return JSONResponse({"is_ready": True, **members, "keys_loaded_at": loaded_at})


@router.get(
    "/v1/statistics", operation_id="statistics", tags=["statistics"], response_model=Statistics,
    responses=documented(503),
)  # fmt: skip
async def statistics(request: Request) -> Any:
    """Every cohort in numbers. No key is needed."""
    service = service_of(request)
    if service.statistics is None:
        raise ProblemError(503, "nothing was counted yet: is the warehouse there?", kind="no-statistics")
    return JSONResponse(service.statistics.model_dump(), headers={"cache-control": "public, max-age=60"})


def _plain(value: Any) -> Any:
    return format_instant(value) if isinstance(value, datetime) else value
