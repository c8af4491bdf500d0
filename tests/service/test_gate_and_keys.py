"""What is let in: the gate's counts, keys, rates, settings."""

from __future__ import annotations

import pytest

from upright import Overloaded, UsageError
from upright.service.gate import Gate
from upright.service.keys import Keys, Rates
from upright.service.problems import TooOften, Unauthorized
from upright.service.settings import Settings


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_gate_counts_requests_and_bytes():
    gate = Gate(2, 1000)
    gate.enter(600)
    with pytest.raises(Overloaded, match="MiB"):
        gate.enter(500)
    gate.enter(300)
    with pytest.raises(Overloaded, match="2 requests"):
        gate.enter(0)
    with pytest.raises(Overloaded):
        gate.grow(200)
    gate.leave(600)
    gate.grow(200)
    assert (gate.requests, gate.bytes) == (1, 500)


def test_one_request_over_the_bytes_is_let_in_alone():
    gate = Gate(2, 1000)
    gate.enter(5000)
    with pytest.raises(Overloaded):
        gate.enter(1)
    gate.leave(5000)
    assert gate.bytes == 0


def test_retry_after_follows_the_pace():
    clock = Clock()
    gate = Gate(10, 1000, clock=clock)
    for _ in range(60):
        gate.enter(1)
        clock.now += 0.5
        gate.leave(1)
    for _ in range(10):
        gate.enter(1)
    with pytest.raises(Overloaded) as caught:
        gate.enter(1)
    assert caught.value.retry_after_s == pytest.approx(5, rel=0.05)


def test_keys_come_from_a_file_and_the_environment(tmp_path):
    path = tmp_path / "keys"
    path.write_text("# who may\nanna:0123456789abcdef\n\nfedcba9876543210  # no name\n")
    keys = Keys.read(str(path), "bob:aaaaaaaaaaaaaaaa,bbbbbbbbbbbbbbbb")
    assert keys.name_of("0123456789abcdef") == "anna"
    assert keys.name_of("fedcba9876543210") == "key2"
    assert keys.name_of("aaaaaaaaaaaaaaaa") == "bob"
    for wrong in ("0123456789abcdeg", "", None, "anna:0123456789abcdef", "\udcff" * 20):
        with pytest.raises(Unauthorized):
            keys.name_of(wrong)
    assert not Keys.read(None, "")


def test_weak_and_unreadable_keys_are_refused(tmp_path):
    with pytest.raises(UsageError, match="at least 16"):
        Keys.read(None, "anna:short")
    with pytest.raises(UsageError, match="cannot be read"):
        Keys.read(str(tmp_path / "none"), "")


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
    for number in range(Rates._MOST + 10):
        rates.take(str(number))
    assert len(rates._buckets) == Rates._MOST
    rates.take("0")
    with pytest.raises(TooOften):
        rates.take(str(Rates._MOST + 9))


def test_settings_reach_the_workers_by_the_environment(monkeypatch):
    monkeypatch.setenv("UPRIGHT_SERVICE_SETTINGS", "{}")
    settings = Settings(max_queue=3, cors_origins=("https://a.example",))
    settings.to_environment()
    assert Settings.from_environment() == settings
    with pytest.raises(UsageError):
        Settings(max_queue=0)
