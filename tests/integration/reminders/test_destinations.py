"""Messages go to the hosts that are set outside Airflow, encrypted, and to no other."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from prakerja import tasks
from prakerja.errors import PrakerjaError
from prakerja.reminders import channels, destinations
from prakerja.run_context import RunContext
from tests.support.reminder_desk import H7, MANY, NINE, Desk

SETTING = "PRAKERJA_MESSAGE_HOSTS"


@pytest.mark.parametrize(
    ("connection", "place"),
    [
        ({"sms": "https://:t@evil.example/v1"}, "evil.example:443"),
        ({"sms_fallback": "https://:t@evil.example:444/v1"}, "evil.example:444"),
        ({"smtp": "smtps://u:p@evil.example"}, "evil.example:465"),
        ({"smtp": "smtp://evil.example"}, "evil.example:25"),
        ({"sms": "http://127.0.0.2:9/v1"}, "127.0.0.2:9"),
        ({"sms": "https://allowed.example.evil.example/"}, "allowed.example.evil.example:443"),
        ({"sms": "https://allowed.example@evil.example/"}, "evil.example:443"),
        ({"sms": "https://evil.example#@allowed.example/"}, "evil.example:443"),
        ({"sms": "https://evil.example?@allowed.example/"}, "evil.example:443"),
        ({"sms": "https://evil.example\\@allowed.example:1/"}, "allowed.example:1"),
        ({"sms": "https://allowed.example\\.evil.example/"}, "this host"),
        ({"sms": "https://[::ffff:127.0.0.1]:5/"}, "[::ffff:"),
        ({"sms": "https://аllowed.example/"}, "xn--llowed-2nf.example:443"),
    ],
)
def test_a_host_that_is_not_allowed_gets_nothing_and_messages_stay_queued(
    many: Desk, monkeypatch: pytest.MonkeyPatch, connection: dict[str, str], place: str
) -> None:
    """As an operator would: by the Airflow connections, over the environment's own providers."""
    monkeypatch.setenv(SETTING, "allowed.example:443, 127.0.0.1")
    for name, url in many.at.variables.items():
        monkeypatch.setenv(name, url)
    reached: list[Any] = []
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: (reached.append(host), real(host, *a, **k))[1])
    run = RunContext("H-7", H7, NINE, 12)
    monkeypatch.setattr(RunContext, "read_clock", lambda self: self.now)
    with pytest.raises(destinations.ForbiddenHostError) as refused:
        tasks.deadline.send_reminders(run, connection)
    assert f"messages may not go to {place}" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert ":t@" not in str(refused.value)
    assert not [host for host in reached if "example" in str(host)]
    assert many.messages() == []
    assert [row[1] for row in many.rows()] == ["queued"] * MANY
    assert many.until_done() == {"targeted": MANY, "delivered": MANY}


def test_the_environments_own_hosts_are_allowed_and_another_port_is_not(
    many: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SETTING)
    with pytest.raises(destinations.ForbiddenHostError, match="allow no host"):
        many.send()
    monkeypatch.setenv("PRAKERJA_SMS_URL", many.at.urls["sms"])
    monkeypatch.setenv("PRAKERJA_SMTP_URL", many.at.urls["smtp"])
    port = urlsplit(many.at.urls["sms"]).port
    with pytest.raises(
        destinations.ForbiddenHostError, match=rf"may not go to 127.0.0.1:{port + 1}: .*127.0.0.1:{port}"
    ):
        many.send(sms=many.at.urls["sms"].replace(f":{port}/", f":{port + 1}/"))
    assert many.until_done() == {"targeted": MANY, "delivered": MANY}


@pytest.mark.parametrize("url", ["http://:t@allowed.example/v1", "http://allowed.example:8080/v1"])
def test_plain_http_to_another_machine_is_refused_unless_it_is_listed(
    many: Desk, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv(SETTING, "allowed.example,127.0.0.1")
    with pytest.raises(destinations.ForbiddenHostError, match=r"go to allowed.example:\d+ by https only"):
        many.send(sms=url)
    assert [row[1] for row in many.rows()] == ["queued"] * MANY
    monkeypatch.setenv(SETTING, "http://allowed.example")
    assert not destinations.require_allowed(urlsplit(url), "sms").needs_tls
    assert destinations.require_allowed(urlsplit("smtp://allowed.example"), "smtp").needs_tls


@pytest.mark.parametrize(
    "given", [",", "a b", "https://", "x@evil.example", "host/path", "host:99999", "host:0", "ftp://h", "ä" * 70]
)
def test_a_malformed_list_is_refused(many: Desk, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv(SETTING, given)
    with pytest.raises(PrakerjaError, match=f"{SETTING} (names no host|has an entry that is not a host)"):
        many.send()
    assert many.messages() == []


def test_a_redirect_is_not_followed(many: Desk) -> None:
    with (
        _answers(
            b"HTTP/1.1 307 Go\r\nLocation: %s/messages\r\nContent-Length: 0\r\n\r\n" % many.at.urls["sms"].encode()
        ) as port,
        pytest.raises(channels.ProviderRefusesError, match=r"127.0.0.1 \(sms\) answers 307"),
    ):
        many.send(sms=f"http://127.0.0.1:{port}/v1", sms_fallback=None)
    assert many.messages() == []
    assert {row[1] for row in many.rows()} <= {"queued", "unknown"}


def test_a_mail_server_on_another_machine_must_offer_starttls(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox's offers none: it is spoken to in plain text where it is this machine, or where that is meant."""
    from tests.support.reminder_desk import person

    monkeypatch.setattr(destinations, "is_loopback", lambda _: False)
    monkeypatch.setenv(SETTING, "http://127.0.0.1,127.0.0.1")
    desk.roster([person(1, email="a@x.example")])
    with pytest.raises(channels.ProviderRefusesError, match=r"127\.0\.0\.1 offers no STARTTLS"):
        desk.send()
    assert desk.messages() == []
    assert [row[1] for row in desk.rows()] == ["queued"]
    monkeypatch.setenv(SETTING, "http://127.0.0.1,smtp://127.0.0.1")
    assert desk.send().counts["accepted"] == 1


@contextmanager
def _answers(answer: bytes) -> Iterator[int]:
    """A server that answers everything alike."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    taken, _ = server.accept()
                except OSError:
                    return
                with taken:
                    taken.settimeout(2)
                    try:
                        taken.recv(65536)
                        taken.sendall(answer)
                    except OSError:
                        pass

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
