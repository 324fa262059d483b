"""A list of people, for tests of who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prakerja.people import os_login

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHnQ"
LIST = f"""
people:
- {{id: siti, name: "Siti Rahma, S.H.", logins: {{os: [siti], airflow: [siti, s.rahma]}}, may: [approve, appeals]}}
- {{id: budi, name: 'Budi "Bung" Santoso', logins: {{os: [budi]}}, may: [propose, approve], keys: ['{KEY}']}}
- {{id: "wayan@bali.go.id", name: "ᬯᬬᬦ᭄", may: [look]}}
"""


def write_signers(folder: Path, keys: Mapping[str, Path], *, options: str = "", may: str = "approve") -> Path:
    """Write a list of people that gives keys, and return its path: Siti, who is logged in, Ani and Budi.

    `options` are of Siti's key, and `may` is what she may do. Ani may approve, and Budi may not.
    """
    public = {name: key.with_suffix(".pub").read_text().strip() for name, key in keys.items()}
    path = folder / "people.yaml"
    path.write_text(
        "people:\n"
        f"- {{id: siti, name: Siti, logins: {{os: [{os_login()}], airflow: [siti]}}, may: [{may}],"
        f" keys: ['{options}{public['siti']}']}}\n"
        f"- {{id: ani, name: Ani, may: [approve, appeals], keys: ['{public['ani']}']}}\n"
        f"- {{id: budi, name: Budi, may: [propose], keys: ['{public['budi']}']}}\n"
    )
    return path
