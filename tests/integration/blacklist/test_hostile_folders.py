"""A published folder of a stranger's: whatever lies in it, verifying it takes little memory and ends with one line."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner
from upath import UPath

from prakerja.blacklist.publisher import anchors, verification, version_files
from prakerja.cli import app
from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.contract import FIRST_CONTRACT, POINTER, SnapshotRow
from prakerja_blacklist.format.documents import column_names
from prakerja_blacklist.format.snapshot import sha256
from tests.support.simulated_publisher import (
    DELTA_HEADER,
    HEADER,
    Repository,
    change_of,
    delta_of,
    file_of,
    line_of,
    manifest_of,
    signature_of,
    snapshot_of,
)
from tests.support.simulated_reader import NEW_SUBJECTS, OLD_SUBJECTS, SECOND

PARQUET = file_of(1, "snapshot.parquet")
MEGABYTE = 1 << 20
#: Twice what the command takes for a list of three people; what the files here unpack to is ten times as much.
MEMORY_BYTES_MAX = 500 * MEGABYTE
#: The command, which then says how much memory it and its children have had at most.
MEASURED = """
import resource, sys
from pathlib import Path
from prakerja.cli import main
try:
    main()
finally:
    own = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    print(max(int(own), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss), file=sys.stderr)
"""


def verify_apart(folder: Path) -> tuple[int, str, int]:
    """Verify a folder by the command; return its exit code, what it says, and the most memory that it took."""
    command = [sys.executable, "-c", MEASURED, "blacklist", "verify", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    *said, memory = done.stdout.splitlines()
    return done.returncode, "\n".join(said), int(memory) << 10


def bomb(megabytes: int) -> bytes:
    """Return so much of nothing as gzip: a few bytes for each megabyte."""
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = pack.flush(zlib.Z_FULL_FLUSH)
    block = pack.compress(bytes(MEGABYTE)) + pack.flush(zlib.Z_FULL_FLUSH)  # which stands for itself
    return head + block * megabytes + pack.flush()


def list_of_nothing(hostile: Repository) -> None:
    hostile.declare(snapshot_of(1), bomb(4_000), rows=100_000)


def delta_of_nothing(hostile: Repository) -> None:
    hostile.declare(delta_of(1), bomb(4_000), rows=100_000)


def parquet_of_one_text(hostile: Repository) -> None:
    """A text of 128 MB in the file's dictionary, and a hundred rows that have it."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 100, pa.int32()), pa.array(["0" * 128 * MEGABYTE]))
    rows, buffer = pa.table(dict.fromkeys(column_names(SnapshotRow), text)), pa.BufferOutputStream()
    parquet.write_table(rows, buffer, compression="zstd", store_schema=False)
    hostile.publish(range(4, 101))
    hostile.declare(file_of(2, "snapshot.parquet"), buffer.getvalue().to_pybytes(), rows=100)


BOMBS: dict[str, tuple[Callable[[Repository], None], str]] = {
    "a list": (list_of_nothing, "v000001/snapshot.csv.gz: a list must have the columns"),
    "a delta": (delta_of_nothing, "v000001/delta.csv.gz: a delta must have the columns"),
    "a Parquet": (parquet_of_one_text, "v000002: the Parquet is another list"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_unpacks_to_gigabytes_takes_no_memory(hostile: Repository, name: str) -> None:
    lay, said = BOMBS[name]
    lay(hostile)
    assert sum(path.stat().st_size for path in hostile.folder.rglob("*") if path.is_file()) < 6 * MEGABYTE
    code, line, memory = verify_apart(hostile.folder)
    assert memory < MEMORY_BYTES_MAX
    assert (code, line.count("\n")) == (1, 0), line
    assert said in line


def test_a_long_list_is_streamed(hostile: Repository) -> None:
    """Half a million people: their lines take 75 MB, and as objects ten times as much."""
    chance = random.Random(1)
    subjects = sorted(chance.randbytes(32).hex() for _ in range(500_000))
    lines = b"".join(map(line_of, subjects))
    delta = b"".join(change_of("ADD", line) for line in lines.splitlines(keepends=True))
    listed = HEADER + lines
    counts = {"entries": 500_000, "added": 500_000, "withdrawn": 0, "by_cohort": {"12": 500_000}}
    hostile.declare(snapshot_of(1), gzip.compress(listed, 1), rows=500_000, counts=counts, result_sha256=sha256(listed))
    hostile.declare(delta_of(1), gzip.compress(DELTA_HEADER + delta, 1), rows=500_000)
    hostile.declare(
        PARQUET,
        version_files.VersionFiles.build(FIRST_CONTRACT, listed, DELTA_HEADER).files["snapshot.parquet"][0],
        rows=500_000,
    )
    code, said, memory = verify_apart(hostile.folder)
    assert code == 0, said
    assert memory < 300 * MEGABYTE


#: What may lie in a folder that somebody gives, and what is said of it.
ODD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a manifest of gigabytes": (
        lambda root: os.truncate(root / manifest_of(1), 5 << 30), "manifest.json is larger than the 1,000,000 bytes",
    ),
    "a signature of gigabytes": (
        lambda root: os.truncate(root / signature_of(1), 5 << 30), "manifest.json.sig is larger than",
    ),
    "a key of gigabytes": (
        lambda root: [os.truncate(path, 5 << 30) for path in (root / "keys").glob("*.pem")], "pem is larger than",
    ),
    "a deep manifest": (
        lambda root: (root / manifest_of(1)).write_bytes(b'{"a":' * 190_000), "no JSON of this contract",
    ),
    "a deep pointer": (lambda root: (root / POINTER).write_bytes(b"[" * 900_000), "no JSON of this contract"),
    "a number of a million digits": (
        lambda root: (root / POINTER).write_bytes(b'{"version":' + b"1" * 900_000 + b"}"), "json_invalid",
    ),
    "a list of gigabytes": (
        lambda root: os.truncate(root / snapshot_of(1), 5 << 30), "size or SHA-256 is not the manifest's",
    ),
    "a pipe": (
        lambda root: ((root / snapshot_of(1)).unlink(), os.mkfifo(root / snapshot_of(1))),
        "snapshot.csv.gz is not there",
    ),
    "a device": (
        lambda root: ((root / snapshot_of(1)).unlink(), (root / snapshot_of(1)).symlink_to("/dev/zero")),
        "snapshot.csv.gz is not there",
    ),
    "a folder": (
        lambda root: ((root / snapshot_of(1)).unlink(), (root / snapshot_of(1)).mkdir()),
        "snapshot.csv.gz is not there",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_one_line(hostile: Repository, name: str) -> None:
    lay, said = ODD[name]
    lay(hostile.root)
    for act in (
        lambda: list(verification.verify_versions(UPath(hostile.root))),
        lambda: verification.latest_version(UPath(hostile.root)),
    ):
        with pytest.raises(PrakerjaError, match=said) as told:
            act()
        assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "fields", [{"rows": 2**39, "bytes": 2**39}, {"bytes": 2**33}, {"rows": 60_000_000, "bytes": 2**33}]
)
def test_sizes_that_no_list_has_are_not_believed_of_a_manifest(hostile: Repository, fields: dict[str, int]) -> None:
    files = json.loads(hostile.data(manifest_of(1)))["files"]
    hostile.restate(1, files=[file | fields for file in files])
    with pytest.raises(PrakerjaError, match="as no list has"):
        list(verification.verify_versions(UPath(hostile.root)))


def test_names_in_a_folder_neither_end_the_command_nor_reach_the_terminal(hostile: Repository) -> None:
    for name in ("v0abc", "v-1", "v99999999999999999999", "vvv"):
        (hostile.root / name).mkdir()
    earlier = hostile.folder / "blacklist-\x1b[2J0123456789a"
    earlier.mkdir()
    (earlier / POINTER).write_bytes(hostile.data(POINTER))
    beside = hostile.folder / "blacklist-0123456789abcdef"
    beside.mkdir()
    (beside / POINTER).write_bytes(hostile.data(POINTER))
    told = CliRunner().invoke(app, ["blacklist", "verify", str(hostile.folder)])
    assert "\x1b" not in told.output
    assert isinstance(told.exception, PrakerjaError)
    assert "manifest.json is not there" in str(told.exception)


def test_a_folder_of_anchors_is_read_within_bounds(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b" " * 900_000)
    for number in range(1, 2_001):
        (tmp_path / f"v{number:06d}.json").symlink_to(large)
    found = anchors.read_anchors(UPath(tmp_path))
    assert len(found) == 2_000
    assert sum(len(file.data) for file in found) == 0, "each is damaged"


def test_the_simulated_publisher_keeps_the_contract(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "published")
    repository.publish(range(1, 301))
    repository.publish([301], [7])
    repository.publish([], [8], cohort=13)
    repository.announce(SECOND)
    repository.publish()
    repository.rotate()
    repository.publish([8], cohort=13)
    repository.rotate_subjects(NEW_SUBJECTS)
    repository.publish([9999])
    versions = list(verification.verify_versions(UPath(repository.root)))
    assert [version.counts.entries for version in versions] == [300, 300, 299, 299, 300, 301]
    earlier = repository.source.under_key(OLD_SUBJECTS.key_id).root
    assert [manifest.version for manifest in verification.verify_versions(UPath(earlier), UPath(repository.root))] == [
        6
    ]
