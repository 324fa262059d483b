"""Receipts: posted and signed as each provider does, until they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import httpx

from prakerja.sandbox.inbox import Inbox
from prakerja.sandbox.shapes import SHAPES, Post

DUE_MAX = 200  # receipts that are posted at once


async def deliver(inbox: Inbox, secrets: Mapping[str, bytes]) -> None:
    """Post due receipts for ever, each provider's signed with its own secret.

    If the receiver does not answer, the receipts are due again after five seconds.
    """
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        while True:
            due = inbox.due(DUE_MAX)
            await asyncio.sleep(0 if due else 0.05)
            posts = []
            for (provider, shape, to), group in groupby(due, key=itemgetter("provider", "shape", "receipts_to")):
                played, receipts = SHAPES[shape], list(group)
                for start in range(0, len(receipts), played.batch):
                    batch = receipts[start : start + played.batch]
                    posts.append(_post(client, inbox, played.post(to, secrets[provider], batch), batch))
            await asyncio.gather(*posts)


async def _post(client: httpx.AsyncClient, inbox: Inbox, post: Post, receipts: list[dict[str, Any]]) -> None:
    ids = [receipt["id"] for receipt in receipts]
    try:
        answer = await client.post(post.url, content=post.body, headers=post.headers)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL):
        inbox.postpone(ids, 5.0)
    else:
        inbox.mark_posted(ids)
