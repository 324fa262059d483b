"""The providers that the sandbox plays: how each is spoken to, answers, and posts its receipts.

Written from the providers' public documentation and without our clients' code, so that an agreement of the two is
evidence of the documented behaviour. Sinch: https://developers.sinch.com/docs/sms/api-reference. Twilio:
https://www.twilio.com/docs/messaging/api/message-resource and .../docs/usage/security#validating-requests.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol
from urllib.parse import parse_qsl, urldefrag, urlencode
from uuid import uuid4

from pydantic import BaseModel, Field, ValidationError

TOKEN = "sandbox"  # noqa: S105 - it protects nothing


@dataclass(frozen=True)
class Submission:
    """A message that a sender submits. Two with one `key` are the same message; `reference` is the sender's."""

    to: str
    text: str
    key: str
    reference: str
    receipts_to: str | None


@dataclass(frozen=True)
class Reply:
    """A provider's answer."""

    status: int
    content: Any = None


class RefusedError(Exception):
    """The provider refuses a submission."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True)
class Post:
    """A request with one or more receipts."""

    url: str
    headers: dict[str, str]
    body: bytes


class Shape(Protocol):
    """The form of one provider's requests and answers."""

    batch: int  # receipts in one request
    reports_every_step: bool  # a receipt for each step, not only for the end
    has_fixed_receipts_url: bool  # receipts go to the URL of its dashboard, not to that of a submission

    def read(self, headers: Mapping[str, str], body: bytes) -> Submission:
        """Return the submission in a request. Raises `RefusedError`."""
        ...

    def accept(self, number: int, provider: str, submission: Submission) -> Reply:
        """Return the answer to a message that was taken."""
        ...

    def refuse(self, status: int, code: str) -> Reply:
        """Return the answer to a message that was not taken; `code` is one of `test_numbers`."""
        ...

    def post(self, to: str, secret: bytes, receipts: list[dict[str, Any]]) -> Post:
        """Return a signed request with these receipts: `reference`, `status`, `code`, `recipient`, `number`."""
        ...


class _GatewaySubmission(BaseModel):
    to: str = Field(min_length=5, max_length=20)
    text: str = Field(min_length=1, max_length=1000)
    reference: str = Field(min_length=1, max_length=100)
    receipts_to: str | None = Field(default=None, max_length=500, pattern=r"^https?://")


class Gateway:
    """A gateway with idempotency keys and Standard Webhooks."""

    batch = 200
    reports_every_step = has_fixed_receipts_url = False

    def read(self, headers: Mapping[str, str], body: bytes) -> Submission:
        _require_login(headers, f"Bearer {TOKEN}", self)
        key = headers.get("idempotency-key", "")
        try:
            given = _GatewaySubmission.model_validate_json(body)
        except ValidationError:
            raise RefusedError(self.refuse(422, "form_unknown")) from None
        if not 1 <= len(key) <= 200:
            raise RefusedError(self.refuse(422, "key_missing"))
        return Submission(given.to, given.text, key, given.reference, given.receipts_to)

    def accept(self, number: int, provider: str, submission: Submission) -> Reply:  # noqa: ARG002 - as others answer
        return Reply(202, {"id": f"{provider}-{number}"})

    def refuse(self, status: int, code: str) -> Reply:
        return Reply(status, {"code": code})

    def post(self, to: str, secret: bytes, receipts: list[dict[str, Any]]) -> Post:
        from standardwebhooks.webhooks import Webhook

        entries = [{name: receipt[name] for name in ("reference", "status", "code")} for receipt in receipts]
        body, now, webhook_id = json.dumps({"receipts": entries}), datetime.now(UTC), f"receipts_{uuid4()}"
        headers = {
            "content-type": "application/json",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(webhook_id, now, body),
        }
        return Post(to, headers, body.encode())


class Sinch:
    """Sinch SMS: batches of one; a receipt for each change of a recipient's status, signed with HMAC-SHA256."""

    batch = 1
    reports_every_step = has_fixed_receipts_url = True
    statuses: ClassVar = {
        ("accepted", None): ("Dispatched", 401),
        ("delivered", None): ("Delivered", 0),
        ("permanent_failure", "unknown_subscriber"): ("Failed", 150),
        ("temporary_failure", "handset_off"): ("Failed", 153),
        ("permanent_failure", "EC_ABSENT"): ("Failed", 399_999),
        ("undelivered", None): ("Superseded", 0),
    }

    def read(self, headers: Mapping[str, str], body: bytes) -> Submission:
        _require_login(headers, f"Bearer {TOKEN}", self)
        if headers.get("content-type", "").partition(";")[0] != "application/json":
            raise RefusedError(Reply(415))
        try:
            given = json.loads(body)
            (to,), sender, text = given["to"], given["from"], given["body"]
        except (ValueError, RecursionError):
            raise RefusedError(self._error("syntax_invalid_json")) from None
        except (LookupError, TypeError):
            raise RefusedError(self._error("syntax_constraint_violation")) from None
        reference = str(given.get("client_reference", ""))
        if not sender or not text or len(text) > 2000 or len(reference) > 128:
            raise RefusedError(self._error("syntax_constraint_violation"))
        # Where receipts are signed, only the URL that was set in the dashboard counts.
        return Submission(to, text, str(uuid4()), reference, None)

    def accept(self, number: int, provider: str, submission: Submission) -> Reply:
        return Reply(201, {"id": f"01{provider}{number:020}", "to": [submission.to.lstrip("+")], "canceled": False})

    def refuse(self, status: int, code: str) -> Reply:  # noqa: ARG002 - its codes are its own
        return self._error("syntax_invalid_parameter_format") if status == 422 else Reply(status)

    def post(self, to: str, secret: bytes, receipts: list[dict[str, Any]]) -> Post:
        (receipt,) = receipts
        status, code = self.statuses[receipt["status"], receipt["code"]]
        body = json.dumps(
            {
                "type": "recipient_delivery_report_sms",
                "batch_id": f"01{receipt['provider']}{receipt['number']:020}",
                "client_reference": receipt["reference"],
                "recipient": receipt["recipient"].lstrip("+"),
                "status": status,
                "code": code,
                "at": datetime.now(UTC).isoformat(),
            }
        ).encode()
        nonce, signed_at = uuid4().hex.upper(), str(int(datetime.now(UTC).timestamp()))
        signed = hmac.new(secret, b".".join([body, nonce.encode(), signed_at.encode()]), hashlib.sha256)
        headers = {
            "content-type": "application/json",
            "x-sinch-webhook-signature": b64encode(signed.digest()).decode(),
            "x-sinch-webhook-signature-nonce": nonce,
            "x-sinch-webhook-signature-timestamp": signed_at,
            "x-sinch-webhook-signature-algorithm": "HmacSHA256",
        }
        return Post(to, headers, body)

    def _error(self, code: str) -> Reply:
        return Reply(403 if code.startswith("unknown") else 400, {"code": code, "text": "as the code says"})


class Twilio:
    """Twilio: forms; a callback for each change of a message's status, signed over its URL and fields."""

    batch = 1
    reports_every_step, has_fixed_receipts_url = True, False
    statuses: ClassVar = {
        ("accepted", None): ("sent", None),
        ("delivered", None): ("delivered", None),
        ("permanent_failure", "unknown_subscriber"): ("undelivered", "30005"),
        ("temporary_failure", "handset_off"): ("undelivered", "30003"),
        ("permanent_failure", "EC_ABSENT"): ("failed", "30999"),
        ("undelivered", None): ("partially_delivered", None),
    }

    def read(self, headers: Mapping[str, str], body: bytes) -> Submission:
        kind, _, login = headers.get("authorization", "").partition(" ")
        if kind != "Basic" or not b64decode(login).endswith(f":{TOKEN}".encode()):
            raise RefusedError(self.refuse(401, ""))
        given = dict(parse_qsl(body.decode("ascii"), keep_blank_values=True))
        for name, code in (("To", 21604), ("From", 21603), ("Body", 21602)):
            if not given.get(name):
                raise RefusedError(self._error(400, code))
        if not given["To"].startswith("+") or len(given["Body"]) > 1600:
            raise RefusedError(self._error(400, 21211))
        callback = given.get("StatusCallback")
        reference = dict(parse_qsl(callback.partition("#")[0].partition("?")[2])) if callback else {}
        # Twilio has no references: this one only counts how often the same message is refused.
        return Submission(given["To"], given["Body"], str(uuid4()), reference.get("reference", ""), callback)

    def accept(self, number: int, provider: str, submission: Submission) -> Reply:  # noqa: ARG002 - as others answer
        return Reply(201, {"sid": f"SM{number:032x}", "status": "queued", "error_code": None, "to": submission.to})

    def refuse(self, status: int, code: str) -> Reply:  # noqa: ARG002 - its codes are its own
        if status == 422:
            return self._error(400, 21211)
        return self._error(status, 20003 if status == 401 else 20000 + status)

    def post(self, to: str, secret: bytes, receipts: list[dict[str, Any]]) -> Post:
        (receipt,) = receipts
        status, code = self.statuses[receipt["status"], receipt["code"]]
        sid, url = f"SM{receipt['number']:032x}", urldefrag(to).url
        fields = {"AccountSid": "AC" + "a" * 32, "ApiVersion": "2010-04-01", "From": "+15005550006"}
        fields |= {"MessageSid": sid, "MessageStatus": status, "SmsSid": sid, "SmsStatus": status}
        fields |= {"To": receipt["recipient"], "RawDlrDoneDate": ""}
        if code:
            fields["ErrorCode"] = code
        signed = url + "".join(name + fields[name] for name in sorted(fields))
        signature = b64encode(hmac.new(secret, signed.encode(), hashlib.sha1).digest()).decode()
        headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}
        return Post(url, headers, urlencode(fields).encode())

    def _error(self, status: int, code: int) -> Reply:
        more = f"https://www.twilio.com/docs/errors/{code}"
        return Reply(status, {"code": code, "message": "as the code says", "more_info": more, "status": status})


#: The forms by the provider's name, and the names by the path of submissions below a gateway's URL.
SHAPES: dict[str, Shape] = {"gateway": Gateway(), "sinch": Sinch(), "twilio": Twilio()}
PATHS = {"messages": "gateway", "batches": "sinch", "Messages.json": "twilio"}


def _require_login(headers: Mapping[str, str], login: str, shape: Shape) -> None:
    if headers.get("authorization", "") != login:
        raise RefusedError(shape.refuse(401, "wrong_token"))
