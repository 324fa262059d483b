"""Gateways: how a message is submitted, and what the provider's answer means.

An answer is one of `accepted`, `temporary_failure`, `permanent_failure`, `unknown` (the provider may have taken the
message, so sending it again could deliver it twice) and `queued` (the provider did not get it).
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
from prakerja.reminders.retry_after import parse_retry_after
from prakerja.reminders.sms_providers import failure_of, load_provider, word_of
from prakerja.reminders.smtp_replies import meaning_of
from prakerja.settings import Settings

if TYPE_CHECKING:
    import aiohttp
    import aiosmtplib

TIMEOUT = 10.0  # seconds for an answer
ANSWER_MAX = 65_536  # bytes of an answer
#: The last paragraph of an e-mail; the link follows.
UNSUBSCRIBE = "Tidak ingin menerima pengingat lewat e-mail lagi? Buka:"


class UnreachableError(TransientError):
    """No provider answers. Messages that were not submitted stay queued, and the run can be retried."""


class ProviderRefusesError(PrakerjaError):
    """A provider refuses every message of ours: a URL, a login or our format is wrong."""


@dataclass(frozen=True)
class Message:
    """One submission. Its `key` is unique, and the same whenever the submission is repeated."""

    to: str
    body: str
    key: str
    subject: str | None = None
    unsubscribe_url: str | None = None


@dataclass(frozen=True)
class Answer:
    """The answer to a submission. `pause` is the seconds that the provider asks us to wait before the next one."""

    state: str
    provider_id: str | None = None
    failure: str | None = None
    is_providers_fault: bool = False
    pause: float = 0.0


class Gateway(Protocol):
    """A connection to a provider that takes messages: an async context manager."""

    name: str
    in_flight_max: int
    recognizes_keys: bool  # whether a submission that is repeated under its key is one message
    identity: str  # distinguishes it from the provider that the same setting led to earlier

    async def submit(self, message: Message) -> Answer:
        """Submit a message. Raises `ProviderRefusesError` if the provider would take no message of ours."""
        ...


@dataclass(frozen=True)
class Accounts:
    """The gateways' URLs with their secrets, by the gateway's name.

    For example `https://:TOKEN@sms.example/v1` or `smtp://user:pass@host:587`.
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
    """A gateway over HTTP, which is spoken to as its provider's file says."""

    in_flight_max = 192

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._provider = load_provider(name)
        self.recognizes_keys = self._provider.submit.same_twice == "one_message"
        self._label = next(
            (channel.label for channel in programme().reminders.channels.values() if name in channel.gateways), "HTTP"
        )
        self._base, user, password = _split_secret(name, url, self._label)
        self._host = urlsplit(self._base).hostname
        self.identity = f"{self._provider.provider} at {self._host}{urlsplit(self._base).path}"
        self._authorization = self._provider.authorization(user, password) if user or password else None
        settings = Settings.from_environment()
        self._sender = settings.gateway_sender(name)
        if self._provider.needs_sender and not self._sender:
            raise PrakerjaError(
                f"{self._provider.name} needs a sender: set PRAKERJA_{name.upper()}_FROM to your number or name there"
            )
        self._receipts_to = f"{settings.receipts_url}/v1/receipts/{name}" if settings.receipts_url else None
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> HttpGateway:
        import aiohttp

        # A proxy of the environment would see phones and names.
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
                pause = parse_retry_after(answer.headers.get("Retry-After", ""), answer.headers.get("Date", ""))
                return self._read_answer(answer.status, pause, await _read(answer.content))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Answer("queued", failure=_failure_of(error), is_providers_fault=True)
        except (aiohttp.ClientError, TimeoutError) as error:  # the connection broke after something had been sent
            return Answer("unknown", failure=_failure_of(error), is_providers_fault=True)

    def _read_answer(self, status: int, pause: float, content: bytes) -> Answer:
        """Return what an answer means. Raises `ProviderRefusesError` if it refuses us."""
        try:
            document = json.loads(content) if content else {}
        except (ValueError, RecursionError):
            document = {}
        fields = document if isinstance(document, dict) else {}
        code = word_of(fields.get(self._provider.answers.code))  # a sentence may quote the number
        meaning = self._provider.meaning_of(status, code)
        if meaning.refuses_us:
            reason = f"{status} ({code})" if code else str(status)
            raise ProviderRefusesError(
                f"the {self._label} gateway {self._host} ({self.name}) answers {reason}: check its URL and token"
            )
        if meaning.state == "accepted":
            provider_id = fields.get(self._provider.answers.id)
            if isinstance(provider_id, str) and re.fullmatch(r"[!-~]{1,100}", provider_id):
                return Answer("accepted", provider_id=provider_id)
            return Answer("unknown", failure="answer_without_id", is_providers_fault=True)
        failure = failure_of(code) if code and meaning.state == "permanent_failure" else f"http_{status}"
        pause_min = 1.0 if meaning.state == "queued" else 0.0
        return Answer(meaning.state, None, failure, meaning.is_servers, max(pause, pause_min))


class MailServer:
    """A mail server over SMTP with a few connections. Each transaction has one recipient, and so one answer."""

    name = "email"
    in_flight_max = 8
    recognizes_keys = False
    identity = "smtp"

    def __init__(self, url: str) -> None:
        self._url = _parse_url(url, ("smtp", "smtps"), "the mail server's URL")
        self._destination = destinations.require_allowed(self._url, "smtp")
        self._sender = Settings.from_environment().mail_from
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
            client = self._idle.pop() if self._idle else await self._connect()
        except aiosmtplib.SMTPResponseException as error:
            kinds = (("auth", aiosmtplib.SMTPAuthenticationError), ("ehlo", aiosmtplib.SMTPHeloError),
                     ("connect", aiosmtplib.SMTPConnectResponseError))  # fmt: skip
            command = next((name for name, kind in kinds if isinstance(error, kind)), "starttls")
            what, check = ("the login", "PRAKERJA_SMTP_URL") if command == "auth" else ("us", "its address, and ours")
            return self._answer_to_refusal(command, error.code, what, check)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return Answer("queued", failure=_failure_of(error), is_providers_fault=True)
        answer = await self._submit_over(client, message)
        if client.is_connected and answer.state != "unknown":
            self._idle.append(client)
        else:
            client.close()
        return answer

    async def _submit_over(self, client: aiosmtplib.SMTP, message: Message) -> Answer:
        import aiosmtplib

        command = "mail"
        try:
            await client.mail(_mailbox_of(self._sender))
            command = "rcpt"
            await client.rcpt(message.to)
            command = "data"
            reply = await client.data(self._build_mail(message))
        except aiosmtplib.SMTPResponseException as refusal:
            answer = self._answer_to_refusal(command, refusal.code, "our sender", "PRAKERJA_MAIL_FROM", client)
            if client.is_connected:
                await _reset(client)  # otherwise the next MAIL would be out of step
            return answer
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            state = "unknown" if command == "data" else "temporary_failure"  # DATA may have arrived
            return Answer(state, failure=_failure_of(error), is_providers_fault=True)
        queue_id = re.search(r"[A-Za-z0-9.-]{6,60}$", reply.message.strip())
        return Answer("accepted", provider_id=queue_id[0] if queue_id else None)

    def _answer_to_refusal(
        self, command: str, code: int, what: str, check: str, client: aiosmtplib.SMTP | None = None
    ) -> Answer:
        """Return what a refusal means, and close a session that must end.

        Raises `ProviderRefusesError` with what to check if the server refuses us.
        """
        meaning = meaning_of(command, code)
        if meaning.must_close and client is not None:
            client.close()
        if meaning.refuses_us:
            raise ProviderRefusesError(f"the mail server {self._url.hostname} refuses {what} ({code}): check {check}")
        return Answer(meaning.state, failure=f"smtp_{code}", is_providers_fault=meaning.is_servers)

    async def _connect(self) -> aiosmtplib.SMTP:
        import aiosmtplib

        must_start_tls = self._destination.scheme == "smtp" and self._destination.needs_tls
        client = aiosmtplib.SMTP(
            hostname=self._destination.host,
            port=self._destination.port,
            use_tls=self._destination.scheme == "smtps",
            start_tls=True if must_start_tls else None,  # None: if the server offers it
            username=unquote(self._url.username) if self._url.username else None,
            password=unquote(self._url.password) if self._url.password else None,
            timeout=TIMEOUT,
        )
        try:
            await client.connect()
        except aiosmtplib.SMTPException as error:
            if must_start_tls and type(error) is aiosmtplib.SMTPException:  # a missing STARTTLS has no type of its own
                raise ProviderRefusesError(
                    f"the mail server {self._destination.host} offers no STARTTLS, and messages go there only encrypted"
                ) from None
            raise
        return client

    def _build_mail(self, message: Message) -> bytes:
        from email.policy import SMTP

        # Seven bits pass every server. With lines of 76, encoded words have at most 75 characters (RFC 2047); with 78
        # Python writes some with 77.
        mail = EmailMessage(policy=SMTP.clone(cte_type="7bit", max_line_length=76))
        name, address = parseaddr(self._sender)
        mail["From"] = Address(name, addr_spec=address)
        mail["To"] = message.to
        mail["Subject"] = message.subject or ""
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{message.key}@{address.partition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        body = message.body
        if message.unsubscribe_url:
            body = f"{body.rstrip()}\n\n{UNSUBSCRIBE}\n{message.unsubscribe_url}\n"
        mail.set_content(body)
        if not message.unsubscribe_url:
            return bytes(mail)
        # RFC 2369 and 8058. Written by hand: the library folds a long header into encoded words, in which mail
        # programs find no URL.
        headers = f"List-Unsubscribe: <{message.unsubscribe_url}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click"
        return f"{headers}\r\n".encode("ascii") + bytes(mail)


async def _reset(client: aiosmtplib.SMTP) -> None:
    """Abort the transaction; close the session if that fails."""
    import aiosmtplib

    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        client.close()


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Read an answer; return nothing of one that is larger than `ANSWER_MAX`."""
    answer = b""
    while len(answer) <= ANSWER_MAX and (chunk := await content.read(ANSWER_MAX)):
        answer += chunk
    return answer if len(answer) <= ANSWER_MAX else b""


def _failure_of(error: BaseException) -> str:
    """Return an error's type as the failure of a message, e.g. `server_disconnected_error`."""
    return re.sub(r"(?<!^)(?=[A-Z][a-z])", "_", type(error).__name__).lower()


def _mailbox_of(sender: str) -> str:
    return parseaddr(sender)[1]


def _parse_url(url: str, schemes: tuple[str, ...], what: str) -> SplitResult:
    """Return the parts of a URL. Raises `PrakerjaError` without quoting it, since it has a secret."""
    try:
        parts = urlsplit(url)
        if parts.scheme in schemes and parts.hostname and parts.port != 0:
            parts.hostname.encode("idna")
            return parts
    except ValueError:
        pass
    raise PrakerjaError(f"{what} is not an {' or '.join(f'{scheme}://' for scheme in schemes)} URL with a host")


def _split_secret(name: str, url: str, label: str) -> tuple[str, str, str]:
    """Return a gateway's URL without its login, and the user and the password."""
    parts = _parse_url(url, ("http", "https"), f"the URL of the {label} gateway {name}")
    destination = destinations.require_allowed(parts, name)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not re.fullmatch(r"[!-~]*", user + password):
        raise PrakerjaError(f"the token of the {label} gateway {name} has characters that a header cannot carry")
    # Built from the destination that was checked: another parser may read another host in the URL.
    place = destinations.place(destination.host, destination.port)
    return f"{destination.scheme}://{place}{parts.path.rstrip('/')}/", user, password
