"""The service's operations. What is asked often touches no database and no disk: a copy in memory, keys in memory."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from fastapi import FastAPI, Header, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool

from prakerja.blacklist.format import keyring
from prakerja.blacklist.format.contract import Latest, Manifest, PublishedFile, SignedKeyring, VersionNumber
from prakerja.blacklist.format.keyring import Trust, UntrustedError
from prakerja.blacklist.format.signing import PublicKey
from prakerja.blacklist.reader.client import verified_manifest
from prakerja.blacklist.reader.sources import DOCUMENT_BYTES_MAX, POINTER, NotThereError, Source, read, read_if_there
from prakerja.blacklist.service.access import NOT_LOADED, REFRESH_SECONDS, Access, spend
from prakerja.blacklist.service.answers import (
    Answers,
    CohortStatistics,
    Health,
    Question,
    RangeAnswer,
    Readiness,
    Statistics,
)
from prakerja.blacklist.service.bounds import Places, bounded_body
from prakerja.blacklist.service.copy import Copies, Copy
from prakerja.blacklist.service.files import VerifiedFiles
from prakerja.blacklist.service.lookups import Lookups
from prakerja.blacklist.service.problems import (
    ProblemDocument,
    ProblemError,
    documented,
    documented_headers,
    install,
    place_of,
)
from prakerja.errors import PrakerjaError

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

SYNC_SECONDS, LOAD_SECONDS, END_SECONDS = 10.0, 5.0, 5.0
FOR_EVER = "private, max-age=31536000, immutable"
FILES = ("manifest.json", "manifest.json.sig", "snapshot.csv.gz", "snapshot.parquet", "delta.csv.gz")
MEDIA_TYPES = {"json": "application/json", "sig": "text/plain", "gz": "application/gzip",
               "parquet": "application/vnd.apache.parquet"}  # fmt: skip


@dataclass
class Service:
    """What the operations share."""

    copies: Copies
    lookups: Lookups
    count_cohorts: Callable[[], list[dict[str, Any]]]
    files: VerifiedFiles
    access: Access = field(default_factory=Access)
    statistics: Statistics | None = None

    def refresh_keys(self) -> None:
        """Load keys and statistics anew."""
        self.access.refresh()
        rows = [row for row in self.count_cohorts() if row["status"] != "no_roster"]
        self.statistics = Statistics(
            counted_at=_utc(datetime.now(UTC)),
            cohorts=[CohortStatistics(**{name: row[name] for name in CohortStatistics.model_fields}) for row in rows],
        )


PEM_EXAMPLE = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAd5a0...\n-----END PUBLIC KEY-----\n"
FILE_EXAMPLES = {
    "text/plain": "bm8gc2lnbmF0dXJl\n",
    "application/gzip": "(bytes: gzip of subject,cohort,reason,effective_at,decision_id)",
    "application/vnd.apache.parquet": "(bytes: Parquet of the same columns)",
}


def _conditional(cache: str, **of_200: Any) -> dict[int | str, dict[str, Any]]:
    """Answers to what may be known already, for its OpenAPI."""
    headers = documented_headers({"etag": f'"{"0c" * 32}"', "cache-control": cache})
    return {200: {"headers": headers, **of_200}, 304: {"description": "as it is known already", "headers": headers}}


#: Only tells the OpenAPI that a key is needed: operations ask `Access`, which knows what for.
KEY_NEEDED: dict[str, Any] = {"security": [{"api_key": []}]}
KeyId = Annotated[
    str | None,
    Query(
        pattern=r"^[0-9a-f]{16}$",
        description="an earlier key of the subjects, while that overlaps",
        examples=["0123456789abcdef"],
    ),
]
IfNoneMatch = Annotated[str | None, Header(description="an ETag that is known already", examples=[f'"{"0c" * 32}"'])]
Authorization = Annotated[str | None, Header(include_in_schema=False)]


def application(service: Service) -> FastAPI:
    """The application over a service."""
    app = FastAPI(
        title="Prakerja blacklist",
        version="1",
        description="The published blacklist of Kartu Prakerja: versions, lookups, statistics.",
        docs_url=None,
        redirect_slashes=False,
        redoc_url=None,
        lifespan=lambda _: _kept_up_to_date(service),
    )
    install(app)
    app.add_middleware(Places)

    @app.post(
        "/v1/blacklist/check", operation_id="check", tags=["lookup"], response_model=Answers,
        openapi_extra=KEY_NEEDED | {"requestBody": {"required": True, "content": {
            "application/json": {"schema": Question.model_json_schema()}}}},
        responses=documented(401, 403, 413, 422, 429, 503),
    )  # fmt: skip
    async def check(request: Request) -> Response:
        """Whether people are listed, in order. Scope `check`. NIKs are neither kept nor logged."""
        consumer = service.access.known(_authorization(request), "check")  # who may not ask need not send
        copy = service.copies.current()
        niks = _asked(await bounded_body(request))
        spend(consumer, len(niks))
        digests = copy.key.digests([nik.encode() for nik in niks])
        listed = [digest in copy.listed.subjects for digest in digests]
        _note(service, consumer.key.api_key_id, "check", len(listed), sum(listed), copy)
        return _about(copy, b'"listed":[' + b",".join(b"true" if each else b"false" for each in listed) + b"]")

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", operation_id="healthz", tags=["operation"], responses=documented())
    async def healthz() -> Health:
        """Whether the process answers."""
        return Health()

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", operation_id="readyz", tags=["operation"], response_model=Readiness, responses=documented(503))
    async def readyz() -> Response:
        """Whether the list may be relied on: not without one, nor when it has expired."""
        copy = service.copies.current()
        if service.access.loaded_at is None:
            raise ProblemError(503, NOT_LOADED, kind="no-keys", headers={"retry-after": "5"})
        fresh = copy.freshness()
        plain = {name: _utc(each) if isinstance(each, datetime) else each for name, each in asdict(fresh).items()}
        if fresh.is_expired:
            why = "what is there now is refused: see the log" if service.copies.problem else "nothing newer is there"
            detail = f"version {fresh.version} has expired at {_utc(fresh.expires_at)} ({why})"
            raise ProblemError(503, detail, kind="expired", members={"is_ready": False, **plain})
        return JSONResponse({"is_ready": True, **plain, "keys_loaded_at": _utc(service.access.loaded_at)})

    @app.get(
        "/v1/statistics", operation_id="statistics", tags=["statistics"], response_model=Statistics,
        responses=documented(503),
    )  # fmt: skip
    async def statistics() -> Any:
        """Every cohort in numbers. No key is needed."""
        if service.statistics is None:
            raise ProblemError(503, "nothing was counted yet: is the warehouse there?", kind="no-statistics")
        return JSONResponse(service.statistics.model_dump(), headers={"cache-control": "public, max-age=60"})

    @app.get(
        "/v1/blacklist/latest", operation_id="latest", tags=["list"], openapi_extra=KEY_NEEDED, response_model=Latest,
        responses=documented(401, 403, 404, 422, 429, 503) | _conditional("private, no-cache"),
    )  # fmt: skip
    async def latest(
        key_id: KeyId = None, if_none_match: IfNoneMatch = None, authorization: Authorization = None
    ) -> Response:
        """The pointer to the newest version. Scope `list`."""
        service.access.require(authorization, "list")
        copy = service.copies.current()
        data = copy.pointer
        if key_id and key_id != copy.listed.trusted.key_id:
            data = await run_in_threadpool(_told(read), await _source(service, key_id), POINTER, DOCUMENT_BYTES_MAX)
        return _whole(data, hashlib.sha256(data).hexdigest(), "application/json", "private, no-cache", if_none_match)

    @app.get(
        "/v1/blacklist/keys/{name}", operation_id="keys", tags=["list"], openapi_extra=KEY_NEEDED,
        response_class=Response,
        responses=documented(401, 403, 404, 422, 429, 503)
        | _conditional(FOR_EVER, description="a keyring, or a key as PEM", content={
            "application/json": {"schema": {"$ref": "#/components/schemas/SignedKeyring"}},
            "application/x-pem-file": {"schema": {"type": "string"}, "example": PEM_EXAMPLE},
        }),
    )  # fmt: skip
    async def keys(
        name: Annotated[
            str, Path(pattern=r"^(keyring-[0-9]{6}\.json|[0-9a-f]{16}\.pem)$", examples=["keyring-000001.json"])
        ],
        if_none_match: IfNoneMatch = None,
        authorization: Authorization = None,
    ) -> Response:
        """Which keys sign the list. Scope `list`. Whom to believe at first, a reader is told by a person."""
        service.access.require(authorization, "list")
        data = await run_in_threadpool(_told(_key_file), service, await _source(service, None), name)
        kind = "application/json" if name.endswith(".json") else "application/x-pem-file"
        return _whole(data, hashlib.sha256(data).hexdigest(), kind, FOR_EVER, if_none_match)

    @app.get(
        "/v1/blacklist/versions/{version}/{file}", operation_id="file", tags=["list"], openapi_extra=KEY_NEEDED,
        response_class=Response,
        responses=documented(401, 403, 404, 422, 429, 503)
        | _conditional(FOR_EVER, description="the file", content={
            "application/json": {"schema": {"$ref": "#/components/schemas/Manifest"}},
            **{kind: {"schema": {"type": "string", "format": "binary"}, "example": example}
               for kind, example in FILE_EXAMPLES.items()},
        }),
    )  # fmt: skip
    async def file(
        request: Request,
        version: Annotated[VersionNumber, Path(examples=[17])],
        file: Annotated[Literal[FILES], Path(examples=["manifest.json"])],  # type: ignore[valid-type]
        key_id: KeyId = None,
        if_none_match: IfNoneMatch = None,
        authorization: Authorization = None,
    ) -> Response:
        """A file of a version: it never changes. Scope `list`."""
        service.access.require(authorization, "list")
        if version > service.copies.current().version:
            raise ProblemError(404, "there is no such version here")
        source, kind = await _source(service, key_id), MEDIA_TYPES[file.rsplit(".", 1)[1]]
        if file.startswith("manifest.json"):
            _, manifest, signature = await run_in_threadpool(
                _told(verified_manifest), source, service.copies.trust, version
            )
            data = manifest if file == "manifest.json" else signature
            return _whole(data, hashlib.sha256(data).hexdigest(), kind, FOR_EVER, if_none_match)
        named = await run_in_threadpool(_told(_named), source, service.copies.trust, version, file)
        headers = {"etag": f'"{named.sha256}"', "cache-control": FOR_EVER}
        if _is_known(named.sha256, if_none_match):
            return Response(status_code=304, headers=headers)
        if request.scope.get("is_head"):
            return Response(headers={**headers, "content-length": str(named.bytes)}, media_type=kind)
        chunks = await run_in_threadpool(_told(service.files.chunks), source, version, named)
        return StreamingResponse(
            iterate_in_threadpool(chunks), headers={**headers, "content-length": str(named.bytes)}, media_type=kind
        )

    @app.get(
        "/v1/blacklist/range/{prefix}", operation_id="range", tags=["lookup"], openapi_extra=KEY_NEEDED,
        response_model=RangeAnswer, responses=documented(401, 403, 404, 422, 429, 503),
    )  # fmt: skip
    async def range_(
        prefix: Annotated[str, Path(pattern=r"^[0-9a-f]{5}$", examples=["0a1b2"], description="of a subject")],
        authorization: Authorization = None,
    ) -> Response:
        """Every listed subject that begins so, without that beginning; filled up to a constant size. Scope `range`."""
        consumer = service.access.require(authorization, "range")
        copy = service.copies.current()
        suffixes, found = copy.ranges.answer(prefix)
        _note(service, consumer.key.api_key_id, "range", 1, found, copy)
        about = {
            "suffixes": suffixes,
            "smallest_range": copy.ranges.smallest,
            "largest_range": copy.ranges.largest,
        }
        return _about(copy, json.dumps(about, separators=(",", ":")).encode()[1:-1])

    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def described() -> dict[str, Any]:
    """The OpenAPI (docs/openapi.json), without a service."""
    return application(Service(None, None, list, None)).openapi()  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def _kept_up_to_date(service: Service) -> AsyncIterator[None]:
    """Sync, load keys, write down lookups: behind the requests, in threads of their own. None of them ends the service.

    They are daemons: a warehouse or storage that hangs keeps no service from ending.
    """
    is_over = threading.Event()

    def every(seconds: float, work: Callable[[], None]) -> None:
        told = ""
        while True:
            try:
                work()
                told = ""
            except Exception as error:  # the next time may do: the requests go on meanwhile
                line = str(error) if isinstance(error, PrakerjaError) else type(error).__name__
                if line != told:
                    log.warning("%s", line)
                told = line
            if is_over.wait(seconds):
                return

    jobs = [
        threading.Thread(target=every, args=each, daemon=True)
        for each in (
            (SYNC_SECONDS, service.copies.refresh),
            (REFRESH_SECONDS, service.refresh_keys),
            (LOAD_SECONDS, service.lookups.load),
        )
    ]
    for job in jobs:
        job.start()
    gc.freeze()  # what is there by now stays: looking through it again and again would keep requests waiting
    try:
        yield
    finally:
        is_over.set()
        await run_in_threadpool(_end, service, jobs)


def _end(service: Service, jobs: list[threading.Thread]) -> None:
    """Load the last lookups. Whatever is not done in time is left to the next service."""

    def close() -> None:
        with contextlib.suppress(PrakerjaError, OSError):
            service.lookups.close()

    patience = time.monotonic() + END_SECONDS
    for job in jobs:
        job.join(max(patience - time.monotonic(), 0))
    if not any(job.is_alive() for job in jobs):
        closing = threading.Thread(target=close, daemon=True)
        closing.start()
        closing.join(END_SECONDS)


_question = TypeAdapter(Question)


def _asked(body: bytes) -> list[str]:
    try:
        return _question.validate_json(body, strict=True).niks
    except ValidationError as error:
        raise ProblemError(422, place_of(error.errors(include_url=False, include_input=False))) from None


def _note(service: Service, api_key_id: str, operation: str, asked: int, listed: int, copy: Copy) -> None:
    try:
        service.lookups.note(api_key_id, operation, asked, listed, copy.version)
    except OSError:
        raise ProblemError(503, "this lookup cannot be accounted for: no room is left", kind="no-audit") from None


def _authorization(request: Request) -> str | None:
    for name, value in request.scope["headers"]:
        if name == b"authorization":
            return str(value, "latin-1")
    return None


class _Answer(Response):
    """JSON that is written already. Its headers, too: the framework's own way to them takes as long as a lookup."""

    def __init__(self, body: bytes) -> None:
        self.status_code, self.background, self.body = 200, None, body
        self.raw_headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]


def _about(copy: Copy, members: bytes) -> Response:
    is_expired = b"true" if time.time() >= copy.expires_at else b"false"
    return _Answer(b'{%b,"is_expired":%b,%b}' % (copy.about, is_expired, members))


async def _source(service: Service, key_id: str | None) -> Source:
    # It asks the storage: not between other requests.
    source: Source = await run_in_threadpool(_told(service.copies.source))
    current = service.copies.current().listed.trusted.key_id
    return source if key_id in (None, current) else source.under_key(str(key_id))


def _named(source: Source, trust: Trust, version: int, name: str) -> PublishedFile:
    """A file of a version, as its signed manifest names it."""
    return verified_manifest(source, trust, version)[0].file(name)


def _key_file(service: Service, source: Source, name: str) -> bytes:
    """A keyring, of those that lead to the one that the service itself believes; or a key, as it is named."""
    data = read(source, f"keys/{name}", DOCUMENT_BYTES_MAX)
    if name.endswith(".pem"):
        if PublicKey.from_pem(data).key_id != name.removesuffix(".pem"):
            raise PrakerjaError(f"keys/{name} is another key: restore it")
        return data
    number, believed = int(name[len("keyring-") : -len(".json")]), service.copies.trust
    if number > believed.number:
        raise NotThereError(f"keys/{name} is not followed yet")
    keyring.contents(data, number)

    def lying_there(file: str) -> bytes | None:
        return data if file == f"keys/{name}" else read_if_there(source, file, DOCUMENT_BYTES_MAX)

    # All the way: those from before the keys that are pinned here lead others to them.
    Trust.in_pins(service.copies.client.pins).followed(lying_there, believed.number)
    return data


def _told(work: Callable[P, T]) -> Callable[P, T]:
    """The work, what goes wrong in it told as a problem."""

    def done(*args: P.args, **settings: P.kwargs) -> T:
        try:
            return work(*args, **settings)
        except NotThereError:
            raise ProblemError(404, "there is no such file of the list here") from None
        except UntrustedError as error:
            log.warning("%s", error)
            raise ProblemError(404, "there is no such file here that whoever publishes now has signed") from None
        except (PrakerjaError, OSError) as error:
            log.warning("%s", error if isinstance(error, PrakerjaError) else error.strerror)
            raise ProblemError(503, "the published list cannot be read now", headers={"retry-after": "5"}) from None

    return done


def _whole(data: bytes, digest: str, media_type: str, cache: str, if_none_match: str | None) -> Response:
    headers = {"etag": f'"{digest}"', "cache-control": cache}
    if _is_known(digest, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=media_type)


def _is_known(digest: str, if_none_match: str | None) -> bool:
    known = [each.strip().removeprefix("W/").strip('"') for each in (if_none_match or "").split(",")]
    return digest in known or known == ["*"]


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI, with the problem document that every operation may answer."""
    if app.openapi_schema is None:
        from fastapi.openapi.utils import get_openapi

        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = schema.setdefault("components", {}).setdefault("schemas", {})
        schema["components"]["securitySchemes"] = {
            "api_key": {"type": "http", "scheme": "bearer", "description": "a key of `prakerja keys create`"}
        }
        components["ProblemDocument"] = ProblemDocument.model_json_schema()
        manifest = Manifest.model_json_schema(ref_template="#/components/schemas/{model}")
        components.update(manifest.pop("$defs"), Manifest=manifest, SignedKeyring=SignedKeyring.model_json_schema())
        app.openapi_schema = schema
    return app.openapi_schema
