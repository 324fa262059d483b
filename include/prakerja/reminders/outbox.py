"""The outbox: a message is written before it is sent, unique in the database, and only its statements change it."""

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
    """A reminder run: a cohort, a date, and the audience and the texts that it began with."""

    cohort: Cohort
    remind_on: date
    audience: str
    texts: Texts

    @property
    def name(self) -> str:
        """The name for people, e.g. `gelombang-13 H-7`."""
        return f"gelombang-{self.cohort.number} H-{self.days_left}"

    @property
    def days_left(self) -> int:
        """The days from the reminder date to the deadline."""
        return (self.cohort.deadline_on - self.remind_on).days

    @property
    def key(self) -> dict[str, Any]:
        """The parameters by which statements find the run."""
        return {"cohort": self.cohort.number, "remind_on": self.remind_on}


@dataclass(frozen=True)
class Claimed:
    """A message that was due. It is to be submitted only if its state is `sending`."""

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
        """The key of the submission. After a failure at the provider, the next submission has another key."""
        return f"{self.idempotency_key}.{self.round}"


@dataclass(frozen=True)
class Settled:
    """The answer to a submission. `segments` counts what the provider took or may have taken; an e-mail counts one."""

    message: Claimed
    answer: Answer
    segments: int | None


def begin_run(cohort: Cohort, remind_on: date, at: datetime) -> Run | None:
    """Begin a run unless it has begun: its recipients are chosen and their messages queued once.

    Return the run, or None if it never began because its date has passed or its cohort has no roster. Raises
    `PrakerjaError` before the date, and if the deadline or the texts have changed since it began.
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
        runs = warehouse.rows(connection, "reminders/find_run", cohort=cohort.number, remind_on=remind_on)
    if not runs:
        return None
    begun = runs[0]
    if begun["deadline_on"] != cohort.deadline_on:
        raise PrakerjaError(
            f"gelombang-{cohort.number} on {remind_on}: its deadline moved to {cohort.deadline_on} since it began; "
            "its texts name the old one, and nothing more is sent"
        )
    texts = Texts(begun["texts"])
    if begun["texts_sha256"] not in ("", texts.sha256):  # runs of before versions recorded no digest
        raise PrakerjaError(
            f"the texts {texts.version} were changed since gelombang-{cohort.number} on {remind_on} began: "
            "restore them, and write the new ones into a version of their own"
        )
    return Run(cohort, remind_on, begun["audience"], texts)


def recover_orphans(run: Run, at: datetime) -> None:
    """Mark messages whose sender died as unknown, and close those that are too late."""
    with warehouse.transaction("remind") as connection:
        warehouse.execute(connection, "reminders/mark_orphans", **run.key, at=at)
        warehouse.execute(connection, "reminders/close_overdue", **run.key, at=at)


def escalate(run: Run, at: datetime) -> None:
    """Queue a message on the next channel for each recipient whom a channel cannot reach."""
    with warehouse.transaction("remind") as connection:
        warehouse.execute(connection, "reminders/queue_escalations", **run.key, at=at)


def settle(settled: Sequence[Settled], at: datetime) -> None:
    """Record the answers to submissions."""
    with warehouse.transaction("remind") as connection:
        _settle(connection, settled, at)


def settle_and_claim(
    run: Run,
    channel: str,
    settled: Sequence[Settled],
    at: datetime,
    *,
    provider: str,
    after: int,
    batch: int,
    repeatable_since: Mapping[str, str],
) -> tuple[list[Claimed], float]:
    """Record the answers to submissions, and claim the next due messages after the id `after`.

    `repeatable_since` has the gateways that recognize a repeated key, each with the instant since which it is the same
    provider. Return the messages, and the seconds until the provider is free for more at the pace of all senders.
    """
    rules = programme().reminders
    window = window_of(run.cohort)
    if settled:  # in a transaction of its own, so that a failure to claim loses no answer
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
            repeatable_since=json.dumps(dict(repeatable_since)),
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
        seconds = sum(message.state == "sending" for message in claimed) / rules.channels[channel].per_second
        return claimed, _reserve(connection, provider, seconds) if seconds else 0.0


def record_gateway(provider: str, identity: str, at: datetime) -> str:
    """Record which provider a gateway leads to; return since when, as PostgreSQL writes an instant."""
    with warehouse.transaction("remind") as connection:
        recorded = warehouse.execute(connection, "reminders/note_gateway", provider=provider, speaks=identity, at=at)
        since: datetime | None = recorded.scalar_one()
    return since.isoformat() if since else "-infinity"


def seconds_until_free(provider: str) -> float:
    """Return the seconds until a provider is free: after what all senders claimed for it, and its own pauses."""
    with warehouse.transaction("remind") as connection:
        return _reserve(connection, provider, 0.0)


def pause_provider(provider: str, seconds: float) -> None:
    """Stop all senders from submitting to a provider for the seconds that it asks for."""
    with warehouse.transaction("remind") as connection:
        warehouse.execute(
            connection, "reminders/pause_provider", provider=provider, now=datetime.now(UTC), seconds=seconds
        )


def _reserve(connection: warehouse.Connection, provider: str, seconds: float) -> float:
    now = datetime.now(UTC)  # real time, also in a replay: the provider keeps no other
    free_after = warehouse.execute(connection, "reminders/reserve_pace", provider=provider, now=now, seconds=seconds)
    return max(float(free_after.scalar_one()), 0.0)


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
    """Let messages that failed temporarily, or at an address that was corrected since, be sent again."""
    with warehouse.transaction("remind") as connection:
        warehouse.execute(connection, "reminders/renew_attempts", **run.key, at=at)


def count_waiting(
    run: Run, at: datetime, channels: Sequence[str], repeatable_since: Mapping[str, str]
) -> dict[str, int]:
    """Count the messages that will change without an operator, by what they wait for.

    `channels` are those that have a provider; messages of other channels do not move.
    """
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
                repeatable_since=json.dumps(dict(repeatable_since)),
            )[0]
        )


def close_overdue_and_forget(at: datetime) -> tuple[int, int]:
    """Close the messages of every run that are too late, and forget addresses after the retention period.

    Return how many messages were closed, and of how many the address was forgotten.
    """
    keep = timedelta(days=programme().reminders.keep_addresses_days)
    with warehouse.transaction("remind") as connection:
        closed = warehouse.execute(connection, "reminders/close_overdue", cohort=None, remind_on=None, at=at).rowcount
        forgotten = warehouse.execute(
            connection, "reminders/forget_addresses", before=at.astimezone(WIB).date() - keep
        ).rowcount
        corrections.forget(connection, at.astimezone(WIB).date() - keep)
    return closed, forgotten
