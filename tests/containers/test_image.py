"""The image: code only, compiled, for one user or any other, and nothing that an installation must supply itself."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.containers.composition import Composition

pytestmark = pytest.mark.soak

MEGABYTE = 1_000_000


def run(built: Composition, *command: str, user: str = "50000:0") -> subprocess.CompletedProcess[str]:
    return built.podman.run("run", "--rm", "--user", user, "--cap-drop", "ALL", built.image, *command, check=False)


def test_it_holds_code_and_nothing_else(built: Composition) -> None:
    found = run(built, "sh", "-c", "ls -A /opt/prakerja /srv/* /opt/airflow /etc/prakerja")
    assert found.stdout.split() == [
        "/etc/prakerja:",
        "/opt/airflow:",
        "/opt/prakerja:", "dags", "docker", "include", "plugins",
        "/srv/data-docs:", "/srv/home:", "/srv/landing:", "/srv/logs:", "/srv/publish:",
    ]  # fmt: skip


def test_it_is_small(built: Composition) -> None:
    assert built.image_bytes() < 1_300 * MEGABYTE, built.layers()


def test_its_code_is_compiled(built: Composition) -> None:
    """No process may write beside the code, so each would compile it again."""
    missing = (
        "find /opt/prakerja /opt/venv/lib -name '*.py' ! -path '*/docker/*' | while read -r file; do"
        ' name="$(basename "$file" .py)"; ls "$(dirname "$file")/__pycache__/$name".cpython-*.pyc > /dev/null 2>&1'
        ' || echo "$file"; done | head -20'
    )
    assert run(built, "sh", "-c", missing).stdout.splitlines() == []


def test_it_runs_as_any_user_of_group_0(built: Composition) -> None:
    """OpenShift gives a container a uid that the image does not know, in group 0."""
    done = run(built, "sh", "-ec", "prakerja --version && touch $AIRFLOW_HOME/x", user="1000730000:0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("prakerja ")


def test_another_group_is_refused_with_what_to_do(built: Composition) -> None:
    done = run(built, "prakerja", "--version", user="1234:1234")
    assert (done.returncode, done.stdout) == (1, "")
    assert 'run the container with group 0 (user: "1234:0")' in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "unset"),
    [
        (("cohorts",), "PRAKERJA_DATABASE_URL is not set"),
        (("freeze", "start", "--because", "test", "--as", "admin"), "the list of people /etc/prakerja/people.yaml"),
        (("backup", "/tmp/backup"), "PRAKERJA_DATABASE_URL is not set"),  # noqa: S108 - in a container
    ],
)
def test_without_settings_it_supplies_nothing(built: Composition, command: tuple[str, ...], unset: str) -> None:
    done = run(built, "prakerja", *command)
    assert done.returncode == 1
    assert unset in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_it_holds_no_secret(built: Composition) -> None:
    """Each layer is searched for the secrets of the checkout that it was built from."""
    secrets = [path.read_text() for path in (built.project / "secrets").iterdir() if path.stat().st_size]
    lines = {line for text in secrets for line in text.splitlines() if len(line) > 20 and "-----" not in line}
    assert len(lines) > 15
    found = built.podman.run("image", "mount", built.image)
    folder = found.stdout.strip()
    try:
        searched = subprocess.run(
            ["grep", "--recursive", "--fixed-strings", "--files-with-matches", "--file=-", folder],
            input="\n".join(sorted(lines)), text=True, capture_output=True, check=False,
        )  # fmt: skip
    finally:
        built.podman.run("image", "unmount", built.image)
    assert (searched.returncode, searched.stdout) == (1, ""), searched.stderr[:500]
