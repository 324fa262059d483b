"""The published contract, in one place: each document and row as a model.

From here come the JSON Schemas that are shipped (`schemas/`, made by `python -m prakerja.blacklist.format.contract`),
what is enforced at publishing and at reading, the lines of the canonical CSV, and the service's OpenAPI.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from prakerja.errors import PrakerjaError

CONTRACT: Final = "prakerja.blacklist/1"
KEYRING_CONTRACT: Final = "prakerja.keyring/1"
SCHEMAS = Path(__file__).parent / "schemas"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
KeyId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Instant = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
CohortNumber = Annotated[int, Field(ge=1, le=9999)]
VersionNumber = Annotated[int, Field(ge=1, le=999_999_999)]
Count = Annotated[int, Field(ge=0)]
DecisionId = Annotated[str, Field(pattern=r"^gelombang-\d{1,4}-[0-9a-f]{24}$")]
Subject = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="lower-case hex HMAC-SHA256(key, NIK)")]


class DoesNotFitError(PrakerjaError):
    """A document does not fit its schema: it is not published, or not believed."""


class Document(BaseModel):
    """What is published: nothing more than the schema says, and nothing of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SnapshotRow(Document):
    """One listed person. The list is sorted by `subject`."""

    subject: Subject
    cohort: CohortNumber
    reason: Literal["NO_FIRST_PURCHASE"]
    effective_at: Instant = Field(description="the deadline's end, UTC")
    decision_id: DecisionId


class DeltaRow(Document):
    """One change since the previous version. The delta is sorted by `subject`."""

    op: Literal["ADD", "WITHDRAW"]
    subject: Subject
    cohort: CohortNumber
    reason: Literal["NO_FIRST_PURCHASE", "REINSTATED", "KEY_ROTATED"] = Field(description="of a WITHDRAW: why")
    effective_at: Instant
    decision_id: DecisionId


class Latest(Document):
    """The pointer, `latest.json`: the only file that is ever replaced."""

    model_config = ConfigDict(
        **Document.model_config,
        json_schema_extra={"example": {"version": 17, "manifest": "v000017/manifest.json", "sha256": "0c" * 32}},
    )
    version: VersionNumber
    manifest: str = Field(pattern=r"^v\d{6,9}/manifest\.json$")
    sha256: Sha256 = Field(description="of the manifest")


class Counts(Document):
    """What a version counts."""

    entries: Count
    added: Count
    withdrawn: Count
    by_cohort: dict[Annotated[str, Field(pattern=r"^\d+$")], Count]


class PublishedFile(Document):
    """A file of a version."""

    name: Literal["snapshot.csv.gz", "snapshot.parquet", "delta.csv.gz"]
    bytes: Annotated[int, Field(ge=0, lt=2**40)]
    sha256: Sha256
    rows: Annotated[int, Field(ge=0, lt=2**40)]


MANIFEST_EXAMPLE: dict[str, Any] = {
    "contract": CONTRACT,
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


class Manifest(Document):
    """What a version of the blacklist is made of; `manifest.json.sig` signs its bytes."""

    model_config = ConfigDict(**Document.model_config, json_schema_extra={"example": MANIFEST_EXAMPLE})

    contract: Literal["prakerja.blacklist/1"]
    version: VersionNumber
    previous_version: VersionNumber | None
    created_at: Instant
    checked_at: Instant = Field(description="when it was last looked whether anything had changed")
    changed_at: Instant = Field(description="when the list last changed")
    expires_at: Instant = Field(description="a reader refuses the list afterwards")
    data_as_of: dict[str, Day] = Field(description="platform: latest business date in force")
    key_id: KeyId = Field(description="the HMAC key of the subjects")
    signing_key_id: KeyId
    counts: Counts
    result_sha256: Sha256 = Field(description="of the uncompressed snapshot CSV")
    files: Annotated[list[PublishedFile], Field(min_length=3, max_length=3)]

    def file(self, name: str) -> PublishedFile:
        """The file of that name. Raises `DoesNotFitError` where a name stands there twice instead."""
        found = [file for file in self.files if file.name == name]
        if len(found) != 1:
            raise DoesNotFitError(f"v{self.version:06d}: the manifest does not name {name} once")
        return found[0]


class RingKey(Document):
    """A key that signs, or has signed. One that was retired signs nothing after `last_version`."""

    signing_key_id: KeyId
    public_key: str = Field(description="PEM")
    last_version: VersionNumber | None


class RevokedKey(Document):
    """A key that nothing is believed of any more."""

    signing_key_id: KeyId
    revoked_at: Instant


class Keyring(Document):
    """Which keys sign: `keys/keyring-000001.json`, ... Each is signed by a key of the one before it."""

    contract: Literal["prakerja.keyring/1"]
    number: Annotated[int, Field(ge=1, le=999_999)]
    created_at: Instant
    keys: Annotated[list[RingKey], Field(min_length=1, max_length=256)]
    revoked: list[RevokedKey]


class SignedKeyring(Document):
    """A keyring as it is published: its bytes in base64, and signatures over them by key."""

    model_config = ConfigDict(
        **Document.model_config,
        json_schema_extra={"example": {"keyring": "eyJjb250cmFjdCI6...", "signatures": {"0c" * 8: "MEUCIQD..."}}},
    )

    keyring: str = Field(description="base64 of the keyring's bytes")
    signatures: dict[KeyId, str] = Field(description="base64 of Ed25519 signatures over these bytes")


PUBLISHED: dict[str, type[Document]] = {
    "latest": Latest,
    "manifest": Manifest,
    "snapshot_row": SnapshotRow,
    "delta_row": DeltaRow,
    "keyring": Keyring,
    "signed_keyring": SignedKeyring,
}
D = TypeVar("D", bound=Document)


def parsed(model: type[D], data: bytes, name: str) -> D:
    """A document from its JSON. Raises `DoesNotFitError`, naming the place and never the value."""
    try:
        return model.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise DoesNotFitError(f"{name}: {_place(error)}") from None
    except RecursionError:
        raise DoesNotFitError(f"{name}: no JSON of this contract") from None


def canonical_json(document: Document | Mapping[str, Any]) -> bytes:
    """The bytes that are signed and hashed: sorted keys, no spaces, a line break at the end."""
    plain = document.model_dump() if isinstance(document, Document) else document
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def columns(row: type[Document]) -> list[str]:
    """The names of a row's columns, in the order of the CSV."""
    return list(row.model_fields)


def require_column(row: type[Document], name: str, values: list[Any]) -> None:
    """Check a column's values against the row's schema: a row fits when each of its columns does.

    Raises `DoesNotFitError`.
    """
    try:
        _column(row, name).validate_python(values)
    except ValidationError as error:
        raise DoesNotFitError(f"{name} of a row {_place(error)}: it is not published") from None


@cache
def line_pattern(row: type[Document]) -> bytes:
    """The regular expression of a row's line in the canonical CSV, its line break included."""
    parts = []
    for field in row.model_fields.values():
        pattern = next((m.pattern for m in field.metadata if getattr(m, "pattern", None)), None)
        if field.annotation is int:
            parts.append("[1-9][0-9]{0,3}")
        elif isinstance(pattern, str):
            parts.append(pattern.removeprefix("^").removesuffix("$").replace(r"\d", "[0-9]"))
        else:
            parts.append("(?:" + "|".join(re.escape(str(value)) for value in get_args(field.annotation)) + ")")
    return (",".join(parts) + "\n").encode()


def utc_text(instant: datetime) -> str:
    """An instant as the contract writes it."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(text: str) -> datetime:
    """An instant of the contract. Raises `DoesNotFitError` where it is none (`2021-99-99`)."""
    try:
        found = datetime.fromisoformat(text)
        _ = found + timedelta(days=400)  # within time as it can be counted
    except (ValueError, OverflowError):
        raise DoesNotFitError("an instant is none") from None
    return found


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a published document or row."""
    made = TypeAdapter(PUBLISHED[name]).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def write_schemas() -> None:
    """Write `schemas/` anew from the models."""
    for name in PUBLISHED:
        text = json.dumps(schema(name), indent=2) + "\n"
        (SCHEMAS / f"{name}.json").write_text(text, encoding="utf-8")


@cache
def _column(row: type[Document], name: str) -> TypeAdapter[Any]:
    field = row.model_fields[name]
    return TypeAdapter(list[Annotated[field.annotation, field]], config=ConfigDict(strict=True))  # type: ignore[name-defined]


def _place(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = "/".join(str(part) for part in first["loc"]) or "the document"
    return f"{place} does not fit its schema ({first['type']})"


if __name__ == "__main__":
    write_schemas()
