"""Podman 4.3 with what podman-compose expects of a later one, and Docker Compose of Docker. podman-compose runs it.

- It calls itself 4.9.3: podman-compose ignores the conditions of `depends_on` below 4.6.
- `wait --condition=healthy` runs the health check itself, where no systemd does. A service that cannot become healthy,
  or that ended with an error, ends podman-compose, which would wait for it for ever; Docker Compose stops there, too.
- `network create` keeps networks apart, as Docker does: podman lets one reach another through the host.
- `create` drops `--requires`, with which podman starts what a service depends on without its conditions, and
  `--health-startup-interval`, which 4.3 does not know.
- `create` sets what Docker does: a read-only container has no `/run`, `/tmp`, `/var/tmp` in memory unless it asks for
  them, and a folder in memory is empty at first and runs no program.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SECOND = 1_000_000_000


def main(arguments: list[str]) -> int:
    match arguments:
        case ["--version", *_]:
            print("podman version 4.9.3")  # noqa: T201
            return 0
        case ["network", "create", *options]:
            return podman("network", "create", "--opt", "isolate=true", *options, is_shown=True).returncode
        case ["create", *options]:
            return podman("create", *translate(options), is_shown=True).returncode
        case ["wait", condition, *names]:
            for name in names:
                if trouble := wait_for(name, condition.removeprefix("--condition=")):
                    Path(os.environ["TROUBLE"]).write_text(f"dependency failed to start: {name} {trouble}\n")
                    os.kill(os.getppid(), signal.SIGTERM)
                    return 1
            return 0
        case _:
            return podman(*arguments, is_shown=True).returncode


def translate(options: list[str]) -> list[str]:
    """Return the options of `podman create` that this podman knows, with the meaning that Docker gives them."""
    kept: list[str] = []
    before = ""
    for option in options:
        if before == "--tmpfs":
            kept.append(f"{option}{',' if ':' in option else ':'}notmpcopyup,noexec")
        elif option == "--read-only":
            kept += [option, "--read-only-tmpfs=false"]
        elif "--health-startup-interval" not in (before, option) and not option.startswith("--requires="):
            kept.append(option)
        before = option
    return kept


def wait_for(name: str, condition: str) -> str:
    """Wait until a container is healthy, has ended with 0, or runs. Return what is wrong if it never will."""
    while True:
        found = inspect(name)
        state, check = found["State"], found["Config"].get("Healthcheck")
        status, code = state["Status"], state["ExitCode"]
        has_ended = status in ("exited", "stopped")
        if condition == "stopped":
            if has_ended:
                return f"ended with {code}" if code else ""
        elif has_ended:
            return f"ended with {code} instead of becoming {condition}"
        elif condition == "healthy" and check:
            if podman("healthcheck", "run", name).returncode == 0:
                return ""
            # Docker counts no failure of the start period, and calls it unhealthy after the last retry.
            patience = (check.get("StartPeriod", 0) + check["Interval"] * check["Retries"]) / SECOND
            if time.time() - started_at(name) > patience:
                return f"is not healthy after {patience:.0f} s"
        elif status == "running":
            return ""
        time.sleep(1)


def started_at(name: str) -> float:
    return float(podman("inspect", "--format", "{{.State.StartedAt.Unix}}", name).stdout)


def inspect(name: str) -> dict[str, Any]:
    (found,) = json.loads(podman("inspect", name).stdout)
    return dict(found)


def podman(*arguments: str, is_shown: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["podman", *arguments], text=True, capture_output=not is_shown, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
