"""The reader of release 0.2.0, which knows no root keys, follows a list that has them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.releases import unpack_release
from tests.support.root_keys import endorse, put_root
from tests.support.simulated_publisher import Repository, signing_key

SYNC = """
import json, sys
from datetime import datetime
from pathlib import Path
import prakerja
from prakerja.blacklist.format.signatures import PublicKey
from prakerja.blacklist.reader.sources import Folder
from prakerja.blacklist.reader.sync import Client
place, folder, pin, now = sys.argv[1:]
client = Client(Path(folder), [PublicKey.from_pem(Path(pin).read_bytes())])
synced = client.sync(Folder(place), datetime.fromisoformat(now))
print(json.dumps({
    "of": prakerja.__file__, "how": synced.how, "version": synced.trusted.version,
    "keyring": synced.trusted.keyring, "revoked": sorted(synced.trusted.trust.revoked),
    "listed": len(client.open_list().subjects),
}))
"""


def sync(code: Path, repository: Repository, folder: Path, pin: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", SYNC, str(repository.root), str(folder), str(pin), repository.now.isoformat()],
        env={"PYTHONPATH": str(code), "PATH": os.environ["PATH"]},
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert said.pop("of").startswith(str(code))
    return said


def test_a_reader_of_before_follows_a_list_with_root_keys(tmp_path: Path) -> None:
    code = unpack_release(tmp_path)
    repository, first = Repository(tmp_path / "published"), signing_key("first")
    repository.publish(range(1, 11))
    pin = tmp_path / "pin.pem"
    pin.write_bytes(first.public.pem)
    told = {"how": "full", "version": 1, "keyring": 1, "revoked": [], "listed": 10}
    assert sync(code, repository, tmp_path / "reader", pin) == told
    put_root(repository, 1)
    endorse(repository)
    assert sync(code, repository, tmp_path / "reader", pin) == told | {"how": "unchanged"}
    repository.announce(signing_key("second"))
    endorse(repository)
    repository.rotate()
    repository.publish([11])
    put_root(repository, 2, keys=(0, 1, 3))
    repository.revoke(first)
    endorse(repository, 2)
    told = {"how": "full", "version": 2, "keyring": 4, "revoked": [first.public.key_id], "listed": 11}
    assert sync(code, repository, tmp_path / "reader", pin) == told
    assert sync(code, repository, tmp_path / "newcomer", pin) == told
