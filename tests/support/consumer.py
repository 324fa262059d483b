"""A consumer of the list, who does what `docs/reading-the-list.md` says; and services that answer as a script says."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prakerja.settings import PROJECT

PAGE = (PROJECT / "docs" / "reading-the-list.md").read_text(encoding="utf-8")
#: The page's commands, by the heading above them.
COMMANDS = [
    (re.findall(r"^#+ (.+)$", PAGE[: found.start()], re.MULTILINE)[-1], found[1])
    for found in re.finditer(r"```sh\n(.+?)```", PAGE, re.DOTALL)
]
#: What the page asks the service by, by the names that its commands give it.
SCRIPTS = {
    f"ask.{suffix}": re.findall(rf"```{language}\n(.+?)```", PAGE, re.DOTALL)[0]
    for language, suffix in {"python": "py", "js": "mjs"}.items()
}


@dataclass(frozen=True)
class Consumer:
    """A consumer's folder and environment."""

    folder: Path
    environment: dict[str, str]

    def run(self, commands: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run commands as one types them."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands], cwd=self.folder, env=self.environment | environment,
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip


@contextlib.contextmanager
def answering(answers: Sequence[tuple[int, dict[str, str], Any]]) -> Iterator[str]:
    """Answer POST requests in turn, the last answer for ever: status, headers, and bytes or what becomes JSON."""
    turns = iter(range(len(answers) - 1))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            status, headers, body = answers[next(turns, len(answers) - 1)]
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
