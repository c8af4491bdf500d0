"""Known abuses: each ends in a picture or in a clear error, soon and within bounded memory."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "attacks"
DEADLINE_S = 60
MEMORY = 4 << 30

#: What may come of each: an error's name, or ``picture``.
OUTCOMES = {
    "bomb.png": {"picture", "TooLarge"},
    "giant-baseline.jpg": {"picture", "BrokenPicture"},
    "giant-progressive.jpg": {"TooLarge"},
    "many-scans.jpg": {"BrokenPicture"},
    "many-segments.jpg": {"BrokenPicture"},
    "never-ending-fill.jpg": {"BrokenPicture"},
    "exif-loop.jpg": {"picture"},
    "polyglot.jpg": {"picture"},
    "giant-canvas.gif": {"TooLarge"},
    "giant.webp": {"TooLarge", "BrokenPicture"},
    "loop.tif": {"BrokenPicture"},
    "tiles-outside.tif": {"BrokenPicture"},
    "tiles-too-many.tif": {"BrokenPicture"},
    "tiles-of-nothing.tif": {"BrokenPicture"},
    "tiles-of-zeros.tif": {"BrokenPicture"},
    "giant-page.pdf": {"TooLarge", "BrokenPicture"},
    "no-page.pdf": {"picture", "BrokenPicture"},
}
CHILD = """
import sys
from upright.errors import UprightError
from upright.pictures import Limits, open_picture
from upright.steps import View, render
from upright.steps.close import windows
try:
    with open_picture(sys.argv[1], limits=Limits(timeout_s=10)) as picture:
        assert render(picture, View(), 224).shape == (224, 224, 3)
        for view in windows(picture, 224)[:2]:
            render(picture, view, 224)
    print("picture")
except UprightError as error:
    assert error.source and str(error)
    print(type(error).__name__)
"""


def test_every_file_is_listed():
    assert {path.name for path in HERE.iterdir() if path.suffix not in (".py", "")} == set(OUTCOMES)


SLOW = ("bomb.png", "giant-baseline.jpg")


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in OUTCOMES])
def test_attack(name):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, str(HERE / name)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in OUTCOMES[name]
    assert done.stderr == ""
