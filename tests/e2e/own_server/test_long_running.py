"""What runs until it is stopped, over a server of one's own: it answers, by its own login, and stops."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import psutil
import pytest

from tests.support.command_uses import OPERATOR, RECEIPTS, SERVICE
from tests.support.own_server import OwnServer, only_line
from tests.support.postgres_and_redis import PASSWORD
from tests.support.running_machine import Machine, free_ports

PATIENCE = 600.0


def until_answered(process: subprocess.Popen[str], url: str) -> httpx.Response:
    """Return the first answer of what has been started."""
    give_up = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, process.communicate()
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(url)
        assert time.monotonic() < give_up, f"{url} does not answer"
        time.sleep(0.05)


@contextlib.contextmanager
def started(own: OwnServer, login: str | None, *arguments: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command until left; then it must stop by Ctrl-C without an error."""
    process = own.start(login, *arguments, **more)
    try:
        yield process
        process.send_signal(signal.SIGINT)
        said, told = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in said + told
        assert process.returncode in (0, 130), told
    finally:
        process.kill()
        process.communicate()


def test_the_service_answers_by_the_services_login(own: OwnServer) -> None:
    port = str(free_ports())
    with own.server.connect() as connection:
        of = "select lpad(r.nik::text, 16, '0') from recipients r join revocations v using (recipient_id) limit 1"
        ((nik,),) = connection.execute(of).fetchall()
    token = own.run(OPERATOR, "keys", "create", "of-the-test", "--scope", "check", "--as", "siti").stdout.strip()
    with started(own, SERVICE, "serve", "--port", port) as process:
        assert until_answered(process, f"http://127.0.0.1:{port}/healthz").status_code == 200
        until = time.monotonic() + PATIENCE
        while True:  # it loads the list after it has begun to answer
            asked = httpx.post(
                f"http://127.0.0.1:{port}/v1/blacklist/check", json={"niks": [nik]},
                headers={"authorization": f"Bearer {token}"},
            )  # fmt: skip
            if asked.status_code != 503 or time.monotonic() > until:
                break
            time.sleep(0.1)
        assert asked.status_code == 200, asked.text
    with own.server.connect() as connection:
        lookups = "select k.consumer, l.asked from lookups l join api_keys k using (api_key_id)"
        assert connection.execute(lookups).fetchall() == [("of-the-test", 1)]


def test_receipts_are_received_by_their_login(own: OwnServer) -> None:
    port = str(free_ports())
    place = f"http://127.0.0.1:{port}"
    with started(own, RECEIPTS, "receipts", "--port", port, PRAKERJA_RECEIPTS_URL=place) as process:
        assert until_answered(process, f"{place}/healthz").status_code == 200
        assert httpx.post(f"{place}/v1/unsubscribe/{uuid4()}").status_code == 404, "it is looked for in the warehouse"


@pytest.mark.parametrize(("command", "login"), [("serve", RECEIPTS), ("receipts", SERVICE), ("up", "warehouse_reader")])
def test_another_login_does_not_start_it(own: OwnServer, command: str, login: str) -> None:
    done = own.run(login, command, PRAKERJA_RECEIPTS_URL="http://127.0.0.1:1", PRAKERJA_PORT=str(free_ports()))
    assert f"the login {login} may not" in only_line(done)


def test_the_sandbox_needs_no_warehouse(own: OwnServer) -> None:
    port = free_ports()
    with started(own, None, "sandbox", "--port", str(port), "--smtp-port", str(port + 1)) as process:
        assert until_answered(process, f"http://127.0.0.1:{port}/").status_code == 200


def test_the_embedded_server_runs_for_airflows_metadata(own: OwnServer) -> None:
    own.run(None, "db", "stop")
    with started(own, OPERATOR, "db", "serve"):
        until = time.monotonic() + PATIENCE
        while not (own.home / "postgres" / "postmaster.pid").exists():
            assert time.monotonic() < until
            time.sleep(0.05)
    assert not (own.home / "postgres" / "postmaster.pid").exists()


def test_the_system_runs_with_its_warehouse_on_the_server(machine: Machine) -> None:
    machine.await_health()
    told = machine.instance.run("status", "--json")
    assert told.returncode == 0, told.stderr
    assert {row["process"] for row in json.loads(told.stdout) if row["is_well"]} == {*machine.processes()}
    assert "postgres" in machine.processes(), "Airflow's metadata are in the home"
    page = machine.http.get("/prakerja/")
    assert page.status_code == 200
    assert "gelombang" in page.text.lower()


def test_its_passwords_are_in_no_list_of_processes(machine: Machine) -> None:
    shown = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            shown.append(" ".join(process.cmdline()))
    assert any("prakerja" in each for each in shown)
    assert not [each for each in shown if PASSWORD in each or "100%25" in each]


def test_its_logs_are_followed(machine: Machine) -> None:
    process = machine.instance.start("logs", "scheduler")
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_it_is_stopped_from_elsewhere(machine: Machine) -> None:
    done = machine.instance.run("down")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "everything is stopped"), done.stderr
    assert machine.process.wait(PATIENCE) == 0
