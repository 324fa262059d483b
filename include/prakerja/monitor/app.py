"""The monitor's pages over HTTP. Who may see what is for whoever mounts it: the application asks `Viewer`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from fastapi import Depends, FastAPI, Form, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException as StarletteHTTPException

from prakerja import schema, warehouse
from prakerja.errors import NotReadyError, PrakerjaError, TransientError
from prakerja.feeds import data_docs
from prakerja.monitor import cohort, feeds, overview, statistics, story
from prakerja.settings import WIB

HERE = Path(__file__).parent
#: Nothing from any other host, and nobody else's frame around it.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
FOR_EVER = "private, max-age=31536000, immutable"


@dataclass(frozen=True)
class Viewer:
    """Who looks. Everybody who gets this far sees sums; not everybody rows (masked), and few a person's story."""

    name: str
    sees_rows: bool
    sees_people: bool


@dataclass(frozen=True)
class Run:
    """A run of a cohort: its id, where it is to be seen, how it is, and what it came to."""

    run_id: str
    path: str
    state: str
    note: str | None
    began_at: datetime | None


class Orchestrator(Protocol):
    """What the monitor asks of whatever runs the DAGs. Paths are the orchestrator's own."""

    def runs_of(self, cohort: int) -> list[Run]:
        """The runs of a cohort, the latest first."""

    def cohort_of(self, dag_id: str, run_id: str) -> int | None:
        """The cohort that a run is of, where it is of one."""

    def intake_of(self, platform: str, recorded_at: datetime) -> str | None:
        """Where the log is of the task that recorded a delivery of a platform at an instant."""


def _nobody() -> Viewer:
    """Who looks, as long as nobody has said how that is known."""
    raise HTTPException(401)


@cache
def _ready() -> None:
    schema.require_schema()


Looking = Annotated[Viewer, Depends(_nobody)]
Csv = Annotated[str | None, Query(alias="csv", description="the name of a chart, whose rows are given")]
Language = Literal["id", "en"]


def application(viewer: Callable[..., Viewer], orchestrator: Orchestrator) -> FastAPI:
    """The application: `viewer` is the dependency that says who looks, or raises; every route asks it."""
    asked_first = [Depends(_nobody), Depends(_ready)]
    app = FastAPI(title="Prakerja monitor", docs_url=None, redoc_url=None, openapi_url=None, dependencies=asked_first)
    app.dependency_overrides[_nobody] = viewer

    @app.middleware("http")
    async def shield(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        is_personal = request.url.path.startswith(
            (f"{request.scope['root_path']}/person", f"{request.scope['root_path']}/feeds/")
        )
        response.headers.setdefault("Cache-Control", "no-store" if is_personal else "private, no-cache")
        return response

    @app.exception_handler(PrakerjaError)
    async def refused(request: Request, error: PrakerjaError) -> Response:
        kinds = {TransientError: 503, NotReadyError: 503, warehouse.RefusedError: 500}
        status = next((status for kind, status in kinds.items() if isinstance(error, kind)), 404)
        return _html(request, "refused", {"told": str(error)}, status)

    @app.exception_handler(RequestValidationError)
    async def misunderstood(request: Request, error: RequestValidationError) -> Response:  # noqa: ARG001 - it may quote
        return _html(request, "refused", {"told": "This address, or what was sent, is not understood."}, 422)

    @app.exception_handler(StarletteHTTPException)
    async def turned_away(request: Request, error: StarletteHTTPException) -> Response:
        told = {
            401: "You are not logged in, or no longer: log in to Airflow, then come back.",
            404: "There is no such page.",
        }
        text = told.get(error.status_code, str(error.detail))
        return _html(request, "refused", {"told": text}, error.status_code)

    @app.get("/")
    def overview_page(request: Request, viewer: Looking, as_csv: Csv = None) -> Response:
        return _page(request, viewer, "overview", overview.page(datetime.now(WIB)), as_csv)

    @app.get("/cohorts/{number}")
    def cohort_page(
        request: Request,
        viewer: Looking,
        number: int,
        other: Annotated[int | None, Query(alias="with")] = None,
        as_csv: Csv = None,
    ) -> Response:
        found = cohort.page(number, datetime.now(WIB), other)
        return _page(request, viewer, "cohort", found | {"runs": orchestrator.runs_of(number)}, as_csv)

    @app.get("/feeds")
    def feeds_page(request: Request, viewer: Looking, to: date | None = None, as_csv: Csv = None) -> Response:
        return _page(request, viewer, "feeds", feeds.page(to), as_csv)

    @app.get("/feeds/{platform}/{on}")
    def delivery_page(request: Request, viewer: Looking, platform: str, on: date) -> Response:
        found = feeds.delivery_page(platform, on, with_rows=viewer.sees_rows)
        for delivery in found["deliveries"]:
            delivery["log"] = orchestrator.intake_of(platform, datetime.fromisoformat(delivery["recorded_at"]))
        return _page(request, viewer, "delivery", found)

    @app.get("/statistics")
    def statistics_page(request: Request, viewer: Looking, as_csv: Csv = None) -> Response:
        return _page(request, viewer, "statistics", statistics.page(), as_csv)

    @app.get("/statistics.json")
    def statistics_json() -> Response:
        return JSONResponse(statistics.without_charts(statistics.page()))

    @app.get("/person")
    def person_form(request: Request, viewer: Looking) -> Response:
        _require(viewer.sees_people, "see a person's story")
        return _page(request, viewer, "person", {"charts": {}, "told": None})

    @app.post("/person")
    def find_person(
        request: Request, viewer: Looking, number: Annotated[str, Form()], language: Annotated[Language, Form()] = "id"
    ) -> Response:
        _require(viewer.sees_people, "see a person's story")
        try:
            found = story.find(number, viewer.name)
        except story.UnknownPersonError as error:
            return _page(request, viewer, "person", {"charts": {}, "told": str(error)}, status=404)
        # By the warehouse's own number: an address is kept by browsers and logs, and must name nobody.
        return RedirectResponse(f"{request.scope['root_path']}/person/{found}?language={language}", 303)

    @app.get("/person/{recipient_id}")
    def person_page(request: Request, viewer: Looking, recipient_id: int, language: Language = "id") -> Response:
        _require(viewer.sees_people, "see a person's story")
        return _page(request, viewer, "story", story.page(recipient_id, viewer.name, language))

    @app.get("/runs/{dag_id}/{run_id}")
    def of_run(request: Request, dag_id: str, run_id: str) -> Response:
        """From a run or its tasks, where Airflow shows it as a tab."""
        cohort_of_run = orchestrator.cohort_of(dag_id, run_id)
        place = f"cohorts/{cohort_of_run}" if cohort_of_run else "feeds" if dag_id == "platform_feeds" else ""
        return RedirectResponse(f"{request.scope['root_path']}/{place}")

    @app.get("/data-docs/{path:path}")
    def data_doc(viewer: Looking, path: str) -> Response:
        _require(viewer.sees_rows, "see validation results")
        return _file(data_docs.folder(), path)

    @app.get("/static/{version}/{name}")
    def static(version: str, name: str) -> Response:  # noqa: ARG001 - another version is another address
        response = _file(HERE / "static", name)
        response.headers["Cache-Control"] = FOR_EVER
        return response

    return app


def _page(
    request: Request,
    viewer: Viewer,
    name: str,
    found: Mapping[str, Any],
    as_csv: str | None = None,
    status: int = 200,
) -> Response:
    """A page, or one of its charts' rows."""
    if as_csv is not None:
        chart = found["charts"].get(as_csv)
        if chart is None:
            raise PrakerjaError(f"this page has no chart {as_csv!r}: it has {', '.join(found['charts']) or 'none'}")
        headers = {"Content-Disposition": f'attachment; filename="{as_csv}.csv"'}
        return Response(chart.as_csv(), media_type="text/csv; charset=utf-8", headers=headers)
    return _html(request, name, {**found, "viewer": viewer}, status)


def _html(request: Request, name: str, found: Mapping[str, Any], status: int) -> Response:
    root = request.scope.get("root_path", "")
    body = (
        _templates()
        .get_template(f"{name}.html")
        .render(
            **{"viewer": None, "status": status, **found},
            root=root,
            airflow=root.removesuffix("/prakerja"),
            static=f"{root}/static/{_version()}",
            page=name,
            address=str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""),
        )
    )
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:20]}"'
    # Airflow compresses what it sends, and then the tag is a weak one.
    if status == 200 and request.headers.get("if-none-match", "").removeprefix("W/") == tag:
        return Response(status_code=304, headers={"ETag": f"W/{tag}"})
    return Response(body, status, {"ETag": f"W/{tag}"}, media_type="text/html; charset=utf-8")


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": "{:,}".format, "percent": "{:.1%}".format, "wib": _wib, "told": _spell_out}
    return environment


def _wib(at: datetime) -> str:
    return f"{at.astimezone(WIB):%-d %b %Y %H:%M} WIB"


def _spell_out(name: str) -> str:
    return name.replace("_", " ")


@cache
def _version() -> str:
    """Of the static files: another as soon as one of them changes, so that browsers may keep them for good."""
    digest = hashlib.sha256()
    for file in sorted((HERE / "static").iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _file(folder: Path, path: str) -> Response:
    """A file of a folder, and of no other."""
    found = (folder / path).resolve()
    if not found.is_relative_to(folder.resolve()) or not found.is_file():
        raise HTTPException(404, "there is no such page")
    return FileResponse(found)


def _require(is_allowed: bool, what: str) -> None:
    if not is_allowed:
        raise HTTPException(403, f"You have no right to {what}: ask whoever administers this Airflow.")
