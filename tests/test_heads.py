"""The second network's part in an answer: which mirror image and which turn it compares, what is written after that."""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from upright import Detector, UsageError, correct
from upright.correction.request import Request
from upright.errors import ModelError
from upright.heads import Heads, HeadsFacts, MirrorCalibration, TiltCalibration, load_heads, squares
from upright.model import load_model
from upright.pictures import open_picture
from upright.results import Orientation, Outcome, Promise, Reason, Scores
from upright.turns import ExifOrientation, Turn, show_pillow

DEMO = Path(__file__).parents[1] / "testdata" / "demo"
PAGE = "page.jpg"
NAMES = sorted(path.name for path in DEMO.iterdir())
#: A page, a photograph, and a picture without a direction of reading; `make test` takes the others.
QUICK = (PAGE, "coffee.jpg", "chart.tif")
SIZE = load_model().input_size_px
RED, GREEN = (250, 10, 10), (10, 250, 10)


def page() -> Image.Image:
    """Upright where red is on the upper left and green on the upper right."""
    pixels = np.full((400, 600, 3), 128, np.uint8)
    pixels[:80, :80], pixels[:80, -80:] = RED, GREEN
    return Image.fromarray(pixels)


def corners(view: np.ndarray) -> list[tuple[bool, bool]]:
    """Whether each corner, clockwise from the upper left, is red, and whether it is green."""
    ends = ((5, 5), (5, -5), (-5, -5), (-5, 5))
    return [(bool(view[y, x, 0] > 200), bool(view[y, x, 1] > 200)) for y, x in ends]


@dataclass
class Marks:
    """An engine that sees where the red corner is, and one that reads what is as it should be."""

    batch_size: int = 1
    name: str = "marks"
    device: str = "test"
    reads: bool = False

    def infer(self, pixels: np.ndarray) -> np.ndarray:
        if self.reads:
            right = [corners(view)[0][0] and corners(view)[1][1] for view in pixels]
            return np.array([(9.0 * is_right, 2.0, 0.5) for is_right in right], np.float32)
        logits = np.zeros((len(pixels), 4), np.float32)
        for row, view in zip(logits, pixels, strict=True):
            where = next((i for i, (red, _) in enumerate(corners(view)) if red), None)
            if where is not None:
                row[-where % 4] = 20
        return logits

    def close(self) -> None:
        pass


@pytest.fixture
def detector() -> Detector:
    facts = HeadsFacts(Path("heads.onnx"), "", MirrorCalibration(0.5, 2.0, -1.0), TiltCalibration(1.0, 0.7, 3.0))
    found = Detector(engine=Marks())
    found.__dict__["heads"] = Heads(facts, Marks(reads=True), SIZE)
    return found


@pytest.mark.parametrize("wanted", ExifOrientation)
def test_each_of_the_eight_ways_a_picture_can_lie_is_told(detector: Detector, wanted: ExifOrientation) -> None:
    upright = page()
    lies = next(
        lying
        for before in ExifOrientation
        if show_pillow(lying := show_pillow(upright, before), wanted).tobytes() == upright.tobytes()
    )
    answer = detector.detect(lies, mirror=True)
    assert answer.mirrored is wanted.mirrored and answer.turn is not None
    assert Request().answered(answer).after(ExifOrientation.TOP_LEFT) == wanted
    assert answer.to_dict()["mirrored"] is wanted.mirrored
    outcome = Outcome("page", answer)
    assert (outcome.group == "already upright") is (wanted == ExifOrientation.TOP_LEFT)
    assert ("mirrored" in outcome.words) is wanted.mirrored


@pytest.mark.parametrize("right", ["the picture", "its mirror image"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_of_two_turns_the_one_that_reads_is_taken(detector: Detector, mirrored: bool, right: str) -> None:
    shown = ImageOps.mirror(page()) if mirrored else page()
    upright, wrong = (
        Orientation(turn, turn, 0.97, Scores(scores), Reason.SURE, Promise.BALANCED, "glance", 1)
        for turn, scores in ((Turn.NONE, (0.97, 0.01, 0.01, 0.01)), (Turn.HALF, (0.01, 0.01, 0.97, 0.01)))
    )
    answer, image = (upright, wrong) if right == "the picture" else (wrong, upright)
    assert detector.heads
    with open_picture(shown) as picture:
        told = detector.heads.mirrored(picture, answer, lambda: image)
        unsure = detector.heads.mirrored(picture, replace(answer, turn=None), lambda: replace(image, turn=None))
    assert (told.mirrored, told.turn) == (mirrored, Turn.NONE)
    assert told.views == 2 + 2 * 2 * 3, "both images of the whole and of two quarters in two turns"
    assert unsure.mirrored is None and unsure.turn is None, "nobody is sure of a turn"


def test_what_reads_no_better_in_a_mirror_is_unsure_and_keeps_its_turn(detector: Detector) -> None:
    pixels = np.full((400, 600, 3), 128, np.uint8)
    pixels[:80, :80] = RED  # no green: neither image reads
    answer = detector.detect(np.rot90(pixels), mirror=True)
    assert answer.mirrored is None and answer.turn == 90
    assert "mirrored" not in answer.to_dict()


@pytest.fixture(scope="module")
def shipped() -> Iterator[Detector]:
    with Detector(mirror=True) as detector:
        yield detector


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in NAMES])
def test_no_picture_of_the_demo_is_called_mirrored(shipped: Detector, name: str) -> None:
    plain = shipped.detect(DEMO / name, mirror=False)
    asked = shipped.detect(DEMO / name)
    assert not asked.mirrored and asked.turn == plain.turn and asked.views > plain.views


@pytest.mark.slow  # Tesseract takes many seconds for a page that is upside down
def test_a_mirrored_page_upside_down_is_set_right_by_its_tag(shipped: Detector, tmp_path: Path) -> None:
    """Tesseract reads it before it was mirrored, not after that, and again when it is corrected."""
    rows = csv.DictReader((DEMO.parent / "demo-turns.csv").read_text().splitlines())
    turn = next(int(row["turn"]) for row in rows if row["file"] == PAGE)
    with Image.open(DEMO / PAGE) as image:
        upright = image.convert("L").rotate(-turn, expand=True)
    wrong, right = tmp_path / "slide.jpg", tmp_path / "right.jpg"
    ImageOps.mirror(upright).rotate(180).save(wrong, quality=92)
    words = words_of(upright)
    with Image.open(wrong) as image:
        assert len(words) > 20 and len(words & words_of(image)) < 0.3 * len(words)
    answer = shipped.detect(wrong)
    assert answer.mirrored and answer.turn == 180
    correct(wrong, right, turn=answer)
    with Image.open(right) as image:
        assert image.getexif()[0x0112] == ExifOrientation.BOTTOM_LEFT
        assert len(words & words_of(ImageOps.exif_transpose(image))) > 0.8 * len(words)


def words_of(image: Image.Image) -> set[str]:
    """The longer words that Tesseract finds."""
    buffer = io.BytesIO()
    image.convert("L").save(buffer, "PNG")
    command, env = ["tesseract", "-", "-", "--psm", "6"], {"OMP_THREAD_LIMIT": "1"}
    found = subprocess.run(command, input=buffer.getvalue(), capture_output=True, check=True, env=env)
    return {word for word in found.stdout.decode().split() if len(word) > 3}


def test_nothing_is_looked_at_where_it_is_not_asked_for(detector: Detector) -> None:
    alone, asked = detector.detect(page()), detector.detect(page(), mirror=True)
    assert alone.mirrored is None and asked.mirrored is False
    assert asked.views > alone.views


def test_a_model_without_a_second_network_says_so() -> None:
    detector = Detector(engine=Marks())
    detector.__dict__["heads"] = None
    with pytest.raises(UsageError, match="cannot tell what is mirrored"):
        detector.detect(page(), mirror=True)


def test_the_tilt_of_a_picture_without_lines_comes_from_the_second_network(detector: Detector) -> None:
    down, right = np.mgrid[:400, :600] / 600
    fading = np.clip(1 - np.hypot(down, right), 0, 1)[..., None]
    answer = detector.detect((128 + fading * (np.array(RED) - 128)).astype(np.uint8), tilt=True)
    assert (answer.tilt, answer.tilt_error) == (2.0, 0.7)


def test_squares_cover_a_picture_from_end_to_end() -> None:
    assert squares(100, 100) == [(0, 0, 100, 100)]
    assert squares(110, 100) == [(5, 0, 105, 100)]
    assert squares(150, 100) == [(0, 0, 100, 100), (50, 0, 150, 100)]
    assert squares(100, 900) == [(0, 0, 100, 100), (0, 400, 100, 500), (0, 800, 100, 900)]


@pytest.mark.parametrize("text", ["{", "{}", '{"sha256": "0", "mirror": {}, "tilt": {}}'])
def test_a_second_network_that_is_not_whole_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "heads.json").write_text(text)
    with pytest.raises(ModelError, match=r"heads\.json"):
        load_heads(replace(load_model(), folder=tmp_path))
