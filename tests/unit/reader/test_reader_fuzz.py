"""Whatever a source offers, a reader holds the old list or the new one (Hypothesis)."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from prakerja.errors import PrakerjaError
from prakerja_blacklist.format.contract import FIRST_CONTRACT, POINTER, parse_manifest
from prakerja_blacklist.format.keyring import file_name
from prakerja_blacklist.format.snapshot import Lines
from prakerja_blacklist.reader import sync
from prakerja_blacklist.reader.sync import Client
from tests.support.reader_sources import Shelf
from tests.support.simulated_publisher import flipped, manifest_of, signature_of
from tests.support.simulated_reader import FIRST, SECOND, Offered, Reader

SPLINTERS = st.sampled_from(
    [b"\0", b"\n", b" ", b'"', b"\\", b"\\u0000", b"\\ud800", b"\xff", "é".encode(), "٣".encode(), b"{", b"[", b"]"]
) | st.binary(min_size=1, max_size=9)  # fmt: skip


@given(data=st.data(), is_new=st.booleans())
def test_whatever_the_source_offers_a_reader_holds_the_old_list_or_the_new_one(
    memory: Path, origin: Reader, offered: Offered, data: st.DataObject, is_new: bool
) -> None:
    source = Shelf(offered.files)
    for name in data.draw(st.lists(st.sampled_from(sorted(offered.files)), min_size=1, max_size=4, unique=True)):
        right = offered.files[name]
        place = data.draw(st.integers(0, len(right) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "drop", "insert", "swap"])):
            case "flip":
                source.files[name] = flipped(right, place)
            case "cut":
                source.files[name] = right[:place]
            case "drop":
                del source.files[name]
            case "insert":
                source.files[name] = right[:place] + data.draw(SPLINTERS) + right[place:]
            case "swap":
                source.files[name] = offered.files[data.draw(st.sampled_from(sorted(offered.files)))]
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        reader = Reader(Path(folder), offered.repository)
        if not is_new:
            shutil.copytree(origin.folder, folder, dirs_exist_ok=True)
        with contextlib.suppress(PrakerjaError):
            reader.client.sync(source, offered.repository.now)
        trusted = reader.client.trusted()
        if trusted is None:
            assert is_new
            return
        right = parse_manifest(offered.files[manifest_of(trusted.version)], "manifest.json")
        lines = reader.held()["list.csv"]
        assert sync.sha256(lines) == trusted.result_sha256 == right.result_sha256
        if not trusted.is_revoked:
            assert b"".join(reader.subjects()) == Lines(FIRST_CONTRACT).read_chunk(lines)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from(["0000-00-00T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "0" * 64, "0" * 16]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def bent_somewhere(document: Any, data: st.DataObject) -> Any:
    """With something else in one place, however deep."""
    if not isinstance(document, dict | list) or not document or data.draw(st.integers(0, 3)) == 0:
        return data.draw(JSON)
    place = data.draw(st.sampled_from(sorted(document) if isinstance(document, dict) else range(len(document))))
    document[place] = bent_somewhere(document[place], data)
    return document


def json_bytes(document: Any) -> bytes:
    return json.dumps(document).encode("utf-8", "surrogatepass")


@given(what=st.sampled_from(["pointer", "manifest", "keyring", "signed keyring"]), data=st.data())
def test_whatever_a_document_says_it_is_taken_or_refused_in_one_line(
    memory: Path, origin: Reader, offered: Offered, what: str, data: st.DataObject
) -> None:
    source = Shelf(offered.files)
    match what:
        case "pointer":
            source.files[POINTER] = json_bytes(bent_somewhere(json.loads(offered.files[POINTER]), data))
        case "manifest":
            signed = json_bytes(bent_somewhere(json.loads(offered.files[manifest_of(3)]), data))
            pointer = json.loads(offered.files[POINTER]) | {"sha256": sync.sha256(signed)}
            source.files |= {manifest_of(3): signed, signature_of(3): SECOND.sign(signed)}
            source.files[POINTER] = json_bytes(pointer)
        case "keyring":
            name = data.draw(st.sampled_from([file_name(2), file_name(3)]))
            source.files[name] = json_bytes(bent_somewhere(json.loads(offered.files[name]), data))
        case "signed keyring":
            ring = json.loads(base64.b64decode(json.loads(offered.files[file_name(2)])["keyring"]))
            signed = json_bytes(bent_somewhere(ring, data))
            source.files[file_name(2)] = json_bytes(
                {
                    "keyring": base64.b64encode(signed).decode(),
                    "signatures": {FIRST.public.key_id: FIRST.sign(signed).decode().strip()},
                }
            )
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        shutil.copytree(origin.folder, folder, dirs_exist_ok=True)
        client = Client(Path(folder), [FIRST.public])
        with contextlib.suppress(PrakerjaError):
            client.sync(source, offered.repository.now)
        assert client.open_list().trusted.freshness(offered.repository.now).version in (1, 3)
