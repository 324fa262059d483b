"""The mail server, on aiosmtpd. Two mails with one `Message-ID` are the same mail."""

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
from prakerja.sandbox.shapes import Submission

PROVIDER = "email"


class Handler:
    """Stores mail in the inbox, and fails for the addresses of `test_numbers`."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's interface
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        behaviour = test_numbers.behaviour_of_address(address)
        if behaviour.refuses is not None and self._inbox.count_refusal(PROVIDER, address) <= behaviour.times:
            return f"{behaviour.refuses} not now, or not here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        mail = email.message_from_bytes(envelope.original_content or b"", _class=EmailMessage, policy=default)
        body: Any = mail.get_body(("plain",))
        behaviour = test_numbers.behaviour_of_address(envelope.rcpt_tos[0])
        if behaviour.ends.isdecimal():
            return f"{behaviour.ends} no room"
        try:
            key, text = str(mail["Message-ID"]), body.get_content() if body else ""
            number = self._inbox.store(
                PROVIDER,
                Submission(", ".join(envelope.rcpt_tos), text, key, key, None),
                subject=str(mail["Subject"] or ""),
                shape=PROVIDER,
            )
        except KeyReusedError:
            return "550 the same Message-ID with another text"
        if behaviour.ends == "hang":
            await asyncio.sleep(120)
        if behaviour.ends == "drop":
            transport: Any = server.transport
            transport.abort()
        return f"250 queued as sandbox-{number}"


def build_controller(inbox: Inbox, host: str, port: int) -> Controller:
    """Return the server, which runs in a thread of its own between `start` and `stop`."""
    return Controller(Handler(inbox), hostname=host, port=port)
