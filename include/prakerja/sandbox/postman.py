"""Receipts on their way: posted in batches, signed as Standard Webhooks, until they arrive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from uuid import uuid4

import httpx
from standardwebhooks.webhooks import Webhook

from prakerja.sandbox.inbox import Inbox

BATCH = 200


async def deliver(inbox: Inbox, secrets: Mapping[str, bytes]) -> None:
    """Post what is due, for ever, each provider's receipts signed with its own secret.

    A receiver that does not answer is tried again after five seconds.
    """
    signed = {provider: Webhook(secret) for provider, secret in secrets.items()}
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        while True:
            due = inbox.due(BATCH)
            await asyncio.sleep(0 if due else 0.05)
            for (provider, to), group in groupby(due, key=lambda each: (each["provider"], each["receipts_to"])):
                receipts = list(group)
                body = json.dumps({"receipts": [
                    {"reference": each["key"], "status": each["status"], "code": each["code"]} for each in receipts
                ]})  # fmt: skip
                told, now = f"receipts_{uuid4()}", datetime.now(UTC)
                headers = {
                    "content-type": "application/json",
                    "webhook-id": told,
                    "webhook-timestamp": str(int(now.timestamp())),
                    "webhook-signature": signed[provider].sign(told, now, body),
                }
                try:
                    answer = await client.post(to, content=body, headers=headers)
                    answer.raise_for_status()
                except (httpx.HTTPError, httpx.InvalidURL):
                    inbox.put_off([each["id"] for each in receipts], 5.0)
                else:
                    inbox.posted([each["id"] for each in receipts])
