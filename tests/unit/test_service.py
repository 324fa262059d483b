"""The service without a warehouse: its copy of the list, its OpenAPI."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from prakerja.blacklist.service import app, list_routes
from prakerja.blacklist.service.files import VerifiedFiles
from prakerja.blacklist.service.list_store import ListStore
from prakerja.blacklist.service.lookups import Lookups
from prakerja.blacklist.service.state import Service
from prakerja.errors import PrakerjaError
from prakerja.serving.problems import ProblemError
from prakerja.settings import PROJECT
from prakerja_blacklist.format.keyring import file_name
from prakerja_blacklist.reader.sync import Client
from tests.support.simulated_publisher import Repository, signing_key

PADDING_KEY = b"of the service alone"


def test_the_openapi_in_the_docs_is_the_services() -> None:
    described = json.loads((PROJECT / "docs" / "openapi.json").read_text())
    assert described == app.describe_service()


# -- the list ----------------------------------------------------------------------------------------------------------


def test_keyrings_from_before_the_pinned_key_lead_others_to_it(tmp_path: Path) -> None:
    first, second = (signing_key(name) for name in ("first", "second"))
    repository = Repository(tmp_path / "published")
    repository.publish([1])
    repository.announce(second)
    repository.rotate()
    repository.publish([2])
    repository.revoke(first)
    lists = ListStore(
        Client(tmp_path / "list", [second.public], repository.subject_keys, takes_expired=True),
        lambda: repository.source,
        PADDING_KEY,
    )
    lists.refresh()
    service = Service(lists, None, None)  # type: ignore[arg-type]
    last = lists.trust.number
    for number in range(1, last + 1):
        name = file_name(number).removeprefix("keys/")
        assert list_routes.read_key_file(service, repository.source, name) == repository.data(file_name(number))
    with pytest.raises(PrakerjaError):
        list_routes.read_key_file(service, repository.source, file_name(last + 1).removeprefix("keys/"))
    repository.flip(file_name(last))
    with pytest.raises(PrakerjaError):
        list_routes.read_key_file(service, repository.source, file_name(last).removeprefix("keys/"))


# -- what killed services have left ------------------------------------------------------------------------------------


def test_a_service_removes_what_killed_ones_have_left(tmp_path: Path) -> None:
    left = [tmp_path / "files" / ".0a1b.new", tmp_path / "lookups" / "0a1b.new"]
    for path in left:
        path.parent.mkdir()
        path.touch()
        os.utime(path, (0, 0))
    VerifiedFiles(tmp_path / "files")
    lookups = Lookups(tmp_path / "lookups")
    assert not any(path.exists() for path in left)
    assert lookups.path.exists()


# -- freshness ---------------------------------------------------------------------------------------------------------


def test_nobody_is_answered_by_a_list_whose_signer_was_revoked_since(tmp_path: Path) -> None:
    first, second = (signing_key(name) for name in ("first", "second"))
    repository = Repository(tmp_path / "published")
    repository.publish([1, 2])
    reader = Client(tmp_path / "list", [first.public], repository.subject_keys, takes_expired=True)
    lists = ListStore(reader, lambda: repository.source, PADDING_KEY)
    lists.refresh()
    assert lists.current().version == 1
    repository.announce(second)
    repository.rotate()
    repository.revoke(first)
    lists.refresh()
    assert "revoked" in lists.problem
    with pytest.raises(ProblemError, match="no verified list"):
        lists.current()
    repository.publish([3])
    lists.refresh()
    assert lists.current().version == 2
