"""The monitor's pages over HTTP. The program that mounts the application decides what each `Viewer` may see."""

from __future__ import annotations

import hashlib
import os
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
#: Load nothing from other hosts, and allow no other host's page to frame this one.
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
FOR_EVER = "private, max-age=31536000, immutable"


@dataclass(frozen=True)
class Viewer:
    """A logged-in user. Every viewer sees sums; some see rows, masked; few see a person's story."""

    name: str
    sees_rows: bool
    sees_people: bool


@dataclass(frozen=True)
class Run:
    """A run of a cohort: its id, the path of its page, its state, and its note."""

    run_id: str
    path: str
    state: str
    note: str | None
    started_at: datetime | None


class Orchestrator(Protocol):
    """What the monitor needs from the system that runs the DAGs. Paths are within the orchestrator's own pages."""

    def list_runs(self, cohort: int) -> list[Run]:
        """Return the runs of a cohort, the latest first."""

    def find_cohort(self, dag_id: str, run_id: str) -> int | None:
        """Return the cohort of a run, or None if the run is of no cohort."""

    def find_intake_log(self, platform: str, recorded_at: datetime) -> str | None:
        """Return the path of the log of the task that recorded a platform's delivery at an instant."""


def _require_login() -> Viewer:
    """Refuse every request. The application replaces this dependency by its own."""
    raise HTTPException(401)


@cache
def _require_schema() -> None:
    schema.require_schema()


LoggedIn = Annotated[Viewer, Depends(_require_login)]
Csv = Annotated[str | None, Query(alias="csv", description="The name of a chart: its rows are returned as CSV.")]
Language = Literal["id", "en"]


def application(viewer: Callable[..., Viewer], orchestrator: Orchestrator) -> FastAPI:
    """Return the application. Every route depends on `viewer`, which returns the logged-in user or raises."""
    required = [Depends(_require_login), Depends(_require_schema)]
    app = FastAPI(title="Prakerja monitor", docs_url=None, redoc_url=None, openapi_url=None, dependencies=required)
    app.dependency_overrides[_require_login] = viewer

    @app.middleware("http")
    async def set_security_headers(request: Request, call_next: Any) -> Response:
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
    async def show_refusal(request: Request, error: PrakerjaError) -> Response:
        statuses = {TransientError: 503, NotReadyError: 503, warehouse.RefusedError: 500}
        status = next((status for kind, status in statuses.items() if isinstance(error, kind)), 404)
        return _html(request, "refused", {"message": str(error)}, status)

    @app.exception_handler(RequestValidationError)
    async def show_invalid_request(
        request: Request,
        error: RequestValidationError,  # noqa: ARG001 - its text may quote a person's number
    ) -> Response:
        return _html(request, "refused", {"message": "The address or the form is not valid: correct it."}, 422)

    @app.exception_handler(StarletteHTTPException)
    async def show_http_error(request: Request, error: StarletteHTTPException) -> Response:
        messages = {
            401: "You are not logged in, or your login has expired: log in to Airflow, then come back.",
            404: "This page does not exist.",
        }
        message = messages.get(error.status_code, str(error.detail))
        return _html(request, "refused", {"message": message}, error.status_code)

    @app.get("/")
    def overview_page(request: Request, viewer: LoggedIn, as_csv: Csv = None) -> Response:
        return _page(request, viewer, "overview", overview.page(datetime.now(WIB)), as_csv)

    @app.get("/cohorts/{number}")
    def cohort_page(
        request: Request,
        viewer: LoggedIn,
        number: int,
        other: Annotated[int | None, Query(alias="with")] = None,
        as_csv: Csv = None,
    ) -> Response:
        values = cohort.page(number, datetime.now(WIB), other)
        return _page(request, viewer, "cohort", values | {"runs": orchestrator.list_runs(number)}, as_csv)

    @app.get("/feeds")
    def feeds_page(request: Request, viewer: LoggedIn, to: date | None = None, as_csv: Csv = None) -> Response:
        return _page(request, viewer, "feeds", feeds.page(to), as_csv)

    @app.get("/feeds/{platform}/{on}")
    def delivery_page(request: Request, viewer: LoggedIn, platform: str, on: date) -> Response:
        values = feeds.delivery_page(platform, on, with_rows=viewer.sees_rows)
        for delivery in values["deliveries"]:
            delivery["log"] = orchestrator.find_intake_log(platform, datetime.fromisoformat(delivery["recorded_at"]))
        return _page(request, viewer, "delivery", values)

    @app.get("/statistics")
    def statistics_page(request: Request, viewer: LoggedIn, as_csv: Csv = None) -> Response:
        return _page(request, viewer, "statistics", statistics.page(), as_csv)

    @app.get("/statistics.json")
    def statistics_json() -> Response:
        return JSONResponse(statistics.without_charts(statistics.page()))

    @app.get("/person")
    def person_form(request: Request, viewer: LoggedIn) -> Response:
        _require(viewer.sees_people, "see a person's story")
        return _page(request, viewer, "person", {"charts": {}, "message": None})

    @app.post("/person")
    def find_person(
        request: Request, viewer: LoggedIn, number: Annotated[str, Form()], language: Annotated[Language, Form()] = "id"
    ) -> Response:
        _require(viewer.sees_people, "see a person's story")
        try:
            recipient_id = story.look_up(number, viewer.name)
        except story.UnknownPersonError as error:
            return _page(request, viewer, "person", {"charts": {}, "message": str(error)}, status=404)
        # The warehouse's own id: browsers and logs keep addresses, so that an address must not identify a person.
        return RedirectResponse(f"{request.scope['root_path']}/person/{recipient_id}?language={language}", 303)

    @app.get("/person/{recipient_id}")
    def person_page(request: Request, viewer: LoggedIn, recipient_id: int, language: Language = "id") -> Response:
        _require(viewer.sees_people, "see a person's story")
        return _page(request, viewer, "story", story.open_page(recipient_id, viewer.name, language))

    @app.get("/runs/{dag_id}/{run_id}")
    def run_page(request: Request, dag_id: str, run_id: str) -> Response:
        """Redirect from a run to the page about it. Airflow shows this as a tab of a run and of its tasks."""
        cohort_number = orchestrator.find_cohort(dag_id, run_id)
        path = "feeds" if dag_id == "platform_feeds" else ""
        if cohort_number:
            path = f"cohorts/{cohort_number}"
        return RedirectResponse(f"{request.scope['root_path']}/{path}")

    @app.get("/data-docs/{path:path}")
    def data_doc(viewer: LoggedIn, path: str) -> Response:
        _require(viewer.sees_rows, "see validation results")
        return _file(data_docs.folder(), path)

    @app.get("/static/{version}/{name}")
    def static(version: str, name: str) -> Response:  # noqa: ARG001 - a new version has a new address
        response = _file(HERE / "static", name)
        response.headers["Cache-Control"] = FOR_EVER
        return response

    return app


def _page(
    request: Request,
    viewer: Viewer,
    name: str,
    values: Mapping[str, Any],
    as_csv: str | None = None,
    status: int = 200,
) -> Response:
    """Return a page, or the rows of one of its charts as CSV."""
    if as_csv is not None:
        chart = values["charts"].get(as_csv)
        if chart is None:
            raise PrakerjaError(f"this page has no chart {as_csv!r}: it has {', '.join(values['charts']) or 'none'}")
        headers = {"Content-Disposition": f'attachment; filename="{as_csv}.csv"'}
        return Response(chart.as_csv(), media_type="text/csv; charset=utf-8", headers=headers)
    return _html(request, name, {**values, "viewer": viewer}, status)


def _html(request: Request, name: str, values: Mapping[str, Any], status: int) -> Response:
    root = request.scope.get("root_path", "")
    body = (
        _templates()
        .get_template(f"{name}.html")
        .render(
            **{"viewer": None, "status": status, **values},
            root=root,
            airflow=root.removesuffix("/prakerja"),
            static=f"{root}/static/{_version()}",
            page=name,
            address=str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""),
        )
    )
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:20]}"'
    # Airflow compresses the response, which makes the tag a weak one.
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
    environment.filters |= {
        "number": "{:,}".format,
        "percent": "{:.1%}".format,
        "wib": _format_instant,
        "spell_out": _spell_out,
    }
    return environment


def _format_instant(at: datetime) -> str:
    return f"{at.astimezone(WIB):%-d %b %Y %H:%M} WIB"


def _spell_out(name: str) -> str:
    return name.replace("_", " ")


@cache
def _version() -> str:
    """Return a digest of the static files. It is part of their addresses, so that browsers may keep them for good."""
    digest = hashlib.sha256()
    for file in sorted((HERE / "static").iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _file(folder: Path, path: str) -> Response:
    """Return a file of a folder. Raise 404 for a path that leaves the folder, and for a file that may not be read."""
    try:
        file = (folder / path).resolve()
    except ValueError:  # a NUL, which no path has
        file = Path()
    if not file.is_relative_to(folder.resolve()) or not os.access(file, os.R_OK) or not file.is_file():
        raise HTTPException(404, "this page does not exist")
    return FileResponse(file)


def _require(is_allowed: bool, what: str) -> None:
    if not is_allowed:
        raise HTTPException(403, f"You have no right to {what}: ask an administrator of this Airflow.")
