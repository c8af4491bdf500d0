"""Processes forked from one that has decided pictures, as by multiprocessing and by servers: none waits for ever.

Each is tried in a process of its own, which forks.
"""

import subprocess
import sys

import pytest

from .conftest import DEMO

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is forked there")

BEGINNING = """
import os, signal, sys
import upright
def forked(call):
    if (child := os.fork()) == 0:
        signal.alarm(30)
        call()
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0, call
"""


def run(code: str, *args: object) -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", BEGINNING + code, *map(str, args)]
    subprocess.run(command, check=True, timeout=60)


def test_what_libvips_decoded_before_is_decoded_in_a_forked_process_too() -> None:
    """libvips waited for threads that were idle in the parent."""
    run(
        """
name = sys.argv[1]
turn = upright.detect(name).turn
def again():
    assert upright.detect(name).turn == turn
forked(again)
""",
        DEMO / "cat.gif",
    )


def test_pixels_that_libvips_would_turn_are_refused_in_a_forked_process() -> None:
    run(
        """
from upright.correction import corrected_bytes
upright.detect(sys.argv[1])
data = open(sys.argv[2], "rb").read()
def refused():
    try:
        corrected_bytes(data, upright.Turn.RIGHT, method="turn")
    except upright.UsageError as error:
        assert "forked" in error.cause and "spawn" in error.remedy, error
    else:
        raise SystemExit(1)
forked(refused)
assert corrected_bytes(data, upright.Turn.RIGHT, method="turn")[1].lossless
""",
        DEMO / "cat.gif",
        DEMO / "chart.tif",
    )


def test_an_engine_with_threads_does_not_keep_a_forked_process_from_ending() -> None:
    run(
        """
detector = upright.Detector(threads=2)
detector.detect(sys.argv[1])
forked(lambda: None)
forked(detector.close)
forked(lambda: detector.detect(sys.argv[1]))
""",
        DEMO / "page.jpg",
    )


def test_a_fork_while_another_thread_opens_the_shared_detector() -> None:
    run(
        """
import threading
from upright import detector as room
opening, forked_off = threading.Event(), threading.Event()
class Slow(room.Detector):
    def __init__(self):
        if threading.current_thread() is not threading.main_thread():
            opening.set()
            forked_off.wait()
        super().__init__()
upright.detect  # what is imported while it forks is no concern of ours
import onnxruntime
room.Detector, thread = Slow, threading.Thread(target=room.shared_detector)
thread.start()
opening.wait()
forked(lambda: upright.detect(sys.argv[1]))
forked_off.set()
thread.join()
""",
        DEMO / "page.jpg",
    )


def test_a_fork_while_another_thread_loads_a_pillow_image() -> None:
    run(
        """
import threading
from PIL import Image
from upright.pictures import open_picture
loading, forked_off = threading.Event(), threading.Event()
image = Image.open(sys.argv[1])
load = image.load
def slow():
    loading.set()
    forked_off.wait()
    return load()
def looked_at():
    image.load = load
    with open_picture(image) as picture:
        picture.squashed(64)
def first():
    with open_picture(image) as picture:
        picture.squashed(64)
image.load, thread = slow, threading.Thread(target=first)
thread.start()
loading.wait()
forked(looked_at)
forked_off.set()
thread.join()
""",
        DEMO / "page.jpg",
    )
