"""Decoder processes that were ended while they had nothing to do: the next picture does not pay for it."""

from __future__ import annotations

import os
import signal

import pytest

from upright import workers
from upright.errors import BrokenPicture
from upright.limits import Limits

LIMITS = Limits()


@pytest.fixture
def pid():
    """Of a process that waits for work."""
    workers.close()
    worker = workers.take()
    found = worker.call("os:getpid", limits=LIMITS)
    workers.give(worker)
    yield found
    workers.close()


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_one_that_was_killed_is_not_taken(pid):
    end(pid)
    assert workers.call("os:getpid", limits=LIMITS) not in (pid, os.getpid())


def test_one_that_is_killed_when_it_was_just_taken_is_replaced(pid):
    worker = workers.take()
    end(pid)
    assert worker.call("os:getpid", limits=LIMITS) not in (pid, os.getpid())
    worker.close()


def test_a_crash_is_tried_once_more_and_no_further(pid):
    worker = workers.take()
    with pytest.raises(BrokenPicture):
        worker.call("os:abort", limits=LIMITS)
    assert not worker.alive


def test_one_that_ends_between_two_calls_of_a_picture_is_told(pid):
    worker = workers.take()
    worker.call("os:getpid", limits=LIMITS)
    end(pid)
    with pytest.raises(BrokenPicture):
        worker.call("os:getpid", limits=LIMITS)  # what it had open is gone


def test_a_dead_one_is_not_given_back(pid):
    worker = workers.take()
    end(pid)
    workers.give(worker)
    assert workers.call("os:getpid", limits=LIMITS) != pid
