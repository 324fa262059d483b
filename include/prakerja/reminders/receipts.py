"""What comes back: providers' receipts, signed, and recipients who want no more e-mail.

`POST /v1/receipts/{provider}` takes receipts as the provider's file describes them (`include/sms_providers`), signed
with the provider's own secret, about the messages that were given to that provider. Twice is once, in any order. Each
entry is judged by itself: one that is odd is counted and told, and refuses no other, or all would come again for ever.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import FastAPI, HTTPException, Path, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.reminders.receipt_signatures import Posted, is_signed
from prakerja.reminders.sms_providers import (
    SmsProvider,
    failure_of,
    load_provider,
    load_receipt_secrets,
    word_of,
)
from prakerja.settings import WIB, Settings, acting

log = logging.getLogger(__name__)

BODY_MAX = 1_000_000  # bytes
#: Where receipts come to, as its senders write it: what they sign is what stands here.
ADDRESS = re.compile(r"https?://(?:[a-z0-9.-]{1,190}|\[[0-9a-f:]{2,39}\])(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]{0,200})?")
TOLD_MAX = 10
WORDS_MAX = 100  # that are kept of the odd receipts of one posting
REFERENCE = re.compile(r"(?P<key>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(?P<round>\d{1,4})")


class Receipt(NamedTuple):
    """What became of one submission: `delivered`, `temporary_failure` or `permanent_failure`, and of a failure why.

    A temporary failure says that the provider has given up for now.
    """

    reference: str
    status: str
    code: str | None = None


class Odd(NamedTuple):
    """Why a receipt, or a part of one, could not be judged, and the word that stands there, where it may be kept.

    `what` is `entry` (it is no receipt), `reference` (of no message in our form), `status` or `code` (the provider's
    file does not have it; an odd code leaves the status, which counts).
    """

    what: str
    word: str


class Taken(BaseModel):
    """How many messages the receipts moved, how many they did not (seen before, or not ours), how many were odd."""

    moved: int
    unmoved: int
    odd: int


def application() -> FastAPI:
    """The application; the process needs the warehouse and `PRAKERJA_RECEIPTS_SECRET_<PROVIDER>`."""
    public_address()
    app = FastAPI(title="Prakerja Deadlines: receipts", docs_url=None, redoc_url=None)
    secrets = load_receipt_secrets()
    providers = {name: load_provider(name) for name in secrets}

    @app.post("/v1/receipts")
    def name_the_provider() -> None:
        raise HTTPException(410, "post to /v1/receipts/{provider}, signed with the secret of that provider")

    @app.post("/v1/receipts/{provider}")
    async def take_receipts(provider: str, request: Request) -> Taken:
        from anyio.to_thread import run_sync

        if provider not in secrets:
            raise HTTPException(404, "no provider of this name has a secret here")
        body = b""
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_MAX:
                    raise HTTPException(413, f"at most {BODY_MAX} bytes")
        except ClientDisconnect:
            raise HTTPException(400, "the body has not come") from None
        speaks = providers[provider]
        posted = Posted(_public_url(request), request.headers, body)
        if not is_signed(posted, speaks.receipts.signature, secrets[provider], datetime.now(UTC)):
            raise HTTPException(401, "not signed with the key that we agreed on, or too long ago")
        try:
            entries = read_entries(speaks, body)
        except (ValueError, RecursionError):
            raise HTTPException(422, f"no receipts as {speaks.provider} sends them") from None
        receipts, odd = judge(speaks, entries, request.query_params)
        return await run_sync(take_in, provider, receipts, odd)

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


def public_address() -> str | None:
    """Return `PRAKERJA_RECEIPTS_URL`, None where it is not set. Raises `PrakerjaError` where it is no address."""
    given = Settings.from_environment().receipts_url
    if given and not ADDRESS.fullmatch(given):
        raise PrakerjaError(
            "PRAKERJA_RECEIPTS_URL is not an address: write https://host, with a port and a path if it has them"
        )
    return given.rstrip("/") if given else None


def require_address() -> None:
    """Raise `PrakerjaError` where a provider signs the address that it posts to, and nobody has said what it is."""
    for name in programme().reminders.list_gateways("http"):
        provider = load_provider(name)
        if "url" in provider.receipts.signature.signs and not public_address():
            raise PrakerjaError(f"{provider.name} ({name}) signs our address: set PRAKERJA_RECEIPTS_URL to it")


def read_entries(provider: SmsProvider, body: bytes) -> list[Any]:
    """Return the entries of what a provider has posted. Raises `ValueError`, `RecursionError` where it is no such."""
    if provider.receipts.body == "form":
        return [dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True))]
    document = json.loads(body)
    if provider.receipts.entries is None:
        return [document]
    entries = document.get(provider.receipts.entries) if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("no list of entries")
    return entries


def judge(
    provider: SmsProvider, entries: Iterable[Any], query: Mapping[str, str]
) -> tuple[list[Receipt], Counter[Odd]]:
    """Return what the entries say, and what is odd about them. `query` is of the address that was posted to."""
    form = provider.receipts
    receipts: list[Receipt] = []
    odd: Counter[Odd] = Counter()
    for entry in entries:
        if not isinstance(entry, dict):
            odd[Odd("entry", "")] += 1
            continue
        reference = (query if form.reference.where == "query" else entry).get(form.reference.name)
        given, given_code = entry.get(form.status), entry.get(form.code)
        code = word_of(given_code)
        status = form.statuses.get(given) if isinstance(given, str) else None
        if status is None:
            odd[Odd("status", word_of(given) or "")] += 1
        elif not isinstance(reference, str) or not REFERENCE.fullmatch(reference):
            odd[Odd("reference", "")] += 1
        elif status in ("accepted", "delivered"):
            receipts.append(Receipt(reference, status))
        else:
            decides = form.codes.get(code or "")
            if (form.codes and code and decides is None) or (code is None and given_code not in (None, "")):
                odd[Odd("code", code or "")] += 1
            failed = status if decides in (None, "by_status") else str(decides)
            receipts.append(Receipt(reference, failed, failure_of(code) if code else None))
    return receipts, odd


def take_in(provider: str, receipts: list[Receipt], odd: Counter[Odd]) -> Taken:
    """Apply a provider's receipts, and count the odd ones."""
    taken = apply(provider, receipts)
    if odd:
        count_odd(provider, odd, datetime.now(UTC))
        told = ", ".join(f"{count} of {each.what} {each.word}".rstrip() for each, count in odd.most_common(TOLD_MAX))
        more = f", and {len(odd) - TOLD_MAX:,} other words" if len(odd) > TOLD_MAX else ""
        log.warning("the provider %s has sent odd receipts: %s%s", provider, told, more)
    # An odd code is of a receipt that counts.
    aside = sum(count for each, count in odd.items() if each.what != "code")
    return Taken(moved=taken.moved, unmoved=taken.unmoved, odd=aside)


def count_odd(provider: str, odd: Counter[Odd], at: datetime) -> None:
    """Write down how many receipts were odd, in which way; never what else they said."""
    told: Counter[Odd] = Counter()
    for number, (each, count) in enumerate(odd.most_common()):
        told[each if number < WORDS_MAX else Odd(each.what, "")] += count
    with warehouse.transaction("receive") as connection:
        warehouse.execute(
            connection,
            "reminders/count_odd_receipts",
            provider=provider,
            whats=[each.what for each in told],
            words=[each.word for each in told],
            counts=list(told.values()),
            at=at,
        )


def list_odd(since: datetime) -> list[dict[str, Any]]:
    """Return the odd receipts since then: `provider`, `what`, `word`, `receipts`, and the `file` that should have it.

    What that file has by now is left out.
    """
    with warehouse.transaction("show") as connection:
        rows = [dict(row) for row in warehouse.rows(connection, "reminders/list_odd_receipts", since=since)]
    found = []
    for row in rows:
        speaks = load_provider(row["provider"])
        known: dict[str, set[str]] = {"status": {*speaks.receipts.statuses}, "code": {*speaks.receipts.codes}}
        if row["word"] not in known.get(row["what"], ()):
            found.append(row | {"file": f"include/sms_providers/{speaks.provider}.yaml"})
    return found


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
                wait=programme().reminders.try_again_after_seconds,
            ).rowcount
    return Taken(moved=moved, unmoved=len(receipts) - moved, odd=0)


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


def _public_url(request: Request) -> str:
    """Return the address that was posted to, as its sender knows it: a proxy may stand between."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    address = public_address()
    return f"{address}{path}" if address else str(request.url)


def _page(said: str, asked: str) -> str:
    return (
        '<!doctype html><html lang="id"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Kartu Prakerja</title><body style='font: 1.1rem sans-serif; max-width: 34rem; margin: 3rem auto'>"
        f"<h1>Kartu Prakerja</h1><p>{said}</p><form method='post'>{asked}</form></body></html>"
    )
