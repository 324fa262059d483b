"""E-mail as it goes over the wire, read by another parser; and what each reply of a mail server comes to."""

from __future__ import annotations

import asyncio
import base64
import quopri
import re

import pytest

from prakerja.reminders import channels
from prakerja.reminders.channels import Answer, Message, ProviderRefusesError
from prakerja.reminders.smtp_replies import REPLIES
from tests.support.scripted_servers import ScriptedMailServer

HERE = "https://r.prakerja.go.id"
KEY = "7f9c0f9e-3a5e-4b8e-9a53-1f0e8f7b8f11"


pytestmark = pytest.mark.usefixtures("messages_stay_here")


def send(server: ScriptedMailServer, *messages: Message, login: str = "") -> list[Answer]:
    """Send one message after the other over the sessions that a run would use."""

    async def run() -> list[Answer]:
        async with server.listening() as url:
            if login:
                url = url.replace("://", f"://{login}@")
            async with channels.MailServer(url) as mail:
                return [await mail.submit(message) for message in messages]

    return asyncio.run(run())


def message(number: int = 1, *, subject: str = "Pengingat", body: str = "Halo.\n", url: str | None = None) -> Message:
    return Message(f"siti{number}@x.example", body, f"{KEY}.{number}", subject, url)


# -- another parser: RFC 5322 and 2047 for headers, RFC 2045 for bodies, and nothing of `email` ------------------------


def parsed(raw: bytes) -> tuple[dict[str, str], str]:
    """The headers, unfolded, and the text."""
    assert all(len(line) <= 998 for line in raw.split(b"\r\n")), "RFC 5322, 2.1.1"
    assert raw.isascii(), "seven bits"
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = re.sub(r"\r\n(?=[ \t])", "", head.decode()).split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert len(headers) == len(lines), "each once"
    coded = headers["content-transfer-encoding"]
    data = {"7bit": bytes, "base64": base64.b64decode, "quoted-printable": quopri.decodestring}[coded](body)
    assert 'charset="utf-8"' in headers["content-type"]
    return headers, data.decode().replace("\r\n", "\n")


def words(value: str) -> str:
    """A header's text, its encoded words decoded: each of 75 characters at most."""

    def decoded(found: re.Match[str]) -> str:
        assert len(found[0]) <= 75
        data = base64.b64decode(found[2]) if found[1] in "bB" else quopri.decodestring(found[2].replace("_", " "))
        return data.decode()

    joined = re.sub(r"(\?=)\s+(=\?)", r"\1\2", value)
    return re.sub(r"=\?utf-8\?([bBqQ])\?([^?]*)\?=", decoded, joined)


@pytest.mark.parametrize("length", [10, 23, 24, 25, 60, 77, 78, 79, 120, 300, 600, 900])
def test_every_recipient_can_opt_out_at_a_url_of_any_length(length: int) -> None:
    url = (f"https://r{'a' * length}")[: length - 1] + "z"
    server = ScriptedMailServer({})
    send(server, message(url=url))
    headers, body = parsed(server.mails[0])
    assert headers["list-unsubscribe"] == f"<{url}>"
    assert headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert body.rstrip().split("\n")[-2:] == [channels.UNSUBSCRIBE, url]


def test_without_a_receipts_url_no_link_is_offered() -> None:
    server = ScriptedMailServer({})
    send(server, message())
    headers, body = parsed(server.mails[0])
    assert "list-unsubscribe" not in headers
    assert body == "Halo.\n"


@pytest.mark.parametrize(
    "name",
    [
        "Kartu Prakerja",
        "Prakerja (Sekretariat)",
        "Kartu Prakerja R.I.",
        "Kartu Prákerja",
        "“Kartu” Prakerja",
        "K" * 90,
        "カルトゥ" * 12,
    ],
)
def test_the_sender_stays_one_address_with_any_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRAKERJA_MAIL_FROM", f"{name} <pengingat@prakerja.example>")
    server = ScriptedMailServer({})
    send(server, message())
    headers, _ = parsed(server.mails[0])
    displayed, _, address = headers["from"].rpartition(" ")
    assert address == "<pengingat@prakerja.example>"
    assert re.sub(r'^"(.*)"$', r"\1", words(displayed)).replace("\\", "") == name
    assert headers["to"] == "siti1@x.example"


@pytest.mark.parametrize(
    "subject", ["Pengingat", "Batas waktu: 3 April – besok", "é" * 200, "“Siti” & Łukasz", "a" * 500, "="]
)
def test_a_subject_and_a_text_arrive_unchanged(subject: str) -> None:
    server = ScriptedMailServer({})
    text = f"Yth. Łukasz,\n\n{subject}\n.\n..\nFrom here\n{'é' * 700}\n"
    send(server, message(subject=subject, body=text))
    headers, body = parsed(server.mails[0])
    assert words(headers["subject"]) == subject
    assert body == text


@pytest.mark.parametrize("extensions", [(), ("8BITMIME",), ("8BITMIME", "SMTPUTF8")])
def test_seven_bits_reach_every_server(extensions: tuple[str, ...]) -> None:
    server = ScriptedMailServer({}, extensions)
    send(server, message(body="é “kutipan”\n"))
    assert parsed(server.mails[0])[1] == "é “kutipan”\n"


# -- replies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reply", "state"),
    [
        ("rcpt", "450 busy", "temporary_failure"),
        ("rcpt", "451 greylisted", "temporary_failure"),
        ("rcpt", "452 too many", "temporary_failure"),
        ("rcpt", "550 nobody", "permanent_failure"),
        ("rcpt", "552 too many", "temporary_failure"),
        ("rcpt", "553 not so", "permanent_failure"),
        ("data", "451 not now", "temporary_failure"),
        ("data", "452 no room", "temporary_failure"),
        ("data", "554 no", "permanent_failure"),
        ("text", "451 a fault", "temporary_failure"),
        ("text", "452 no room", "temporary_failure"),
        ("text", "552 too large", "permanent_failure"),
        ("text", "554 spam", "permanent_failure"),
        ("mail", "450 not now", "temporary_failure"),
        ("mail", "451 not now", "temporary_failure"),
        ("mail", "452 no room", "temporary_failure"),
        ("mail", "421 going", "temporary_failure"),
        ("rcpt", "421 going", "temporary_failure"),
        ("data", "421 going", "temporary_failure"),
        ("text", "421 going", "temporary_failure"),
    ],
)
def test_a_refusal_is_about_one_message_and_the_next_is_taken(command: str, reply: str, state: str) -> None:
    server = ScriptedMailServer({command: [reply, ""]})
    first, second = send(server, message(1), message(2))
    assert (first.state, first.failure) == (state, f"smtp_{reply[:3]}")
    assert second.state == "accepted"
    assert len(server.mails) == 1
    assert server.sessions == (2 if reply.startswith("421") else 1)


def test_a_server_that_cannot_reset_gets_another_session() -> None:
    server = ScriptedMailServer({"data": ["452 no room", ""], "rset": ["500 what"]})
    first, second = send(server, message(1), message(2))
    assert (first.state, second.state, server.sessions) == ("temporary_failure", "accepted", 2)


def test_a_server_that_is_out_of_step_gets_another_session() -> None:
    server = ScriptedMailServer({"mail": ["503 what", ""]})
    first, second = send(server, message(1), message(2))
    assert (first.state, first.is_providers_fault, second.state) == ("temporary_failure", True, "accepted")
    assert server.sessions == 2


@pytest.mark.parametrize(
    ("command", "reply", "expected"),
    [
        ("mail", "550 not you", r"refuses our sender \(550\): check PRAKERJA_MAIL_FROM"),
        ("mail", "530 who are you", r"refuses our sender \(530\)"),
        ("auth", "535 wrong", r"refuses the login \(535\): check PRAKERJA_SMTP_URL"),
        ("connect", "554 no mail here", r"refuses us \(554\)"),
        ("ehlo", "550 not you", "refuses us"),
    ],
)
def test_a_refusal_of_ours_says_what_to_check(command: str, reply: str, expected: str) -> None:
    server = ScriptedMailServer({command: [reply], "helo": [reply]}, ("AUTH PLAIN LOGIN",))
    with pytest.raises(ProviderRefusesError, match=expected):
        send(server, message(), login="siti:rahasia")


@pytest.mark.parametrize("reply", ["454 later", "432 later", "421 going", "451 later"])
def test_a_login_that_cannot_be_checked_now_is_tried_again(reply: str) -> None:
    server = ScriptedMailServer({"auth": [reply, ""]}, ("AUTH PLAIN",))
    first, second = send(server, message(1), message(2), login="siti:rahasia")
    assert (first.state, first.is_providers_fault) == ("queued", True)
    assert second.state == "accepted"


@pytest.mark.parametrize("reply", ["421 full", "450 not now"])
def test_a_server_that_is_busy_is_tried_again(reply: str) -> None:
    first, second = send(ScriptedMailServer({"connect": [reply, ""]}), message(1), message(2))
    assert (first.state, second.state) == ("queued", "accepted")


def test_every_command_has_a_meaning_for_every_code() -> None:
    for command, replies in REPLIES.items():
        assert {"4", "5"} <= replies.keys(), command
