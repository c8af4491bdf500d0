"""Work that is stopped: what takes too long or too much ends its process, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from upright import workers
from upright.errors import BrokenPicture, NotAPicture, TooLarge
from upright.formats import FORMATS, cost
from upright.limits import Limits
from upright.pictures import apart, open_picture

from .fuzz.seeds import seeds

LIMITS = Limits()


@pytest.fixture
def worker():
    found = workers.Worker()
    yield found
    found.close()


def test_a_function_is_called_and_the_process_stays(worker):
    first = worker.call("os:getpid", limits=LIMITS)
    assert first != os.getpid() and worker.call("os:getpid", limits=LIMITS) == first
    assert worker.call("math:hypot", 3, 4, limits=LIMITS) == 5


def test_what_it_raises_is_raised_here_with_source_and_remedy(worker):
    with pytest.raises(NotAPicture) as raised:
        worker.call("upright.pictures.apart:open_here", b"no picture", LIMITS, 0, None, limits=LIMITS)
    assert (raised.value.source, raised.value.remedy) == (
        "<bytes>",
        "see upright doctor for the formats, or convert it",
    )
    assert worker.alive


def test_what_takes_too_long_is_killed(worker):
    assert worker.call("time:sleep", 0, limits=LIMITS) is None
    with pytest.raises(TooLarge, match=r"a\.pdf: .* timeout_s of 0\.5 s"):
        worker.call("time:sleep", 60, limits=Limits(timeout_s=0.5), source="a.pdf")
    assert not worker.alive


@pytest.mark.slow
def test_what_needs_too_much_memory_fails_alone(worker):
    little, much = Limits(max_memory_mb=64), Limits(max_memory_mb=512)
    with pytest.raises(MemoryError):
        worker.call("builtins:bytearray", 300 << 20, limits=little)
    assert len(worker.call("builtins:bytearray", 300 << 20, limits=much)) == 300 << 20


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_one_that_calls(how):
    """Which is killed alone, as by `timeout`: it runs no handler, and the call would go on until its time is over."""
    code = (
        "from upright import workers\nfrom upright.limits import Limits\n"
        "w = workers.take()\nprint(w.call('os:getpid', limits=Limits()), flush=True)\n"
        "w.call('time:sleep', 60, limits=Limits())"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as caller:
        child = Path(f"/proc/{caller.stdout.readline().strip()}")
        time.sleep(0.2)  # the call has begun
        assert child.exists()
        caller.send_signal(how)
    until = time.monotonic() + 5
    while child.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not child.exists()


def test_it_tells_how_much_is_done(worker):
    shares = []
    worker.call("upright.workers:tell", 0.5, limits=LIMITS, progress=shares.append)
    assert shares == [0.5]


def test_a_crash_is_a_broken_picture(worker):
    with pytest.raises(BrokenPicture, match=r"a\.heic: its decoder crashed"):
        worker.call("os:abort", limits=LIMITS, source="a.heic")
    assert not worker.alive


def test_one_that_is_alive_is_used_again():
    first = workers.take()
    pid = first.call("os:getpid", limits=LIMITS)
    workers.give(first)
    assert workers.call("os:getpid", limits=LIMITS) == pid
    with pytest.raises(BrokenPicture):
        workers.call("os:_exit", 1, limits=LIMITS)
    assert workers.call("os:getpid", limits=LIMITS) != pid


@pytest.mark.parametrize(
    "name", ["small.webp", "small.heic", "tagged.jpg", "progressive.jpg", "small.pdf", "small.qoi"]
)
def test_pictures_are_the_same_there(name, monkeypatch):
    data = dict(seeds())[name]
    with open_picture(data) as picture:
        here = picture.squashed(32), picture.region((8, 8, 40, 32), 16), picture.exif, picture.pages
    monkeypatch.setattr(cost, "_MOST_S", 0.0)
    with open_picture(data) as picture:
        assert isinstance(picture, apart.ApartPicture)
        there = picture.squashed(32), picture.region((8, 8, 40, 32), 16), picture.exif, picture.pages
    for one, other in zip(here, there, strict=True):
        assert np.array_equal(one, other)


def test_ordinary_pictures_stay_here():
    """A process is for what may take long: not for photographs and scans."""
    for name, size in {
        "JPEG": (8000, 6000),
        "PNG": (10_000, 8_000),
        "TIFF": (10_000, 8_000),
        "HEIC": (4032, 3024),
    }.items():
        assert not cost.has_to_be_apart(FORMATS[name], size), name
    for name, size in {"JPEG": (20_000, 20_000), "QOI": (2000, 2000), "PDF": (10, 10), "HEIC": (8000, 6000)}.items():
        assert cost.has_to_be_apart(FORMATS[name], size), name
