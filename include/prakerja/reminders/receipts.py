"""The service that takes providers' signed receipts, and recipients' requests for no more e-mail.

`POST /v1/receipts/{provider}` takes receipts in the form of the provider's file (`include/sms_providers`), signed with
the provider's own secret, about messages that were submitted to that provider. Receipts may be repeated and come in any
order. Each entry is read by itself: an odd one is counted and logged, and the others count, since a provider repeats a
request that is refused for ever.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from prakerja import warehouse
from prakerja.acting import acting
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.reminders.receipt_signatures import FIELDS_MAX, Posted, is_signed
from prakerja.reminders.sms_providers import (
    SmsProvider,
    failure_of,
    load_provider,
    load_receipt_secrets,
    word_of,
)
from prakerja.serving.protocol import Bounds, recognize_peer
from prakerja.settings import WIB, Settings

log = logging.getLogger(__name__)

BODY_MAX = 1_000_000  # bytes
HEAD_MAX = 64 * 1024
UNSUBSCRIBING_MAX = 4  # at once: whoever has no key takes no more of the threads that apply receipts ...
UNSUBSCRIBING_WAITING_MAX = 16  # ... and no more of the connections, however slow the warehouse is
LOGGED_MAX = 10  # kinds of odd receipts in a log line
WORDS_MAX = 100  # words that are stored of one request's odd receipts
REFERENCE = re.compile(r"(?P<key>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(?P<round>0|[1-9][0-9]{0,3})")
#: The key in an e-mail's link, in the spelling that we send.
UNSUBSCRIBE_KEY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Stands for an object that has a name twice: readers differ in which of the values they take.
AMBIGUOUS = object()


class Receipt(NamedTuple):
    """The status of one submission, and the code of a failure.

    A `temporary_failure` means that the provider has given up: another submission may succeed.
    """

    reference: str
    status: str
    code: str | None = None


class Odd(NamedTuple):
    """Why a receipt is odd, and its unknown word if that may be stored.

    `what` is `entry` (not a receipt), `reference` (not in our form), `status` or `code` (not in the provider's file).
    The status of a receipt with an odd code counts.
    """

    what: str
    word: str


class ReceiptCounts(BaseModel):
    """Receipts by their effect: those that moved a message, those that did not (repeated or not ours), odd ones."""

    moved: int
    unmoved: int
    odd: int


def application() -> FastAPI:
    """Return the application. Raises `PrakerjaError` for a setting that does not fit.

    The process needs the warehouse and `PRAKERJA_RECEIPTS_SECRET_<PROVIDER>`.
    """
    Settings.from_environment().require_valid()
    from anyio import CapacityLimiter
    from anyio.to_thread import run_sync

    app = FastAPI(title="Prakerja Deadlines: receipts", docs_url=None, redoc_url=None)
    app.state.bounds = Bounds(request_bytes=HEAD_MAX + BODY_MAX)
    unsubscribing = CapacityLimiter(UNSUBSCRIBING_MAX)
    secrets = load_receipt_secrets()
    providers = {name: load_provider(name) for name in secrets}

    @app.post("/v1/receipts")
    async def name_the_provider() -> None:
        raise HTTPException(410, "post to /v1/receipts/{provider}, signed with the secret of that provider")

    @app.post("/v1/receipts/{provider}")
    async def take_receipts(provider: str, request: Request) -> ReceiptCounts:
        if provider not in secrets:
            raise HTTPException(404, "no provider of this name has a secret here")
        body = await _read_body(request)
        described = providers[provider]
        posted = Posted(_public_url(request), request.headers, body)
        if not is_signed(posted, described.receipts.signature, secrets[provider], datetime.now(UTC)):
            raise HTTPException(401, "not signed with the agreed key, or signed too long ago")
        recognize_peer(request, f"provider {provider}")
        try:
            entries = parse_entries(described, body)
        except (ValueError, RecursionError):
            raise HTTPException(422, f"not receipts of {described.provider}") from None
        query = _without_repetition(request.query_params.multi_items())
        receipts, odd = read_receipts(described, entries, query if isinstance(query, dict) else {})
        return await run_sync(record_receipts, provider, receipts, odd)

    @app.get("/v1/unsubscribe/{key}")
    async def ask(key: str) -> HTMLResponse:
        if not UNSUBSCRIBE_KEY.fullmatch(key):
            return _no_such_link()
        # A GET changes nothing, because mail scanners open every link.
        button = "<button>Berhenti berlangganan</button>"
        return HTMLResponse(_page("Tidak ingin menerima pengingat lewat e-mail?", button))

    @app.post("/v1/unsubscribe/{key}")
    async def unsubscribe(key: str) -> HTMLResponse:
        if not UNSUBSCRIBE_KEY.fullmatch(key):
            return _no_such_link()
        if unsubscribing.statistics().tasks_waiting >= UNSUBSCRIBING_WAITING_MAX:
            raise HTTPException(503, "too many requests at once", {"retry-after": "5"})
        if not await run_sync(opt_out_by_key, UUID(key), datetime.now(UTC), limiter=unsubscribing):
            return _no_such_link()
        return HTMLResponse(_page("Anda tidak akan menerima pengingat lewat e-mail lagi.", ""))

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def require_address() -> None:
    """Raise `PrakerjaError` if a provider signs the URL that it posts to, and `PRAKERJA_RECEIPTS_URL` is not set."""
    for name in programme().reminders.list_gateways("http"):
        provider = load_provider(name)
        if "url" in provider.receipts.signature.signs and not Settings.from_environment().receipts_url:
            raise PrakerjaError(f"{provider.name} ({name}) signs our URL: set PRAKERJA_RECEIPTS_URL to it")


def parse_entries(provider: SmsProvider, body: bytes) -> list[Any]:
    """Return the entries of a provider's request. Raises `ValueError` or `RecursionError` if the body has none.

    An entry that has a name twice is `AMBIGUOUS`. A field of a form may be repeated with the same value.
    """
    if provider.receipts.body == "form":
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=FIELDS_MAX)
        return [_without_repetition([*dict.fromkeys(fields)])]
    document = json.loads(body, object_pairs_hook=_without_repetition)
    if provider.receipts.entries is None:
        return [document]
    entries = document.get(provider.receipts.entries) if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("no list of entries")
    return entries


def read_receipts(
    provider: SmsProvider, entries: Iterable[Any], query: Mapping[str, str]
) -> tuple[list[Receipt], Counter[Odd]]:
    """Return the receipts in a request's entries, and the odd ones counted. `query` is the query of the URL."""
    form = provider.receipts
    receipts: list[Receipt] = []
    odd: Counter[Odd] = Counter()
    for entry in entries:
        if not isinstance(entry, dict):
            odd[Odd("entry", "")] += 1
            continue
        reference = (query if form.reference.where == "query" else entry).get(form.reference.name)
        their_status, their_code = entry.get(form.status), entry.get(form.code)
        code = word_of(their_code)
        status = form.statuses.get(their_status) if isinstance(their_status, str) else None
        if status is None:
            odd[Odd("status", word_of(their_status) or "")] += 1
        elif not isinstance(reference, str) or not REFERENCE.fullmatch(reference):
            odd[Odd("reference", "")] += 1
        elif status in ("accepted", "delivered"):
            receipts.append(Receipt(reference, status))
        else:
            override = form.codes.get(code or "")
            if (form.codes and code and override is None) or (code is None and their_code not in (None, "")):
                odd[Odd("code", code or "")] += 1
            state = status if override in (None, "by_status") else str(override)
            receipts.append(Receipt(reference, state, failure_of(code) if code else None))
    return receipts, odd


def record_receipts(provider: str, receipts: list[Receipt], odd: Counter[Odd]) -> ReceiptCounts:
    """Apply a provider's receipts; record and log the odd ones."""
    counts = apply_receipts(provider, receipts)
    if odd:
        record_odd_receipts(provider, odd, datetime.now(UTC))
        kinds = [f"{count} of {kind.what} {kind.word}".rstrip() for kind, count in odd.most_common(LOGGED_MAX)]
        more = f", and {len(odd) - LOGGED_MAX:,} other words" if len(odd) > LOGGED_MAX else ""
        log.warning("the provider %s has sent odd receipts: %s%s", provider, ", ".join(kinds), more)
    # A receipt with an odd code counts by its status.
    ignored = sum(count for kind, count in odd.items() if kind.what != "code")
    return ReceiptCounts(moved=counts.moved, unmoved=counts.unmoved, odd=ignored)


def record_odd_receipts(provider: str, odd: Counter[Odd], at: datetime) -> None:
    """Record how many receipts were odd and why; nothing else of them is stored."""
    counted: Counter[Odd] = Counter()
    for number, (kind, count) in enumerate(odd.most_common()):
        counted[kind if number < WORDS_MAX else Odd(kind.what, "")] += count
    with warehouse.transaction("receive") as connection:
        warehouse.execute(
            connection,
            "reminders/count_odd_receipts",
            provider=provider,
            whats=[kind.what for kind in counted],
            words=[kind.word for kind in counted],
            counts=list(counted.values()),
            at=at,
        )


def list_odd_receipts(since: datetime) -> list[dict[str, Any]]:
    """Return the odd receipts since an instant: `provider`, `what`, `word`, `receipts`, and the `file` to extend.

    A word that has been added to the file since is left out.
    """
    with warehouse.transaction("show") as connection:
        rows = [dict(row) for row in warehouse.rows(connection, "reminders/list_odd_receipts", since=since)]
    unknown = []
    for row in rows:
        described = load_provider(row["provider"])
        known: dict[str, set[str]] = {"status": {*described.receipts.statuses}, "code": {*described.receipts.codes}}
        if row["word"] not in known.get(row["what"], ()):
            unknown.append(row | {"file": f"include/sms_providers/{described.provider}.yaml"})
    return unknown


def apply_receipts(provider: str, receipts: list[Receipt]) -> ReceiptCounts:
    """Apply a provider's receipts to the messages that were submitted to it."""
    at = datetime.now(UTC)
    # `accepted` repeats the answer to the submission. If that was lost, it may come after the receipt of a failure.
    final = [
        (reference, receipt) for receipt in receipts
        if receipt.status != "accepted" and (reference := REFERENCE.fullmatch(receipt.reference))
    ]  # fmt: skip
    moved = 0
    if final:
        acting.set(f"receipts of the provider {provider}")
        with warehouse.transaction("receive") as connection:
            moved = warehouse.execute(
                connection,
                "reminders/apply_receipts",
                provider=provider,
                keys=[reference["key"] for reference, _ in final],
                rounds=[int(reference["round"]) for reference, _ in final],
                states=[receipt.status for _, receipt in final],
                failures=[None if receipt.status == "delivered" else receipt.code for _, receipt in final],
                at=at,
                wait=programme().reminders.try_again_after_seconds,
            ).rowcount
    return ReceiptCounts(moved=moved, unmoved=len(receipts) - moved, odd=0)


def opt_out_by_key(key: UUID, at: datetime) -> bool:
    """Record the opt-out of the recipient of an e-mail, by the key in its link; return whether the key is known."""
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


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_MAX:
                raise HTTPException(413, f"at most {BODY_MAX} bytes", {"connection": "close"})
    except ClientDisconnect:
        raise HTTPException(400, "the body is incomplete") from None
    return bytes(body)


def _without_repetition(pairs: list[tuple[str, Any]]) -> Any:
    """Return an object's pairs as a mapping, or `AMBIGUOUS` if a name occurs twice."""
    members = dict(pairs)
    return members if len(members) == len(pairs) else AMBIGUOUS


def _public_url(request: Request) -> str:
    """Return the URL that was posted to as its sender knows it, in front of any proxy."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    address = Settings.from_environment().receipts_url
    return f"{address}{path}" if address else str(request.url)


def _no_such_link() -> HTMLResponse:
    text = "Tautan ini tidak berlaku lagi. Hubungi layanan pengaduan di prakerja.go.id."
    return HTMLResponse(_page(text, ""), status_code=404)


def _page(text: str, form: str) -> str:
    return (
        '<!doctype html><html lang="id"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Kartu Prakerja</title><body style='font: 1.1rem sans-serif; max-width: 34rem; margin: 3rem auto'>"
        f"<h1>Kartu Prakerja</h1><p>{text}</p><form method='post'>{form}</form></body></html>"
    )
