"""The HTTP gateway: every provider behind one address, such as `/sms/first`, and a page with the inbox.

Each plays every provider of `shapes`, told apart by what is posted to below it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from prakerja.sandbox import receipt_webhooks, test_numbers
from prakerja.sandbox.addresses import list_providers
from prakerja.sandbox.inbox import Inbox, KeyReusedError
from prakerja.sandbox.shapes import PATHS, SHAPES, RefusedError, Reply

PAGE = Path(__file__).with_name("page.html")
BODY_MAX = 100_000  # bytes


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


def application(inbox: Inbox, secrets: Mapping[str, bytes], receipts_url: str | None = None) -> FastAPI:
    """The gateway over an inbox. It needs `http=DroppingProtocol` to break connections off.

    `secrets` are the keys of receipts, by the sender's names of its gateways; `receipts_url` is where a provider posts
    that is told so in its dashboard, and not with each message.
    """
    providers = list_providers()
    by_path = {provider.path: provider for provider in providers}
    labels = {provider.name: provider.label for provider in providers}
    box = Sandbox(inbox, {provider.name: Mood() for provider in providers})

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        delivering = asyncio.create_task(
            receipt_webhooks.deliver(inbox, {provider.name: secrets[provider.gateway] for provider in providers})
        )
        yield
        delivering.cancel()

    app = FastAPI(title="SMS gateway sandbox", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.box = box

    @app.post("/{channel}/{ordinal}/{path}")
    async def submit(channel: str, ordinal: str, path: str, request: Request) -> Response:
        played = by_path.get(f"{channel}/{ordinal}")
        if played is None or path not in PATHS:
            raise HTTPException(404)
        provider = played.name
        shape = SHAPES[PATHS[path]]
        body = await request.body()
        if len(body) > BODY_MAX:
            raise HTTPException(413)
        try:
            asked = shape.read(request.headers, body)
        except RefusedError as refused:
            return _response(refused.reply)
        mood = box.moods[provider]
        if mood.seconds:
            await asyncio.sleep(mood.seconds)
        if mood.status:
            return _response(shape.refuse(mood.status, "out_of_order"))
        does = test_numbers.of_number(asked.to)
        if does.refuses is not None and inbox.refuse(provider, asked.reference, does.times):
            if does.refuses == 0:
                request.scope["break_off"]()
                await asyncio.sleep(0)
            return _response(shape.refuse(does.refuses or 500, does.code or "try_again"))
        receipts = does.receipts
        if does is test_numbers.NUMBERS["05"] and not asked.reference.endswith(".0"):
            receipts = (test_numbers.Receipt("delivered"),)
        if shape.tells_every_step and receipts:
            receipts = (test_numbers.Receipt("accepted"), *receipts)
        if shape.has_fixed_address and receipts_url:
            asked = replace(asked, receipts_to=f"{receipts_url.rstrip('/')}/v1/receipts/{played.gateway}")
        try:
            is_new = not inbox.has(provider, asked.key) if does.ends != "answer" else True
            number = inbox.take(provider, asked, receipts, shape=PATHS[path])
        except KeyReusedError:
            return _response(shape.refuse(422, "key_reused"))
        if does.ends != "answer" and is_new:  # who asks again under the same key is answered
            if does.ends == "hang":
                await asyncio.sleep(120)
            if does.ends == "drop":
                request.scope["break_off"]()
            return _response(shape.refuse(500, "internal"))
        return _response(shape.accept(number, provider, asked))

    @app.put("/providers/{provider}")
    async def set_mood(provider: str, mood: Mood) -> Mood:
        if provider not in box.moods:
            raise HTTPException(404)
        box.moods[provider] = mood
        return mood

    @app.get("/messages/count")
    async def count() -> dict[str, int]:
        return {"messages": inbox.count()}

    @app.get("/messages")
    async def latest(most: int = 100) -> list[dict[str, Any]]:
        messages = inbox.latest(min(max(most, 1), 1000))
        return [message | {"by": labels.get(message["provider"], "e-mail")} for message in messages]

    @app.get("/")
    async def page() -> HTMLResponse:
        rows = "".join(
            f"<tr><td>{kind}<td>{does.told}"
            for kind, does in [
                *((f"+62 811 0000 {kind} DD", does) for kind, does in test_numbers.NUMBERS.items()),
                *((f"{kind}…@sandbox.example", does) for kind, does in test_numbers.ADDRESSES.items()),
            ]
        )
        return HTMLResponse(PAGE.read_text(encoding="utf-8").replace("<!-- magic -->", rows))

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _response(reply: Reply) -> Response:
    headers = {"Retry-After": "1"} if reply.status == 429 else None
    if reply.content is None:
        return Response(status_code=reply.status, headers=headers)
    return JSONResponse(reply.content, reply.status, headers)
