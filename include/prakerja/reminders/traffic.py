"""Which provider gets the next messages: the preferred one, unless it fails or is slow and another is not.

With hysteresis: it takes more to be left than to be kept, nobody gets the traffic who has not done well with a few
messages first, and nothing moves twice in a row. Where all are slow, nothing moves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

WINDOW = 60.0  # seconds that an answer counts for
LEAST = 20  # answers without which nothing is said of a provider
LEAVE_FAULTS, RETURN_FAULTS = 0.3, 0.05  # shares of the provider's own faults
HOLD = 30.0  # seconds for which nothing moves again
TRY_EVERY = 20  # of so many batches one tries the preferred provider, when it was left; every other, when in need
TRY_SIZE = 20  # messages in such a batch


@dataclass
class _Seen:
    answers: deque[tuple[float, bool, float]] = field(default_factory=lambda: deque(maxlen=200))
    faults_in_a_row: int = 0


class Traffic:
    """What the providers of one channel have answered of late. Times are monotonic seconds."""

    def __init__(self, providers: Sequence[str], slow_seconds: float) -> None:
        self._seen = {name: _Seen() for name in providers}
        self._slow = slow_seconds
        self.current = self._preferred = providers[0]
        self._held_until = 0.0
        self._batches = 0
        self._turned_away: set[str] = set()

    def record(self, provider: str, *, is_fault: bool, seconds: float, now: float) -> None:
        """What a submission came to."""
        seen = self._seen[provider]
        seen.answers.append((now, is_fault, seconds))
        seen.faults_in_a_row = seen.faults_in_a_row + 1 if is_fault else 0

    def choose(self, now: float, batch: int) -> tuple[str, int]:
        """The provider of the next messages, and how many of them."""
        self._batches += 1
        if self._is_bad(self.current, now):
            others = [name for name in self._seen if name != self.current and not self._is_bad(name, now)]
            known = [name for name in others if len(self._of_late(name, now)) >= LEAST]
            if known and now >= self._held_until:
                self._move_to(known[0], now)
            elif others and not known:  # until one is known, neither gets many
                return others[0] if self._batches % 2 else self.current, min(batch, TRY_SIZE)
        elif self.current != self._preferred:
            if now >= self._held_until and self._is_good(self._preferred):
                self._move_to(self._preferred, now)
            elif self._batches % TRY_EVERY == 0:
                return self._preferred, min(batch, TRY_SIZE)
        return self.current, batch

    @property
    def is_down(self) -> bool:
        """Whether no provider has answered for a while: to go on would only burn through the queue."""
        return all(seen.faults_in_a_row >= LEAST for seen in self._seen.values())

    def turn_away(self, now: float) -> bool:
        """Leave a provider of whom nobody got anything, however few they were; gives whether there is another."""
        self._turned_away.add(self.current)
        others = [name for name in self._seen if name not in self._turned_away]
        if others:
            self._move_to(others[0], now)
        return bool(others)

    def _move_to(self, provider: str, now: float) -> None:
        self.current, self._held_until = provider, now + HOLD

    def _of_late(self, provider: str, now: float) -> list[tuple[float, bool, float]]:
        return [answer for answer in self._seen[provider].answers if answer[0] > now - WINDOW]

    def _is_bad(self, provider: str, now: float) -> bool:
        answers = self._of_late(provider, now)
        if len(answers) < LEAST:
            return False
        faults = sum(is_fault for _, is_fault, _ in answers) / len(answers)
        return faults > LEAVE_FAULTS or median(seconds for *_, seconds in answers) > self._slow

    def _is_good(self, provider: str) -> bool:
        answers = list(self._seen[provider].answers)[-LEAST:]
        faults = sum(is_fault for _, is_fault, _ in answers) / max(len(answers), 1)
        return (
            len(answers) >= LEAST
            and answers[0][0] > self._held_until - HOLD  # all of them since it was left
            and faults <= RETURN_FAULTS
            and median(seconds for *_, seconds in answers) < self._slow / 2
        )
