"""Receipts and unsubscribing: signed, in any order, asked before it is done."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations

import httpx

from prakerja import warehouse
from prakerja.reminders import receipts
from prakerja.settings import Settings
from tests.support.reminder_desk import Desk, person


def test_a_receipt_that_is_not_signed_or_is_rubbish_moves_nothing(desk: Desk) -> None:
    from datetime import UTC

    from standardwebhooks.webhooks import Webhook

    url = Settings.from_environment().receipts_url
    signed = Webhook(Settings.from_environment().receipts_secret())
    body = '{"receipts": []}'

    def post(body: str, at: datetime, signature: str | None = None) -> int:
        headers = {
            "webhook-id": "1", "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature or signed.sign("1", at, body),
        }  # fmt: skip
        return httpx.post(f"{url}/v1/receipts", content=body, headers=headers).status_code

    now = datetime.now(UTC)
    assert post(body, now) == 200
    assert post(body, now, signed.sign("1", now, body + " ")) == 401
    assert post(body, now, "rubbish") == 401
    assert post(body, now, "v1,!!!") == 401
    assert post(body, now - timedelta(minutes=6)) == 401
    assert httpx.post(f"{url}/v1/receipts", content=body).status_code == 401
    assert post("[1]", now) == 422
    assert post('{"receipts": [{"reference": "x", "status": "eaten"}]}', now) == 422
    assert post('{"receipts": [{"reference": "not ours", "status": "delivered"}]}', now) == 200
    assert post(" " * (receipts.BODY_MAX + 1), now) == 413


def test_every_order_of_receipts_ends_alike(many: Desk) -> None:
    many.send()
    keys = [row[0] for row in many.rows("idempotency_key") for _ in (0,)]
    told = ["accepted", "temporary_failure", "permanent_failure", "delivered", "delivered"]
    for key, order in zip(keys, list(permutations(told))[::4], strict=False):
        for status in order:
            receipts.apply([receipts.Receipt(reference=f"{key}.0", status=status)])
    assert {row[1] for row in many.rows()} == {"delivered"}


def test_a_link_in_an_e_mail_asks_before_it_unsubscribes(desk: Desk) -> None:
    desk.roster([person(1, email="a@x.example")])
    desk.send()
    (key,) = desk.rows("idempotency_key")[0]
    url = f"{Settings.from_environment().receipts_url}/v1/unsubscribe/{key}"
    assert "Berhenti" in httpx.get(url).text
    assert httpx.get(url + "x").status_code == 422
    with warehouse.transaction("remind") as connection:
        assert not connection.exec_driver_sql("select opted_out(1, 'email')").scalar_one()
    for _ in range(2):
        assert httpx.post(url, content="List-Unsubscribe=One-Click").status_code == 200
    assert httpx.post(url[:-8] + "00000000").status_code == 404
    with warehouse.transaction(as_owner=True) as connection:
        assert connection.exec_driver_sql("select count(*) from opt_outs where is_opted_out").scalar_one() == 1
