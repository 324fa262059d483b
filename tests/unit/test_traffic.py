"""Which provider gets the traffic: away from who is ill, and back once they do well."""

from __future__ import annotations

from itertools import pairwise

import pytest

from prakerja.reminders.traffic import Traffic


class Minute:
    """Answers by the second, as a sender gets them."""

    def __init__(self) -> None:
        self.traffic, self.now = Traffic(["one", "two"], slow_seconds=5), 1000.0

    def passes(self, seconds: int, **behave: tuple[float, float]) -> list[str]:
        """Run ten batches a second; a provider behaves as (share of faults, seconds). Return who took each batch."""
        took = []
        for _ in range(seconds * 10):
            provider, batch = self.traffic.choose(self.now, 32)
            faults, slow = behave.get(provider, (0.0, 0.1))
            for number in range(batch):
                self.traffic.record(provider, is_fault=number < faults * batch, seconds=slow, now=self.now)
            took.append(provider)
            self.now += 0.1
        return took


@pytest.mark.parametrize("ill", [(0.5, 0.1), (1.0, 0.1), (0.0, 6.0)])
def test_traffic_leaves_a_failing_provider_and_returns_once_it_does_well(ill: tuple[float, float]) -> None:
    minute = Minute()
    assert set(minute.passes(60)) == {"one"}
    away = minute.passes(120, one=ill)
    assert away[-100:].count("two") >= 95, "but for a few that try it"
    assert away[-100:].count("one") > 0
    back = minute.passes(120)
    assert set(back[-100:]) == {"one"}
    assert sum(a != b for a, b in pairwise(back)) < 30


@pytest.mark.parametrize("ill", [(0.5, 0.1), (0.0, 6.0)])
def test_traffic_stays_if_every_provider_fails(ill: tuple[float, float]) -> None:
    minute = Minute()
    minute.passes(60)
    assert minute.passes(300, one=ill, two=ill).count("two") <= 0.01 * 3000, "but for a few that try it"


def test_traffic_stays_with_a_slightly_worse_provider() -> None:
    minute = Minute()
    assert set(minute.passes(300, one=(0.25, 4.9))) == {"one"}


def test_a_provider_that_is_only_a_little_better_does_not_get_the_traffic_back() -> None:
    minute = Minute()
    minute.passes(120, one=(0.5, 0.1))
    assert minute.passes(300, one=(0.15, 0.1)).count("two") >= 0.94 * 3000
