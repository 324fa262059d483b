"""The choice of the gateway for the next messages: the preferred one, unless it fails or is slow and another is not.

The choice has hysteresis: leaving a gateway takes more faults than staying, a gateway gets all messages only after it
has done well with a few, and two moves are at least `HOLD` apart. If every gateway is slow, nothing moves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

WINDOW = 60.0  # seconds that an answer counts for
ANSWERS_MIN = 20  # a gateway is judged by no fewer answers
LEAVE_FAULTS, RETURN_FAULTS = 0.3, 0.05  # shares of answers that are the provider's own fault
HOLD = 30.0  # seconds between two moves
TRY_EVERY = 20  # one batch in so many tries the preferred gateway after it was left
TRY_SIZE = 20  # messages in a batch that tries a gateway


@dataclass
class _History:
    answers: deque[tuple[float, bool, float]] = field(default_factory=lambda: deque(maxlen=200))
    faults_in_a_row: int = 0


class Traffic:
    """The recent answers of one channel's providers, and the one that is in use. Times are monotonic seconds."""

    def __init__(self, providers: Sequence[str], slow_seconds: float) -> None:
        self._histories = {name: _History() for name in providers}
        self._slow = slow_seconds
        self.current = self._preferred = providers[0]
        self._held_until = 0.0
        self._batches = 0
        self._turned_away: set[str] = set()

    def record(self, provider: str, *, is_fault: bool, seconds: float, now: float) -> None:
        """Record the answer to a submission."""
        history = self._histories[provider]
        history.answers.append((now, is_fault, seconds))
        history.faults_in_a_row = history.faults_in_a_row + 1 if is_fault else 0

    def choose(self, now: float, batch: int) -> tuple[str, int]:
        """Choose the provider of the next messages; return it, and how many messages it gets."""
        self._batches += 1
        if self._is_bad(self.current, now):
            others = [name for name in self._histories if name != self.current and not self._is_bad(name, now)]
            known = [name for name in others if len(self._recent_answers(name, now)) >= ANSWERS_MIN]
            if known and now >= self._held_until:
                self._move_to(known[0], now)
            elif others and not known:  # small batches alternate until one of the others is known
                return others[0] if self._batches % 2 else self.current, min(batch, TRY_SIZE)
        elif self.current != self._preferred:
            if now >= self._held_until and self._is_good(self._preferred):
                self._move_to(self._preferred, now)
            elif self._batches % TRY_EVERY == 0:
                return self._preferred, min(batch, TRY_SIZE)
        return self.current, batch

    @property
    def is_down(self) -> bool:
        """Whether every provider fails: further submissions would only use up the messages' attempts."""
        return all(history.faults_in_a_row >= ANSWERS_MIN for history in self._histories.values())

    def turn_away(self, now: float) -> bool:
        """Leave a provider that answered no message of a pass; return whether another one is left to try."""
        self._turned_away.add(self.current)
        others = [name for name in self._histories if name not in self._turned_away]
        if others:
            self._move_to(others[0], now)
        return bool(others)

    def _move_to(self, provider: str, now: float) -> None:
        self.current, self._held_until = provider, now + HOLD

    def _recent_answers(self, provider: str, now: float) -> list[tuple[float, bool, float]]:
        return [answer for answer in self._histories[provider].answers if answer[0] > now - WINDOW]

    def _is_bad(self, provider: str, now: float) -> bool:
        answers = self._recent_answers(provider, now)
        if len(answers) < ANSWERS_MIN:
            return False
        faults = sum(is_fault for _, is_fault, _ in answers) / len(answers)
        return faults > LEAVE_FAULTS or median(seconds for *_, seconds in answers) > self._slow

    def _is_good(self, provider: str) -> bool:
        answers = list(self._histories[provider].answers)[-ANSWERS_MIN:]
        faults = sum(is_fault for _, is_fault, _ in answers) / max(len(answers), 1)
        return (
            len(answers) >= ANSWERS_MIN
            and answers[0][0] > self._held_until - HOLD  # every one since the move away from it
            and faults <= RETURN_FAULTS
            and median(seconds for *_, seconds in answers) < self._slow / 2
        )
