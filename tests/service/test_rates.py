"""How often a client may call."""

from __future__ import annotations

import pytest

from upright.service.problems import TooOften
from upright.service.rates import MOST_CLIENTS, Rates


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rates_are_kept_for_each_client_and_refill():
    clock = Clock()
    rates = Rates(2, clock=clock)
    rates.take("a")
    rates.take("a")
    with pytest.raises(TooOften) as caught:
        rates.take("a")
    assert caught.value.retry_after_s == pytest.approx(0.5)
    rates.take("b")
    clock.now += 0.5
    rates.take("a")
    with pytest.raises(TooOften):
        rates.take("a")


def test_rates_forget_who_was_not_seen_for_longest():
    rates = Rates(1, clock=Clock())
    for number in range(MOST_CLIENTS + 10):
        rates.take(str(number))
    rates.take("0")
    with pytest.raises(TooOften):
        rates.take(str(MOST_CLIENTS + 9))
