"""Signatures of receipts against what the providers themselves publish: their SDKs' own examples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from prakerja.reminders.receipt_signatures import Posted, is_signed
from prakerja.reminders.sms_providers import SmsProvider, providers_folder

SINCH = SmsProvider.from_file(providers_folder() / "sinch.yaml").receipts.signature
TWILIO = SmsProvider.from_file(providers_folder() / "twilio.yaml").receipts.signature
PREFIX = "x-sinch-webhook-signature"

#: sinch/sinch-sdk-node, packages/sms/tests/rest/v1/callbacks/callbacks-webhook.test.ts
SINCH_BODY = (
    b'{"at":"2025-01-13T09:22:40.914Z","batch_id":"01JHFFHQ0P99JPPNQPJDV7JTBP","client_reference":"a client reference"'
    b',"code":0,"operator_status_at":"2025-01-13T09:22:00Z","recipient":"33662162466","status":"Delivered",'
    b'"type":"recipient_delivery_report_sms"}'
)
SINCH_HEADERS = {
    PREFIX: "ZoHei66PPN/kZjw7hFVfGhJOnml3iGNCMWoyQVcE5o0=",
    f"{PREFIX}-nonce": "01JHFFHWYY7HSS4FWTMDTQEK8V",
    f"{PREFIX}-timestamp": "1736760161",
}
SINCH_SECRET = b"SMSWebhooksSecret"
SIGNED_AT = datetime.fromtimestamp(1736760161, UTC)

#: twilio/twilio-python, tests/unit/test_request_validator.py; the last: Twilio's documentation of before.
CALL = b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309"
TWILIO_EXAMPLES = [
    ("https://mycompany.com/myapp.php?foo=1&bar=2", CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
    ("https://mycompany.com:443/myapp.php?foo=1&bar=2", CALL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
    ("https://mycompany.com/myapp.php?foo=1&bar=2", CALL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
    ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", CALL, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    ("http://mycompany.com:80/myapp.php?foo=1&bar=2", CALL, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
    ("http://mycompany.com/myapp.php?foo=1&bar=2", CALL, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
    (
        "https://mycompany.com/myapp.php?foo=1&bar=2",
        b"Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234",
        "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
    ),
    (
        "http://mycompany.com/myapp.php?foo=1&bar=2",
        CALL.rpartition(b"&")[0],
        "HpS7PBa1Agvt4OtO+wZp75IuQa0=",
    ),
]


@pytest.mark.parametrize(("url", "body", "signature"), TWILIO_EXAMPLES)
def test_twilios_own_examples_are_signed(url: str, body: bytes, signature: str) -> None:
    def check(url: str = url, body: bytes = body, signature: str = signature, secret: bytes = b"12345") -> bool:
        return is_signed(Posted(url, {"x-twilio-signature": signature}, body), TWILIO, secret, SIGNED_AT)

    assert check()
    assert not check(url=url.replace("foo=1", "foo=2"))
    assert not check(body=body + b"&Digits=1")
    assert not check(signature=signature.swapcase())
    assert not check(signature="")
    assert not check(secret=b"123456")
    assert not is_signed(Posted(url, {}, body), TWILIO, b"12345", SIGNED_AT)


def test_sinchs_own_example_is_signed() -> None:
    def check(body: bytes = SINCH_BODY, now: datetime = SIGNED_AT, secret: bytes = SINCH_SECRET, **other: str) -> bool:
        headers = SINCH_HEADERS | {name.replace("_", "-"): value for name, value in other.items()}
        return is_signed(Posted("https://r.example", headers, body), SINCH, secret, now)

    assert check()
    assert not check(body=SINCH_BODY + b" ")
    assert not check(secret=b"another secret")
    assert not check(**{PREFIX: "rubbish"})
    assert not check(**{f"{PREFIX}-nonce": "another"})
    assert not check(**{f"{PREFIX}-timestamp": "1736760162"})
    assert not check(**{f"{PREFIX}-timestamp": "soon"})
    assert not check(**{f"{PREFIX}-timestamp": ""})
    for away in (timedelta(days=1), -timedelta(days=1)):
        assert check(now=SIGNED_AT + away)
        assert not check(now=SIGNED_AT + away * (1 + 1e-9))


def test_a_signature_that_is_not_ascii_is_invalid() -> None:
    headers = SINCH_HEADERS | {PREFIX: "ZoHei66PPN/kZjw7hFVfGhJOnml3iGNCMWoyQVcE5oé="}
    assert not is_signed(Posted("https://r.example", headers, SINCH_BODY), SINCH, SINCH_SECRET, SIGNED_AT)
