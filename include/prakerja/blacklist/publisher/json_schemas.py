"""The JSON Schemas of the published documents: pydantic models made of the format's dataclasses.

`python -m prakerja.blacklist.publisher.json_schemas` writes `format/schemas/` anew.
"""

from __future__ import annotations

import json
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.config import JsonDict

from prakerja_blacklist.format.chain import CHAIN_CONTRACT, CHAIN_DOCUMENTS, Chain
from prakerja_blacklist.format.contract import (
    COMMON_DOCUMENTS,
    CONTRACTS,
    FIRST_CONTRACT,
    SCHEMAS,
    Contract,
    Latest,
    SignedKeyring,
)
from prakerja_blacklist.format.documents import (
    Bounds,
    Description,
    Document,
    Pattern,
    Size,
    field_hints,
    split_hint,
)

MANIFEST_EXAMPLE: JsonDict = {
    "contract": FIRST_CONTRACT.name,
    "version": 17,
    "previous_version": 16,
    "created_at": "2021-04-09T23:00:00Z",
    "checked_at": "2021-04-09T23:00:00Z",
    "changed_at": "2021-04-04T23:00:00Z",
    "expires_at": "2021-04-16T23:00:00Z",
    "data_as_of": {"tokopedia": "2021-04-09"},
    "key_id": "0a" * 8,
    "signing_key_id": "0c" * 8,
    "counts": {"entries": 9123, "added": 0, "withdrawn": 0, "by_cohort": {"10": 9123}},
    "result_sha256": "0e" * 32,
    "files": [
        {"name": "snapshot.csv.gz", "bytes": 350_000, "sha256": "1a" * 32, "rows": 9123},
        {"name": "snapshot.parquet", "bytes": 480_000, "sha256": "1b" * 32, "rows": 9123},
        {"name": "delta.csv.gz", "bytes": 80, "sha256": "1c" * 32, "rows": 0},
    ],
}
CHAIN_EXAMPLE: JsonDict = {
    "contract": CHAIN_CONTRACT,
    "version": 17,
    "key_id": "0a" * 8,
    "manifest_sha256": "0c" * 32,
    "previous_chain_sha256": "0d" * 32,
    "audit": {"position": 412, "hash": "0e" * 32},
    "created_at": "2021-04-09T23:00:00Z",
    "signing_key_id": "0c" * 8,
}
EXAMPLES: dict[type[Document], JsonDict] = {
    Chain: CHAIN_EXAMPLE,
    Latest: {"version": 17, "manifest": "v000017/manifest.json", "sha256": "0c" * 32},
    SignedKeyring: {"keyring": "eyJjb250cmFjdCI6...", "signatures": {"0c" * 8: "MEUCIQD..."}},
}
_MODELS: dict[type[Document], type[BaseModel]] = {}


def model_of(kind: type[Document]) -> type[BaseModel]:
    """Return the strict pydantic model with a document's fields and rules."""
    if kind not in _MODELS:
        _MODELS[kind] = _build_model(kind)
    return _MODELS[kind]


def _build_model(kind: type[Document]) -> type[BaseModel]:
    examples = EXAMPLES | {
        contract.manifest: MANIFEST_EXAMPLE | {"contract": contract.name} for contract in CONTRACTS.values()
    }
    example: JsonDict | None = {"example": examples[kind]} if kind in examples else None
    fields: dict[str, Any] = {name: (_translate(hint), ...) for name, hint in field_hints(kind).items()}
    config = ConfigDict(extra="forbid", frozen=True, strict=True, json_schema_extra=example)
    return create_model(kind.__name__, __doc__=kind.__doc__, __config__=config, **fields)


def build_schemas(contract: Contract) -> dict[str, dict[str, Any]]:
    """Return the JSON Schemas of what is published by a contract, by their files below `schemas/`.

    The first contract's lie there themselves, with those of documents that are the same by each.
    """
    documents = contract.own_documents | (COMMON_DOCUMENTS | CHAIN_DOCUMENTS if contract == FIRST_CONTRACT else {})
    folder = "" if contract == FIRST_CONTRACT else f"format-{contract.number}/"
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {f"{folder}{name}.json": about | model_of(kind).model_json_schema() for name, kind in documents.items()}


def write_schemas() -> None:
    """Write `format/schemas/` anew from the documents."""
    for contract in CONTRACTS.values():
        for file, schema in build_schemas(contract).items():
            (SCHEMAS / file).parent.mkdir(exist_ok=True)
            (SCHEMAS / file).write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


def _translate(hint: Any) -> Any:
    """Return the type that pydantic understands of a document's type."""
    base, rules = split_hint(hint)
    origin, arguments = get_origin(base), tuple(map(_translate, get_args(base)))
    if origin in (Union, UnionType):
        base = Union[arguments]  # noqa: UP007 - made at run time
    elif origin in (list, dict):
        base = origin[arguments]
    elif isinstance(base, type) and issubclass(base, Document):
        base = model_of(base)
    return Annotated[base, Field(**_settings_of(rules))] if rules else base


def _settings_of(rules: tuple[Any, ...]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for rule in rules:
        match rule:
            case Pattern():
                settings["pattern"] = rule.regex
            case Bounds():
                settings |= {"ge": rule.at_least, "le": rule.at_most, "lt": rule.below}
            case Size():
                settings |= {"min_length": rule.at_least, "max_length": rule.at_most}
            case Description():
                settings["description"] = rule.text
    return settings


if __name__ == "__main__":
    write_schemas()
