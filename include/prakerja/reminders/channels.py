"""Channels: how a message leaves, and what its provider's answer means.

Every answer is one of: `accepted`, `temporary_failure`, `permanent_failure`, `unknown` (it may have been taken: never
to be sent again on a guess) and `queued` (it never left).
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.utils import formatdate
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from prakerja.errors import PrakerjaError, TransientError
from prakerja.reminders import destinations
from prakerja.settings import Settings

if TYPE_CHECKING:
    import aiohttp
    import aiosmtplib

TIMEOUT = 10.0  # seconds that a provider has to answer
EMAIL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,190}"  # what no parser reads as something else
CODE = re.compile(r"[a-z][a-z0-9_]{1,39}")


class UnreachableError(TransientError):
    """No provider gives an answer: what has not left stays queued, and the run may be tried again."""


class ProviderRefusesError(PrakerjaError):
    """The provider refuses us rather than a message: an address, a login or our own form is wrong."""


@dataclass(frozen=True)
class Message:
    """One submission. `key` is the same whenever the same submission is repeated, and unlike any other."""

    to: str
    body: str
    key: str
    subject: str | None = None
    unsubscribe_url: str | None = None


@dataclass(frozen=True)
class Answer:
    """What became of a submission. `pause` are the seconds that the provider asks for before the next one."""

    state: str
    provider_id: str | None = None
    failure: str | None = None
    is_providers_fault: bool = False
    pause: float = 0.0


class Channel(Protocol):
    """A provider that takes messages. Each is a context that holds its connections."""

    name: str
    in_flight_max: int

    async def submit(self, message: Message) -> Answer:
        """Hand over one message. Raises `ProviderRefusesError` where no message would be taken."""
        ...


@dataclass(frozen=True)
class Accounts:
    """Where the providers are, with their secrets: URLs as `https://:TOKEN@sms.example/v1`, `smtp://user:pass@host:587`."""

    sms: str | None = None
    sms_fallback: str | None = None
    smtp: str | None = None

    @classmethod
    def from_environment(cls) -> Accounts:
        """`PRAKERJA_SMS_URL`, `PRAKERJA_SMS_FALLBACK_URL`, `PRAKERJA_SMTP_URL`."""
        settings = Settings.from_environment()
        return cls(settings.sms_url, settings.sms_fallback_url, settings.smtp_url)

    @classmethod
    def of(cls, connections: Mapping[str, str]) -> Accounts:
        """Of `sms`, `sms_fallback` and `smtp` where given; of the others those of the environment."""
        return replace(cls.from_environment(), **connections)

    @property
    def channels(self) -> list[str]:
        """Those that have a provider, in the order in which they are tried."""
        return [name for name, is_set in (("sms", self.sms or self.sms_fallback), ("email", self.smtp)) if is_set]

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[dict[str, list[Channel]]]:
        """The channels by name, each with its providers in the order of preference."""
        async with contextlib.AsyncExitStack() as stack:
            found: dict[str, list[Channel]] = {}
            for name, url in (("sms", self.sms), ("sms_fallback", self.sms_fallback)):
                if url:
                    found.setdefault("sms", []).append(await stack.enter_async_context(SmsGateway(name, url)))
            if self.smtp:
                found["email"] = [await stack.enter_async_context(MailServer(self.smtp))]
            yield found


class SmsGateway:
    """By HTTP: `POST messages` with a bearer token and an `Idempotency-Key`; the same key twice is one message."""

    in_flight_max = 192

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._base, token = _without_secret(name, url)
        self._host = urlsplit(self._base).hostname
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        receipts_url = Settings.from_environment().receipts_url
        if receipts_url:
            _parsed(receipts_url, ("http", "https"), "PRAKERJA_RECEIPTS_URL")
        self._receipts = {"receipts_to": f"{receipts_url.rstrip('/')}/v1/receipts/{name}"} if receipts_url else {}
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> SmsGateway:
        import aiohttp

        # It asks no proxy of the environment, which must not hear of phones and names.
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT, sock_connect=5.0),
            connector=aiohttp.TCPConnector(limit=self.in_flight_max),
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def submit(self, message: Message) -> Answer:
        import aiohttp

        asked = {"to": message.to, "text": message.body, "reference": message.key, **self._receipts}
        try:
            async with self._session.post(
                f"{self._base}messages", json=asked, headers={"Idempotency-Key": message.key}, allow_redirects=False
            ) as answer:
                return self._told(answer.status, answer.headers.get("Retry-After", ""), await answer.read())
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Answer("queued", failure=_kind(error), is_providers_fault=True)
        except (aiohttp.ClientError, TimeoutError) as error:  # it broke off after something had been sent
            return Answer("unknown", failure=_kind(error), is_providers_fault=True)

    def _told(self, status: int, pause: str, content: bytes) -> Answer:
        try:
            body = json.loads(content) if content else {}
        except ValueError:
            body = {}
        told = body if isinstance(body, dict) else {}
        if status in (200, 201, 202):
            if isinstance(told.get("id"), str) and re.fullmatch(r"[!-~]{1,100}", told["id"]):
                return Answer("accepted", provider_id=told["id"])
            return Answer("unknown", failure="answer_without_id", is_providers_fault=True)
        if status in (400, 422):
            code = told.get("code")
            known = isinstance(code, str) and CODE.fullmatch(code)  # its own words could quote the number
            return Answer("permanent_failure", failure=str(code) if known else f"http_{status}")
        seconds = min(float(pause), 300.0) if pause.isascii() and pause.isdecimal() else 0.0
        if status == 429:  # not taken, and nobody's fault: a pace to keep
            return Answer("queued", failure="http_429", pause=max(seconds, 1.0))
        if status in (408, 425, 503):
            return Answer("temporary_failure", None, f"http_{status}", is_providers_fault=True, pause=seconds)
        if status >= 500:
            return Answer("unknown", failure=f"http_{status}", is_providers_fault=True)
        raise ProviderRefusesError(
            f"the SMS gateway {self._host} ({self.name}) answers {status}: check its address and token"
        )


class MailServer:
    """E-mail by SMTP, a few connections at once; each recipient's answer told apart."""

    name = "email"
    in_flight_max = 8

    def __init__(self, url: str) -> None:
        self._url = _parsed(url, ("smtp", "smtps"), "the mail server's address")
        self._at = destinations.require_allowed(self._url, "smtp")
        self._sender = Settings.from_environment().mail_from
        if not re.fullmatch(rf"(?:[^<>@,;:\"\r\n]+ <{EMAIL}>|{EMAIL})", self._sender):
            raise PrakerjaError("PRAKERJA_MAIL_FROM is no sender: write it as `Kartu Prakerja <pengingat@example.id>`")
        self._idle: list[aiosmtplib.SMTP] = []

    async def __aenter__(self) -> MailServer:
        return self

    async def __aexit__(self, *_: object) -> None:
        import aiosmtplib

        for client in self._idle:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit()

    async def submit(self, message: Message) -> Answer:
        import aiosmtplib

        try:
            client = self._idle.pop() if self._idle else await self._connected()
        except aiosmtplib.SMTPAuthenticationError as error:
            raise ProviderRefusesError(
                f"the mail server {self._url.hostname} refuses the login ({error.code}): check PRAKERJA_SMTP_URL"
            ) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return Answer("queued", failure=_kind(error), is_providers_fault=True)
        answer = await self._handed_over(client, message)
        if client.is_connected and answer.state != "unknown":
            self._idle.append(client)
        else:
            client.close()
        return answer

    async def _handed_over(self, client: aiosmtplib.SMTP, message: Message) -> Answer:
        import aiosmtplib

        try:
            await client.mail(_address(self._sender))
            await client.rcpt(message.to)
        except (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPSenderRefused) as refused:
            # The sender refused for good is our own fault, and everybody's.
            if isinstance(refused, aiosmtplib.SMTPSenderRefused) and refused.code >= 500:
                client.close()
                raise ProviderRefusesError(
                    f"the mail server {self._url.hostname} refuses our sender ({refused.code}): "
                    "check PRAKERJA_MAIL_FROM"
                ) from None
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.rset()
            return _refused(refused.code)
        except aiosmtplib.SMTPResponseException as refused:
            client.close()
            return _refused(refused.code)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            return Answer("temporary_failure", failure=_kind(error), is_providers_fault=True)
        try:
            answered = await client.data(self._written(message))
        except aiosmtplib.SMTPDataError as refused:
            return _refused(refused.code)
        except (aiosmtplib.SMTPException, OSError) as error:  # the text was on its way
            return Answer("unknown", failure=_kind(error), is_providers_fault=True)
        queue_id = re.search(r"[A-Za-z0-9.-]{6,60}$", answered.message.strip())
        return Answer("accepted", provider_id=queue_id[0] if queue_id else None)

    async def _connected(self) -> aiosmtplib.SMTP:
        import aiosmtplib

        must_start_tls = self._at.scheme == "smtp" and self._at.needs_tls
        client = aiosmtplib.SMTP(
            hostname=self._at.host,
            port=self._at.port,
            use_tls=self._at.scheme == "smtps",
            start_tls=True if must_start_tls else None,  # None: where the server offers it
            username=unquote(self._url.username) if self._url.username else None,
            password=unquote(self._url.password) if self._url.password else None,
            timeout=TIMEOUT,
        )
        try:
            await client.connect()
        except aiosmtplib.SMTPException as error:
            if must_start_tls and type(error) is aiosmtplib.SMTPException:  # every other failure has a type of its own
                raise ProviderRefusesError(
                    f"the mail server {self._at.host} offers no STARTTLS, and messages go there encrypted or not at all"
                ) from None
            raise
        return client

    def _written(self, message: Message) -> bytes:
        from email.policy import SMTP

        written = EmailMessage(policy=SMTP)
        written["From"] = self._sender
        written["To"] = message.to
        written["Subject"] = message.subject or ""
        written["Date"] = formatdate()
        written["Message-ID"] = f"<{message.key}@{_address(self._sender).partition('@')[2]}>"
        written["Auto-Submitted"] = "auto-generated"
        if message.unsubscribe_url:
            written["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
            written["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        written.set_content(message.body)
        return bytes(written)


def _refused(code: int) -> Answer:
    """By the code alone: the server's own words could quote the address."""
    if code == 421:  # the server itself goes away
        return Answer("temporary_failure", failure="smtp_421", is_providers_fault=True)
    return Answer("permanent_failure" if code >= 500 else "temporary_failure", failure=f"smtp_{code}")


def _kind(error: BaseException) -> str:
    return re.sub(r"(?<!^)(?=[A-Z][a-z])", "_", type(error).__name__).lower()


def _address(sender: str) -> str:
    from email.utils import parseaddr

    return parseaddr(sender)[1]


def _parsed(url: str, schemes: tuple[str, ...], what: str) -> SplitResult:
    """A URL in its parts. Its own error would quote it, and with it the secret."""
    try:
        parts = urlsplit(url)
        if parts.scheme in schemes and parts.hostname and parts.port != 0:
            parts.hostname.encode("idna")
            return parts
    except ValueError:
        pass
    raise PrakerjaError(f"{what} is no {' or '.join(f'{scheme}://' for scheme in schemes)} URL with a host")


def _without_secret(name: str, url: str) -> tuple[str, str | None]:
    parts = _parsed(url, ("http", "https"), f"the address of the SMS gateway {name}")
    at = destinations.require_allowed(parts, name)
    token = unquote(parts.password or parts.username or "") or None
    if token and not re.fullmatch(r"[!-~]+", token):
        raise PrakerjaError(f"the token of the SMS gateway {name} has characters that no header can carry")
    # Of what was checked: no other parser of the URL may read another host in it.
    return f"{at.scheme}://{destinations.place(at.host, at.port)}{parts.path.rstrip('/')}/", token
