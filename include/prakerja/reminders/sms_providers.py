"""SMS providers: how each is spoken to, what its answers mean, and how its receipts look and are signed.

One YAML file each under `include/sms_providers`. A provider is data, not code: `PRAKERJA_SMS_PROVIDER` and
`PRAKERJA_SMS_FALLBACK_PROVIDER` name the file that each address speaks (`gateway` where they are unset).
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
from prakerja.programme import programme
from prakerja.reminders.http_answers import meaning_of
from prakerja.reminders.smtp_replies import Meaning
from prakerja.settings import INCLUDE, Settings
from prakerja.typed_yaml import FrozenModel, load_typed, require_stem

FOLDER = INCLUDE / "sms_providers"
PLACEHOLDERS = ("to", "from", "text", "reference", "receipts_to")
PLACEHOLDER = re.compile(rf"\{{({'|'.join(PLACEHOLDERS)})\}}")
WHOLE = {f"{{{name}}}": name for name in PLACEHOLDERS}
#: What a provider's code or status may be to be kept: no sentence, and no more digits than a code has.
WORD = re.compile(r"(?!(?:[^0-9]*[0-9]){7})[A-Za-z0-9][A-Za-z0-9_-]{0,39}")

AnswerWord = Literal["accepted", "temporary_failure", "permanent_failure", "queued", "unknown", "refuses_us"]
ReceiptWord = Literal["accepted", "delivered", "temporary_failure", "permanent_failure"]
CodeWord = Literal["by_status", "temporary_failure", "permanent_failure"]
Body = Literal["json", "form"]


class Submit(FrozenModel):
    """How a message is submitted: `fields` with `{to}`, `{from}`, `{text}`, `{reference}`, `{receipts_to}` in them.

    A field whose placeholder has no value is left out. `same_twice` is what the provider makes of a submission that is
    repeated: one message or two.
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
            raise ValueError(f"{', '.join(sorted(unknown))} is no placeholder: known are {', '.join(WHOLE)}")
        if "{to}" not in written or "{text}" not in written:
            raise ValueError("fields must have {to} and {text}")
        return self


class Answers(FrozenModel):
    """Where an answer has the message's id and a refusal's code, and what differs from `http_answers`."""

    id: str
    code: str
    by_status: dict[Annotated[str, Field(pattern=r"^[2-5][0-9]{2}$")], AnswerWord]
    by_code: dict[str, AnswerWord]


class Reference(FrozenModel):
    """Where a receipt has our reference: in its entry, or in the address that it is posted to."""

    where: Literal["entry", "query"] = Field(alias="in")
    name: str


class Signature(FrozenModel):
    """How receipts are signed, and whether the secret is base64 or text as it stands.

    Of `hmac`: `signs` are the parts (`body`, `url`, `form`, `header NAME`) with `between` between them; `timestamp`
    names the header with the second of signing, which may be `within_seconds` away.
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
            raise ValueError("hmac needs a header, and signs the body or the form")
        return self


class Receipts(FrozenModel):
    """What a provider's receipts look like, and what their statuses and codes mean.

    A failure's code decides what its status does not; where `codes` are given, one that is not among them is odd.
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
            raise ValueError("a reference in the query must be signed: signs lacks url")
        return self


class Submission(NamedTuple):
    """A request, ready to be sent to the provider's address followed by `path`."""

    path: str
    headers: dict[str, str]
    body: bytes


class SmsProvider(FrozenModel):
    """One provider."""

    provider: str
    name: str
    source: str
    tried: str
    submit: Submit
    answers: Answers
    receipts: Receipts

    @classmethod
    def from_file(cls, path: Path) -> SmsProvider:
        """Read a provider's file. Raises `PrakerjaError` with file, line and field."""
        where = "the SMS provider's file"
        provider = load_typed(path, cls, where)
        require_stem(path, where, "provider", provider.provider)
        return provider

    @property
    def needs_sender(self) -> bool:
        """Whether a message says who sends it."""
        return "{from}" in json.dumps(self.submit.fields)

    def build_submission(self, values: Mapping[str, str | None]) -> Submission:
        """Return the request of one message. `values` has what the placeholders stand for."""
        fields = {name: _filled(value, values) for name, value in self.submit.fields.items()}
        given = {name: value for name, value in fields.items() if value is not None}
        headers = {name: _filled(value, values) or "" for name, value in self.submit.headers.items()}
        if self.submit.body == "json":
            headers["Content-Type"] = "application/json"
            return Submission(self.submit.path, headers, json.dumps(given).encode())
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return Submission(self.submit.path, headers, urlencode(given, doseq=True).encode())

    def authorization(self, user: str, password: str) -> str:
        """Return the header that an address's user and password make."""
        if self.submit.login == "bearer":
            return f"Bearer {password or user}"
        return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"

    def meaning_of(self, status: int, code: str | None) -> Meaning:
        """Return what an answer of the provider means."""
        by_code = self.answers.by_code.get(code) if code is not None and status >= 400 else None
        return meaning_of(status, otherwise=by_code or self.answers.by_status.get(str(status)))


def load_provider(gateway: str) -> SmsProvider:
    """Return what a gateway's address speaks: `gateway`'s file for others than `sms` and `sms_fallback`.

    Raises `PrakerjaError` where no file has the name.
    """
    is_ours = gateway in programme().reminders.list_gateways("http")
    name = Settings.from_environment().gateway_provider(gateway) if is_ours else "gateway"
    known = list_providers()
    if name not in known:
        raise PrakerjaError(
            f"PRAKERJA_{gateway.upper()}_PROVIDER names {name if WORD.fullmatch(name) else 'something'}, of which there"
            f" is no file: known are {', '.join(known)}"
        )
    return _read(FOLDER / f"{name}.yaml")


def list_providers() -> list[str]:
    """Return the names of the providers that have a file."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_receipt_secrets() -> dict[str, bytes]:
    """Return the key that each gateway signs its receipts with, by the gateway's name. Raises `PrakerjaError`."""
    gateways = programme().reminders.list_gateways("http")
    as_text = {name for name in gateways if load_provider(name).receipts.signature.key_is == "text"}
    return Settings.from_environment().receipts_secrets(gateways, as_text=as_text)


def word_of(value: Any) -> str | None:
    """Return a provider's status or code, or None for what is not kept: a sentence, or what could be a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 <= value < 10**6 else None
    return value if isinstance(value, str) and WORD.fullmatch(value) else None


def failure_of(code: str) -> str:
    """Return a provider's code as the failure of a message: `30003` is `code_30003`, `EC_ABSENT` is `ec_absent`."""
    plain = code.lower().replace("-", "_")
    return plain if plain[:1].isalpha() and len(plain) > 1 else f"code_{plain}"


def _filled(value: str | list[str], values: Mapping[str, str | None]) -> Any:
    """Return a field with its placeholders filled in, once; None where one has no value."""
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    if value in WHOLE:  # as most fields are: there are a million messages
        return values[WHOLE[value]]
    if any(values[found] is None for found in PLACEHOLDER.findall(value)):
        return None
    return PLACEHOLDER.sub(lambda found: values[found[1]] or "", value)


@cache
def _read(path: Path) -> SmsProvider:
    return SmsProvider.from_file(path)
