"""Providers of HTTP gateways: the form of their submissions, answers and receipts, and how receipts are signed.

A provider is data, not code: one YAML file in `include/sms_providers`. `PRAKERJA_<GATEWAY>_PROVIDER` names a gateway's
file; the default is `gateway`.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlencode

from pydantic import Field, model_validator

from prakerja.errors import PrakerjaError
from prakerja.keys import KeyStore
from prakerja.programme import programme
from prakerja.reminders.http_answers import meaning_of
from prakerja.reminders.smtp_replies import Meaning
from prakerja.settings import Settings, programme_path
from prakerja.typed_yaml import FrozenModel, load_typed, require_stem

PLACEHOLDERS = ("to", "from", "text", "reference", "receipts_to")
PLACEHOLDER = re.compile(rf"\{{({'|'.join(PLACEHOLDERS)})\}}")
WHOLE = {f"{{{name}}}": name for name in PLACEHOLDERS}
#: A code or a status that may be stored: not a sentence, and with too few digits to be a phone number.
WORD = re.compile(r"(?!(?:[^0-9]*[0-9]){7})[A-Za-z0-9][A-Za-z0-9_-]{0,39}")

AnswerWord = Literal["accepted", "temporary_failure", "permanent_failure", "queued", "unknown", "refuses_us"]
ReceiptWord = Literal["accepted", "delivered", "temporary_failure", "permanent_failure"]
CodeWord = Literal["by_status", "temporary_failure", "permanent_failure"]
Body = Literal["json", "form"]


class Submit(FrozenModel):
    """How a message is submitted: `fields` with the placeholders `{to}`, `{from}`, `{text}` and so on.

    A field whose placeholder has no value is left out. `same_twice` says whether a repeated submission is one message
    or two.
    """

    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]{1,100}$")]
    login: Literal["bearer", "basic"]
    body: Body
    headers: dict[str, str]
    fields: dict[str, str | list[str]]
    same_twice: Literal["one_message", "two_messages"]

    @model_validator(mode="after")
    def _require_placeholders(self) -> Self:
        written = json.dumps([self.fields, self.headers])
        if unknown := set(re.findall(r"\{\w+\}", written)) - WHOLE.keys():
            raise ValueError(f"{', '.join(sorted(unknown))} is not a placeholder: known are {', '.join(WHOLE)}")
        if "{to}" not in written or "{text}" not in written:
            raise ValueError("fields must have {to} and {text}")
        return self


class Answers(FrozenModel):
    """The fields of an answer with the message's id and a refusal's code, and what differs from `http_answers`."""

    id: str
    code: str
    by_status: dict[Annotated[str, Field(pattern=r"^[2-5][0-9]{2}$")], AnswerWord]
    by_code: dict[str, AnswerWord]


class Reference(FrozenModel):
    """Where a receipt has our reference: in its entry, or in the address that it is posted to."""

    where: Literal["entry", "query"] = Field(alias="in")
    name: str


class Signature(FrozenModel):
    """How receipts are signed, and whether the secret is base64 or plain text.

    An `hmac` is over the parts of `signs` (`body`, `url`, `form`, `header NAME`), joined by `between`. `timestamp`
    names the header with the second of signing, which may differ from now by `within_seconds`.
    """

    form: Literal["standard_webhooks", "hmac"]
    key_is: Literal["base64", "text"]
    hash: Literal["sha1", "sha256"] = "sha256"
    header: str = ""
    signs: list[Annotated[str, Field(pattern=r"^(body|url|form|header [a-z0-9-]+)$")]] = Field(default_factory=list)
    between: str = ""
    timestamp: str | None = None
    within_seconds: Annotated[int, Field(ge=1)] = 300

    @model_validator(mode="after")
    def _require_content(self) -> Self:
        if self.form == "hmac" and not (self.header and {"body", "form"} & {*self.signs}):
            raise ValueError("hmac needs a header, and must sign the body or the form")
        return self


class Receipts(FrozenModel):
    """The form of a provider's receipts, and the meaning of their statuses and codes.

    The code of a failure overrides its status. If `codes` are given, a code that is not among them is odd.
    """

    body: Body
    entries: str | None
    reference: Reference
    status: str
    code: str
    statuses: dict[str, ReceiptWord]
    codes: dict[str, CodeWord]
    signature: Signature

    @model_validator(mode="after")
    def _require_signed_reference(self) -> Self:
        if self.reference.where == "query" and "url" not in self.signature.signs:
            raise ValueError("a reference in the query must be signed: add url to signs")
        return self


class Submission(NamedTuple):
    """A request that is ready to be sent. `path` is appended to the gateway's URL."""

    path: str
    headers: dict[str, str]
    body: bytes


class SmsProvider(FrozenModel):
    """A provider's file."""

    provider: str
    name: str
    source: str
    tried: str
    submit: Submit
    answers: Answers
    receipts: Receipts

    @classmethod
    def from_file(cls, path: Path) -> SmsProvider:
        """Load a provider's file. Raises `PrakerjaError` with file, line and field."""
        where = "the SMS provider's file"
        provider = load_typed(path, cls, where)
        require_stem(path, where, "provider", provider.provider)
        return provider

    @property
    def needs_sender(self) -> bool:
        """Whether a submission names its sender."""
        return "{from}" in json.dumps(self.submit.fields)

    def build_submission(self, values: Mapping[str, str | None]) -> Submission:
        """Return the request that submits one message. `values` has the value of each placeholder, or None."""
        fields = {name: _fill(value, values) for name, value in self.submit.fields.items()}
        given = {name: value for name, value in fields.items() if value is not None}
        headers = {name: _fill(value, values) or "" for name, value in self.submit.headers.items()}
        if self.submit.body == "json":
            headers["Content-Type"] = "application/json"
            return Submission(self.submit.path, headers, json.dumps(given).encode())
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return Submission(self.submit.path, headers, urlencode(given, doseq=True).encode())

    def authorization(self, user: str, password: str) -> str:
        """Return the `Authorization` header for the user and password of a gateway's URL."""
        if self.submit.login == "bearer":
            return f"Bearer {password or user}"
        return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"

    def meaning_of(self, status: int, code: str | None) -> Meaning:
        """Return what an answer means, by the provider's own table first."""
        by_code = self.answers.by_code.get(code) if code is not None and status >= 400 else None
        return meaning_of(status, override=by_code or self.answers.by_status.get(str(status)))


def load_provider(gateway: str) -> SmsProvider:
    """Return the provider of a gateway. A gateway that is not in `program.yaml` only sends receipts, as `gateway` does.

    Raises `PrakerjaError` if the provider has no file.
    """
    is_ours = gateway in programme().reminders.list_gateways("http")
    name = Settings.from_environment().gateway_provider(gateway) if is_ours else "gateway"
    known = list_providers()
    if name not in known:
        raise PrakerjaError(
            f"PRAKERJA_{gateway.upper()}_PROVIDER names {name if WORD.fullmatch(name) else 'a provider'} without a "
            f"file: known are {', '.join(known)}"
        )
    return _read(providers_folder() / f"{name}.yaml")


def list_providers() -> list[str]:
    return sorted(path.stem for path in providers_folder().glob("*.yaml"))


def providers_folder() -> Path:
    """Return the folder of the providers' files."""
    return programme_path("sms_providers")


def load_receipt_secrets() -> dict[str, bytes]:
    """Return the key that signs each gateway's receipts, by the gateway's name.

    Raises `PrakerjaError` for a key that is missing, unreadable or used twice.
    """
    gateways = programme().reminders.list_gateways("http")
    as_text = {name for name in gateways if load_provider(name).receipts.signature.key_is == "text"}
    return KeyStore.from_environment().load_receipts_secrets(gateways, as_text=as_text)


def word_of(value: Any) -> str | None:
    """Return a provider's status or code, or None if it may not be stored: a sentence, or a possible phone number."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value < 10**6 else None
    return value if isinstance(value, str) and WORD.fullmatch(value) else None


def failure_of(code: str) -> str:
    """Return a provider's code as a message's failure, e.g. `code_30003` for `30003`, `ec_absent` for `EC_ABSENT`."""
    plain = code.lower().replace("-", "_")
    return plain if plain[:1].isalpha() and len(plain) > 1 else f"code_{plain}"


def _fill(value: str | list[str], values: Mapping[str, str | None]) -> Any:
    """Return a field with the values of its placeholders, or None if one has no value."""
    if isinstance(value, list):
        return [_fill(item, values) for item in value]
    if value in WHOLE:  # the common case, quickly: a run has a million messages
        return values[WHOLE[value]]
    if any(values[name] is None for name in PLACEHOLDER.findall(value)):
        return None
    return PLACEHOLDER.sub(lambda match: values[match[1]] or "", value)


@cache
def _read(path: Path) -> SmsProvider:
    return SmsProvider.from_file(path)
