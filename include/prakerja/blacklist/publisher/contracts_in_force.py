"""By which contracts the list is published: `program.yaml` adds later ones, and a person ends one from a day on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from upath import UPath

from prakerja import warehouse
from prakerja.blacklist.publisher.published_folder import known_pointed_version, list_versions
from prakerja.blacklist.publisher.storage import parse_place
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.settings import WIB, Settings
from prakerja_blacklist.format.contract import FIRST_CONTRACT, Contract, find_contract


@dataclass(frozen=True)
class ContractsInForce:
    """The contracts by which the list is published, the earliest first, and the day (WIB) on which each ends."""

    contracts: tuple[Contract, ...]
    ends_on: Mapping[str, date]

    @classmethod
    def load(cls) -> ContractsInForce:
        """Return them as `program.yaml` and the warehouse have them. Raise `UnknownContractError`."""
        further = [
            find_contract(name, "further_contracts of program.yaml") for name in programme().blacklist.further_contracts
        ]
        with warehouse.transaction() as connection:
            rows = warehouse.rows(connection, "blacklist/list_contract_ends")
        in_order = sorted({FIRST_CONTRACT, *further}, key=lambda contract: contract.number)
        return cls(tuple(in_order), {row["contract"]: row["ends_on"] for row in rows})

    def at(self, created_at: datetime) -> list[Contract]:
        """Return the contracts by which a version of that instant is published. Raise `PrakerjaError` if all ended."""
        day = created_at.astimezone(WIB).date()
        found = [each for each in self.contracts if day < self.ends_on.get(each.name, date.max)]
        if not found:
            raise PrakerjaError(
                f"{', '.join(each.name for each in self.contracts)} ended: name a later contract in program.yaml "
                "(blacklist, further_contracts)"
            )
        return found


def list_root() -> UPath:
    """Return the folder of the published list, by the earliest contract that the newest version is published by."""
    in_force, versions = ContractsInForce.load(), list_versions()
    contract = in_force.at(versions[-1]["created_at"])[0] if versions else in_force.contracts[0]
    return parse_place(Settings.from_environment().publish) / contract.folder


def end_contract(name: str, ends_on: date, at: datetime, *, because: str, ended_by: str) -> None:
    """Record the day (WIB) from which on no version is published by a contract. Before it, another day may be given.

    Raise `PrakerjaError` if the day is not to come, the contract has ended, or no other would have the newest version.
    """
    with warehouse.exclusive("publish"):
        in_force, today = ContractsInForce.load(), at.astimezone(WIB).date()
        find_contract(name, "what is to end")
        if (ended_on := in_force.ends_on.get(name, date.max)) <= today:
            raise PrakerjaError(f"{name} has ended on {ended_on}, and its readers have gone: it does not begin again")
        if ends_on <= today:
            raise PrakerjaError(f"{name} would end on {ends_on}, which is not to come: readers must have time to move")
        place, newest = parse_place(Settings.from_environment().publish), len(list_versions())
        others = [
            each
            for each in in_force.contracts
            if each.name != name
            and in_force.ends_on.get(each.name, date.max) > ends_on
            and newest == known_pointed_version(place / each.folder) > 0
        ]
        if not others:
            raise PrakerjaError(
                f"{name} cannot end: no list by another contract has the newest version. Name one in program.yaml "
                "(blacklist, further_contracts), and publish first"
            )
        with warehouse.transaction("publish") as connection:
            warehouse.execute(
                connection,
                "blacklist/insert_contract_end",
                contract=name,
                ends_on=ends_on,
                because=because,
                ended_by=ended_by,
            )


def describe_contracts() -> list[str]:
    """Return a line for each contract if the list is published by several: where, up to which version, until when.

    With one contract the warehouse is not asked: who reads the list by its files has none.
    """
    if not programme().blacklist.further_contracts:
        return []
    in_force, place = ContractsInForce.load(), parse_place(Settings.from_environment().publish)
    lines = []
    for each in in_force.contracts:
        until = f", no version from {in_force.ends_on[each.name]} on" if each.name in in_force.ends_on else ""
        lines.append(f"{each.name}: {each.folder}, version {known_pointed_version(place / each.folder)}{until}")
    return lines
