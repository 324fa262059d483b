"""Whatever a gateway answers becomes a state, and a pause that it asks for is kept."""

from __future__ import annotations

import asyncio
import gzip
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from prakerja.reminders import channels, sending
from prakerja.reminders.channels import Answer, Message
from prakerja.reminders.retry_after import PAUSE_MAX, parse_retry_after
from tests.support.scripted_servers import scripted_gateway

pytestmark = pytest.mark.usefixtures("messages_stay_here")
DATED = "Thu, 01 Apr 2021 09:00:00 GMT"


def ask(status: str, body: bytes = b"{}", *headers: str) -> Answer:
    """Submit a message to a gateway that answers so."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers])

    async def run() -> Answer:
        answer = f"{head}\r\n\r\n".encode() + body
        async with scripted_gateway(answer) as url, channels.HttpGateway("sms", url) as gateway:
            return await gateway.submit(Message("+6281234500001", "Halo", "key.1"))

    return asyncio.run(run())


DEEP = b"[" * 200_000 + b"]" * 200_000


@pytest.mark.parametrize(
    ("status", "body", "state", "failure"),
    [
        ("202 Accepted", b'{"id": "m-1"}', "accepted", None),
        ("200 OK", DEEP, "unknown", "answer_without_id"),
        ("200 OK", b'{"id": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", "unknown", "answer_without_id"),
        ("200 OK", b'{"error": "no credit"}', "unknown", "answer_without_id"),
        ("200 OK", b"<html>Welcome</html>", "unknown", "answer_without_id"),
        ("200 OK", b"[1]", "unknown", "answer_without_id"),
        ("200 OK", b'{"id": "' + b"x" * 10_000_000 + b'"}', "unknown", "answer_without_id"),
        ("200 OK", b'{"id": "m-1", "more": "' + b"x" * 10_000_000 + b'"}', "unknown", "answer_without_id"),
        ("422 No", DEEP, "permanent_failure", "http_422"),
        ("400 No", b"\xff\xfe", "permanent_failure", "http_400"),
        ("500 Oh", DEEP, "unknown", "http_500"),
        ("503 Not now", b"<html>", "temporary_failure", "http_503"),
        ("429 Slowly", b"x" * 10_000_000, "queued", "http_429"),
    ],
)  # fmt: skip
def test_every_answer_becomes_a_state(status: str, body: bytes, state: str, failure: str | None) -> None:
    answer = ask(status, body)
    assert (answer.state, answer.failure) == (state, failure)


def test_an_answer_that_unpacks_to_a_gigabyte_is_not_unpacked() -> None:
    packed = gzip.compress(b'{"id": "m-1"}' + b" " * 1_000_000_000, compresslevel=9)
    assert len(packed) < 2_000_000
    assert ask("200 OK", packed, "Content-Encoding: gzip").state == "unknown"


# -- Retry-After -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("0", 0), ("1", 1), (" 20 ", 20), ("300", 300), ("301", PAUSE_MAX), ("9" * 400, PAUSE_MAX),
        ("Thu, 01 Apr 2021 09:00:20 GMT", 20),
        ("Thursday, 01-Apr-21 09:00:20 GMT", 20),
        ("Thu Apr  1 09:00:20 2021", 20),
        ("Thu, 01 Apr 2021 08:59:59 GMT", 0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", PAUSE_MAX),
        ("", 0), ("-1", 0), ("1.5", 0), ("1e3", 0), ("soon", 0), ("٢٠", 0), ("20, 30", 0), ("NaN", 0),
        ("Thu, 32 Apr 2021 09:00:20 GMT", 0), ("Thu, 01 Apr 2021", 0), ("2021-04-01T09:00:20Z", 0),
        ("Thu, 01 Apr 2021 09:00:20 +9999999999", 0), ("x" * 10_000, 0),
    ],
)  # fmt: skip
def test_a_pause_is_seconds_or_a_date_and_bounded(asked: str, seconds: float) -> None:
    assert parse_retry_after(asked, DATED) == seconds


def test_a_pause_without_a_date_header_is_measured_by_our_clock() -> None:
    at = datetime.now(UTC) + timedelta(seconds=100)
    assert parse_retry_after(format_datetime(at, usegmt=True)) == pytest.approx(100, abs=2)


@pytest.mark.parametrize(("status", "state"), [("429 Slowly", "queued"), ("503 Not now", "temporary_failure")])
def test_a_pause_until_a_date_is_kept(status: str, state: str) -> None:
    by_date = ask(status, b"{}", f"Date: {DATED}", "Retry-After: Thu, 01 Apr 2021 09:00:20 GMT")
    assert by_date == ask(status, b"{}", "Retry-After: 20")
    assert (by_date.state, by_date.pause) == (state, 20)


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("+6281234567890", "+6281234567890"),
        ("081234567890", "+6281234567890"),
        ("0812-3456-7890", "+6281234567890"),
        ("(0812) 3456 7890", "+6281234567890"),
        ("0812345678a", None),
        ("0812FLOWERS", None),
        ("081234567890 ext 5", None),
        ("081234567890;ext=5", None),
        ("tel:081234567890", None),
        ("081234567890/081234567891", None),
        ("0812345678\n90", None),
        ("٠٨١٢٣٤٥٦٧٨٩٠", None),
        ("08", None),
        ("", None),
        ("halo", None),
    ],
)
def test_a_number_with_other_characters_is_not_a_number(given: str, number: str | None) -> None:
    assert sending._normalize_address("sms", given) == number
