"""What comes back: providers' receipts, signed, and recipients who want no more e-mail.

`POST /v1/receipts/{provider}` takes Standard Webhooks (HMAC-SHA256 over id, time and body; five minutes of tolerance),
signed with the provider's own secret, about the messages that were given to that provider. Twice is once, in any order;
a receipt for nothing of theirs is counted, and not refused, or it would be sent again for ever.
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import FastAPI, HTTPException, Path, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field, ValidationError

from prakerja import warehouse
from prakerja.settings import WIB, Settings, acting, program

log = logging.getLogger(__name__)

BODY_MAX = 1_000_000  # bytes
REFERENCE = re.compile(r"(?P<key>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(?P<round>\d{1,4})")


class Receipt(BaseModel):
    """What became of one submission. A temporary failure says that the provider has given up for now."""

    reference: str = Field(max_length=100)
    status: Literal["accepted", "delivered", "temporary_failure", "permanent_failure"]
    code: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]{1,39}$")


class Receipts(BaseModel):
    """As a provider posts them."""

    receipts: list[Receipt] = Field(max_length=1000)


class Taken(BaseModel):
    """How many messages the receipts moved, and how many they did not: seen before, or not ours."""

    moved: int
    unmoved: int


def application() -> FastAPI:
    """The application; the process needs the warehouse and `PRAKERJA_RECEIPTS_SECRET_<PROVIDER>`."""
    from standardwebhooks.webhooks import Webhook

    app = FastAPI(title="Prakerja Deadlines: receipts", docs_url=None, redoc_url=None)
    signed = {name: Webhook(secret) for name, secret in Settings.from_environment().receipts_secrets().items()}

    @app.post("/v1/receipts")
    def name_the_provider() -> None:
        raise HTTPException(410, "post to /v1/receipts/{provider}, signed with the secret of that provider")

    @app.post("/v1/receipts/{provider}")
    async def take_receipts(provider: str, request: Request) -> Taken:
        from anyio.to_thread import run_sync
        from standardwebhooks.webhooks import WebhookVerificationError

        if provider not in signed:
            raise HTTPException(404, "no provider of this name has a secret here")
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_MAX:
                raise HTTPException(413, f"at most {BODY_MAX} bytes")
        try:
            signed[provider].verify(body, dict(request.headers), json_parse=False)
        except (WebhookVerificationError, ValueError):
            raise HTTPException(401, "not signed with the key that we agreed on, or not within five minutes") from None
        try:
            given = Receipts.model_validate_json(body)
        except ValidationError as error:
            raise HTTPException(422, f"no receipts ({error.error_count()} errors)") from None
        return await run_sync(apply, provider, given.receipts)

    @app.get("/v1/unsubscribe/{key}")
    def ask(key: Annotated[UUID, Path()]) -> HTMLResponse:  # noqa: ARG001 - it must be one
        # Asking changes nothing: mail scanners open every link.
        button = "<button>Berhenti berlangganan</button>"
        return HTMLResponse(_page("Tidak ingin menerima pengingat lewat e-mail?", button))

    @app.post("/v1/unsubscribe/{key}")
    def unsubscribe(key: Annotated[UUID, Path()]) -> HTMLResponse:
        if not opt_out_by_key(key, datetime.now(UTC)):
            gone = "Tautan ini tidak berlaku lagi. Hubungi layanan pengaduan di prakerja.go.id."
            return HTMLResponse(_page(gone, ""), status_code=404)
        return HTMLResponse(_page("Anda tidak akan menerima pengingat lewat e-mail lagi.", ""))

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def apply(provider: str, receipts: list[Receipt]) -> Taken:
    """Write down what a provider's receipts say about the messages that were given to it."""
    at = datetime.now(UTC)
    # `accepted` says what the answer to the submission said; where that was lost, it is not told from a later failure.
    found = [
        (named, receipt) for receipt in receipts
        if receipt.status != "accepted" and (named := REFERENCE.fullmatch(receipt.reference))
    ]  # fmt: skip
    moved = 0
    if found:
        acting.set(f"receipts of the provider {provider}")
        with warehouse.transaction("receive") as connection:
            moved = warehouse.execute(
                connection,
                "reminders/apply_receipts",
                provider=provider,
                keys=[named["key"] for named, _ in found],
                rounds=[int(named["round"]) for named, _ in found],
                states=[receipt.status for _, receipt in found],
                failures=[None if receipt.status == "delivered" else receipt.code for _, receipt in found],
                at=at,
                wait=float(program()["reminders"]["try_again_after_seconds"]),
            ).rowcount
    return Taken(moved=moved, unmoved=len(receipts) - moved)


def opt_out_by_key(key: UUID, at: datetime) -> bool:
    """Send no more e-mail to whoever the e-mail with this key was for; return whether the key is (still) known."""
    acting.set("the link in an e-mail")
    with warehouse.transaction("receive") as connection:
        recipient = warehouse.execute(connection, "reminders/recipient_of_key", key=key).scalar()
        if recipient is not None:
            warehouse.execute(
                connection,
                "reminders/insert_opt_out",
                recipient_id=recipient,
                channel="email",
                is_opted_out=True,
                chosen_on=at.astimezone(WIB).date(),
                recorded_by="the link in an e-mail",
            )
    return recipient is not None


def _page(said: str, asked: str) -> str:
    return (
        '<!doctype html><html lang="id"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Kartu Prakerja</title><body style='font: 1.1rem sans-serif; max-width: 34rem; margin: 3rem auto'>"
        f"<h1>Kartu Prakerja</h1><p>{said}</p><form method='post'>{asked}</form></body></html>"
    )
