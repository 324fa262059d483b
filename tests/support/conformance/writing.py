"""The kit's files: `publications.json`, from which cases begin; `cases/<topic>.json`; and `keys`."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prakerja.settings import PROJECT
from prakerja_blacklist.format.contract import FIRST_CONTRACT
from tests.support.conformance import following, keys, refusals  # noqa: F401 - they register the cases
from tests.support.conformance.kit import CASES, EVERYBODY, SIGNING_KEYS, SUBJECT_KEYS, Publication, Step
from tests.support.simulated_publisher import gzipped
from tests.support.simulated_reader import SECOND

KIT = PROJECT / "conformance"
TEXTS = re.compile(r'\[\s+"[^"\\]*"(?:,\s+"[^"\\]*")*\s+\]')
LARGE_BYTES = 20_000  # from here on a file is kept compressed

Files = Mapping[str, bytes]


def build_files() -> dict[str, bytes]:
    """Return the kit's generated files by name below its folder `data`."""
    publications = {name: published(*steps) for name, steps in PUBLICATIONS.items()}
    files = {
        "publications.json": write_json(
            {
                "contract": FIRST_CONTRACT.name,
                "people": [f"{number:016d}" for number in EVERYBODY],
                "publications": {
                    name: {file: encode(data) for file, data in files.items()} for name, files in publications.items()
                },
            }
        )
    }
    for topic in dict.fromkeys(name.partition("/")[0] for name in CASES):
        files[f"cases/{topic}.json"] = write_json(
            [
                {
                    "name": each.name,
                    "title": each.title,
                    **({"like": each.like.split(", ")} if each.like else {}),
                    "steps": [describe(step, publications) for step in each.steps()],
                }
                for each in CASES.values()
                if each.name.startswith(f"{topic}/")
            ]
        )
    files |= {f"keys/{name}.pem": key.public.pem for name, key in SIGNING_KEYS.items()}
    files["keys/broken.pem"] = b"no key\n"
    files |= {f"keys/{name}.subject-key": base64.b64encode(key.key) + b"\n" for name, key in SUBJECT_KEYS.items()}
    return files


def packs_alike(folder: Path = KIT / "data") -> bool:
    """Return whether this machine's zlib compresses as the one by which the kit was made."""
    kept = json.loads((folder / "publications.json").read_bytes())["publications"]["version 1"]
    packed = base64.b64decode(kept["blacklist/v000001/snapshot.csv.gz"]["base64"])
    return gzipped(zlib.decompress(packed, 31)) == packed


# -- publications that many cases begin from ---------------------------------------------------------------------------


def published(*steps: Callable[[Publication], Any]) -> dict[str, bytes]:
    """Return the files after some steps of the publisher."""

    def publish(publication: Publication) -> None:
        for step in steps:
            step(publication)
        publication.accepted()

    return Publication.record(publish)[0].files


def rotate(publication: Publication) -> None:
    publication.announce(SECOND)
    publication.rotate()


PUBLICATIONS: dict[str, list[Callable[[Publication], Any]]] = {
    "version 1": [],
    "version 2": [Publication.publish_next],
    "version 3": [Publication.publish_next, Publication.publish_next],
    "version 3 without deltas": [Publication.publish_without_deltas],
    "version 2 by the second key": [rotate, Publication.publish_next],
    "version 2 under the second subject key": [keys.reissue],
}


# -- steps as differences from a publication ---------------------------------------------------------------------------


def describe(step: Step, publications: Mapping[str, Files]) -> dict[str, Any]:
    """Return a step as the runner reads it. Its files are those of a publication, with changes."""
    name = min(publications, key=lambda each: sum(map(len, changes_from(publications[each], step.files)[0].values())))
    put, removed = changes_from(publications[name], step.files)
    described = {
        "published": {
            "as": name,
            **({"put": {file: encode(data) for file, data in put.items()}} if put else {}),
            **({"remove": removed} if removed else {}),
        },
        "now": step.now,
        "pin": step.pin,
        "subject_keys": step.subject_keys,
        "sync": step.sync,
    }
    if step.trusted:
        described["trusted"] = step.trusted | {"listed": [f"{number:016d}" for number in step.trusted["listed"]]}
    for flag in ("answers_nobody", "is_killed"):
        if getattr(step, flag):
            described[flag] = True
    return described


def changes_from(before: Files, after: Files) -> tuple[dict[str, bytes], list[str]]:
    """Return the files to put, and those to remove."""
    put = {name: data for name, data in after.items() if before.get(name) != data}
    return put, [name for name in before if name not in after]


def encode(data: bytes) -> Any:
    """Return a file's contents as JSON: text as it is, `base64`, or what is large as `zlib` in base64."""
    if len(data) > LARGE_BYTES:
        return {"zlib": base64.b64encode(zlib.compress(data, 9)).decode()}
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}
    return text if "\0" not in text else {"base64": base64.b64encode(data).decode()}


def write_json(value: Any) -> bytes:
    """Return JSON that a person can read: an object's members on lines of their own, a list of texts on one."""
    text = json.dumps(value, indent=1)
    return (TEXTS.sub(lambda found: " ".join(found[0].split()), text) + "\n").encode()


def write_kit(folder: Path = KIT / "data") -> None:
    """Write the generated files, and remove what is generated no more."""
    files = build_files()
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
