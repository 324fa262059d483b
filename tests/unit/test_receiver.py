"""The receiver of receipts among clients that are slow, many or large: providers are answered all the same."""

from __future__ import annotations

import contextlib
import hmac
import socket
import threading
from base64 import b64encode
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from prakerja.reminders import receipts
from prakerja.reminders.receipt_signatures import FIELDS_MAX, Posted, is_signed
from prakerja.reminders.sms_providers import SmsProvider, load_receipt_secrets, providers_folder
from prakerja.serving import protocol

PATIENCE = 60.0
NOW = datetime.now(UTC)
BODY = '{"receipts": [{"reference": "00000000-0000-0000-0000-000000000000.0", "status": "delivered"}]}'


def signed_headers() -> dict[str, str]:
    """The headers of the body above as the provider sends them."""
    now = datetime.now(UTC)
    signature = Webhook(load_receipt_secrets()["sms"]).sign("1", now, BODY)
    return {"webhook-id": "1", "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


def post_receipt(url: str) -> int:
    return httpx.post(f"{url}/v1/receipts/sms", content=BODY, headers=signed_headers(), timeout=PATIENCE).status_code


def connected(url: str, sends: bytes = b"") -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=PATIENCE)
    with contextlib.suppress(ConnectionError):  # refused while it is sent
        connection.sendall(sends)
    return connection


def is_let_go(connection: socket.socket) -> bool:
    """Whether the server closes a connection, after its answer."""
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


SLOW = {
    "nothing": b"",
    "a head": b"POST /v1/receipts/sms HTTP/1.1\r\nhost: x\r\n",
    "a body": b"POST /v1/receipts/sms HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
    "many requests ahead": b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" * 3_000,
}


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("what", SLOW)
def test_a_crowd_of_slow_clients_keeps_no_provider_out(receiver: str, what: str) -> None:
    """Far more than there is room for, and each waits for ever."""
    with contextlib.ExitStack() as held:
        crowd = []
        for number in range(180):
            crowd.append(held.enter_context(connected(receiver, SLOW[what])))
            if number % 20 == 0:
                assert post_receipt(receiver) == 200
        assert httpx.get(f"{receiver}/healthz", timeout=PATIENCE).status_code == 200
        assert all(map(is_let_go, crowd[:100]))


@pytest.mark.parametrize("what", SLOW)
def test_a_slow_client_is_let_go_in_time(receiver: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.4)
    monkeypatch.setattr(protocol, "SEND_SECONDS", 0.4)
    with connected(receiver, SLOW[what]) as connection:
        assert is_let_go(connection)


def test_requests_that_are_sent_ahead_are_kept_up_to_a_bound(receiver: str) -> None:
    ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    with connected(
        receiver, ask * protocol.AHEAD_MAX + ask.replace(b"host", b"connection: close\r\nhost")
    ) as connection:
        answers = b""
        while chunk := connection.recv(65536):
            answers += chunk
        assert answers.count(b" 200 OK") == protocol.AHEAD_MAX + 1
    with connected(receiver, ask * 30_000) as connection:
        answers = b""
        with contextlib.suppress(ConnectionError):
            while chunk := connection.recv(65536):
                answers += chunk
        assert answers.count(b" 200 OK") <= protocol.AHEAD_MAX + 1
    assert post_receipt(receiver) == 200


@pytest.mark.usefixtures("patient")
def test_a_providers_idle_connection_outlives_a_crowd(receiver: str) -> None:
    with httpx.Client(timeout=PATIENCE) as provider, contextlib.ExitStack() as held:
        for _ in range(4):
            answer = provider.post(f"{receiver}/v1/receipts/sms", content=BODY, headers=signed_headers())
            assert answer.status_code == 200
            port = answer.extensions["network_stream"].get_extra_info("client_addr")[1]
            for _ in range(70):
                held.enter_context(connected(receiver, SLOW["a head"]))
        again = provider.get(f"{receiver}/healthz")
        assert again.extensions["network_stream"].get_extra_info("client_addr")[1] == port


@pytest.mark.usefixtures("patient")
def test_bodies_that_nobody_has_signed_are_held_up_to_a_bound(receiver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HELD_BYTES_MAX", 2_000_000)
    body = b"POST /v1/receipts/sms HTTP/1.1\r\nhost: x\r\ncontent-length: 900001\r\n\r\n" + b"x" * 900_000
    with contextlib.ExitStack() as held:
        crowd = [held.enter_context(connected(receiver, body)) for _ in range(12)]
        assert all(map(is_let_go, crowd[:9]))
        assert post_receipt(receiver) == 200


def test_who_unsubscribes_takes_no_receipts_place(receiver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the warehouse hangs: more of them than there are threads."""
    is_over = threading.Event()
    monkeypatch.setattr(receipts, "opt_out_by_key", lambda *_: is_over.wait(PATIENCE))
    ask = b"POST /v1/unsubscribe/00000000-0000-0000-0000-000000000000 HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
    with contextlib.ExitStack() as held:
        crowd = [held.enter_context(connected(receiver, ask)) for _ in range(50)]
        try:
            assert post_receipt(receiver) == 200
            assert httpx.get(f"{receiver}/healthz", timeout=PATIENCE).status_code == 200
            wait = receipts.UNSUBSCRIBING_MAX + receipts.UNSUBSCRIBING_WAITING_MAX
            refused = [connection.recv(65536) for connection in crowd[wait:]]
            assert all(b" 503 " in answer for answer in refused)
        finally:
            is_over.set()
        assert all(b" 200 " in connection.recv(65536) for connection in crowd[:wait])


# -- what is said twice ------------------------------------------------------------------------------------------------


REFERENCE = "00000000-0000-0000-0000-000000000000.0"
ONCE = f'{{"reference": "{REFERENCE}", "status": "delivered"}}'
TWICE = f'{{"reference": "{REFERENCE}", "status": "delivered", "status": "delivered"}}'


@pytest.mark.parametrize(
    ("provider", "body", "found", "odd"),
    [
        ("gateway", f'{{"receipts": [{ONCE}, {ONCE}]}}', 2, 0),
        ("gateway", f'{{"receipts": [{TWICE}, {ONCE}]}}', 1, 1),
        ("gateway", f'{{"receipts": [{ONCE[:-1]}, "\\u0073tatus": "delivered"}}]}}', 0, 1),
        ("sinch", f'{{"type": "x", "client_reference": "{REFERENCE}", "status": "Delivered"}}', 1, 0),
        ("sinch", f'{{"type": "x", "type": "x", "client_reference": "{REFERENCE}", "status": "Delivered"}}', 0, 1),
        ("twilio", "MessageStatus=delivered&To=1&To=1", 1, 0),
        ("twilio", "MessageStatus=delivered&MessageStatus=failed", 0, 1),
        ("twilio", "MessageStatus=failed&ErrorCode=30003&ErrorCode=30005", 0, 1),
    ],
)
def test_an_entry_with_a_name_twice_is_no_receipt(provider: str, body: str, found: int, odd: int) -> None:
    described = SmsProvider.from_file(providers_folder() / f"{provider}.yaml")
    entries = receipts.parse_entries(described, body.encode())
    counted, kinds = receipts.read_receipts(described, entries, {"reference": REFERENCE})
    assert (len(counted), kinds.total()) == (found, odd)


def test_a_document_with_a_name_twice_is_refused() -> None:
    described = SmsProvider.from_file(providers_folder() / "gateway.yaml")
    with pytest.raises(ValueError, match="no list of entries"):
        receipts.parse_entries(described, f'{{"receipts": [], "receipts": [{ONCE}]}}'.encode())


def test_a_form_of_very_many_fields_is_not_sorted_for_nothing() -> None:
    """By whoever has no secret: it is refused before it is compared with the signature."""
    described = SmsProvider.from_file(providers_folder() / "twilio.yaml")
    signature = described.receipts.signature

    def post(fields: int) -> bool:
        body = "&".join(f"{number:06}=" for number in range(fields)).encode()
        signed = b"https://x.example/" + b"".join(b"%06d" % number for number in range(fields))
        sent = b64encode(hmac.digest(b"secret", signed, "sha1")).decode()
        return is_signed(Posted("https://x.example/", {"x-twilio-signature": sent}, body), signature, b"secret", NOW)

    assert post(FIELDS_MAX)
    assert not post(FIELDS_MAX + 1)
