"""The published list as consumers fetch it: the pointer, keys, and the files of versions. All of it was verified."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ParamSpec, TypeVar

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool

from prakerja.blacklist.publisher.json_schemas import EXAMPLES, MANIFEST_EXAMPLE, model_of
from prakerja.blacklist.publisher.verification import require_signed
from prakerja.blacklist.service.admission import admit
from prakerja.blacklist.service.openapi import FOR_EVER, KEY_NEEDED, IfNoneMatch, KeyId, conditional
from prakerja.blacklist.service.problems import documented
from prakerja.blacklist.service.state import Service, service_of
from prakerja.errors import PrakerjaError
from prakerja.serving.problems import ProblemError
from prakerja_blacklist.format import keyring
from prakerja_blacklist.format.chain import chain_name
from prakerja_blacklist.format.contract import (
    FIRST_CONTRACT,
    POINTER,
    Latest,
    PublishedFile,
    SignedKeyring,
    manifest_name,
)
from prakerja_blacklist.format.keyring import Trust, UntrustedError
from prakerja_blacklist.format.roots import TrustedRoot, root_name
from prakerja_blacklist.format.signatures import PublicKey
from prakerja_blacklist.reader.sources import DOCUMENT_BYTES_MAX, NotThereError, Source, document_reader, read
from prakerja_blacklist.reader.verification import SignedChain, fetch_manifest, read_chain

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

KEY_FILE = re.compile(r"keyring-[0-9]{6}\.json|(keyring-[0-9]{6}\.)?root-[0-9]{6}\.json|[0-9a-f]{16}\.pem")
KEY_ID = re.compile(r"[0-9a-f]{16}")
VERSION = re.compile(r"[1-9][0-9]{0,8}")  # one spelling of each number: every answer may be cached by its address
FILES = (
    "manifest.json", "manifest.json.sig", "chain.json", "chain.json.sig", "snapshot.csv.gz", "snapshot.parquet",
    "delta.csv.gz",
)  # fmt: skip
MEDIA_TYPES = {"json": "application/json", "sig": "text/plain", "gz": "application/gzip",
               "parquet": "application/vnd.apache.parquet"}  # fmt: skip
SCHEMAS = ("Manifest", "Chain")
PEM_EXAMPLE = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAd5a0...\n-----END PUBLIC KEY-----\n"
FILE_EXAMPLES = {
    "text/plain": "bm8gc2lnbmF0dXJl\n",
    "application/gzip": f"(bytes: gzip of {FIRST_CONTRACT.header.decode().strip()})",
    "application/vnd.apache.parquet": "(bytes: Parquet of the same columns)",
}

router = APIRouter()


@router.get(
    "/v1/blacklist/latest", operation_id="latest", tags=["list"], openapi_extra=KEY_NEEDED,
    response_model=model_of(Latest),
    responses=documented(401, 403, 404, 429, 503) | conditional("private, no-cache"),
)  # fmt: skip
async def latest(request: Request, key_id: KeyId = None, if_none_match: IfNoneMatch = None) -> Response:
    """The pointer to the newest version. Scope `list`."""
    admit(request, "list")
    _require_key_id(request, key_id)
    service = service_of(request)
    loaded = service.lists.current()
    data = loaded.pointer
    if key_id and key_id != loaded.listed.trusted.key_id:
        source = await _open_source(service, key_id)
        data = await run_in_threadpool(translate_errors(read), source, POINTER, DOCUMENT_BYTES_MAX)
    return _respond_whole(data, "application/json", "private, no-cache", if_none_match)


@router.get(
    "/v1/blacklist/keys/{name}", operation_id="keys", tags=["list"], openapi_extra=KEY_NEEDED,
    response_class=Response,
    responses=documented(401, 403, 404, 429, 503)
    | conditional(FOR_EVER, description="a keyring, a root, an endorsement, or a key as PEM", content={
        "application/json": {
            "schema": {"anyOf": [
                {"$ref": "#/components/schemas/SignedKeyring"}, {"$ref": "#/components/schemas/SignedDocument"},
            ]},
            "example": EXAMPLES[SignedKeyring],
        },
        "application/x-pem-file": {"schema": {"type": "string"}, "example": PEM_EXAMPLE},
    }),
)  # fmt: skip
async def keys(
    request: Request,
    name: Annotated[
        str,
        Path(json_schema_extra={"pattern": f"^({KEY_FILE.pattern})$"}, examples=["keyring-000001.json"]),
    ],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Which keys sign the list. Scope `list`. Whom to believe at first, a reader is told by a person."""
    admit(request, "list")
    if not KEY_FILE.fullmatch(name):
        raise ProblemError(404, "there is no such file of the list here")
    service = service_of(request)
    source = await _open_source(service, None)
    data = await run_in_threadpool(translate_errors(read_key_file), service, source, name)
    kind = "application/json" if name.endswith(".json") else "application/x-pem-file"
    return _respond_whole(data, kind, FOR_EVER, if_none_match)


@router.get(
    "/v1/blacklist/versions/{version}/{file}", operation_id="file", tags=["list"], openapi_extra=KEY_NEEDED,
    response_class=Response,
    responses=documented(401, 403, 404, 429, 503)
    | conditional(FOR_EVER, description="the file", content={
        "application/json": {
            "schema": {"anyOf": [{"$ref": f"#/components/schemas/{each}"} for each in SCHEMAS]},
            "example": MANIFEST_EXAMPLE,
        },
        **{kind: {"schema": {"type": "string", "format": "binary"}, "example": example}
           for kind, example in FILE_EXAMPLES.items()},
    }),
)  # fmt: skip
async def file(
    request: Request,
    version: Annotated[
        str, Path(json_schema_extra={"type": "integer", "minimum": 1, "maximum": 999_999_999}, examples=[17])
    ],
    file: Annotated[str, Path(json_schema_extra={"enum": [*FILES]}, examples=["manifest.json"])],
    key_id: KeyId = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """A file of a version: it never changes. Scope `list`."""
    admit(request, "list")
    _require_key_id(request, key_id)
    service = service_of(request)
    if not VERSION.fullmatch(version) or (number := int(version)) > service.lists.current().version:
        raise ProblemError(404, "there is no such version here")
    if file not in FILES:
        raise ProblemError(404, "there is no such file of a version")
    source, media_type = await _open_source(service, key_id), MEDIA_TYPES[file.rsplit(".", 1)[1]]
    if (document := file.removesuffix(".sig")) in ("manifest.json", "chain.json"):
        main = await _open_source(service, None)
        fetch: Callable[..., Any] = fetch_manifest if document == "manifest.json" else partial(fetch_chain_file, main)
        signed: Any = await run_in_threadpool(translate_errors(fetch), source, service.lists.trust, number)
        data = signed.data if file == document else signed.signature
        return _respond_whole(data, media_type, FOR_EVER, if_none_match)
    named = await run_in_threadpool(translate_errors(find_file), source, service.lists.trust, number, file)
    headers = {"etag": f'"{named.sha256}"', "cache-control": FOR_EVER}
    if _is_known(named.sha256, if_none_match):
        return Response(status_code=304, headers=headers)
    headers["content-length"] = str(named.bytes)
    if request.scope.get("is_head"):
        return Response(headers=headers, media_type=media_type)
    chunks = await run_in_threadpool(translate_errors(service.files.chunks), source, number, named)
    return StreamingResponse(iterate_in_threadpool(chunks), headers=headers, media_type=media_type)


def fetch_chain_file(main: Source, source: Source, trust: Trust, version: int) -> SignedChain:
    """Return a version's chain file, also if the key that signed it was revoked since: a later one vouches for it.

    `main` is the list, which has the keys. Raise `PrakerjaError` if it is of another list's version.
    """
    signed, manifest = read_chain(source, version), read(source, manifest_name(version), DOCUMENT_BYTES_MAX)
    if signed.chain.manifest_sha256 != hashlib.sha256(manifest).hexdigest():
        raise PrakerjaError(f"{chain_name(version)} is of another manifest than the one that lies there: restore it")
    require_signed(trust, signed.chain, signed.data, signed.signature, document_reader(main))
    return signed


def find_file(source: Source, trust: Trust, version: int, name: str) -> PublishedFile:
    """Return a file of a version as its signed manifest names it. Raise `PrakerjaError`."""
    return fetch_manifest(source, trust, version).manifest.file(name)


def read_key_file(service: Service, source: Source, name: str) -> bytes:
    """Return a key, a root, an endorsement, or a keyring out of those that lead to the one that the service believes.

    Raise `PrakerjaError`.
    """
    data = read(source, f"keys/{name}", DOCUMENT_BYTES_MAX)
    if name.endswith(".pem"):
        if PublicKey.from_pem(data).key_id != name.removesuffix(".pem"):
            raise PrakerjaError(f"keys/{name} is another key: restore it")
        return data
    if "root-" in name:
        _require_from_root(service.lists.client.root, source, name, data)
        return data
    number, believed = int(name[len("keyring-") : -len(".json")]), service.lists.trust
    if number > believed.number:
        raise NotThereError(f"keys/{name} is not followed yet")
    keyring.parse_keyring(data, number)
    if service.lists.client.root:
        return data
    read_other = document_reader(source)

    def read_keyring(file: str) -> bytes | None:
        return data if file == f"keys/{name}" else read_other(file)

    # All the way: keyrings from before the keys that are pinned here lead other readers to them.
    Trust.from_pins(service.lists.client.pins).follow(read_keyring, believed.number)
    return data


def _require_from_root(pin: TrustedRoot | None, source: Source, name: str, data: bytes) -> None:
    """Raise `PrakerjaError` unless a root follows from the pinned or the first one, or an endorsement is such a root's.

    What is passed on is kept by caches for ever.
    """
    number, read_other = int(name[-len("000001.json") : -len(".json")]), document_reader(source)

    def read_root(file: str) -> bytes | None:
        return data if file == f"keys/{name}" else read_other(file)

    first = pin if pin and pin.number <= number else TrustedRoot.from_file(read_root(root_name(1)) or b"", root_name(1))
    root = next((each for each in (first, *first.follow(read_root)) if each.number == number), None)
    if root is None:
        raise NotThereError(f"keys/{name} follows from no root")
    if name.startswith("keyring-"):
        root.read_endorsed(data, int(name[len("keyring-") : len("keyring-000001")]))


def translate_errors(work: Callable[P, T]) -> Callable[P, T]:
    """Return the work with its errors raised as `ProblemError`."""

    def translated(*args: P.args, **settings: P.kwargs) -> T:
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

    return translated


def _require_key_id(request: Request, key_id: str | None) -> None:
    if key_id is not None and (len(request.query_params.getlist("key_id")) > 1 or not KEY_ID.fullmatch(key_id)):
        raise ProblemError(400, "a key_id is sixteen hex digits in lower case, and is given once")


async def _open_source(service: Service, key_id: str | None) -> Source:
    # In a thread: it asks the storage, which other requests need not wait for.
    source: Source = await run_in_threadpool(translate_errors(service.lists.source))
    current = service.lists.current().listed.trusted.key_id
    return source if key_id in (None, current) else source.under_key(str(key_id))


def _respond_whole(data: bytes, media_type: str, cache: str, if_none_match: str | None) -> Response:
    digest = hashlib.sha256(data).hexdigest()
    headers: dict[str, Any] = {"etag": f'"{digest}"', "cache-control": cache}
    if _is_known(digest, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=media_type)


def _is_known(digest: str, if_none_match: str | None) -> bool:
    known = [each.strip().removeprefix("W/").strip('"') for each in (if_none_match or "").split(",")]
    return digest in known or known == ["*"]
