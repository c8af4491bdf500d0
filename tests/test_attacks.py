"""Known abuses: each ends in an answer or in a clear error, soon and within the budget of memory, whatever is asked."""

import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.attack import CORPUS, corpus, one_file
from upright.correction import corrected_bytes
from upright.errors import UprightError
from upright.limits import Limits
from upright.pictures import open_picture
from upright.results import Method

from .attacks.make import webp_frames
from .fuzz.seeds import seeds

SEEDS = [data for _, data in seeds()]

#: Processor time of detection and of each method, as a multiple of `floor_s`: seconds differ by 2.5 between machines. A
#: whole picture of 1.6 gigapixels takes 10, one of 600 megapixels 5, what is refused 1.7.
MOST_TIMES = {"bomb.png": 20.0}
MOST_MB = Limits().max_memory_mb + 64

#: What may come of detection: an error's name, or ``answered``.
OUTCOMES = {
    "bomb.png": {"answered"},
    "comments.ppm": {"BrokenPicture"},
    "exif-loop.jpg": {"answered"},
    "giant-baseline.jpg": {"BrokenPicture"},
    "giant-canvas.gif": {"TooLarge"},
    "giant-page.pdf": {"TooLarge", "BrokenPicture"},
    "giant-progressive.jpg": {"BrokenPicture"},
    "giant.avif": {"TooLarge"},
    "giant.ico": {"TooLarge"},
    "giant.jp2": {"TooLarge"},
    "giant.qoi": {"TooLarge"},
    "giant.webp": {"TooLarge", "BrokenPicture"},
    "loop.tif": {"BrokenPicture"},
    "many-scans.jpg": {"BrokenPicture"},
    "many-segments.jpg": {"BrokenPicture"},
    "nested-forms.pdf": {"BrokenPicture", "TooLarge"},
    "never-ending-fill.jpg": {"BrokenPicture"},
    "no-page.pdf": {"answered", "BrokenPicture"},
    "padded-progressive.jpg": {"TooLarge"},
    "polyglot.jpg": {"answered"},
    "runs.bmp": {"TooLarge"},
    "tall-whole.png": {"answered"},
    "tall.png": {"BrokenPicture"},
    "tiles-of-nothing.tif": {"BrokenPicture"},
    "tiles-of-zeros.tif": {"BrokenPicture"},
    "tiles-outside.tif": {"BrokenPicture"},
    "tiles-too-many.tif": {"BrokenPicture"},
    "wide-whole.png": {"TooLarge"},
    "wide.png": {"TooLarge"},
}
#: One of each kind: a header that lies, a table that ends nowhere, a text without end, a document, a size of its own.
#: Each file takes a process of its own, so the others are left to `make test`.
QUICK = ("giant.webp", "loop.tif", "comments.ppm", "giant-page.pdf", "tall.png")


@cache
def floor_s() -> float:
    """Processor time in which libvips alone reads and shrinks 120 megapixels of a PNG, on this machine, now."""
    started = time.process_time()
    pyvips.Image.new_from_file(str(CORPUS / "tall-whole.png"), access="sequential").crop(0, 0, 120, 1_000_000).shrink(
        8, 8
    ).avg()
    return time.process_time() - started


def held_to_its_budget(path: Path) -> str:
    """What detection made of a file."""
    works = one_file(path)
    for name, work in works.items():
        assert not work["answer"].startswith("not ours"), (name, work)
        assert work["peak_mb"] <= MOST_MB, (name, work)
        assert work["cpu_s"] <= MOST_TIMES.get(path.name, 10.0) * floor_s(), (name, work, floor_s())
    assert len(works) == 4
    return works["detect"]["answer"]


def test_every_file_is_listed():
    assert {path.name for path in corpus([CORPUS])} == set(OUTCOMES)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in OUTCOMES]
)
def test_attack(name):
    assert held_to_its_budget(CORPUS / name) in OUTCOMES[name]


@pytest.mark.slow
def test_frames_are_counted_before_a_decoder_walks_through_them(tmp_path):
    path = tmp_path / "frames.webp"
    path.write_bytes(webp_frames())
    assert held_to_its_budget(path) == "TooLarge"


@pytest.mark.slow
def test_a_header_is_read_no_further_than_headers_are_long(tmp_path):
    path = tmp_path / "comments.ppm"
    path.write_bytes(b"P6\n" + b"#" * 50_000_000 + b"\n1 1\n255\n\0\0\0")
    assert held_to_its_budget(path) == "BrokenPicture"


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_bytes_by_any_method_are_answered_or_refused(data):
    """Seeds of every format with some of their bytes exchanged, cut out or doubled."""
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(0, 6))):
        at, size = data.draw(st.integers(0, len(content))), data.draw(st.integers(0, 8))
        content[at : at + size] = data.draw(st.binary(max_size=8) | st.just(bytes(content[at : at + 16])))
    method, turn = data.draw(st.sampled_from([None, *Method])), data.draw(st.sampled_from([0, 90, 180, 270]))
    limits = Limits(max_memory_mb=64, timeout_s=20)
    with suppress(UprightError):
        new, done = corrected_bytes(bytes(content), turn, method, limits=limits)
        assert bool(new) == bool(content) and done.method in Method
    with suppress(UprightError), open_picture(bytes(content), limits=limits) as picture:
        assert picture.squashed(32).shape == (32, 32, 3)
