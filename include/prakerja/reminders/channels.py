"""Channels: how a message leaves. Each submits under an idempotency key and says whether it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from prakerja.errors import TransientError

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class Receipt:
    """The provider's answer: its id of an accepted message, or why it refused for good."""

    provider_id: str | None = None
    failure: str | None = None


class UnreachableError(TransientError):
    """The provider gave no answer: nothing is known of the message, and the run may be tried again."""


class Channel(Protocol):
    """A way to reach a recipient. `name` is part of what makes a reminder unique."""

    name: str

    def submit(self, to: str, text: str, idempotency_key: str) -> Receipt:
        """Hand over one message. Raises `UnreachableError` where there is no answer."""
        ...


class SmsGateway:
    """SMS over HTTP: `POST /v1/messages` with an `Idempotency-Key`; the same key twice is one message."""

    name = "sms"

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def submit(self, to: str, text: str, idempotency_key: str) -> Receipt:
        import httpx

        try:
            answer = self._client.post(
                "/v1/messages", json={"to": to, "text": text}, headers={"Idempotency-Key": idempotency_key}
            )
        except httpx.TransportError as error:
            # The error's own text could quote the request: only its kind is told.
            raise UnreachableError(
                f"the SMS gateway {self._client.base_url} gives no answer ({type(error).__name__})"
            ) from None
        if answer.status_code == httpx.codes.ACCEPTED:
            return Receipt(provider_id=answer.json()["id"])
        if answer.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY):
            return Receipt(failure=f"HTTP {answer.status_code}")
        # Anything else (a wrong address, a refused login, overload) is about the gateway, not about this message.
        raise UnreachableError(f"the SMS gateway {self._client.base_url} answers {answer.status_code}")
