"""The service's OpenAPI: parameters and answers that operations share, and the whole document (docs/openapi.json)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Header, Query

from prakerja.blacklist.publisher.json_schemas import model_of
from prakerja.blacklist.service.problems import documented_headers
from prakerja.serving.problems import ProblemDocument
from prakerja_blacklist.format.chain import Chain
from prakerja_blacklist.format.contract import CONTRACTS, FIRST_CONTRACT, SignedDocument, SignedKeyring

FOR_EVER = "private, max-age=31536000, immutable"
#: Only tells the OpenAPI that a key is needed: operations call `admit`, which knows the scope.
KEY_NEEDED: dict[str, Any] = {"security": [{"api_key": []}]}
#: Patterns of parameters only tell the OpenAPI, too: the framework would check them before it is known who asks.
KeyId = Annotated[
    str | None,
    Query(
        json_schema_extra={"pattern": r"^[0-9a-f]{16}$"},
        description="an earlier key of the subjects, while that overlaps",
        examples=["0123456789abcdef"],
    ),
]
IfNoneMatch = Annotated[str | None, Header(description="an ETag that is known already", examples=[f'"{"0c" * 32}"'])]


def conditional(cache: str, **of_200: Any) -> dict[int | str, dict[str, Any]]:
    """Return the answers to a request whose answer the client may have already."""
    headers = documented_headers({"etag": f'"{"0c" * 32}"', "cache-control": cache})
    return {200: {"headers": headers, **of_200}, 304: {"description": "as it is known already", "headers": headers}}


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI of an application, with the problem document that every operation may answer."""
    if app.openapi_schema is None:
        from fastapi.openapi.utils import get_openapi

        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        for operation in (each["get"] for each in schema["paths"].values() if "get" in each):
            operation["responses"].pop("422", None)  # the framework's, which checks no parameter here
        components = schema.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            components.pop(unused, None)
        schema["components"]["securitySchemes"] = {
            "api_key": {"type": "http", "scheme": "bearer", "description": "a key of `prakerja keys create`"}
        }
        components["ProblemDocument"] = ProblemDocument.model_json_schema()
        manifest, chain = (
            model_of(kind).model_json_schema(ref_template="#/components/schemas/{model}")
            for kind in (FIRST_CONTRACT.manifest, Chain)
        )
        if len(CONTRACTS) > 1:
            manifest["properties"]["contract"] = {"enum": [*CONTRACTS], "title": "Contract", "type": "string"}
        signed_keyring = model_of(SignedKeyring).model_json_schema()
        components.update(manifest.pop("$defs"), Manifest=manifest, SignedKeyring=signed_keyring)
        components.update(chain.pop("$defs"), Chain=chain)
        components.update(SignedDocument=model_of(SignedDocument).model_json_schema())
        app.openapi_schema = schema
    return app.openapi_schema
