"""The service over a published list as a source. Every answer has a bound of bytes and of time."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from functools import partial
from typing import IO, Any

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.contract import POINTER
from prakerja_blacklist.reader.sources import (
    CHUNK_BYTES,
    NotThereError,
    UnreachableError,
    bounded_chunks,
)


class HttpSource:
    """The service over a published list, e.g. `https://blacklist.example`, with an API key of the scope `list`."""

    SECONDS_AT_LEAST, BYTES_PER_SECOND = 30.0, 50_000  # a source that is slower stalls on purpose
    CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0

    def __init__(self, url: str, api_key: str, key_id: str | None = None) -> None:
        self.url, self._api_key, self._key_id = url.rstrip("/"), api_key, key_id

    def __str__(self) -> str:
        return self.url

    def chunks(self, name: str, bytes_max: int) -> Iterator[bytes]:
        """Yield a file's bytes once all are there. Raise `NotThereError`, `UnreachableError` or `TooLargeError`."""
        with tempfile.SpooledTemporaryFile(CHUNK_BYTES) as file:
            self._download(name, bytes_max, file)
            file.seek(0)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def under_key(self, key_id: str) -> HttpSource:
        """Return the same service, which is asked for the list under an earlier key."""
        return HttpSource(self.url, self._api_key, key_id)

    def _download(self, name: str, bytes_max: int, out: IO[bytes]) -> None:
        deadline = _Deadline(self.SECONDS_AT_LEAST + bytes_max / self.BYTES_PER_SECOND)
        try:
            with deadline, self._open(name, deadline) as response:
                self._require_ok(response.status, name)
                for chunk in bounded_chunks(response, name, bytes_max):
                    _write(out, chunk)
                # A head that was cut off passes for one without a length, and so would its body.
                if deadline.has_run_out or response.length or not (response.chunked or response.length == 0):
                    raise http.client.IncompleteRead(b"", response.length)
        except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:  # no URL is a ValueError
            raise self._unreachable(error, name, has_run_out=deadline.has_run_out) from None

    def _address(self, name: str) -> str:
        query = f"?{urllib.parse.urlencode({'key_id': self._key_id})}" if self._key_id else ""
        return self.url + _path(name) + query

    def _headers(self) -> dict[str, str]:
        # What is packed once more would be unpacked before its size is known.
        return {"Authorization": f"Bearer {self._api_key}", "Accept-Encoding": "identity"}

    def _open(self, name: str, deadline: _Deadline) -> Any:
        request = urllib.request.Request(self._address(name), headers=self._headers())  # noqa: S310 - http(s) alone
        # No handler of redirects or of statuses: a list is nowhere else, and every status is looked at here.
        opener = urllib.request.OpenerDirector()
        for handler in (urllib.request.ProxyHandler(), _HttpHandler(deadline), _HttpsHandler(deadline)):
            opener.add_handler(handler)
        response = opener.open(request, timeout=self.CONNECT_SECONDS)
        if response is None:
            raise ValueError("not an http(s) URL")
        return response

    def _require_ok(self, status: int, name: str) -> None:
        if status in (404, 410):
            raise NotThereError(f"{name} is not there")
        if status in (401, 403):
            raise PrakerjaError(f"{self.url} does not let this API key read the list: ask for one that may")
        if status != 200:
            raise UnreachableError(f"{self.url} answers {status}: try again later")

    def _unreachable(self, error: Exception, name: str, *, has_run_out: bool) -> UnreachableError:
        if has_run_out or isinstance(error, TimeoutError):
            return UnreachableError(f"{self.url} sends {name} too slowly: try again later")
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            return UnreachableError(f"{self.url} does not answer: try again later")
        return UnreachableError(f"{self.url} does not answer ({type(reason).__name__}): try again later")


class _Deadline:
    """Shuts a connection down when its time has run out, whatever it is waiting for."""

    def __init__(self, seconds: float) -> None:
        self.has_run_out = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._run_out)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, connection: socket.socket) -> None:
        self._socket = connection
        if self.has_run_out:
            self._shut_down()

    def _run_out(self) -> None:
        self.has_run_out = True
        self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    """A connection that a deadline watches."""

    def __init__(self, host: str, *, deadline: _Deadline, tls_host: str | None = None, **settings: Any) -> None:
        super().__init__(host, **settings)
        self._deadline, self._tls_host = deadline, tls_host

    def connect(self) -> None:
        super().connect()
        self._deadline.watch(self.sock)
        if self._tls_host:
            context = ssl.create_default_context()
            context.set_alpn_protocols(["http/1.1"])
            # The handshake is begun only when the deadline watches the new socket.
            self.sock = context.wrap_socket(self.sock, server_hostname=self._tls_host, do_handshake_on_connect=False)
            self._deadline.watch(self.sock)
            self.sock.do_handshake()
        self.sock.settimeout(HttpSource.READ_SECONDS)


class _HttpHandler(urllib.request.HTTPHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(partial(_Connection, deadline=self._deadline), req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: urllib.request.Request) -> Any:
        tls_host = urllib.parse.urlsplit(req.full_url).hostname
        return self.do_open(partial(_TlsConnection, deadline=self._deadline, tls_host=tls_host), req)


class _TlsConnection(_Connection):
    default_port = http.client.HTTPS_PORT


def _write(out: IO[bytes], chunk: bytes) -> None:
    try:
        out.write(chunk)
    except OSError as error:
        raise PrakerjaError(f"no room for a download ({error.strerror}): make some in the temporary folder") from None


def _path(name: str) -> str:
    if name == POINTER:
        return "/v1/blacklist/latest"
    folder, _, file = name.partition("/")
    if folder == "keys":
        return f"/v1/blacklist/keys/{file}"
    return f"/v1/blacklist/versions/{int(folder.removeprefix('v'))}/{file}"
