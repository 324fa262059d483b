"""A list to publish, in a folder or in an object storage that may not be reached."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from upath import UPath

from tests.integration.blacklist import conftest as blacklist
from tests.support.object_storage import empty_bucket
from tests.support.published_list import revoke
from tests.support.publisher import published

later, listed, own_keys, rekeyed = blacklist.later, blacklist.listed, blacklist.own_keys, blacklist.rekeyed
later_by_two = blacklist.later_by_two


@pytest.fixture
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the URL of an empty bucket."""
    with empty_bucket(request.config, monkeypatch) as url:
        yield url


@pytest.fixture(params=["a folder", "S3"])
def place(request: pytest.FixtureRequest, listed: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> UPath:
    """Return the list's folder, on disk or in an object storage."""
    if request.param == "S3":
        monkeypatch.setenv("PRAKERJA_PUBLISH", f"{request.getfixturevalue('bucket')}/publish")
    return UPath(os.environ["PRAKERJA_PUBLISH"]) / "blacklist"


@pytest.fixture
def stored(bucket: str, listed: Path, monkeypatch: pytest.MonkeyPatch) -> UPath:
    """As `listed`, but published in an object storage. Return the list's folder there."""
    monkeypatch.setenv("PRAKERJA_PUBLISH", f"{bucket}/publish")
    return UPath(bucket) / "publish" / "blacklist"


@pytest.fixture
def unreached(stored: UPath, monkeypatch: pytest.MonkeyPatch) -> UPath:
    """Return the folder of a list in an object storage that no longer answers."""
    import s3fs

    published("first")
    revoke([6])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody answers there
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    return UPath(str(stored))
