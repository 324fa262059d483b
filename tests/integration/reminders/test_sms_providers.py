"""A provider is a file: each is spoken to over real HTTP, as the sandbox plays it, with all its ways to fail."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from prakerja import warehouse
from prakerja.errors import PrakerjaError
from prakerja.monitor import overview as monitor
from prakerja.reminders import receipts, sms_providers
from prakerja.reminders.sending import PartialError
from prakerja.reminders.sms_providers import SmsProvider, list_providers, load_provider
from prakerja.settings import Settings
from tests.support.reminder_desk import NINE, Desk, magic, person, phone

#: How a number ends, and how many messages were sent to it.
FATES = {
    "00": ("delivered", 1),
    "01": ("delivered", 1),
    "02": ("permanent_failure", 0),
    "03": ("permanent_failure", 1),
    "04": ("delivered", 1),
    "05": ("delivered", 2),
    "06": ("delivered", 1),
    "07": ("delivered", 1),
    "08": ("delivered", 1),
    "09": ("delivered", 1),
    "10": ("accepted", 1),
    "11": ("delivered", 1),
    "12": ("delivered", 1),
    "13": ("accepted", 1),
    "14": ("permanent_failure", 1),
}
#: Broken off without a word: of a provider that knows no reference again, nobody will ever know.
FATES_WITHOUT_KEYS = FATES | {"12": ("unknown", 0)}
KNOWN, WITHOUT_KEYS = list_providers(), ["sinch", "twilio"]


@pytest.mark.parametrize("provider", KNOWN, indirect=True)
def test_every_way_to_fail_ends_as_it_should(provider: str, desk: Desk) -> None:
    desk.roster([person(n, magic(kind)) for n, kind in enumerate(FATES, 1)])
    with contextlib.nullcontext() if provider == "gateway" else pytest.raises(PartialError, match="1 of 15 unsettled"):
        desk.until_done()
    states = dict(zip(FATES, [state for (state,) in desk.rows("state")], strict=True))
    sent = Counter(to for _, to, _ in desk.messages())
    assert {kind: (state, sent[f"+62{magic(kind)[1:]}"]) for kind, state in states.items()} == (
        FATES if provider == "gateway" else FATES_WITHOUT_KEYS
    )


@pytest.mark.parametrize("provider", WITHOUT_KEYS, indirect=True)
def test_a_message_that_may_have_been_taken_is_not_repeated_without_keys(
    provider: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without receipts nobody ever learns what became of them: one message each, and no second on a guess."""
    monkeypatch.delenv("PRAKERJA_RECEIPTS_URL")
    monkeypatch.setattr("prakerja.sandbox.receipt_webhooks.DUE_MAX", 0)
    kinds = ["08", "09", "11"]
    desk.roster([person(n, magic(kind)) for n, kind in enumerate(kinds, 1)])
    for hours in range(8):
        with contextlib.suppress(PartialError):
            desk.send(NINE + timedelta(hours=hours))
    assert {state for (state,) in desk.rows("state")} == {"unknown"}
    assert Counter(to for _, to, _ in desk.messages()) == {f"+62{magic(kind)[1:]}": 1 for kind in kinds}


@pytest.mark.parametrize("provider", KNOWN, indirect=True)
def test_a_failure_is_named_by_the_providers_code(provider: str, desk: Desk) -> None:
    desk.roster([person(1, magic("02")), person(2, magic("03")), person(3, magic("14"))])
    desk.until_done()
    assert [failure for (failure,) in desk.rows("failure")] == {
        "gateway": ["unknown_subscriber", "unknown_subscriber", "ec_absent"],
        "sinch": ["syntax_invalid_parameter_format", "code_150", "code_399999"],
        "twilio": ["code_21211", "code_30005", "code_30999"],
    }[provider]


@pytest.mark.parametrize("provider", KNOWN, indirect=True)
@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_provider_that_takes_nothing_loses_nothing(provider: str, desk: Desk, status: int) -> None:
    desk.roster([person(1, phone(1))])
    desk.mood("first", status=status)
    if status in (500, 503):
        desk.send()
        assert desk.rows("state") == [("temporary_failure" if status == 503 else "unknown",)]
        assert not desk.messages()
        return
    desk.send()
    assert [place for place, *_ in desk.messages()] == ["second"]


@pytest.mark.parametrize("provider", KNOWN, indirect=True)
def test_a_receipt_signed_by_another_moves_nothing(provider: str, desk: Desk) -> None:
    """What one provider signs is nothing at another gateway, and nothing once a byte of it is another."""
    from prakerja.sandbox.shapes import SHAPES

    desk.roster([person(1, magic("10"))])
    desk.send()
    ((key,),) = desk.rows("idempotency_key")
    url = Settings.from_environment().receipts_url
    secrets = sms_providers.load_receipt_secrets()
    receipt = {"reference": f"{key}.0", "status": "delivered", "code": None, "recipient": "+62811", "number": 1}
    query = f"?reference={key}.0" if provider == "twilio" else ""

    def post(gateway: str, signed_by: str, change: bytes = b"") -> int:
        given = SHAPES[provider].post(
            f"{url}/v1/receipts/{gateway}{query}", secrets[signed_by], [receipt | {"provider": "first"}]
        )
        return httpx.post(given.url, content=given.body + change, headers=given.headers).status_code

    assert post("sms", "sms_fallback") == post("sms_fallback", "sms") == 401
    assert post("sms", "sms", b"&x=1" if provider == "twilio" else b" ") == 401
    assert desk.rows("state") == [("accepted",)]
    assert post("sms_fallback", "sms_fallback") == 200  # of a message that was given to the other
    assert desk.rows("state") == [("accepted",)]
    assert post("sms", "sms") == 200
    assert desk.rows("state") == [("delivered",)]


def test_a_message_that_a_provider_may_have_is_not_sent_to_another(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the same setting: the new one does not know the key of the old one's message."""
    desk.roster([person(1, magic("09"))])
    monkeypatch.setattr("prakerja.sandbox.receipt_webhooks.DUE_MAX", 0)
    desk.send(sms_fallback=None)
    assert desk.rows("state, provider") == [("unknown", "sms")]
    other = desk.at.urls["sms"].replace("/first", "/second")
    for hours in range(1, 8):
        with contextlib.suppress(PartialError):
            desk.send(NINE + timedelta(hours=hours), sms=other, sms_fallback=None)
    assert [place for place, *_ in desk.messages()] == ["first"]


# -- odd receipts ------------------------------------------------------------------------------------------------------


def odd(what: str = "what, word, receipts") -> list[tuple[object, ...]]:
    with warehouse.transaction(as_owner=True) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(f"select {what} from odd_receipts order by 1, 2")]


def take_in(provider: str, *entries: object, query: dict[str, str] | None = None) -> receipts.ReceiptCounts:
    judged = receipts.read_receipts(load_provider(provider), entries, query or {})
    return receipts.record_receipts(provider, *judged)


def test_an_odd_entry_does_not_refuse_the_others(desk: Desk) -> None:
    desk.roster([person(n, magic("10", n)) for n in range(1, 5)])
    desk.send()
    a, b, c, d = [str(key) for (key,) in desk.rows("idempotency_key")]
    taken = take_in(
        "sms",
        {"reference": f"{a}.0", "status": "delivered"},
        {"reference": f"{b}.0", "status": "undelivered", "code": "30003"},
        {"reference": f"{c}.0", "status": "permanent_failure", "code": "EC_ABSENT"},
        {"reference": f"{d}.0", "status": "temporary_failure", "code": "30003"},
        {"reference": f"{a}.0", "status": "delivered to +6281234567890"},
        {"reference": f"{a}.0", "status": 12345678901},
        {"reference": f"{a}.0", "status": "x62-812-345"},
        {"reference": f"{a}.0", "status": ["delivered"]},
        {"reference": f"{b}.0", "status": "permanent_failure", "code": "no such subscriber 081234567890"},
        {"reference": 7, "status": "delivered"},
        {"reference": "theirs", "status": "delivered"},
        {"status": "delivered"},
        "rubbish", None, [],
    )  # fmt: skip
    assert (taken.moved, taken.odd) == (4, 11)
    assert desk.rows("state, failure") == [
        ("delivered", None), ("permanent_failure", None), ("permanent_failure", "ec_absent"),
        ("temporary_failure", "code_30003"),
    ]  # fmt: skip
    assert odd() == [
        ("code", "", 1), ("entry", "", 3), ("reference", "", 3), ("status", "", 4), ("status", "undelivered", 1),
    ]  # fmt: skip
    take_in("sms", {"status": "undelivered"})
    assert ("status", "undelivered", 2) in odd()


def test_a_provider_with_ever_new_words_does_not_fill_the_table(home: Path) -> None:
    for start in (0, 5000):
        take_in("sms", *({"status": f"word{n}"} for n in range(start, start + 5000)))
    assert odd("count(*), sum(receipts)") in [[(n, 10_000)] for n in (100, 101)]


def test_unknown_words_need_a_person_until_the_file_has_them(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    take_in("sms", {"status": "undelivered"}, {"status": "undelivered"})
    now = datetime.now(UTC)

    def needs(at: datetime) -> list[str]:
        return [need.what for need in monitor.page(at)["needs"] if "receipts" in need.what]

    assert needs(now) == [
        "the gateway sms has sent 2 receipts with the status undelivered: define it in "
        "include/sms_providers/gateway.yaml"
    ]
    assert not needs(now + timedelta(days=8))
    given = load_provider("sms")
    statuses = given.receipts.statuses | {"undelivered": "permanent_failure"}
    mapped = given.model_copy(update={"receipts": given.receipts.model_copy(update={"statuses": statuses})})
    monkeypatch.setattr(sms_providers, "_read", lambda _: mapped)
    assert not needs(now)


@pytest.mark.parametrize("provider", ["sinch", "twilio"], indirect=True)
def test_a_code_that_the_file_does_not_have_counts_by_its_status(provider: str, desk: Desk) -> None:
    desk.roster([person(1, magic("14")), person(2, magic("13"))])
    desk.until_done()
    code, status = {"sinch": ("399999", "Superseded"), "twilio": ("30999", "partially_delivered")}[provider]
    assert odd() == [("code", code, 1), ("status", status, 1)]


# -- the files ---------------------------------------------------------------------------------------------------------


def test_every_file_is_valid_and_says_what_it_was_tried_against() -> None:
    assert KNOWN == ["gateway", "sinch", "twilio"]
    for name in KNOWN:
        provider = SmsProvider.from_file(sms_providers.providers_folder() / f"{name}.yaml")
        assert provider.tried == (
            "against the sandbox" if name == "gateway" else
            f"against the sandbox, which follows its public documentation; never against {name.title()} itself"
        )  # fmt: skip


@pytest.mark.parametrize(
    ("was", "now", "message"),
    [
        ("login: bearer ", "login: digest ", "line 10: `submit.login`: Input should be 'bearer' or 'basic'"),
        ("accepted: accepted", "accepted: eaten", "line 33: `receipts.statuses.accepted`: Input should be"),
        (
            "same_twice: one_message",
            "same_twise: one_message",
            "line 18: `submit.same_twise`: Extra inputs are not permitted",
        ),
        ("by_code: {}", "by_code: {}\n  more: 1", "line 25: `answers.more`: Extra inputs are not permitted"),
        ("by_status: {}", 'by_status: {"600": unknown}', "`answers.by_status.600`: String should match"),
        ("provider: gateway", "provider: other", "is named gateway, but says provider: other"),
        ("provider: gateway", "provider: [", "is not YAML"),
        ('text: "{text}"', 'text: "{txt}"', "`submit`: {txt} is not a placeholder: known are {to}"),
        ('to: "{to}"', 'to: "+62811"', "`submit`: fields must have {to} and {text}"),
        (
            "form: standard_webhooks",
            "form: hmac, header: x-signature, signs: [url]",
            "`receipts.signature`: hmac needs",
        ),
        ("in: entry", "in: query", "`receipts`: a reference in the query must be signed"),
        ("key_is: base64", "key_is: hex", "line 38: `receipts.signature.key_is`: Input should be 'base64' or 'text'"),
    ],
)
def test_an_invalid_file_is_refused_with_its_field(tmp_path: Path, was: str, now: str, message: str) -> None:
    text = (sms_providers.providers_folder() / "gateway.yaml").read_text(encoding="utf-8")
    assert was in text
    path = tmp_path / "gateway.yaml"
    path.write_text(text.replace(was, now), encoding="utf-8")
    with pytest.raises(PrakerjaError) as refused:
        SmsProvider.from_file(path)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_provider_without_a_file_or_a_sender_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.roster([person(1, phone(1))])
    monkeypatch.setenv("PRAKERJA_SMS_PROVIDER", "twilio")
    with pytest.raises(PrakerjaError, match=r"Twilio .* needs a sender: set PRAKERJA_SMS_FROM"):
        desk.send()
    monkeypatch.setenv("PRAKERJA_SMS_PROVIDER", "../gateway")
    with pytest.raises(PrakerjaError, match="names a provider without a file: known are gateway, sinch"):
        desk.send()
    assert desk.rows("state") == [("queued",)]


@pytest.mark.parametrize(
    "word",
    ["081-234-567-890", "62-812-3456", "0812_345", "abc081234x5", "a b", "é", "", "-x", "x" * 41, True, 10**6, -1, 1.5],
)
def test_no_word_is_stored_that_could_be_a_number(word: object) -> None:
    assert sms_providers.word_of(word) is None


@pytest.mark.parametrize("word", ["EC_ABSENT", "30003", 0, 999_999, "undelivered", "http-5xx"])
def test_a_code_is_stored(word: object) -> None:
    assert sms_providers.word_of(word) == str(word)


@pytest.mark.parametrize(
    "given",
    ["r.example", "ftp://r.example", "https://r.example:x", "https://[r.example", "https://r.example?a=b",
     "https://u:p@r.example", "https://R.example", "https://r.example#x"],
)  # fmt: skip
def test_a_malformed_url_is_refused_at_the_start(home: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("PRAKERJA_RECEIPTS_URL", given)
    with pytest.raises(PrakerjaError, match="PRAKERJA_RECEIPTS_URL is not an address"):
        receipts.application()


def test_a_secret_that_only_the_provider_knows_is_not_generated(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAKERJA_SMS_PROVIDER", "twilio")
    with pytest.raises(PrakerjaError, match="PRAKERJA_RECEIPTS_SECRET_SMS is not set: give the secret"):
        receipts.application()


def test_placeholders_in_values_are_not_filled_in() -> None:
    """What stands in a text is never taken for a placeholder."""
    text = "{text} {reference}"
    provider = SmsProvider.from_file(sms_providers.providers_folder() / "gateway.yaml")
    values = {"to": "+62811", "from": None, "text": text, "reference": "r", "receipts_to": None}
    assert json.loads(provider.build_submission(values).body) == {
        "to": "+62811", "text": text, "reference": "r",
    }  # fmt: skip
