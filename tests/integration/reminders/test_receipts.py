"""Receipts and unsubscribing: signed by whom they are about, in any order, asked before it is done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.reminders import receipts
from prakerja.reminders.sms_providers import load_receipt_secrets
from prakerja.settings import Settings
from tests.support.reminder_desk import NINE, Desk, magic, person, phone


def post(
    provider: str, body: str, at: datetime, signature: str | None = None, *, signed_by: str | None = None
) -> httpx.Response:
    """Post to a provider's address, signed with its secret, or another's, or with this signature."""
    signed = Webhook(load_receipt_secrets()[signed_by or provider])
    headers = {
        "webhook-id": "1", "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature or signed.sign("1", at, body),
    }  # fmt: skip
    return httpx.post(
        f"{Settings.from_environment().receipts_url}/v1/receipts/{provider}", content=body, headers=headers
    )


def test_a_receipt_that_is_not_signed_or_is_rubbish_moves_nothing(desk: Desk) -> None:
    url = Settings.from_environment().receipts_url
    signed = Webhook(load_receipt_secrets()["sms"])
    body = '{"receipts": []}'

    def status(body: str, at: datetime, signature: str | None = None) -> int:
        return post("sms", body, at, signature).status_code

    now = datetime.now(UTC)
    assert status(body, now) == 200
    assert status(body, now, signed.sign("1", now, body + " ")) == 401
    assert status(body, now, "rubbish") == 401
    assert status(body, now, "v1,!!!") == 401
    assert status(body, now - timedelta(minutes=6)) == 401
    assert httpx.post(f"{url}/v1/receipts/sms", content=body).status_code == 401
    assert status("[1]", now) == 422
    assert status("[" * 100_000, now) == status('{"receipts": {}}', now) == status("rubbish", now) == 422
    assert status('{"receipts": [{"reference": "x", "status": "eaten"}]}', now) == 200
    assert status('{"receipts": [{"reference": "not ours", "status": "delivered"}]}', now) == 200
    assert status(" " * (receipts.BODY_MAX + 1), now) == 413


def test_a_receipt_that_says_two_things_moves_nothing(desk: Desk) -> None:
    """A key twice, in the entry or around it: the other entries of a request count."""
    desk.roster([person(1, magic("10")), person(2, magic("10", 1))])
    desk.send()
    (first,), (second,) = desk.rows("idempotency_key")
    now = datetime.now(UTC)
    for twice in (
        '"status": "delivered", "status": "permanent_failure"',
        '"status": "delivered", "status": "delivered"',
    ):
        entry = f'{{"reference": "{first}.0", {twice}}}'
        body = f'{{"receipts": [{entry}, {{"reference": "{second}.0", "status": "delivered"}}]}}'
        counts = post("sms", body, now).json()
        assert (counts["moved"] + counts["unmoved"], counts["odd"]) == (1, 1)
    assert [row[1] for row in desk.rows()] == ["accepted", "delivered"]
    for other in ("00", "\u0660"):
        body = f'{{"receipts": [{{"reference": "{first}.{other}", "status": "delivered"}}]}}'
        assert post("sms", body, now).json()["odd"] == 1
    entry = f'{{"reference": "{first}.0", "status": "delivered"}}'
    assert post("sms", f'{{"receipts": [{entry}], "receipts": [{entry}]}}', now).status_code == 422
    assert desk.rows("state") == [("accepted",), ("delivered",)]


@pytest.mark.parametrize("status", ["delivered", "temporary_failure", "permanent_failure"])
def test_a_provider_moves_only_its_own_messages(desk: Desk, status: str) -> None:
    """The other gateway, with its own secret at its own address, at ours, and with ours at its own."""
    desk.roster([person(1, magic("10"))])
    desk.send()
    ((key, provider),) = desk.rows("idempotency_key, provider")
    body = f'{{"receipts": [{{"reference": "{key}.0", "status": "{status}"}}]}}'
    now = datetime.now(UTC)
    assert provider == "sms"
    assert post("sms_fallback", body, now).json() == {"moved": 0, "unmoved": 1, "odd": 0}
    assert post("sms", body, now, signed_by="sms_fallback").status_code == 401
    assert post("sms_fallback", body, now, signed_by="sms").status_code == 401
    assert [row[1] for row in desk.rows()] == ["accepted"]
    assert post("sms", body, now).json() == {"moved": 1, "unmoved": 0, "odd": 0}
    assert [row[1] for row in desk.rows()] == [status]


def test_a_message_that_moved_to_another_gateway_is_not_the_first_ones(desk: Desk) -> None:
    desk.roster([person(1, magic("10"))])
    desk.send()
    ((key,),) = desk.rows("idempotency_key")
    receipts.apply_receipts("sms", [receipts.Receipt(reference=f"{key}.0", status="temporary_failure")])
    desk.send(NINE + timedelta(hours=1), sms=None)
    assert desk.rows("provider, state, round") == [("sms_fallback", "accepted", 1)]
    sent = [
        receipts.Receipt(reference=f"{key}.{n}", status=what)
        for n in (0, 1)
        for what in ("delivered", "permanent_failure")
    ]
    assert receipts.apply_receipts("sms", sent).moved == 0
    assert receipts.apply_receipts("sms_fallback", sent).moved == 1


def test_a_url_without_a_provider_says_what_to_do(desk: Desk) -> None:
    url = Settings.from_environment().receipts_url
    answer = httpx.post(f"{url}/v1/receipts", content='{"receipts": []}')
    assert (answer.status_code, answer.json()["detail"]) == (
        410, "post to /v1/receipts/{provider}, signed with the secret of that provider",
    )  # fmt: skip
    answer = httpx.post(f"{url}/v1/receipts/unknown", content='{"receipts": []}')
    assert (answer.status_code, answer.json()["detail"]) == (404, "no provider of this name has a secret here")


def test_a_health_check_may_use_head(desk: Desk) -> None:
    answer = httpx.head(f"{Settings.from_environment().receipts_url}/healthz")
    assert (answer.status_code, answer.content) == (200, b"")


def test_each_provider_has_a_secret_of_its_own(home: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generated once for the gateways; another provider is a setting, and no code."""
    generated = load_receipt_secrets()
    assert [*generated] == ["sms", "sms_fallback"]
    assert generated == load_receipt_secrets()
    assert len(set(generated.values())) == 2
    monkeypatch.setenv("PRAKERJA_RECEIPTS_SECRET_EMAIL", "whsec_c2l4dGVlbiByYW5kb20gYnl0ZXM=")
    assert load_receipt_secrets() == generated | {"email": b"sixteen random bytes"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PRAKERJA_RECEIPTS_SECRET", "c2l4dGVlbiByYW5kb20gYnl0ZXM=", r"was one secret for all providers: unset it"),
        ("PRAKERJA_RECEIPTS_SECRET_SMS", "c2hvcnQ=", "PRAKERJA_RECEIPTS_SECRET_SMS is too short"),
        ("PRAKERJA_RECEIPTS_SECRET_SMS", "!", "PRAKERJA_RECEIPTS_SECRET_SMS is not base64"),
        ("PRAKERJA_RECEIPTS_SECRET_OTHER", "c2l4dGVlbiByYW5kb20gYnl0ZXM=", "two providers share a secret"),
    ],
)
def test_a_malformed_or_shared_secret_is_refused(
    home: object, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv("PRAKERJA_RECEIPTS_SECRET_EMAIL", "c2l4dGVlbiByYW5kb20gYnl0ZXM=")
    monkeypatch.setenv(name, value)
    with pytest.raises(PrakerjaError, match=message):
        load_receipt_secrets()


def test_every_order_of_receipts_has_the_same_end(many: Desk) -> None:
    many.send()
    keys = [row[0] for row in many.rows("idempotency_key") for _ in (0,)]
    sent = ["accepted", "temporary_failure", "permanent_failure", "delivered", "delivered"]
    for key, order in zip(keys, list(permutations(sent))[::4], strict=False):
        for status in order:
            receipts.apply_receipts("sms", [receipts.Receipt(reference=f"{key}.0", status=status)])
    assert {row[1] for row in many.rows()} == {"delivered"}


def test_a_link_in_an_e_mail_asks_for_confirmation(desk: Desk) -> None:
    desk.roster([person(1, email="a@x.example")])
    desk.send()
    (key,) = desk.rows("unsubscribe_key")[0]
    url = f"{Settings.from_environment().receipts_url}/v1/unsubscribe/{key}"
    assert "Berhenti" in httpx.get(url).text
    for other in (f"{url}x", url.replace(str(key), str(key).upper()), url.replace(str(key), key.hex)):
        assert httpx.get(other).status_code == httpx.post(other).status_code == 404
    with warehouse.transaction("remind") as connection:
        assert not connection.exec_driver_sql("select opted_out(1, 'email')").scalar_one()
    for _ in range(2):
        assert httpx.post(url, content="List-Unsubscribe=One-Click").status_code == 200
    assert httpx.post(url[:-8] + "00000000").status_code == 404
    with warehouse.transaction(as_owner=True) as connection:
        assert connection.exec_driver_sql("select count(*) from opt_outs where is_opted_out").scalar_one() == 1


def test_a_key_that_a_provider_gets_does_not_unsubscribe(desk: Desk) -> None:
    """Neither an SMS's, which its gateway has, nor an e-mail's own, which stands in its Message-ID."""
    desk.roster(
        [person(1, phone(1), "a@x.example"), person(2, email="b@x.example"), person(3, magic("02"), "c@x.example")]
    )
    desk.until_done()
    keys = desk.rows("channel, idempotency_key, unsubscribe_key")
    assert sorted((channel, unsubscribe is not None) for channel, _, unsubscribe in keys) == [
        ("email", True), ("email", True), ("sms", False), ("sms", False),
    ]  # fmt: skip
    assert not any(receipts.opt_out_by_key(key, NINE) for _, key, _ in keys)
    assert all(receipts.opt_out_by_key(key, NINE) for *_, key in keys if key)


def test_links_of_e_mails_from_before_separate_keys_stay_valid(desk: Desk) -> None:
    """As the migration leaves it: the e-mail's own key. An SMS never gets one."""
    desk.roster([person(1, email="a@x.example"), person(2, phone(2))])
    desk.send()
    with warehouse.transaction(as_owner=True) as connection:
        connection.exec_driver_sql("update reminders set unsubscribe_key = idempotency_key where channel = 'email'")
    with (
        pytest.raises(warehouse.RefusedError, match="reminders_unsubscribe_key"),
        warehouse.transaction("remind") as connection,
    ):
        connection.exec_driver_sql("update reminders set unsubscribe_key = idempotency_key where channel = 'sms'")
    ((key,),) = [row[1:] for row in desk.rows("channel, idempotency_key") if row[0] == "email"]
    assert receipts.opt_out_by_key(UUID(str(key)), NINE)
