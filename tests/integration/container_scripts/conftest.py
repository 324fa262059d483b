"""A checkout to make secrets in, a folder that any user can reach, and an HTTP server whose health is scripted."""

from __future__ import annotations

import http.server
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from prakerja.settings import PROJECT


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers with the status and the body that its path names: `/503/...`, `/200/api/v2/monitor/health`."""

    database = "healthy"

    def do_GET(self) -> None:
        self.send_response(int(self.path.split("/")[1]))
        self.end_headers()
        self.wfile.write(b'{"metadatabase": {"status": "%s"}}' % self.database.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("docker", "include"):
        (tmp_path / name).symlink_to(PROJECT / name)
    return tmp_path


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may reach and write to, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.fixture
def answering() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
