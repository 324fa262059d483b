"""Sending a run: claim a few messages, submit them at once, write down what came of it, until nothing is due.

A message is `sending` in the database before its provider hears of it, so whatever is killed here is known afterwards
as one whose fate is unknown. No transaction is open while a provider takes its time.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from itertools import chain

from prakerja import warehouse
from prakerja.calendar import Cohort
from prakerja.errors import PrakerjaError
from prakerja.programme import programme
from prakerja.reminders import outbox, overview
from prakerja.reminders.channels import (
    EMAIL,
    Accounts,
    Answer,
    Gateway,
    Message,
    ProviderRefusesError,
    UnreachableError,
)
from prakerja.reminders.outbox import Claimed, Run, Settled
from prakerja.reminders.texts import Text, template_for
from prakerja.reminders.traffic import Traffic
from prakerja.settings import Settings

log = logging.getLogger(__name__)

SAY_EVERY = 30.0  # seconds
NUMBER = re.compile(r"\+?[0-9(][0-9 ().\-]*")
ADDRESS = re.compile(r"https?://[!#-;=?-~]{1,900}")  # of a page, in a header
PAUSE_LEAST = 0.002  # seconds: less is not worth going to sleep for


class PartialError(PrakerjaError):
    """Some of a run's messages have failed for now, and will not be tried again by themselves."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands: its counts (people, by how it ended), and what moves by itself later."""

    counts: dict[str, int]
    waiting: dict[str, int]

    @property
    def is_done(self) -> bool:
        """Whether nothing is to be waited for."""
        return not any(self.waiting.values())


def send_reminders(
    cohort: Cohort, remind_on: date, accounts: Accounts, now: Callable[[], datetime], *, is_retry: bool = False
) -> Progress:
    """Remind whoever the run is for, as far as may leave now; gives how far it came.

    Twice is once, two at once take turns, and a killed one is taken up where it stopped. Nothing begins on a date that
    is over, or for a cohort without a roster. Raises `PartialError` where nothing moves any more and messages have
    failed for now, `UnreachableError` where no provider answers, `PrakerjaError` where none is set.
    """
    if not accounts.channels:
        gateways = [channel.gateways[0] for channel in programme().reminders.channels.values()]
        variables = " and ".join(f"PRAKERJA_{gateway.upper()}_URL" for gateway in gateways)
        raise PrakerjaError(
            f"no provider is set for reminders: set {variables} here; for a DAG the Airflow connections "
            f"{' and '.join(f'prakerja_{gateway}' for gateway in gateways)} do as well (then clear its task)"
        )
    with warehouse.exclusive(f"reminders {cohort.number} {remind_on}"):
        run = outbox.begin(cohort, remind_on, now())
        if run is None:
            log.info("gelombang-%d: no run began on %s, nothing is sent", cohort.number, remind_on)
            return Progress({}, {})
        if is_retry:
            outbox.renew_attempts(run, now())
        outbox.recover_orphans(run, now())
        sender = _Sender(run, now)
        asyncio.run(sender.send_all(accounts))
        # In this order: a receipt that comes in between is counted, where nothing is said to wait for it.
        waits = outbox.waiting(run, now(), accounts.channels, sender.asks_again)
        progress = Progress(overview.counts_of(run.cohort.number, remind_on), waits)
        if progress.is_done and progress.counts["unsettled"]:
            outbox.renew_attempts(run, now())  # whoever clears the task, or retries, begins anew
    told = ", ".join(f"{count:,} {what}" for what, count in progress.counts.items() if count)
    later = "; ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in progress.waiting.items() if count)
    log.info("%s: %s%s", run.name, told or "nobody to remind", f"; {later}" if later else "")
    if progress.is_done and progress.counts["unsettled"]:
        channels = programme().reminders.channels
        unset = "; ".join(f"no provider is set for {name}" for name in channels if name not in accounts.channels)
        told = overview.owed(overview.run_of(run.cohort.number, remind_on))
        raise PartialError(f"{told}; {unset}" if unset else told)
    return progress


class _Sender:
    """One run's pass over its channels."""

    def __init__(self, run: Run, now: Callable[[], datetime]) -> None:
        self._run = run
        self._now = now
        self._said_at = time.monotonic()
        self._sent = 0
        #: The providers that know a key again, and since when each is the one that it is.
        self.asks_again: dict[str, str] = {}
        receipts_url = Settings.from_environment().receipts_url
        if receipts_url and not ADDRESS.fullmatch(receipts_url):
            raise PrakerjaError(
                "PRAKERJA_RECEIPTS_URL is no http:// or https:// URL that an e-mail can carry in a header"
            )
        self._unsubscribe = f"{receipts_url.rstrip('/')}/v1/unsubscribe/" if receipts_url else None

    async def send_all(self, accounts: Accounts) -> None:
        """SMS, then e-mail, also to whoever an SMS has just turned out not to reach; one's outage stops no other."""
        outage: PrakerjaError | None = None
        async with accounts.open_gateways() as channels:
            for each in chain.from_iterable(channels.values()):
                since = await asyncio.to_thread(outbox.note_gateway, each.name, each.speaks, self._now())
                if each.knows_repeats:  # else to ask again might send it twice
                    self.asks_again[each.name] = since
            for channel, providers in channels.items():
                await asyncio.to_thread(outbox.escalate, self._run, self._now())
                traffic = Traffic([p.name for p in providers], programme().reminders.slow_seconds)
                is_through = False
                while not is_through:
                    came = await self._pass(channel, providers, traffic)
                    is_stuck = came.has_returned and not came.went
                    if traffic.is_down or (is_stuck and not traffic.turn_away(time.monotonic())):
                        silence = f"{channel} gets no answer ({came.fault}); nothing is lost, try again"
                        outage = outage or came.refusal() or UnreachableError(f"{self._run.name}: {silence}")
                        break
                    is_through = not came.has_returned
        if outage:
            raise outage

    async def _pass(self, channel: str, providers: Sequence[Gateway], traffic: Traffic) -> _PassResult:
        """Everything that is due, once and in order."""
        came = _PassResult()
        try:
            async with asyncio.TaskGroup() as group:
                await self._claim_and_submit(channel, providers, traffic, came, group)
        except* PrakerjaError as errors:
            raise errors.exceptions[0] from None
        finally:
            if came.settled:
                await asyncio.to_thread(outbox.settle, came.settled, self._now())
        return came

    async def _claim_and_submit(
        self, channel: str, providers: Sequence[Gateway], traffic: Traffic, came: _PassResult, group: asyncio.TaskGroup
    ) -> None:
        by_name = {provider.name: provider for provider in providers}
        in_flight_max = max(provider.in_flight_max for provider in providers)
        after = 0
        await asyncio.sleep(await asyncio.to_thread(outbox.free_after, providers[0].name))
        while not traffic.is_down:
            before = traffic.current
            provider, batch = traffic.choose(time.monotonic(), in_flight_max // 2)
            if traffic.current != before:
                log.warning("%s: the traffic moves from %s to %s", self._run.name, before, traffic.current)
            while came.in_flight > in_flight_max - batch:
                await came.wait()
            settled = came.take_settled()
            try:
                claimed, pause = await asyncio.to_thread(
                    partial(
                        outbox.exchange,
                        self._run,
                        channel,
                        settled,
                        self._now(),
                        provider=provider,
                        after=after,
                        batch=batch,
                        asks_again=self.asks_again,
                    )
                )
            except BaseException:
                came.settled[:0] = settled  # what is known is written down, whatever failed here
                raise
            self._say(len(settled))
            if not claimed:
                return
            after = claimed[-1].reminder_id
            for message in claimed:
                if message.state == "sending":
                    came.in_flight += 1
                    group.create_task(self._submit(message, channel, by_name, traffic, came))
            if pause > PAUSE_LEAST:
                await asyncio.sleep(pause)

    def _say(self, submitted: int) -> None:
        self._sent += submitted
        if time.monotonic() > self._said_at + SAY_EVERY:
            self._said_at = time.monotonic()
            log.info("%s: %s submitted so far", self._run.name, f"{self._sent:,}")

    async def _submit(
        self, claimed: Claimed, channel: str, by_name: dict[str, Gateway], traffic: Traffic, came: _PassResult
    ) -> None:
        text: Text | None = None
        provider = by_name[claimed.provider or ""]
        if (address := _address(channel, claimed.address)) is None:
            answer = Answer("permanent_failure", failure="address_impossible")
        else:
            text = self._text(channel, claimed)
            key = claimed.unsubscribe_key
            unsubscribe = f"{self._unsubscribe}{key}" if self._unsubscribe and key else None
            began = time.monotonic()
            try:
                answer = await provider.submit(Message(address, text.body, claimed.key, text.subject, unsubscribe))
            except ProviderRefusesError as refusal:
                came.refuse(provider.name, refusal)
                answer = Answer("queued", failure="provider_refuses", is_providers_fault=True)
            now = time.monotonic()
            traffic.record(provider.name, is_fault=answer.is_providers_fault, seconds=now - began, now=now)
            if answer.pause:
                await asyncio.to_thread(outbox.pause, provider.name, answer.pause)
        if claimed.was_unknown and answer.state in ("queued", "temporary_failure"):
            answer = replace(answer, state="unknown")  # this time it did not arrive: of the first nothing is known
        is_taken = answer.state in ("accepted", "unknown") and text is not None
        came.through(Settled(claimed, answer, (text.segments or 1) if text and is_taken else None))

    def _text(self, channel: str, claimed: Claimed) -> Text:
        template = template_for(claimed.template, self._run.days_left)
        deadline_on = self._run.cohort.deadline_on
        return self._run.texts.render(channel, template, claimed.lacks, claimed.full_name, deadline_on)


class _PassResult:
    """What a pass has come to so far."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.settled: list[Settled] = []
        self.went = 0  # messages that a provider said something about
        self.fault: str | None = None  # the last of a provider's own
        self.has_returned = False  # whether some never left
        self._refusals: dict[str, ProviderRefusesError] = {}
        self._moved = asyncio.Event()

    def through(self, settled: Settled) -> None:
        """A submission has ended."""
        self.in_flight -= 1
        self.settled.append(settled)
        self.has_returned = self.has_returned or settled.answer.state == "queued"
        if settled.answer.is_providers_fault or settled.answer.state == "queued":
            self.fault = settled.answer.failure
        else:
            self.went += 1
        self._moved.set()

    def refuse(self, provider: str, refusal: ProviderRefusesError) -> None:
        """A provider takes nothing from us: told, though another may take it all."""
        if provider not in self._refusals:
            log.warning("%s", refusal)
        self._refusals[provider] = refusal

    def refusal(self) -> ProviderRefusesError | None:
        """What all of them say who take nothing from us."""
        return ProviderRefusesError("; ".join(map(str, self._refusals.values()))) if self._refusals else None

    def take_settled(self) -> list[Settled]:
        """What has ended since the last time."""
        taken, self.settled = self.settled, []
        return taken

    async def wait(self) -> None:
        """Until a submission has ended, and whatever ends with it."""
        self._moved.clear()
        await self._moved.wait()
        await asyncio.sleep(0.002)


def _address(channel: str, given: str) -> str | None:
    """The address as its provider takes it, a number in E.164; nothing where it cannot be one."""
    if programme().reminders.channels[channel].reaches == "email":
        return given if re.fullmatch(EMAIL, given) else None
    import phonenumbers

    if written := re.fullmatch(r"\+62([1-9][0-9]{4,13})", given):  # as nearly all are, and parsing takes its time
        number = phonenumbers.PhoneNumber(country_code=62, national_number=int(written[1]))
    else:
        if not NUMBER.fullmatch(given):  # the parser takes letters for the keys of a phone, or leaves them out
            return None
        try:
            number = phonenumbers.parse(given, "ID")
        except phonenumbers.NumberParseException:
            return None
    # Whether it is in use is for the provider to say: the plan of numbers changes faster than anybody's copy of it.
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
