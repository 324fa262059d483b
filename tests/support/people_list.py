"""A list of people, for tests of who may do what."""

from __future__ import annotations

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHnQ"
LIST = f"""
people:
- {{id: siti, name: "Siti Rahma, S.H.", logins: {{os: [siti], airflow: [siti, s.rahma]}}, may: [approve, appeals]}}
- {{id: budi, name: 'Budi "Bung" Santoso', logins: {{os: [budi]}}, may: [propose, approve], keys: ['{KEY}']}}
- {{id: "wayan@bali.go.id", name: "ᬯᬬᬦ᭄", may: [look]}}
"""
