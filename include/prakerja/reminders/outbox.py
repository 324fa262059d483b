"""The outbox: what is to be sent is written first, unique in the database, and moves by its statements alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from prakerja import warehouse
from prakerja.calendar import Cohort
from prakerja.cohorts import corrections, evidence
from prakerja.cohorts.contacts import Contacts
from prakerja.cohorts.standing import window_of
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.reminders.channels import Answer
from prakerja.reminders.texts import Texts
from prakerja.settings import WIB, Settings


@dataclass(frozen=True)
class Run:
    """A reminder run: one cohort, one date, and what it was begun with."""

    cohort: Cohort
    remind_on: date
    audience: str
    texts: Texts

    @property
    def name(self) -> str:
        """For people: `gelombang-13 H-7`."""
        return f"gelombang-{self.cohort.number} H-{self.days_left}"

    @property
    def days_left(self) -> int:
        """From the reminder date to the deadline."""
        return (self.cohort.deadline_on - self.remind_on).days

    @property
    def key(self) -> dict[str, Any]:
        """What its statements take."""
        return {"cohort": self.cohort.number, "remind_on": self.remind_on}


@dataclass(frozen=True)
class Claimed:
    """A message that was due. Only one that is `sending` is to be submitted."""

    reminder_id: int
    state: str
    was_unknown: bool
    attempts: int
    round: int
    address: str
    full_name: str
    template: str
    lacks: str
    provider: str | None
    idempotency_key: UUID
    unsubscribe_key: UUID | None

    @property
    def key(self) -> str:
        """The same for the same submission: of a message that failed at the provider the next has another."""
        return f"{self.idempotency_key}.{self.round}"


@dataclass(frozen=True)
class Settled:
    """What a submission came to. `segments` of what the provider took, or may have taken; an e-mail is one."""

    message: Claimed
    answer: Answer
    segments: int | None


def begin(cohort: Cohort, remind_on: date, at: datetime) -> Run | None:
    """Queue everybody whom the run is for, once: who is meant is settled when it begins.

    Return the run, or None if it never began: its date has passed, or its cohort has no roster. Raises `PrakerjaError`
    where its texts changed.
    """
    rules = programme().reminders
    today = at.astimezone(WIB).date()
    if today < remind_on:
        raise PrakerjaError(f"gelombang-{cohort.number} is reminded on {remind_on}: nothing is sent before its day")
    with warehouse.transaction("remind") as connection:
        if today == remind_on:
            texts = Texts(rules.texts)
            audience = cohort.reminded_audience
            is_new = warehouse.execute(
                connection,
                "reminders/insert_run",
                cohort=cohort.number,
                remind_on=remind_on,
                deadline_on=cohort.deadline_on,
                audience=audience,
                texts=texts.version,
                texts_sha256=texts.sha256,
                at=at,
            ).rowcount
            if is_new:
                texts.require_whole(cohort.deadline_on)
                evidence.refresh(connection, window_of(cohort), today, is_decided=False)
                warehouse.execute(
                    connection,
                    "reminders/queue_messages",
                    cohort=cohort.number,
                    deadline_on=cohort.deadline_on,
                    as_of=today,
                    audience=audience,
                    remind_on=remind_on,
                    at=at,
                )
        found = warehouse.rows(connection, "reminders/find_run", cohort=cohort.number, remind_on=remind_on)
    if not found:
        return None
    begun = found[0]
    if begun["deadline_on"] != cohort.deadline_on:
        raise PrakerjaError(
            f"gelombang-{cohort.number} on {remind_on}: its deadline moved to {cohort.deadline_on} since it began; "
            "its texts name the old one, and nothing more is sent"
        )
    texts = Texts(begun["texts"])
    if begun["texts_sha256"] not in ("", texts.sha256):  # of runs from before versions nothing is known
        raise PrakerjaError(
            f"the texts {texts.version} were changed since gelombang-{cohort.number} on {remind_on} began: "
            "put them back, and write the new ones into a version of their own"
        )
    return Run(cohort, remind_on, begun["audience"], texts)


def recover_orphans(run: Run, at: datetime) -> None:
    """Before anything leaves: what a dead sender left is unknown, and what is too late closed."""
    with warehouse.transaction("remind") as connection:
        warehouse.execute(connection, "reminders/mark_orphans", **run.key, at=at)
        warehouse.execute(connection, "reminders/close_overdue", **run.key, at=at)


def escalate(run: Run, at: datetime) -> None:
    """Queue an e-mail for whoever an SMS cannot reach, while there is time."""
    with warehouse.transaction("remind") as connection:
        warehouse.execute(connection, "reminders/queue_escalations", **run.key, at=at)


def settle(settled: Sequence[Settled], at: datetime) -> None:
    """Write down what submissions came to."""
    with warehouse.transaction("remind") as connection:
        _settle(connection, settled, at)


def exchange(
    run: Run,
    channel: str,
    settled: Sequence[Settled],
    at: datetime,
    *,
    provider: str,
    after: int,
    batch: int,
    asks_again: Mapping[str, str],
) -> tuple[list[Claimed], float]:
    """Write down what submissions came to, and claim the next messages that are due, after the one of this id.

    `asks_again` has, of each provider that knows a key again, the instant since which it is the one that it is. Return
    the messages, and the seconds after which the provider is free for more, by its pace and for all senders.
    """
    rules = programme().reminders
    window = window_of(run.cohort)
    if settled:  # by itself: what is known of these does not depend on the next
        settle(settled, at)
    with warehouse.transaction("remind") as connection:
        rows = warehouse.rows(
            connection,
            "reminders/claim_messages",
            remind_on=run.remind_on,
            channel=channel,
            provider=provider,
            after=after,
            batch=batch,
            at=at,
            asks_again=json.dumps(dict(asks_again)),
            as_of=at.astimezone(WIB).date(),
            audience=run.audience,
            opens=rules.leave_from_hour,
            closes=rules.leave_until_hour,
            attempts_max=rules.attempts_max,
            per_number_max=rules.per_number_a_day,
            **window,
        )
        contacts = Contacts.configured() if rows else None
        claimed = [Claimed(**contacts.opened(row, channel)) for row in rows] if contacts else []
        seconds = sum(each.state == "sending" for each in claimed) / rules.channels[channel].per_second
        return claimed, _reserve(connection, provider, seconds) if seconds else 0.0


def note_gateway(provider: str, speaks: str, at: datetime) -> str:
    """Write down what a gateway's address speaks; return since when, as PostgreSQL writes an instant."""
    with warehouse.transaction("remind") as connection:
        found = warehouse.execute(connection, "reminders/note_gateway", provider=provider, speaks=speaks, at=at)
        since: datetime | None = found.scalar_one()
    return since.isoformat() if since else "-infinity"


def free_after(provider: str) -> float:
    """The seconds until a provider is free, by what all senders have claimed for it, and by what it asked for."""
    with warehouse.transaction("remind") as connection:
        return _reserve(connection, provider, 0.0)


def pause(provider: str, seconds: float) -> None:
    """Give a provider the rest that it asks for, from all senders."""
    with warehouse.transaction("remind") as connection:
        warehouse.execute(
            connection, "reminders/pause_provider", provider=provider, now=datetime.now(UTC), seconds=seconds
        )


def _reserve(connection: warehouse.Connection, provider: str, seconds: float) -> float:
    now = datetime.now(UTC)  # the provider's own time, whatever day is being replayed
    free = warehouse.execute(connection, "reminders/reserve_pace", provider=provider, now=now, seconds=seconds)
    return max(float(free.scalar_one()), 0.0)


def _settle(connection: warehouse.Connection, settled: Sequence[Settled], at: datetime) -> None:
    wait = programme().reminders.try_again_after_seconds
    warehouse.execute(
        connection,
        "reminders/settle_messages",
        reminder_ids=[each.message.reminder_id for each in settled],
        attempts=[each.message.attempts for each in settled],
        rounds=[each.message.round for each in settled],
        states=[each.answer.state for each in settled],
        provider_ids=[each.answer.provider_id for each in settled],
        failures=[each.answer.failure for each in settled],
        segments=[each.segments for each in settled],
        were_unknown=[each.message.was_unknown for each in settled],
        try_afters=[at + timedelta(seconds=wait * 2 ** (each.message.attempts - 1)) for each in settled],
        at=at,
    )


def renew_attempts(run: Run, at: datetime) -> None:
    """What failed for now may be tried again, from the start."""
    with warehouse.transaction("remind") as connection:
        warehouse.execute(connection, "reminders/renew_attempts", **run.key, at=at)


def waiting(run: Run, at: datetime, channels: Sequence[str], asks_again: Mapping[str, str]) -> dict[str, int]:
    """How many messages move by themselves, by what they wait for, where these channels have a provider."""
    receipts = Settings.from_environment().receipts_url is not None
    rules = programme().reminders
    with warehouse.transaction("remind") as connection:
        return dict(
            warehouse.rows(
                connection,
                "reminders/count_waiting",
                **run.key,
                at=at,
                attempts_max=rules.attempts_max,
                receipt_channels=rules.list_channels("http"),
                receipts_since=at - timedelta(minutes=rules.receipts_within_minutes if receipts else 0),
                channels=list(channels),
                asks_again=json.dumps(dict(asks_again)),
            )[0]
        )


def close(at: datetime) -> tuple[int, int]:
    """Close what is too late, forget addresses that are too old; gives how many of each. For every run, daily."""
    keep = timedelta(days=programme().reminders.keep_addresses_days)
    with warehouse.transaction("remind") as connection:
        closed = warehouse.execute(connection, "reminders/close_overdue", cohort=None, remind_on=None, at=at).rowcount
        forgotten = warehouse.execute(
            connection, "reminders/forget_addresses", before=at.astimezone(WIB).date() - keep
        ).rowcount
        corrections.forget(connection, at.astimezone(WIB).date() - keep)
    return closed, forgotten
