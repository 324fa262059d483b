"""Channels: how a message leaves, and what its provider's answer means.

Every answer is one of: `accepted`, `temporary_failure`, `permanent_failure`, `unknown` (it may have been taken: never
to be sent again on a guess) and `queued` (it never left).
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from prakerja.errors import PrakerjaError, TransientError
from prakerja.programme import programme
from prakerja.reminders import destinations
from prakerja.reminders.retry_after import pause_of
from prakerja.reminders.sms_providers import failure_of, load_provider, word_of
from prakerja.reminders.smtp_replies import meaning_of
from prakerja.settings import Settings

if TYPE_CHECKING:
    import aiohttp
    import aiosmtplib

TIMEOUT = 10.0  # seconds that a provider has to answer
ANSWER_MAX = 65_536  # bytes of an answer that are read
#: What an e-mail says at its end, with the address.
UNSUBSCRIBE = "Tidak ingin menerima pengingat lewat e-mail lagi? Buka:"
EMAIL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,190}"  # what no parser reads as something else


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


class Gateway(Protocol):
    """A provider that takes messages. Each is a context that holds its connections."""

    name: str
    in_flight_max: int
    knows_repeats: bool  # whether a submission that is repeated under its key is one message
    speaks: str  # what tells it from another provider at the same setting

    async def submit(self, message: Message) -> Answer:
        """Hand over one message. Raises `ProviderRefusesError` where no message would be taken."""
        ...


@dataclass(frozen=True)
class Accounts:
    """The gateways' URLs with their secrets, by the gateway's name.

    Such as `https://:TOKEN@sms.example/v1` and `smtp://user:pass@host:587`.
    """

    urls: Mapping[str, str]

    @classmethod
    def from_environment(cls) -> Accounts:
        """Return the gateways whose `PRAKERJA_<GATEWAY>_URL` is set."""
        settings, gateways = Settings.from_environment(), programme().reminders.list_gateways()
        return cls({gateway: url for gateway in gateways if (url := settings.gateway_url(gateway))})

    @classmethod
    def from_connections(cls, connections: Mapping[str, str]) -> Accounts:
        """Return the gateways of `connections`, and those of the environment that it does not name."""
        return cls({**cls.from_environment().urls, **connections})

    @property
    def channels(self) -> list[str]:
        """The channels that have a gateway, in the order in which they are tried."""
        channels = programme().reminders.channels
        return [name for name, channel in channels.items() if any(self.urls.get(each) for each in channel.gateways)]

    @contextlib.asynccontextmanager
    async def open_gateways(self) -> AsyncIterator[dict[str, list[Gateway]]]:
        """Yield the gateways of each channel, in the order in which they are tried."""
        channels = programme().reminders.channels
        async with contextlib.AsyncExitStack() as stack:
            opened: dict[str, list[Gateway]] = {}
            for channel in self.channels:
                opened[channel] = []
                for name in channels[channel].gateways:
                    if url := self.urls.get(name):
                        is_mail = channels[channel].protocol == "smtp"
                        gateway: MailServer | HttpGateway = MailServer(url) if is_mail else HttpGateway(name, url)
                        opened[channel].append(await stack.enter_async_context(gateway))
            yield opened


class HttpGateway:
    """By HTTP, as the provider's file says; where it knows a reference again, the same one twice is one message."""

    in_flight_max = 192

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._provider = load_provider(name)
        self.knows_repeats = self._provider.submit.same_twice == "one_message"
        self._label = next(
            (channel.label for channel in programme().reminders.channels.values() if name in channel.gateways), "HTTP"
        )
        self._base, user, password = _without_secret(name, url, self._label)
        self._host = urlsplit(self._base).hostname
        self.speaks = f"{self._provider.provider} at {self._host}{urlsplit(self._base).path}"
        self._authorization = self._provider.authorization(user, password) if user or password else None
        settings = Settings.from_environment()
        self._sender = settings.gateway_sender(name)
        if self._provider.needs_sender and not self._sender:
            raise PrakerjaError(
                f"{self._provider.name} needs a sender: set PRAKERJA_{name.upper()}_FROM to your number or name there"
            )
        if settings.receipts_url:
            _parsed(settings.receipts_url, ("http", "https"), "PRAKERJA_RECEIPTS_URL")
        self._receipts_to = f"{settings.receipts_url.rstrip('/')}/v1/receipts/{name}" if settings.receipts_url else None
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> HttpGateway:
        import aiohttp

        # It asks no proxy of the environment, which must not hear of phones and names.
        self._session = aiohttp.ClientSession(
            headers={"Authorization": self._authorization} if self._authorization else {},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT, sock_connect=5.0),
            connector=aiohttp.TCPConnector(limit=self.in_flight_max),
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def submit(self, message: Message) -> Answer:
        import aiohttp

        path, headers, body = self._provider.build_submission(
            {
                "to": message.to,
                "from": self._sender,
                "text": message.body,
                "reference": message.key,
                "receipts_to": self._receipts_to,
            }
        )
        try:
            async with self._session.post(
                f"{self._base}{path}", data=body, headers=headers, allow_redirects=False
            ) as answer:
                pause = pause_of(answer.headers.get("Retry-After", ""), answer.headers.get("Date", ""))
                return self._read_answer(answer.status, pause, await _read(answer.content))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Answer("queued", failure=_kind(error), is_providers_fault=True)
        except (aiohttp.ClientError, TimeoutError) as error:  # it broke off after something had been sent
            return Answer("unknown", failure=_kind(error), is_providers_fault=True)

    def _read_answer(self, status: int, pause: float, content: bytes) -> Answer:
        """Return what an answer says. Raises `ProviderRefusesError` where it is about us."""
        try:
            body = json.loads(content) if content else {}
        except (ValueError, RecursionError):
            body = {}
        told = body if isinstance(body, dict) else {}
        code = word_of(told.get(self._provider.answers.code))  # its own words could quote the number
        meaning = self._provider.meaning_of(status, code)
        if meaning.refuses_us:
            why = f"{status} ({code})" if code else str(status)
            raise ProviderRefusesError(
                f"the {self._label} gateway {self._host} ({self.name}) answers {why}: check its address and token"
            )
        if meaning.state == "accepted":
            given = told.get(self._provider.answers.id)
            if isinstance(given, str) and re.fullmatch(r"[!-~]{1,100}", given):
                return Answer("accepted", provider_id=given)
            return Answer("unknown", failure="answer_without_id", is_providers_fault=True)
        failure = failure_of(code) if code and meaning.state == "permanent_failure" else f"http_{status}"
        least = 1.0 if meaning.state == "queued" else 0.0
        return Answer(meaning.state, None, failure, meaning.is_servers, max(pause, least))


class MailServer:
    """E-mail by SMTP, a few connections at once; each recipient's answer told apart."""

    name = "email"
    in_flight_max = 8
    knows_repeats = False
    speaks = "smtp"

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
        except aiosmtplib.SMTPResponseException as error:
            kinds = (("auth", aiosmtplib.SMTPAuthenticationError), ("ehlo", aiosmtplib.SMTPHeloError),
                     ("connect", aiosmtplib.SMTPConnectResponseError))  # fmt: skip
            command = next((name for name, kind in kinds if isinstance(error, kind)), "starttls")
            what, check = ("the login", "PRAKERJA_SMTP_URL") if command == "auth" else ("us", "its address, and ours")
            return self._refused(command, error.code, what, check)
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

        command = "mail"
        try:
            await client.mail(_address(self._sender))
            command = "rcpt"
            await client.rcpt(message.to)
            command = "data"
            answered = await client.data(self._written(message))
        except aiosmtplib.SMTPResponseException as refused:
            answer = self._refused(command, refused.code, "our sender", "PRAKERJA_MAIL_FROM", client)
            if client.is_connected:
                await _forget(client)  # the transaction that was begun: else the next MAIL is out of step
            return answer
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            state = "unknown" if command == "data" else "temporary_failure"  # the text was on its way
            return Answer(state, failure=_kind(error), is_providers_fault=True)
        queue_id = re.search(r"[A-Za-z0-9.-]{6,60}$", answered.message.strip())
        return Answer("accepted", provider_id=queue_id[0] if queue_id else None)

    def _refused(self, command: str, code: int, what: str, check: str, client: aiosmtplib.SMTP | None = None) -> Answer:
        """What a refusal means. Raises `ProviderRefusesError` where it is about us."""
        meaning = meaning_of(command, code)
        if meaning.must_close and client is not None:
            client.close()
        if meaning.refuses_us:
            raise ProviderRefusesError(f"the mail server {self._url.hostname} refuses {what} ({code}): check {check}")
        return Answer(meaning.state, failure=f"smtp_{code}", is_providers_fault=meaning.is_servers)

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

        # In seven bits: whatever the server and those after it take. By lines of 76, encoded words have 75 at most
        # (RFC 2047); by those of 78 Python gives some of them 77.
        written = EmailMessage(policy=SMTP.clone(cte_type="7bit", max_line_length=76))
        name, address = parseaddr(self._sender)
        written["From"] = Address(name, addr_spec=address)
        written["To"] = message.to
        written["Subject"] = message.subject or ""
        written["Date"] = formatdate()
        written["Message-ID"] = f"<{message.key}@{_address(self._sender).partition('@')[2]}>"
        written["Auto-Submitted"] = "auto-generated"
        body = message.body
        if message.unsubscribe_url:
            body = f"{body.rstrip()}\n\n{UNSUBSCRIBE}\n{message.unsubscribe_url}\n"
        written.set_content(body)
        if not message.unsubscribe_url:
            return bytes(written)
        # RFC 2369 and 8058. By hand: a header that is too long for a line is folded into words that no reader of
        # these takes for an address.
        listed = f"List-Unsubscribe: <{message.unsubscribe_url}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click"
        return f"{listed}\r\n".encode("ascii") + bytes(written)


async def _forget(client: aiosmtplib.SMTP) -> None:
    """Take a transaction back, or the session."""
    import aiosmtplib

    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        client.close()


async def _read(content: aiohttp.StreamReader) -> bytes:
    """As much of an answer as any gateway says; of one that says more, nothing."""
    found = b""
    while len(found) <= ANSWER_MAX and (chunk := await content.read(ANSWER_MAX)):
        found += chunk
    return found if len(found) <= ANSWER_MAX else b""


def _kind(error: BaseException) -> str:
    return re.sub(r"(?<!^)(?=[A-Z][a-z])", "_", type(error).__name__).lower()


def _address(sender: str) -> str:
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


def _without_secret(name: str, url: str, label: str) -> tuple[str, str, str]:
    parts = _parsed(url, ("http", "https"), f"the address of the {label} gateway {name}")
    at = destinations.require_allowed(parts, name)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not re.fullmatch(r"[!-~]*", user + password):
        raise PrakerjaError(f"the token of the {label} gateway {name} has characters that no header can carry")
    # Of what was checked: no other parser of the URL may read another host in it.
    return f"{at.scheme}://{destinations.place(at.host, at.port)}{parts.path.rstrip('/')}/", user, password
