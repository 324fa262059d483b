"""A published folder in an object storage. It alone needs more than `cryptography`: the extra `object-storage`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prakerja_blacklist.errors import PrakerjaError
from prakerja_blacklist.format.contract import earlier_list_folder
from prakerja_blacklist.reader.sources import NotThereError, TooLargeError, UnreachableError, bounded_chunks

if TYPE_CHECKING:
    from upath import UPath


class ObjectFolder:
    """A published folder in an object storage: the one of `latest.json`."""

    def __init__(self, root: UPath) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def chunks(self, name: str, bytes_max: int) -> Iterator[bytes]:
        """Yield a file's bytes. Raise `NotThereError`, `UnreachableError` or `TooLargeError`."""
        try:
            with (self.root / name).open("rb") as file:
                yield from bounded_chunks(file, name, bytes_max)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise NotThereError(f"{name} is not there") from None
        except TooLargeError:
            raise
        except Exception as error:  # an object storage's client has errors of its own
            raise UnreachableError(f"{name} cannot be read ({type(error).__name__}): check the storage") from None

    def under_key(self, key_id: str) -> ObjectFolder:
        """Return the sibling folder of an earlier key."""
        return ObjectFolder(self.root.parent / earlier_list_folder(key_id, self.root.name))


def open_folder(url: str) -> ObjectFolder:
    """Return a folder in an object storage. Raise `PrakerjaError` if its libraries are not installed."""
    try:
        from upath import UPath

        # Others change a storage, so listings are not cached. The file system is opened here, so that it is missed now.
        root = UPath(url, use_listings_cache=False)
        _ = root.fs
    except ImportError as error:
        raise PrakerjaError(
            f"{url} is in an object storage, whose libraries are not installed ({error.name or error}): "
            "pip install 'prakerja-blacklist[object-storage]'"
        ) from None
    except ValueError:
        raise PrakerjaError(f"{url} is no place that can be read: give a folder, or a URL such as s3://...") from None
    return ObjectFolder(root)
