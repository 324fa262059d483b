"""The services of a checkout's `docker-compose.yaml`, built, started and used as its operators do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.containers import base_images
from tests.support.containers.podman import ContainerError, Podman

SHIM = Path(__file__).with_name("podman_for_compose.py")
PATIENCE = 600.0
HEALTH_SECONDS = 15  # the timeout of the health checks in the compose file


@dataclass(frozen=True)
class Memory:
    """A container's memory in bytes: its processes' own, and all that its limit counts, files that it has read too."""

    own: int
    counted: int


@dataclass
class Composition:
    """A checkout with its secrets, run by podman-compose. `settings` are the variables that the compose file reads."""

    podman: Podman
    project: Path
    settings: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=lambda: ["docker-compose.yaml"])

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """The services as the compose file declares them."""
        return dict(yaml.safe_load((self.project / "docker-compose.yaml").read_text())["services"])

    @property
    def image(self) -> str:
        return self.settings.get("PRAKERJA_IMAGE", "prakerja-deadlines:local")

    def build(self) -> None:
        """Build the image of the checkout as `docker compose build` does, after the base images that are missing."""
        base_images.build(self.podman, self.project)
        with base_images.package_client(self.podman) as options:
            self.podman.run("build", *base_images.BUILD, *options, "--tag", self.image, self.project, timeout=3600)

    def up(self, *services: str, scale: str | None = None, timeout: float = PATIENCE) -> None:
        """Create and start what is not running, each service after those it depends on, and wait until all are healthy.

        Raise ContainerError if a service ends, or does not become healthy.
        """
        self.compose("up", "--detach", "--no-build", *(["--scale", scale] if scale else []), *services, timeout=timeout)
        started = services or [name for name, service in self.services.items() if service.get("restart") != "no"]
        for name in started:
            self.await_health(name, timeout)

    def scale(self, service: str, number: int) -> None:
        """Let a service have so many containers. podman-compose removes none by itself."""
        for name in self.containers(service)[number:]:
            self.podman.run("rm", "--force", "--time", "60", name)
        self.up(scale=f"{service}={number}")

    def recreate(self, *services: str) -> None:
        """Create containers again, as `docker compose up --force-recreate` does: their secrets are mounted anew."""
        self.compose("up", "--detach", "--no-build", "--no-deps", "--force-recreate", *services)
        for service in services:
            self.await_health(service)

    def secret(self, name: str) -> str:
        return (self.project / "secrets" / f"{name}.txt").read_text()

    def replace_secret(self, name: str, text: str) -> None:
        path = self.project / "secrets" / f"{name}.txt"
        path.chmod(0o644)
        path.write_text(text)
        path.chmod(0o444)

    def manifest(self) -> dict[str, Any]:
        """Return the manifest of the published list, as the console sees it."""
        pointer = json.loads(self.exec("console", "cat", "/srv/publish/blacklist/latest.json").stdout)
        return dict(json.loads(self.exec("console", "cat", f"/srv/publish/blacklist/{pointer['manifest']}").stdout))

    def start(self) -> None:
        """Start all that is stopped, in order."""
        self.up()

    def stop(self, *services: str) -> None:
        """Stop services, or all at once, each with its time to end."""
        self.compose("stop", *services)

    def down(self, *, volumes: bool = False) -> None:
        """Stop all, and remove the containers and networks; with `volumes` the volumes, too."""
        self.compose("down", *(["--volumes"] if volumes else []))

    def compose(self, *arguments: str, timeout: float = PATIENCE) -> str:
        """Run a command of podman-compose, and return what it wrote. Raises ContainerError if it fails."""
        command = [sys.executable, "-m", "podman_compose", "--podman-path", str(self._shim()), "--in-pod", "false",
                   *(option for name in self.files for option in ("--file", name)), *arguments]  # fmt: skip
        trouble = self.podman.cache / "trouble"
        trouble.write_text("")
        done = subprocess.run(
            command, cwd=self.project, text=True, check=False,
            env=self.podman.environment | self.settings | {"TROUBLE": str(trouble)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=timeout,
        )  # fmt: skip
        if done.returncode:
            told = trouble.read_text() + done.stdout[-2000:] + self._ends_of_logs()
            raise ContainerError(f"podman-compose {' '.join(arguments)}: exit {done.returncode}\n{told}")
        return done.stdout

    def containers(self, service: str | None = None) -> list[str]:
        """Return the names of the containers of a service, or of all, running or not, the first one first."""
        label = "io.podman.compose.project" if service is None else f"io.podman.compose.service={service}"
        return sorted(
            self.podman.run("ps", "--all", "--filter", f"label={label}", "--format", "{{.Names}}").stdout.split()
        )

    def container(self, service: str) -> str:
        found = self.containers(service)
        if not found:
            raise ContainerError(f"{service} has no container")
        return found[0]

    def exec(
        self, service: str, *command: str, user: str | None = None, stdin: str | None = None, timeout: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a service's first container, as `docker compose exec` does."""
        options = [*(["--user", user] if user else []), *(["--interactive"] if stdin is not None else [])]
        return self.podman.run(
            "exec", *options, self.container(service), *command, check=False, stdin=stdin, timeout=timeout
        )

    def run_once(self, service: str, *command: str, mounts: list[str]) -> str:
        """Run a command in a new container of a service, as `docker compose run --rm` does. Return its output."""
        options = [option for mount in mounts for option in ("--volume", mount)]
        return self.compose("run", "--rm", "--no-deps", "-T", *options, service, *command)

    def inspect(self, service: str) -> dict[str, Any]:
        (found,) = self.podman.read("inspect", self.container(service))
        return dict(found)

    def logs(self, service: str) -> str:
        """Return what a service's containers have written, to both outputs."""
        done = [self.podman.run("logs", name, check=False) for name in self.containers(service)]
        return "".join(each.stdout + each.stderr for each in done)

    def is_running(self, name: str) -> bool:
        (found,) = self.podman.read("inspect", name)
        return bool(found["State"]["Running"])

    def run_health(self, service: str) -> bool:
        """Return whether all containers of a service run and their health checks, if it has one, succeed now."""
        names = self.containers(service)
        has_check = "healthcheck" in self.services[service]
        return bool(names) and all(
            self.is_running(name) and (not has_check or self._passes_its_check(name)) for name in names
        )

    def _passes_its_check(self, name: str) -> bool:
        """Return whether a container's health check succeeds in its time. Podman 4.3 waits for one without end."""
        try:
            return self.podman.run("healthcheck", "run", name, check=False, timeout=HEALTH_SECONDS).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def await_health(self, service: str, timeout: float = PATIENCE) -> None:
        self.until(lambda: self.run_health(service), f"{service} is healthy", timeout)

    def until(self, condition: Callable[[], bool], what: str, timeout: float = PATIENCE) -> None:
        """Wait until a condition holds. Raises ContainerError with the end of each log if it does not in time."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                raise ContainerError(f"not in {timeout:.0f} s: {what}\n{self._ends_of_logs()}")
            time.sleep(1)

    def kill(self, service: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill the first process of each container of a service, as a crash does: its restart policy applies."""
        for name in self.containers(service):
            (found,) = self.podman.read("inspect", name)
            if found["State"]["Running"]:
                os.kill(found["State"]["Pid"], how)

    def signal_all(self, service: str, number: signal.Signals) -> None:
        """Send a signal to every process of a service's containers."""
        for name in self.containers(service):
            (found,) = self.podman.read("inspect", name)
            for process in _processes(found["State"]["CgroupPath"]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, number)

    def memory(self) -> dict[str, Memory]:
        """Return the memory of each running container, by name."""
        found = {}
        for name in self.containers():
            (details,) = self.podman.read("inspect", name)
            if details["State"]["Running"]:
                found[name] = _memory(details["State"]["CgroupPath"])
        return found

    def health_seconds(self, service: str) -> float:
        """Return the CPU seconds that one run of a service's health check takes."""
        test = self.inspect(service)["Config"]["Healthcheck"]["Test"]
        command = ["sh", "-c", test[1]] if test[0] == "CMD-SHELL" else test[1:]
        done = self.exec(service, "sh", "-c", '"$@" > /dev/null 2>&1; times', "sh", *command)
        minutes = [each.rstrip("s").split("m") for each in done.stdout.splitlines()[-1].split()]  # its children's
        return sum(60 * float(minute) + float(second) for minute, second in minutes)

    def image_bytes(self) -> int:
        (found,) = self.podman.read("image", "inspect", self.image)
        return int(found["Size"])

    def layers(self) -> list[tuple[int, str]]:
        """Return the bytes and the instruction of each layer of the image that is not empty, the last one first."""
        found = self.podman.read("history", "--format", "json", self.image)
        return [(each["size"], each["CreatedBy"]) for each in found if each["size"]]

    def _ends_of_logs(self) -> str:
        return "\n".join(f"--- {name}\n{self.logs(name)[-1500:]}" for name in self.services)

    def _shim(self) -> Path:
        shim = self.podman.cache / "podman"
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SHIM}" "$@"\n')
        shim.chmod(0o755)
        return shim


def _processes(cgroup: str) -> list[int]:
    first, second = Path("/sys/fs/cgroup/memory") / cgroup.lstrip("/"), Path("/sys/fs/cgroup") / cgroup.lstrip("/")
    folder = first if first.is_dir() else second
    return [int(line) for path in folder.rglob("cgroup.procs") for line in path.read_text().split()]


def _memory(cgroup: str) -> Memory:
    """Read a control group's memory, of either version of them."""
    first, second = Path("/sys/fs/cgroup/memory") / cgroup.lstrip("/"), Path("/sys/fs/cgroup") / cgroup.lstrip("/")
    folder, own, counted = (
        (first, "total_rss", "memory.usage_in_bytes") if first.is_dir() else (second, "anon", "memory.current")
    )
    values = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    return Memory(int(values[own]), int((folder / counted).read_text()))
