"""The pins: one set for every Python that is supported, each by its hashes, and the part that the image installs."""

from __future__ import annotations

import re
import tomllib

import pytest

from prakerja.settings import PROJECT

WHOLE, RUNTIME = "requirements.txt", "requirements-runtime.txt"
MAKEFILE = (PROJECT / "Makefile").read_text()


def pins(name: str) -> dict[str, str]:
    """Each requirement of a file, as `name==version ; marker`, with all that is said of it."""
    lines = (PROJECT / name).read_text().replace("\\\n", " ").splitlines()
    return dict(line.partition(" --hash=")[::2] for line in lines if line and not line.lstrip().startswith("#"))


@pytest.mark.parametrize("name", [WHOLE, RUNTIME])
def test_every_requirement_is_pinned_with_hashes(name: str) -> None:
    assert len(pins(name)) > 100
    for requirement, hashes in pins(name).items():
        assert re.fullmatch(r"[a-z0-9.-]+(\[[a-z0-9,-]+\])?==[\w.]+( ;.+)?", requirement.strip()), requirement
        assert re.fullmatch(r"(sha256:[0-9a-f]{64}\s*(--hash=)?)+", hashes), requirement


@pytest.mark.parametrize("name", [WHOLE, RUNTIME])
def test_what_is_asked_for_with_an_extra_has_a_line_of_its_own(name: str) -> None:
    """Without it, pip finds no hashes for it: uv needs the line without the extra only."""
    found = pins(name)
    with_extras = {each: re.sub(r"\[.+?\]", "", each) for each in found if "[" in each}
    assert "celery[redis]" in {each.partition("==")[0] for each in with_extras}
    for each, without in with_extras.items():
        assert found[each].split() == found[without].split()


def test_what_the_image_installs_is_what_is_tested() -> None:
    """By version and hashes; a marker may be narrower where a tool asks for the same library everywhere."""
    whole, runtime = ({each.partition(" ")[0]: its for each, its in pins(name).items()} for name in (WHOLE, RUNTIME))
    assert runtime.items() <= whole.items()
    assert not any(requirement.startswith(("pytest==", "uv==", "moto==")) for requirement in pins(RUNTIME))
    dockerfile = (PROJECT / "Dockerfile").read_text()
    assert f"--require-hashes -r /tmp/{RUNTIME}" in dockerfile
    assert f"!{RUNTIME}\n" in (PROJECT / ".dockerignore").read_text()


def test_what_is_asked_for_is_pinned() -> None:
    for asked, pinned in (("requirements.in", WHOLE), ("requirements-runtime.in", RUNTIME)):
        there = {re.split("==", requirement)[0] for requirement in pins(pinned)}
        for line in (PROJECT / asked).read_text().splitlines():
            if name := re.match(r"[A-Za-z0-9-]+(?=[\[=\s]|$)", line):
                assert name[0].lower() in there or line.startswith("-r "), line


def test_make_requirements_pins_both_files_for_every_python() -> None:
    recipe = re.search(r"^requirements: .*\n((?:\t.+\n)+)", MAKEFILE, re.MULTILINE)
    pin = re.search(r"^PIN := (.+)$", MAKEFILE, re.MULTILINE)
    assert recipe
    assert pin
    whole, runtime, *extras = recipe[1].splitlines()
    assert whole.endswith(f"--output-file {WHOLE} requirements.in")
    assert runtime.endswith(f"--constraint {WHOLE} --output-file {RUNTIME} requirements-runtime.in")
    assert all(line.startswith("\t$(PIN) ") for line in (whole, runtime))
    assert extras[0].startswith("\tfor each in requirements requirements-runtime; do $(PIN) --no-strip-extras ")
    assert {"--universal", "--generate-hashes"} <= set(pin[1].split())
    assert "-r requirements-runtime.in\n" in (PROJECT / "requirements.in").read_text()


def test_the_pythons_are_the_same_everywhere() -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    pin = re.search(r"^PIN := .+--python-version (\S+)", MAKEFILE, re.MULTILINE)
    bounds = re.search(r"\((3, \d+)\) <= sys.version_info < \((3, \d+)\)", MAKEFILE)
    image = re.search(r"python:(3)\.(\d+)\.\d+-", (PROJECT / "Dockerfile").read_text())
    assert pin
    assert bounds
    assert image
    oldest, beyond = (bound.replace(", ", ".") for bound in bounds.groups())
    assert settings["project"]["requires-python"] == f">={oldest},<{beyond}"
    assert settings["tool"]["mypy"]["python_version"] == oldest == pin[1]
    assert settings["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    tried = re.search(r"^PYTHONS := (.+) python3$", MAKEFILE, re.MULTILINE)
    assert tried
    newest = int(beyond.partition(".")[2]) - 1
    assert tried[1].split() == [f"python3.{minor}" for minor in range(newest, int(oldest.partition(".")[2]) - 1, -1)]
    assert int(image[2]) == newest


def test_the_readers_image_has_the_reader_alone() -> None:
    reader, whole = (PROJECT / "docker" / "reader.Dockerfile").read_text(), (PROJECT / "Dockerfile").read_text()
    image = re.compile(r"^ARG PYTHON_IMAGE=.+$", re.MULTILINE)
    assert image.findall(reader) == image.findall(whole)
    assert re.findall(r"^COPY (?!--from=build /opt/reader )(\S+)", reader, re.MULTILINE) == [
        "include/prakerja_blacklist",
        RUNTIME,
    ]
    last = reader.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 50002:50002$", last, re.MULTILINE)
    assert last.count("COPY") == 1
    built = tomllib.loads((PROJECT / "include" / "prakerja_blacklist" / "pyproject.toml").read_text())
    (script,) = built["project"]["scripts"]
    assert f'ENTRYPOINT ["{script}"]' in last
    assert [each for each in pins(RUNTIME) if each.startswith("cryptography==")]
