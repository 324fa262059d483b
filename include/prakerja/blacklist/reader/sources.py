"""Where a published list is read from: a folder (here or in an object storage), or the service. Nothing is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from upath import UPath

from prakerja.errors import NotReadyError, PrakerjaError, TransientError

LOCAL = ("", "file", "local")  # protocols of this machine's own files
CHUNK_BYTES = 1 << 20
DOCUMENT_BYTES_MAX = 1_000_000
POINTER = "latest.json"


class NotThereError(PrakerjaError):
    """The source answers, and does not have this file."""


class UnreachableError(TransientError):
    """The source does not answer, or too slowly: trying again may do."""


class TooLargeError(PrakerjaError):
    """A file is larger than it may be: reading it was given up."""


class Source(Protocol):
    """Files of a published list by name, as `v000017/manifest.json`."""

    def chunks(self, name: str, bytes_max: int) -> Iterator[bytes]:
        """A file's bytes. Raises `NotThereError`, `UnreachableError`, `TooLargeError`."""
        ...

    def under_key(self, key_id: str) -> Source:
        """The same list under an earlier key of the subjects, while that overlaps."""
        ...


def read(source: Source, name: str, bytes_max: int) -> bytes:
    """A small file, whole."""
    return b"".join(source.chunks(name, bytes_max))


def read_if_there(source: Source, name: str, bytes_max: int) -> bytes | None:
    """A small file, whole; nothing where the source answers that it is not there. Raises `UnreachableError`."""
    try:
        return read(source, name, bytes_max)
    except NotThereError:
        return None


class Folder:
    """A published folder, the one of `latest.json`."""

    def __init__(self, root: UPath) -> None:
        self.root = place_of(root)

    def __str__(self) -> str:
        return str(self.root)

    def chunks(self, name: str, bytes_max: int) -> Iterator[bytes]:
        """A file's bytes. Raises `NotThereError`, `UnreachableError`, `TooLargeError`."""
        read_bytes = 0
        try:
            if self.root.protocol in LOCAL and not (self.root / name).is_file():
                raise NotThereError(f"{name} is not there")  # nor is a pipe, which could be waited for without end
            with (self.root / name).open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    read_bytes += len(chunk)
                    if read_bytes > bytes_max:
                        raise TooLargeError(f"{name} is larger than the {bytes_max:,} bytes that it may have")
                    yield chunk
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotThereError(f"{name} is not there") from None
        except (NotThereError, TooLargeError):
            raise
        except Exception as error:  # an object storage's client has errors of its own
            raise UnreachableError(f"{name} cannot be read ({type(error).__name__}): check the storage") from None

    def under_key(self, key_id: str) -> Folder:
        """The sibling folder of an earlier key."""
        return Folder(under_key(self.root, key_id))


class Service:
    """The service over a published list, as `https://blacklist.example`, with an API key of the scope `list`.

    From a coroutine, read it in a thread.
    """

    SECONDS_AT_LEAST, BYTES_PER_SECOND = 30.0, 50_000  # slower than that is a source that plays for time

    def __init__(self, url: str, api_key: str, key_id: str | None = None) -> None:
        self.url, self._api_key, self._key_id = url.rstrip("/"), api_key, key_id

    def __str__(self) -> str:
        return self.url

    def chunks(self, name: str, bytes_max: int) -> Iterator[bytes]:
        """A file's bytes. Raises `NotThereError`, `UnreachableError`, `TooLargeError`."""
        import asyncio
        import tempfile

        with tempfile.SpooledTemporaryFile(CHUNK_BYTES) as file:
            asyncio.run(self._download(name, bytes_max, file))
            file.seek(0)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    async def _download(self, name: str, bytes_max: int, out: Any) -> None:
        import aiohttp

        bounds = aiohttp.ClientTimeout(
            self.SECONDS_AT_LEAST + bytes_max / self.BYTES_PER_SECOND, sock_connect=10, sock_read=60
        )
        # As it is: what is packed once more would be unpacked before its size is known.
        headers = {"authorization": f"Bearer {self._api_key}", "accept-encoding": "identity"}
        query = {"key_id": self._key_id} if self._key_id else {}
        read_bytes = 0
        try:
            async with (
                aiohttp.ClientSession(timeout=bounds, auto_decompress=False, trust_env=True) as session,
                session.get(self.url + _path(name), params=query, headers=headers, allow_redirects=False) as response,
            ):
                if response.status in (404, 410):
                    raise NotThereError(f"{name} is not there")
                if response.status in (401, 403):
                    raise PrakerjaError(f"{self.url} does not let this API key read the list: ask for one that may")
                if response.status != 200:
                    raise UnreachableError(f"{self.url} answers {response.status}: try again later")
                async for chunk in response.content.iter_any():
                    read_bytes += len(chunk)
                    if read_bytes > bytes_max:
                        raise TooLargeError(f"{name} is larger than the {bytes_max:,} bytes that it may have")
                    _write(out, chunk)
        except aiohttp.ConnectionTimeoutError:
            raise UnreachableError(f"{self.url} does not answer: try again later") from None
        except TimeoutError:
            raise UnreachableError(f"{self.url} sends {name} too slowly: try again later") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a URL that is none is a ValueError
            raise UnreachableError(f"{self.url} does not answer ({type(error).__name__}): try again later") from None

    def under_key(self, key_id: str) -> Service:
        """The same service, asked for the list of an earlier key."""
        return Service(self.url, self._api_key, key_id)


def _write(out: Any, chunk: bytes) -> None:
    try:
        out.write(chunk)
    except OSError as error:
        raise PrakerjaError(f"no room for a download ({error.strerror}): make some in the temporary folder") from None


def under_key(root: UPath, key_id: str) -> Any:
    """The folder of the list under an earlier key of the subjects: beside the list, in the same form."""
    return root.parent / f"blacklist-{key_id}"


def place_of(url: str | UPath) -> UPath:
    """A folder, here or in an object storage; of the latter nothing is remembered that another may have changed."""
    path = UPath(url)
    if path.protocol in LOCAL:
        return path
    remote: UPath = UPath(str(path), **{**path.storage_options, "use_listings_cache": False})
    return remote


def keyrings_of(root: UPath) -> Callable[[str], bytes | None]:
    """The keyrings of a published folder, by name, for `keyring.Trust.followed`."""
    return lambda name: read_if_there(Folder(root), name, DOCUMENT_BYTES_MAX)


def folder_of(place: str) -> UPath:
    """The folder of `latest.json`: the given one, or `blacklist` in it. Raises `NotReadyError` where there is none."""
    try:
        roots = (place_of(place), place_of(place) / "blacklist")
    except (ImportError, ValueError) as error:
        raise PrakerjaError(f"{place} is no place to read from ({type(error).__name__}): give a folder") from None
    for root in roots:
        if read_if_there(Folder(root), POINTER, DOCUMENT_BYTES_MAX) is not None:
            return root
    raise NotReadyError(f"no list is published in {place}: a cohort_deadline run publishes one")


def source_of(place: str, api_key: str | None) -> Source:
    """A service where an API key comes with an http(s) URL, else a folder. Raises `PrakerjaError`."""
    if place.startswith(("http://", "https://")):
        if not api_key or not api_key.isascii():
            raise PrakerjaError(f"{place} asks for an API key: set PRAKERJA_API_KEY to one")
        return Service(place, api_key)
    return Folder(folder_of(place))


def _path(name: str) -> str:
    if name == POINTER:
        return "/v1/blacklist/latest"
    folder, _, file = name.partition("/")
    if folder == "keys":
        return f"/v1/blacklist/keys/{file}"
    return f"/v1/blacklist/versions/{int(folder.removeprefix('v'))}/{file}"
