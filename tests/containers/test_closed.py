"""What a container may not do, each tried inside it."""

from __future__ import annotations

import pytest

from tests.support.containers.composition import Composition

pytestmark = pytest.mark.soak

RUNNING = (
    "postgres", "redis", "airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer",
    "airflow-worker", "console", "sandbox", "receipts", "blacklist",
)  # fmt: skip
REACH = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"


def address_of(system: Composition, service: str, network: str) -> str:
    networks = system.inspect(service)["NetworkSettings"]["Networks"]
    return str(networks[f"prakerja_{network}"]["IPAddress"])


def reaches(system: Composition, service: str, host: str, port: int) -> bool:
    return system.exec(service, "python", "-c", REACH, host, str(port)).returncode == 0


@pytest.mark.parametrize("service", RUNNING)
def test_nobody_writes_outside_volumes_and_memory(system: Composition, service: str) -> None:
    for folder in ("/", "/opt", "/usr/bin", "/etc", "/var"):
        done = system.exec(service, "sh", "-c", f"touch {folder}/planted", user="0")
        assert done.returncode != 0, folder
        assert "Read-only file system" in done.stderr, done.stderr
    assert system.exec(service, "sh", "-c", "touch /tmp/allowed && rm /tmp/allowed").returncode == 0


@pytest.mark.parametrize("service", RUNNING)
def test_nobody_has_capabilities_or_gains_any(system: Composition, service: str) -> None:
    done = system.exec(service, "cat", "/proc/1/status")
    status = dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)
    assert {status[name].strip("0") for name in ("CapEff", "CapPrm", "CapBnd", "CapInh")} == {""}
    assert status["NoNewPrivs"] == "1"
    assert status["Uid"].split()[0] != "0"


def test_the_service_reaches_the_warehouse_and_not_the_broker(system: Composition) -> None:
    assert reaches(system, "blacklist", "postgres", 5432)
    assert not reaches(system, "blacklist", "redis", 6379)
    assert not reaches(system, "blacklist", address_of(system, "redis", "broker"), 6379)
    assert not reaches(system, "blacklist", "sandbox", 8095)


def test_receipts_reach_the_warehouse_and_neither_broker_nor_deliveries_nor_list(system: Composition) -> None:
    assert reaches(system, "receipts", "postgres", 5432)
    assert not reaches(system, "receipts", address_of(system, "redis", "broker"), 6379)
    assert not reaches(system, "receipts", address_of(system, "blacklist", "consumers"), 8097)
    listed = system.exec("receipts", "sh", "-c", "ls -A /srv/landing /srv/publish")
    assert listed.stdout.split() == ["/srv/landing:", "/srv/publish:"]


def test_the_sandbox_reaches_neither_warehouse_nor_broker(system: Composition) -> None:
    assert not reaches(system, "sandbox", address_of(system, "postgres", "warehouse"), 5432)
    assert not reaches(system, "sandbox", address_of(system, "redis", "broker"), 6379)


def test_workers_read_landing_zone_and_configuration_only(system: Composition) -> None:
    for folder in ("/srv/landing", "/etc/prakerja"):
        done = system.exec("airflow-worker", "sh", "-c", f"ls {folder} > /dev/null && touch {folder}/planted", user="0")
        assert done.returncode != 0
        assert "Read-only file system" in done.stderr


def test_those_who_read_the_publication_cannot_write_it(system: Composition) -> None:
    for service in ("airflow-apiserver", "blacklist"):
        done = system.exec(service, "sh", "-c", "touch /srv/publish/planted", user="0")
        assert "Read-only file system" in done.stderr, service


def test_memory_is_bounded(system: Composition) -> None:
    """A command that takes more than its container has is killed; the container stays."""
    grows = "taken = []\nwhile True: taken.append(bytearray(64 << 20))"
    done = system.exec("receipts", "python", "-c", grows, timeout=120)
    assert done.returncode in (1, 137), done.stderr
    system.await_health("receipts", 120)


def test_processes_are_bounded(system: Composition) -> None:
    many = "import os, signal\nwhile os.fork(): pass\nsignal.pause()"
    done = system.exec("receipts", "timeout", "-s", "KILL", "60", "python", "-c", many)
    assert "BlockingIOError" in done.stderr, done.stderr
    system.exec("receipts", "pkill", "-KILL", "-f", "signal.pause")
    system.compose("restart", "receipts")
    system.await_health("receipts", 120)


def test_each_container_has_its_own_secrets(system: Composition) -> None:
    for service in ("airflow-scheduler", "airflow-dag-processor", "airflow-triggerer", "sandbox", "receipts"):
        names = set(system.exec(service, "ls", "/run/secrets").stdout.split())
        assert not {name for name in names if name.startswith(("prakerja_signing", "prakerja_subject", "postgres"))}
    assert "prakerja_signing_key" not in system.exec("blacklist", "ls", "/run/secrets").stdout.split()


def test_no_secret_is_in_the_environment(system: Composition) -> None:
    secrets = {path.read_text().strip() for path in (system.project / "secrets").iterdir() if path.stat().st_size}
    for service in RUNNING:
        environment = system.exec(service, "sh", "-c", "tr '\\0' '\\n' < /proc/1/environ; env").stdout
        assert [secret for secret in secrets if secret in environment] == [], service
