"""Podman with a storage, networks and settings of its own: nothing that the machine's other containers use."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prakerja.settings import PROJECT

#: What runs containers here, by the Debian package that has it.
TOOLS = {
    "podman": "podman", "runc": "runc", "tini": "tini", "debootstrap": "debootstrap", "iptables": "iptables",
    "/usr/lib/podman/netavark": "netavark", "/usr/lib/podman/aardvark-dns": "aardvark-dns",
}  # fmt: skip

#: `DISABLE_HC_SYSTEMD`: a health check runs when it is asked for, and not by a timer of systemd.
SETTINGS = """\
[containers]
init_path = "{tini}"
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
cgroupns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
env = ["DISABLE_HC_SYSTEMD=true"]
lock_type = "file"
volume_path = "{cache}/volumes"
tmp_dir = "{run}/libpod"
helper_binaries_dir = ["/usr/lib/podman", "/usr/libexec/podman"]
[network]
network_backend = "netavark"
network_config_dir = "{cache}/networks"
"""
STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{cache}/storage"
runroot = "{run}/storage"
"""
REGISTRIES = 'unqualified-search-registries = ["docker.io"]\n'


class ContainerError(AssertionError):
    """A command of podman failed, or a tool is missing."""


@dataclass(frozen=True)
class Podman:
    """Podman over a folder of its own, which keeps its images, volumes and settings."""

    cache: Path

    @property
    def run_folder(self) -> Path:
        """What must not outlive a restart of the machine. Its path is short: sockets are in it."""
        return Path("/run/prakerja-containers") / hashlib.sha256(bytes(self.cache)).hexdigest()[:12]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "CONTAINERS_CONF": str(self.cache / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.cache / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self.cache / "registries.conf"),
            "TMPDIR": str(self.cache / "tmp"),
        }

    def run(
        self, *arguments: str | Path, check: bool = True, stdin: str | None = None, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of podman. Raises ContainerError with what it said, if `check` and it fails."""
        done = subprocess.run(
            ["podman", *map(str, arguments)], env=self.environment, input=stdin, text=True, capture_output=True,
            check=False, timeout=timeout,
        )  # fmt: skip
        if check and done.returncode:
            command = " ".join(map(str, arguments))[:500]
            raise ContainerError(
                f"podman {command}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
        return done

    def read(self, *arguments: str | Path) -> Any:
        """Return what a command of podman writes as JSON."""
        return json.loads(self.run(*arguments).stdout)

    def remove_all(self) -> None:
        """Remove all containers, volumes and networks; images stay."""
        self.run("rm", "--all", "--force", "--time", "0", "--volumes")
        self.run("volume", "rm", "--all", "--force")
        self.run("network", "prune", "--force")


@contextlib.contextmanager
def podman() -> Iterator[Podman]:
    """Podman over the folder CONTAINERS_CACHE (`.containers`), which one test run at a time uses."""
    require_tools()
    cache = Path(os.environ.get("CONTAINERS_CACHE", PROJECT / ".containers")).resolve()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ContainerError(
                f"{cache} is used by another test run: set CONTAINERS_CACHE to another folder"
            ) from None
        found = Podman(cache)
        _prepare(found)
        found.remove_all()
        try:
            yield found
        finally:
            found.remove_all()


def require_tools() -> None:
    """Raise ContainerError with the command that installs what is missing."""
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if missing:
        raise ContainerError(
            f"{', '.join(missing)} not installed: apt install --no-install-recommends {' '.join(TOOLS.values())}"
        )
    if os.geteuid() != 0:
        raise ContainerError("containers and their networks need root: run the tests as root")


def _prepare(found: Podman) -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    seen = found.run_folder / "boot_id"
    if not seen.is_file() or seen.read_text() != boot:
        shutil.rmtree(found.run_folder, ignore_errors=True)
    for folder in (found.run_folder, *(found.cache / name for name in ("volumes", "networks", "storage"))):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(found.cache / "tmp", ignore_errors=True)
    (found.cache / "tmp").mkdir()
    seen.write_text(boot)
    names = {"cache": found.cache, "run": found.run_folder, "tini": shutil.which("tini")}
    for name, text in {"containers": SETTINGS, "storage": STORAGE}.items():
        (found.cache / f"{name}.conf").write_text(text.format(**names))
    (found.cache / "registries.conf").write_text(REGISTRIES)


def main() -> None:
    """Run a command of podman on the tests' containers: `python -m tests.support.containers.podman ps`."""
    cache = Path(os.environ.get("CONTAINERS_CACHE", PROJECT / ".containers")).resolve()
    os.execvpe("podman", ["podman", *sys.argv[1:]], Podman(cache).environment)  # noqa: S606


if __name__ == "__main__":
    main()
