"""The programme's rules as a typed model of its `program.yaml`: windows, bounds, approvals, reminders.

Each rule stands there with its source and the reason for its bound. The file is read and checked as a whole before
anything is done, so a mistake in it is an error at the start and not inside a run. `PRAKERJA_PROGRAMME` names the
folder of another programme; a process serves one.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from prakerja.errors import PrakerjaError
from prakerja.settings import programme_folder
from prakerja.typed_yaml import StrictModel, load_typed, misfit

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Positive = Annotated[int, Field(ge=1, le=10**9)]
Days = Annotated[int, Field(ge=0, le=3650)]
Hour = Annotated[int, Field(ge=0, le=24)]
ContractName = Annotated[str, Field(pattern=r"^prakerja\.blacklist/[1-9]\d{0,3}$")]


class Feeds(StrictModel):
    """Bounds of a delivery: shares of its rows, bytes that a compressed file opens to, days and amounts of a row."""

    quarantined_share_max: Share
    opened_bytes_max: Positive
    days_back: Days
    amount_idr_max: Positive


class Revocations(StrictModel):
    """Bounds beyond which a decision stops."""

    overdue_share_max: Share
    overdue_max: Positive
    readings_disagree_share_max: Share
    shrunk_days_least: Positive
    shrunk_rows_least: Positive
    shrunk_share_least: Share


class ApprovalRule(StrictModel):
    """How many people approve a batch: `approvers` up to a number of people in it, `approvers_above` beyond it."""

    one_approver_up_to: Count
    approvers: Positive
    approvers_above: Positive

    @model_validator(mode="after")
    def _require_more_above(self) -> Self:
        if self.approvers_above < self.approvers:
            raise ValueError(f"approvers_above is {self.approvers_above}, fewer than approvers, {self.approvers}")
        return self

    def count_approvers(self, people: int) -> int:
        """Return how many people must approve a batch of this many."""
        return self.approvers if people <= self.one_approver_up_to else self.approvers_above


class EarlierApprovalRule(ApprovalRule):
    """The rule that was in force until a day (WIB, included)."""

    until: date


class Approvals(ApprovalRule):
    """Who approves batches, and what an approval is good for."""

    signature_counts_for_days: Positive
    answer_within_hours: Positive
    earlier: list[EarlierApprovalRule] = Field(default_factory=list)

    def as_of(self, day: date) -> ApprovalRule:
        """Return the rule that was in force on a day (WIB)."""
        return next((rule for rule in self.earlier if day <= rule.until), self)


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,19}$")]


class Channel(StrictModel):
    """A way to reach recipients: at which address, through which gateways, at what pace and price.

    The gateways stand in the order in which they are tried. A channel with `segments_max` is billed by the segment of
    an SMS, any other by the message. Environment variables, Airflow connections and the sandbox's addresses are named
    after the gateways.
    """

    label: Annotated[str, Field(min_length=1, max_length=20)]
    reaches: Literal["phone", "email"]
    gateways: Annotated[list[Name], Field(min_length=1, max_length=4)]
    per_second: Positive
    segments_max: Positive | None = None
    price_idr: Count

    @model_validator(mode="after")
    def _require_one_mail_server(self) -> Self:
        if self.protocol == "smtp" and len(self.gateways) > 1:
            raise ValueError("gateways names more than one mail server")
        return self

    @property
    def protocol(self) -> Literal["http", "smtp"]:
        """Phones are reached through HTTP gateways, mailboxes through a mail server."""
        return "smtp" if self.reaches == "email" else "http"


class Reminders(StrictModel):
    """Who is reminded, when, with which texts, how often, and for how long it is tried."""

    days: Annotated[list[Annotated[int, Field(ge=0, le=60)]], Field(min_length=1)]
    at_hour: Annotated[int, Field(ge=0, le=23)]
    audience: Literal["not_purchased", "all"]
    texts: Annotated[str, Field(pattern=r"^v[1-9][0-9]{0,3}$")]
    leave_from_hour: Hour
    leave_until_hour: Hour
    per_number_a_day: Positive
    attempts_max: Positive
    try_again_after_seconds: Positive
    receipts_within_minutes: Count
    slow_seconds: Annotated[float, Field(gt=0, strict=False)]
    keep_addresses_days: Positive
    channels: Annotated[dict[Name, Channel], Field(min_length=1)]

    @model_validator(mode="after")
    def _require_hours(self) -> Self:
        if not self.leave_from_hour < self.leave_until_hour:
            raise ValueError(f"leave_from_hour is {self.leave_from_hour}, not before leave_until_hour")
        if self.at_hour >= self.leave_until_hour:
            raise ValueError(f"at_hour is {self.at_hour}, not before leave_until_hour")
        if len({*self.days}) < len(self.days):
            raise ValueError("days has a day twice")
        gateways = [gateway for channel in self.channels.values() for gateway in channel.gateways]
        if len({*gateways}) < len(gateways):
            raise ValueError("channels names a gateway twice")
        return self

    def list_channels(self, protocol: Literal["http", "smtp"]) -> list[str]:
        """Return the channels whose gateways speak a protocol, in the order in which they are tried."""
        return [name for name, channel in self.channels.items() if channel.protocol == protocol]

    def list_gateways(self, protocol: Literal["http", "smtp"] | None = None) -> list[str]:
        """Return the gateways that speak a protocol (None: every gateway), in the order in which they are tried."""
        return [
            gateway
            for channel in self.channels.values()
            for gateway in channel.gateways
            if protocol in (None, channel.protocol)
        ]


class Blacklist(StrictModel):
    """How often the list is published, how long it counts, and by how much it may change without an approval."""

    expires_after_days: Positive
    publishes_every_days: Positive
    publishes_by_hour: Annotated[int, Field(ge=0, le=23)]
    grows_free: Count
    grows_share_max: Share
    shrinks_free: Count
    shrinks_share_max: Share
    key_overlap_days: Positive
    lookups_max: Positive
    further_contracts: list[ContractName] = Field(default_factory=list)


class Statistics(StrictModel):
    """The smallest count of people that is published."""

    least: Positive


class Programme(StrictModel):
    """One programme's rules.

    `window_days` counts the day of announcement, `settlement_days` those after a deadline; `decides_at_hour` is the
    hour (WIB) of the deadline run on the day after.
    """

    window_days: Annotated[int, Field(ge=2, le=365)]
    settlement_days: Annotated[int, Field(ge=0, le=30)]
    decides_at_hour: Annotated[int, Field(ge=0, le=23)]
    feeds: Feeds
    revocations: Revocations
    approvals: Approvals
    reminders: Reminders
    blacklist: Blacklist
    statistics: Statistics

    @model_validator(mode="after")
    def _require_reminders_inside_window(self) -> Self:
        if max(self.reminders.days) >= self.window_days:
            problem = f"has {max(self.reminders.days)}, which is not inside a window of {self.window_days} days"
            raise misfit(problem, "reminders", "days")
        return self


def programme() -> Programme:
    """Return the rules of the programme's `program.yaml`. Raises `PrakerjaError` with file, line and field."""
    return _load(programme_folder())


@cache
def _load(folder: Path) -> Programme:
    path = folder / "program.yaml"
    if not path.exists():
        raise PrakerjaError(f"the programme {path} is not there: correct PRAKERJA_PROGRAMME or --programme")
    return load_typed(path, Programme, "the programme")
