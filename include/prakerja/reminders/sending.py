"""Sending a run: claim some messages, submit them concurrently, record the answers, and repeat until nothing is due.

A message is `sending` in the database before it is submitted, so a sender that is killed leaves messages whose fate is
known to be unknown. No transaction is open while a provider answers.
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
from prakerja.settings import EMAIL, Settings

log = logging.getLogger(__name__)

LOG_EVERY = 30.0  # seconds
NUMBER = re.compile(r"\+?[0-9(][0-9 ().\-]*")
PAUSE_MIN = 0.002  # seconds: a shorter sleep costs more than it waits


class PartialError(PrakerjaError):
    """Some of a run's messages failed temporarily, and are sent again only if an operator retries the run."""


@dataclass(frozen=True)
class Progress:
    """A run's recipients by how their reminder ended, and its messages by what they wait for."""

    counts: dict[str, int]
    waiting: dict[str, int]

    @property
    def is_done(self) -> bool:
        """Whether no message waits for anything."""
        return not any(self.waiting.values())


def send_reminders(
    cohort: Cohort, remind_on: date, accounts: Accounts, now: Callable[[], datetime], *, is_retry: bool = False
) -> Progress:
    """Send the messages of a run that may leave now; return its progress.

    It may be repeated and interrupted at any point: no message is sent twice, and two senders take turns. A run does
    not begin after its date, or for a cohort without a roster. Raises `PartialError` if messages failed temporarily and
    nothing is left to wait for, `UnreachableError` if no provider answers, `PrakerjaError` if none is configured.
    """
    if not accounts.channels:
        gateways = [channel.gateways[0] for channel in programme().reminders.channels.values()]
        variables = " and ".join(f"PRAKERJA_{gateway.upper()}_URL" for gateway in gateways)
        raise PrakerjaError(
            f"no provider is configured for reminders: set {variables} here, or for a DAG the Airflow connections "
            f"{' and '.join(f'prakerja_{gateway}' for gateway in gateways)} (then clear its task)"
        )
    with warehouse.exclusive(f"reminders {cohort.number} {remind_on}"):
        run = outbox.begin_run(cohort, remind_on, now())
        if run is None:
            log.info("gelombang-%d: no run began on %s; nothing is sent", cohort.number, remind_on)
            return Progress({}, {})
        if is_retry:
            outbox.renew_attempts(run, now())
        outbox.recover_orphans(run, now())
        sender = _Sender(run, now)
        asyncio.run(sender.send_all(accounts))
        # In this order, so that a receipt between the two is counted and not waited for.
        waiting = outbox.count_waiting(run, now(), accounts.channels, sender.repeatable_since)
        progress = Progress(overview.count_ends(run.cohort.number, remind_on), waiting)
        if progress.is_done and progress.counts["unsettled"]:
            outbox.renew_attempts(run, now())  # for the operator who clears the task or retries the run
    ends = ", ".join(f"{count:,} {end}" for end, count in progress.counts.items() if count)
    later = "; ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in progress.waiting.items() if count)
    log.info("%s: %s%s", run.name, ends or "nobody to remind", f"; {later}" if later else "")
    if progress.is_done and progress.counts["unsettled"]:
        channels = programme().reminders.channels
        missing = [f"no provider is configured for {name}" for name in channels if name not in accounts.channels]
        unsettled = overview.describe_unsettled(overview.find_run(run.cohort.number, remind_on))
        raise PartialError("; ".join([unsettled, *missing]))
    return progress


class _Sender:
    """One run's pass over its channels."""

    def __init__(self, run: Run, now: Callable[[], datetime]) -> None:
        self._run = run
        self._now = now
        self._logged_at = time.monotonic()
        self._sent = 0
        #: The gateways that recognize a repeated key, and since when each is the same provider.
        self.repeatable_since: dict[str, str] = {}
        receipts_url = Settings.from_environment().receipts_url
        self._unsubscribe = f"{receipts_url}/v1/unsubscribe/" if receipts_url else None

    async def send_all(self, accounts: Accounts) -> None:
        """Send on each channel in order, also to recipients whom an earlier channel has just failed to reach.

        The outage of a channel does not stop the next one, and is raised at the end.
        """
        outage: PrakerjaError | None = None
        async with accounts.open_gateways() as channels:
            for gateway in chain.from_iterable(channels.values()):
                since = await asyncio.to_thread(outbox.record_gateway, gateway.name, gateway.identity, self._now())
                if gateway.recognizes_keys:  # a repeated submission could otherwise send the message twice
                    self.repeatable_since[gateway.name] = since
            for channel, providers in channels.items():
                await asyncio.to_thread(outbox.escalate, self._run, self._now())
                traffic = Traffic([p.name for p in providers], programme().reminders.slow_seconds)
                is_complete = False
                while not is_complete:
                    result = await self._pass(channel, providers, traffic)
                    is_stuck = result.has_returned and not result.answered
                    if traffic.is_down or (is_stuck and not traffic.turn_away(time.monotonic())):
                        silence = f"{channel} gets no answer ({result.fault}); nothing is lost, try again"
                        outage = outage or result.refusal() or UnreachableError(f"{self._run.name}: {silence}")
                        break
                    is_complete = not result.has_returned
        if outage:
            raise outage

    async def _pass(self, channel: str, providers: Sequence[Gateway], traffic: Traffic) -> _PassResult:
        """Submit every message of a channel that is due, once and in order."""
        result = _PassResult()
        try:
            async with asyncio.TaskGroup() as group:
                await self._claim_and_submit(channel, providers, traffic, result, group)
        except* PrakerjaError as errors:
            raise errors.exceptions[0] from None
        finally:
            if result.settled:
                await asyncio.to_thread(outbox.settle, result.settled, self._now())
        return result

    async def _claim_and_submit(
        self,
        channel: str,
        providers: Sequence[Gateway],
        traffic: Traffic,
        result: _PassResult,
        group: asyncio.TaskGroup,
    ) -> None:
        by_name = {provider.name: provider for provider in providers}
        in_flight_max = max(provider.in_flight_max for provider in providers)
        after = 0
        await asyncio.sleep(await asyncio.to_thread(outbox.seconds_until_free, providers[0].name))
        while not traffic.is_down:
            before = traffic.current
            provider, batch = traffic.choose(time.monotonic(), in_flight_max // 2)
            if traffic.current != before:
                log.warning("%s: the traffic moves from %s to %s", self._run.name, before, traffic.current)
            while result.in_flight > in_flight_max - batch:
                await result.wait()
            settled = result.take_settled()
            try:
                claimed, pause = await asyncio.to_thread(
                    partial(
                        outbox.settle_and_claim,
                        self._run,
                        channel,
                        settled,
                        self._now(),
                        provider=provider,
                        after=after,
                        batch=batch,
                        repeatable_since=self.repeatable_since,
                    )
                )
            except BaseException:
                result.settled[:0] = settled  # answers are recorded whatever failed here
                raise
            self._log_progress(len(settled))
            if not claimed:
                return
            after = claimed[-1].reminder_id
            for message in claimed:
                if message.state == "sending":
                    result.in_flight += 1
                    group.create_task(self._submit(message, channel, by_name, traffic, result))
            if pause > PAUSE_MIN:
                await asyncio.sleep(pause)

    def _log_progress(self, submitted: int) -> None:
        self._sent += submitted
        if time.monotonic() > self._logged_at + LOG_EVERY:
            self._logged_at = time.monotonic()
            log.info("%s: %s submitted so far", self._run.name, f"{self._sent:,}")

    async def _submit(
        self, claimed: Claimed, channel: str, by_name: dict[str, Gateway], traffic: Traffic, result: _PassResult
    ) -> None:
        text: Text | None = None
        provider = by_name[claimed.provider or ""]
        address = _normalize_address(channel, claimed.address)
        if address is None:
            answer = Answer("permanent_failure", failure="address_impossible")
        else:
            text = self._text(channel, claimed)
            key = claimed.unsubscribe_key
            unsubscribe = f"{self._unsubscribe}{key}" if self._unsubscribe and key else None
            submitted_at = time.monotonic()
            try:
                answer = await provider.submit(Message(address, text.body, claimed.key, text.subject, unsubscribe))
            except ProviderRefusesError as refusal:
                result.refuse(provider.name, refusal)
                answer = Answer("queued", failure="provider_refuses", is_providers_fault=True)
            now = time.monotonic()
            traffic.record(provider.name, is_fault=answer.is_providers_fault, seconds=now - submitted_at, now=now)
            if answer.pause:
                await asyncio.to_thread(outbox.pause_provider, provider.name, answer.pause)
        if claimed.was_unknown and answer.state in ("queued", "temporary_failure"):
            answer = replace(answer, state="unknown")  # this submission failed; the earlier one may have arrived
        is_taken = answer.state in ("accepted", "unknown") and text is not None
        result.finish(Settled(claimed, answer, (text.segments or 1) if text and is_taken else None))

    def _text(self, channel: str, claimed: Claimed) -> Text:
        template = template_for(claimed.template, self._run.days_left)
        deadline_on = self._run.cohort.deadline_on
        return self._run.texts.render(channel, template, claimed.lacks, claimed.full_name, deadline_on)


class _PassResult:
    """The results of a pass so far, and the submissions that are in flight."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.settled: list[Settled] = []
        self.answered = 0  # submissions whose answer is about the message
        self.fault: str | None = None  # the last fault of a provider's own
        self.has_returned = False  # whether a message went back into the queue
        self._refusals: dict[str, ProviderRefusesError] = {}
        self._moved = asyncio.Event()

    def finish(self, settled: Settled) -> None:
        """Record the end of a submission."""
        self.in_flight -= 1
        self.settled.append(settled)
        self.has_returned = self.has_returned or settled.answer.state == "queued"
        if settled.answer.is_providers_fault or settled.answer.state == "queued":
            self.fault = settled.answer.failure
        else:
            self.answered += 1
        self._moved.set()

    def refuse(self, provider: str, refusal: ProviderRefusesError) -> None:
        """Record that a provider refuses us; log it once, since another provider may take every message."""
        if provider not in self._refusals:
            log.warning("%s", refusal)
        self._refusals[provider] = refusal

    def refusal(self) -> ProviderRefusesError | None:
        """Return one error for all providers that refuse us, or None."""
        return ProviderRefusesError("; ".join(map(str, self._refusals.values()))) if self._refusals else None

    def take_settled(self) -> list[Settled]:
        """Return the submissions that ended since the last call, and forget them."""
        taken, self.settled = self.settled, []
        return taken

    async def wait(self) -> None:
        """Wait until a submission has ended, and briefly for others that end at the same time."""
        self._moved.clear()
        await self._moved.wait()
        await asyncio.sleep(0.002)


def _normalize_address(channel: str, address: str) -> str | None:
    """Return an address in the form that providers take, a number in E.164; None if it cannot be an address."""
    if programme().reminders.channels[channel].reaches == "email":
        return address if re.fullmatch(EMAIL, address) else None
    import phonenumbers

    # The common form, without the parser, which is slow.
    if national := re.fullmatch(r"\+62([1-9][0-9]{4,13})", address):
        number = phonenumbers.PhoneNumber(country_code=62, national_number=int(national[1]))
    else:
        if not NUMBER.fullmatch(address):  # the parser reads letters as the keys of a phone, or omits them
            return None
        try:
            number = phonenumbers.parse(address, "ID")
        except phonenumbers.NumberParseException:
            return None
    # The provider knows whether it is in use: the numbering plan changes faster than a copy of it.
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
