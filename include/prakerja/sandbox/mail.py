"""The mail server: SMTP as aiosmtpd speaks it; a mail's `Message-ID` is what makes it the same mail."""

from __future__ import annotations

import asyncio
import email
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from prakerja.sandbox import test_numbers
from prakerja.sandbox.inbox import Inbox, KeyReusedError
from prakerja.sandbox.shapes import Asked

PROVIDER = "email"


class Handler:
    """Takes mail into the inbox, and misbehaves for the addresses that ask for it."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's interface
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        does = test_numbers.of_address(address)
        if does.refuses is not None and self._inbox.refuse(PROVIDER, address, does.times):
            return f"{does.refuses} not now, or not here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        written = email.message_from_bytes(envelope.original_content or b"", _class=EmailMessage, policy=default)
        body: Any = written.get_body(("plain",))
        ended = test_numbers.of_address(envelope.rcpt_tos[0])
        if ended.ends.isdecimal():
            return f"{ended.ends} no room"
        try:
            key, text = str(written["Message-ID"]), body.get_content() if body else ""
            number = self._inbox.take(
                PROVIDER,
                Asked(", ".join(envelope.rcpt_tos), text, key, key, None),
                subject=str(written["Subject"] or ""),
                shape=PROVIDER,
            )
        except KeyReusedError:
            return "550 the same Message-ID with another text"
        if ended.ends == "hang":
            await asyncio.sleep(120)
        if ended.ends == "drop":
            transport: Any = server.transport
            transport.abort()
        return f"250 queued as sandbox-{number}"


def controller(inbox: Inbox, host: str, port: int) -> Controller:
    """The server, in a thread of its own between `start` and `stop`."""
    return Controller(Handler(inbox), hostname=host, port=port)
