"""The SMS gateway: two providers behind one address, `/sms/first` and `/sms/second`, and a page with the inbox."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from prakerja.sandbox import magic, postman
from prakerja.sandbox.inbox import Inbox, KeyReusedError

TOKEN = "sandbox"  # noqa: S105 - it guards nothing
Provider = Literal["first", "second"]
#: Which of the sender's gateways each provider is: it signs its receipts with the secret of that one.
GATEWAYS = {"first": "sms", "second": "sms_fallback"}
PAGE = Path(__file__).with_name("page.html")


class Submission(BaseModel):
    """What a sender submits."""

    to: str = Field(min_length=5, max_length=20)
    text: str = Field(min_length=1, max_length=1000)
    reference: str = Field(min_length=1, max_length=100)
    receipts_to: str | None = Field(default=None, max_length=500, pattern=r"^https?://")


class Taken(BaseModel):
    """The gateway's id of a message that it has taken."""

    id: str


class Mood(BaseModel):
    """How a provider behaves, whatever the number: slow, or answering with a status instead of taking anything."""

    seconds: float = Field(default=0.0, ge=0, le=60)
    status: int | None = Field(default=None, ge=400, le=599)


class DroppingProtocol(HttpToolsProtocol):
    """uvicorn's own, with a way to break a connection off without a word."""

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        scope: Any = self.scope
        scope["break_off"] = self.transport.abort


@dataclass
class Sandbox:
    """The state behind the application: the inbox, and how each provider behaves."""

    inbox: Inbox
    moods: dict[str, Mood]


def application(inbox: Inbox, secrets: Mapping[str, bytes]) -> FastAPI:
    """The gateway over an inbox. It needs `http=DroppingProtocol` to break connections off.

    `secrets` are the keys of receipts, by the sender's names of its gateways.
    """
    box = Sandbox(inbox, {"first": Mood(), "second": Mood()})

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        delivering = asyncio.create_task(
            postman.deliver(inbox, {each: secrets[name] for each, name in GATEWAYS.items()})
        )
        yield
        delivering.cancel()

    app = FastAPI(title="SMS gateway sandbox", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.box = box

    @app.post("/sms/{provider}/messages", status_code=202, response_model=Taken)
    async def submit(
        provider: Provider,
        message: Submission,
        request: Request,
        idempotency_key: Annotated[str, Header(min_length=1, max_length=200)],
        authorization: Annotated[str, Header()] = "",
    ) -> Any:
        if authorization != f"Bearer {TOKEN}":
            return _refusal(401, "wrong_token")
        mood = box.moods[provider]
        if mood.seconds:
            await asyncio.sleep(mood.seconds)
        if mood.status:
            return _refusal(mood.status, "out_of_order")
        does = magic.of_number(message.to)
        if does.refuses is not None and inbox.refuse(provider, idempotency_key, does.times):
            if does.refuses == 0:
                request.scope["break_off"]()
                await asyncio.sleep(0)
            return _refusal(does.refuses or 500, does.code or "try_again")
        receipts = does.receipts
        if does is magic.NUMBERS["05"] and not idempotency_key.endswith(".0"):
            receipts = (magic.Receipt("delivered"),)
        try:
            is_new = not inbox.has(provider, idempotency_key) if does.ends != "answer" else True
            number = inbox.take(provider, idempotency_key, message.to, message.text, receipts, message.receipts_to)
        except KeyReusedError:
            return _refusal(422, "key_reused")
        if does.ends != "answer" and is_new:  # who asks again under the same key is answered
            if does.ends == "hang":
                await asyncio.sleep(120)
            if does.ends == "drop":
                request.scope["break_off"]()
            return _refusal(500, "internal")
        return {"id": f"{provider}-{number}"}

    @app.put("/providers/{provider}")
    async def set_mood(provider: Provider, mood: Mood) -> Mood:
        box.moods[provider] = mood
        return mood

    @app.get("/messages/count")
    async def count() -> dict[str, int]:
        return {"messages": inbox.count()}

    @app.get("/messages")
    async def latest(most: int = 100) -> list[dict[str, Any]]:
        return inbox.latest(min(max(most, 1), 1000))

    @app.get("/")
    async def page() -> HTMLResponse:
        rows = "".join(
            f"<tr><td>{kind}<td>{does.told}"
            for kind, does in [
                *((f"+62 811 0000 {kind} DD", does) for kind, does in magic.NUMBERS.items()),
                *((f"{kind}…@sandbox.example", does) for kind, does in magic.ADDRESSES.items()),
            ]
        )
        return HTMLResponse(PAGE.read_text(encoding="utf-8").replace("<!-- magic -->", rows))

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _refusal(status: int, code: str) -> JSONResponse:
    return JSONResponse({"code": code}, status, {"Retry-After": "1"} if status == 429 else None)
