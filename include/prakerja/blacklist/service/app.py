"""The service's application. Frequent questions touch no database and no disk: the list and the keys are in memory."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from prakerja.blacklist.service import check_routes, list_routes, operation_routes, range_routes
from prakerja.blacklist.service.background import keep_up_to_date
from prakerja.blacklist.service.openapi import build_openapi
from prakerja.blacklist.service.places import PlacesMiddleware
from prakerja.blacklist.service.problems import install
from prakerja.blacklist.service.state import Service
from prakerja.serving.protocol import Bounds


def build_application(service: Service) -> FastAPI:
    """Return the application over a service."""
    app = FastAPI(
        title="Prakerja blacklist",
        version="1",
        description="The published blacklist of Kartu Prakerja: versions, lookups, statistics.",
        docs_url=None,
        redirect_slashes=False,
        redoc_url=None,
        lifespan=lambda _: keep_up_to_date(service),
    )
    app.state.service = service
    app.state.bounds = Bounds(files=2)  # the connection, and the file of a version that is sent
    install(app)
    app.add_middleware(PlacesMiddleware)
    for routes in (check_routes, operation_routes, list_routes, range_routes):
        app.include_router(routes.router)
    app.openapi = lambda: build_openapi(app)  # type: ignore[method-assign]
    return app


def describe_service() -> dict[str, Any]:
    """Return the OpenAPI (docs/openapi.json), without a service."""
    return build_application(Service(None, None, None)).openapi()  # type: ignore[arg-type]
