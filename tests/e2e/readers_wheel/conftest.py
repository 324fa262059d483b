"""The readers' wheel, installed alone, and a list that was published an hour ago."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.blacklist import conftest as blacklist
from tests.support.installed_wheel import Installed, install_wheel
from tests.support.simulated_publisher import Repository

api, listed, own_home = blacklist.api, blacklist.listed, blacklist.own_home


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an environment of its own."""
    return install_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Version 1 with three hundred people, of an hour ago."""
    made = Repository(tmp_path / "published")
    made.at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    made.publish(range(300))
    return made


@pytest.fixture
def pin(repository: Repository, tmp_path: Path) -> str:
    """The file of the publisher's key."""
    path = tmp_path / "publisher.pem"
    path.write_bytes(repository.signer.public.pem)
    return str(path)


@pytest.fixture
def subject_key(repository: Repository) -> str:
    """The key of the subjects, as the publisher hands it out."""
    return base64.b64encode(repository.subject_keys[0].key).decode()
