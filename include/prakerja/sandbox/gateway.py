"""The HTTP gateway: every provider behind one address, such as `/sms/first`, and a page with the inbox.

Each provider speaks every form of `shapes`; the last part of the path that is posted to selects the form.
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

from prakerja.sandbox import receipt_webhooks, test_numbers
from prakerja.sandbox.addresses import list_providers
from prakerja.sandbox.inbox import Inbox, KeyReusedError
from prakerja.sandbox.shapes import PATHS, SHAPES, RefusedError, Reply
from prakerja.serving.protocol import BoundedProtocol

PAGE = Path(__file__).with_name("page.html")
BODY_MAX = 100_000  # bytes


class Mood(BaseModel):
    """How a provider behaves for every number: slow, or answering with a status and taking nothing."""

    seconds: float = Field(default=0.0, ge=0, le=60)
    status: int | None = Field(default=None, ge=400, le=599)


class DroppingProtocol(BoundedProtocol):
    """The protocol of our services, with `break_off`, which aborts the connection without an answer."""

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        scope: Any = self.scope
        scope["break_off"] = self.transport.abort


@dataclass
class Sandbox:
    """The state of the application: the inbox, and how each provider behaves."""

    inbox: Inbox
    moods: dict[str, Mood]


def application(inbox: Inbox, secrets: Mapping[str, bytes], receipts_url: str | None = None) -> FastAPI:
    """Return the application over an inbox. It needs `protocol=DroppingProtocol` to break off connections.

    `secrets` has the key that signs each gateway's receipts. `receipts_url` is for providers that take the URL of
    receipts in their dashboard and not with a message.
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
            submission = shape.read(request.headers, body)
        except RefusedError as refused:
            return _response(refused.reply)
        mood = box.moods[provider]
        if mood.seconds:
            await asyncio.sleep(mood.seconds)
        if mood.status:
            return _response(shape.refuse(mood.status, "out_of_order"))
        behaviour = test_numbers.behaviour_of_number(submission.to)
        if behaviour.refuses is not None and inbox.count_refusal(provider, submission.reference) <= behaviour.times:
            if behaviour.refuses == 0:
                request.scope["break_off"]()
                await asyncio.sleep(0)
            return _response(shape.refuse(behaviour.refuses or 500, behaviour.code or "try_again"))
        receipts = behaviour.receipts
        if behaviour is test_numbers.NUMBERS["05"] and not submission.reference.endswith(".0"):
            receipts = (test_numbers.Receipt("delivered"),)
        if shape.reports_every_step and receipts:
            receipts = (test_numbers.Receipt("accepted"), *receipts)
        if shape.has_fixed_receipts_url and receipts_url:
            submission = replace(submission, receipts_to=f"{receipts_url.rstrip('/')}/v1/receipts/{played.gateway}")
        try:
            is_new = not inbox.has(provider, submission.key) if behaviour.ends != "answer" else True
            number = inbox.store(provider, submission, receipts, shape=PATHS[path])
        except KeyReusedError:
            return _response(shape.refuse(422, "key_reused"))
        if behaviour.ends != "answer" and is_new:  # a repeated submission is answered
            if behaviour.ends == "hang":
                await asyncio.sleep(120)
            if behaviour.ends == "drop":
                request.scope["break_off"]()
            return _response(shape.refuse(500, "internal"))
        return _response(shape.accept(number, provider, submission))

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
            f"<tr><td>{kind}<td>{behaviour.summary}"
            for kind, behaviour in [
                *((f"+62 811 0000 {kind} DD", behaviour) for kind, behaviour in test_numbers.NUMBERS.items()),
                *((f"{kind}…@sandbox.example", behaviour) for kind, behaviour in test_numbers.ADDRESSES.items()),
            ]
        )
        return HTMLResponse(PAGE.read_text(encoding="utf-8").replace("<!-- test numbers -->", rows))

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _response(reply: Reply) -> Response:
    headers = {"Retry-After": "1"} if reply.status == 429 else None
    if reply.content is None:
        return Response(status_code=reply.status, headers=headers)
    return JSONResponse(reply.content, reply.status, headers)
