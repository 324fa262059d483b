"""The image and the compose file of a fresh clone, built and started under podman, once for all these tests."""

from __future__ import annotations

import base64
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from prakerja.settings import PROJECT, wib_today
from tests.support.containers.airflow import Airflow
from tests.support.containers.composition import Composition
from tests.support.containers.podman import Podman
from tests.support.containers.podman import podman as own_podman
from tests.support.running_machine import free_ports

#: From what changes nothing to what stops it.
ORDER = ("test_image", "test_services", "test_closed", "test_running", "test_changes", "test_stopping")

TODAY = wib_today()
#: Gelombang 12 was due three days ago; 13 is due tomorrow, and its last reminder is today's.
CALENDAR = f"""\
cohorts:
- cohort: 12
  announced_on: {TODAY - timedelta(days=12)}
  deadline_on: {TODAY - timedelta(days=3)}
  recipients: 60000
  note: short for tests
- cohort: 13
  announced_on: {TODAY - timedelta(days=8)}
  deadline_on: {TODAY + timedelta(days=1)}
  recipients: 60000
  note: short for tests
"""
#: Feeds of this day are backfilled: its run takes in all that lies in the landing zone.
BACKFILLED = TODAY - timedelta(days=2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files by what they do to the system."""
    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    in_order = iter(sorted(ours, key=lambda item: ORDER.index(item.path.stem)))
    for index, item in enumerate(items):
        if item in ours:
            items[index] = next(in_order)


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman]:
    with own_podman() as started:
        yield started


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of what is committed, with its secrets, a calendar of these days and a simulated landing zone.

    Its programme sends reminders at any hour.
    """
    folder = tmp_path_factory.mktemp("containers")
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", PROJECT, clone], check=True)
    subprocess.run(["sh", "docker/make-secrets.sh", "secrets"], cwd=clone, check=True, stdout=subprocess.DEVNULL)
    (clone / "config" / "cohorts.yaml").write_text(CALENDAR)
    programme = clone / "config" / "programme"
    programme.mkdir()
    rules = (clone / "include" / "program.yaml").read_text()
    day_and_night = rules.replace("leave_from_hour: 8 ", "leave_from_hour: 0 ")
    (programme / "program.yaml").write_text(day_and_night.replace("leave_until_hour: 20 ", "leave_until_hour: 24 "))
    subprocess.run(
        [sys.executable, "-m", "prakerja", "simulate", "--cohorts", "12,13", "--scale", "0.005", "--seed", "5",
         "--out", folder / "world"],
        check=True, stdout=subprocess.DEVNULL, cwd=folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(clone / "include"), "PRAKERJA_HOME": str(folder / "home"),
             "PRAKERJA_CALENDAR": str(clone / "config" / "cohorts.yaml")},
    )  # fmt: skip
    shutil.copytree(folder / "world" / "landing", clone / "landing", dirs_exist_ok=True)
    for delivery in clone.glob("landing/feeds/*/*"):
        if delivery.name >= f"{TODAY}":
            shutil.rmtree(delivery)
    return clone


@pytest.fixture(scope="session")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The device of an empty file system of 64 MB, for the volume of the published list."""
    folder = tmp_path_factory.mktemp("disk")
    image, mounted = folder / "image", folder / "mounted"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    made = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True)
    device = made.stdout.strip()
    try:
        subprocess.run(["mount", device, mounted], check=True)
        shutil.chown(mounted, 50000, 0)
        mounted.chmod(0o770)
        subprocess.run(["umount", mounted], check=True)
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


@pytest.fixture(scope="session")
def built(podman: Podman, checkout: Path, small_disk: str) -> Composition:
    """The image of the checkout."""
    port = free_ports()
    names = ("AIRFLOW_PORT", "SANDBOX_PORT", "RECEIPTS_PORT", "BLACKLIST_PORT")
    settings = {name: str(port + number) for number, name in enumerate(names)}
    settings["PRAKERJA_PROGRAMME"] = "/etc/prakerja/programme"
    composition = Composition(podman, checkout, settings)
    (checkout / "small-disk.yaml").write_text(
        f"volumes: {{publish: {{driver_opts: {{type: ext4, device: {small_disk}, o: rw}}}}}}\n"
    )
    composition.files.append("small-disk.yaml")
    composition.build()
    return composition


@pytest.fixture(scope="session")
def system(built: Composition) -> Iterator[Composition]:
    """All services, healthy."""
    built.up()
    yield built
    built.down(volumes=True)


@pytest.fixture(scope="session")
def airflow(system: Composition) -> Airflow:
    return Airflow(system)


@pytest.fixture(scope="session")
def fed(system: Composition, airflow: Airflow) -> Composition:
    """The landing zone is taken in, by a backfill of one day as an operator begins it."""
    airflow.await_dag("platform_feeds")
    begin_backfill(system, "platform_feeds", f"{BACKFILLED}", f"{BACKFILLED}T23:59")
    airflow.unpause("platform_feeds")
    (run,) = await_backfilled(airflow, "platform_feeds", 1)
    assert airflow.await_run("platform_feeds", run) == "success", airflow.tasks("platform_feeds", run)
    return system


@pytest.fixture(scope="session")
def decided(fed: Composition, airflow: Airflow) -> Composition:
    """Gelombang 12 is decided by a backfill, and the operator has approved its batch in Airflow."""
    airflow.await_dag("cohort_deadline")
    begin_backfill(fed, "cohort_deadline", f"{TODAY - timedelta(days=2)}", f"{TODAY - timedelta(days=1)}T23:59")
    airflow.unpause("cohort_deadline")
    deadline = await_asking(airflow)
    airflow.await_question("cohort_deadline", deadline)
    airflow.login("operator")
    airflow.answer("cohort_deadline", deadline, "Approve")
    airflow.login("admin")
    assert airflow.await_run("cohort_deadline", deadline) == "success", airflow.tasks("cohort_deadline", deadline)
    return fed


def begin_backfill(system: Composition, dag_id: str, first: str, last: str) -> None:
    done = system.exec(
        "airflow-apiserver", "airflow", "backfill", "create", "--dag-id", dag_id, "--from-date", first,
        "--to-date", last,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def await_backfilled(airflow: Airflow, dag_id: str, count: int) -> list[str]:
    """Wait until a backfill has made its runs, and return their ids."""

    def found() -> list[str]:
        return [run["dag_run_id"] for run in airflow.runs(dag_id) if run["run_type"] == "backfill"]

    airflow.composition.until(lambda: len(found()) >= count, f"{count} backfilled runs of {dag_id}")
    return found()


def await_asking(airflow: Airflow) -> str:
    """Wait until a run of `cohort_deadline` asks for an approval, and return its id: a backfilled run has Airflow's."""
    found: list[str] = []

    def is_found() -> bool:
        runs = [run["dag_run_id"] for run in airflow.runs("cohort_deadline") if run["state"] == "running"]
        found[:] = [
            run for run in runs if airflow.tasks("cohort_deadline", run).get("ask_approval") == "awaiting_input"
        ]
        return bool(found)

    airflow.composition.until(is_found, "a run that asks for an approval")
    return found[0]


def rotate_subject_key(system: Composition) -> None:
    """Give the system a new key of the subjects: the next run that publishes issues the list anew, on the same day."""
    before = [system.secret(name) for name in ("prakerja_subject_key", "prakerja_subject_key_previous")]
    system.replace_secret("prakerja_subject_key", base64.b64encode(secrets.token_bytes(32)).decode())
    system.replace_secret("prakerja_subject_key_previous", ",".join(filter(None, before)))
    system.recreate("airflow-worker", "console", "blacklist")


def publish_anew(airflow: Airflow) -> str:
    """Decide gelombang 12 again: a new key of the subjects gives the list a version. Return how the run ended."""
    run = airflow.trigger("cohort_deadline", cohort=12, kind="deadline")
    return airflow.await_run("cohort_deadline", run)
