"""The detector on real pictures: right, the same however it is driven, safe between threads."""

import io
import json
import pickle
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import upright
from upright import Detector, Orientation, Promise, Turn, UprightError
from upright.engines import Engine
from upright.errors import SourceMissing, UsageError
from upright.model import DEFAULT_MODEL, MODELS_FOLDER
from upright.pictures import open_picture, squash
from upright.results import Reason
from upright.turns import turn_array

from .conftest import DEMO, demo_turns

DEMO_TURNS = demo_turns()


@pytest.fixture(scope="module")
def alone(detector: Detector) -> dict[Path, Orientation]:
    """What each demo picture is by itself, without other threads."""
    return {path: detector.detect(path) for path in sorted(DEMO.iterdir())}


@pytest.mark.parametrize(("name", "turn"), DEMO_TURNS.items())
def test_demo_pictures(detector: Detector, name: str, turn: int) -> None:
    orientation = detector.detect(DEMO / name, promise="best")
    assert orientation.turn == orientation.best == turn
    assert orientation.confidence == max(orientation.scores.values)
    assert orientation.source == str(DEMO / name)


@pytest.mark.parametrize("turn", Turn)
def test_array_turned_any_way(detector: Detector, turn: Turn) -> None:
    upright_pixels = np.asarray(Image.open(DEMO / "settings.png").convert("RGB"))
    turned = np.ascontiguousarray(turn_array(upright_pixels, turn))
    orientation = detector.detect(turned, promise=Promise.BEST)
    assert orientation.turn is turn.inverse
    assert (orientation.height_px, orientation.width_px) == turned.shape[:2]


def test_sources_of_every_type_agree(detector: Detector) -> None:
    path = DEMO / "page.jpg"
    data = path.read_bytes()
    with path.open("rb") as file:
        answers = [detector.detect(source) for source in (path, str(path), data, io.BytesIO(data), file)]
    assert len({answer.scores for answer in answers}) == 1
    assert answers[0].timing_s.keys() == {"read", "infer"}


def test_exif_counts_as_shown(detector: Detector) -> None:
    """The tag of camera.jpg is wrong: the answer is what is still missing on top of it."""
    orientation = detector.detect(DEMO / "camera.jpg", promise="best")
    assert (orientation.exif, orientation.turn) == (6, 90)


def same(a: Orientation, b: Orientation) -> bool:
    return (a.turn, a.best, a.step, a.views, a.source) == (b.turn, b.best, b.step, b.views, b.source) and np.allclose(
        a.scores.values, b.scores.values, atol=1e-4
    )


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_many_together_as_one_by_one(
    detector: Detector, alone: dict[Path, Orientation], workers: int, tmp_path: Path
) -> None:
    missing = tmp_path / "nothing.jpg"
    sources = [*alone, missing, *alone]
    many = list(detector.detect_many(sources, workers=workers))
    assert [source for source, _ in many] == sources
    for source, answer in many:
        if source == missing:
            assert isinstance(answer, SourceMissing)
        else:
            assert isinstance(answer, Orientation)
            assert same(answer, alone[source])


def test_many_that_are_let_go_of_leave_no_thread(detector: Detector) -> None:
    before = threading.active_count()
    answers = detector.detect_many([DEMO / "cat.gif"] * 50, workers=2)
    next(answers)
    assert threading.active_count() > before
    answers.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("sources", "options", "message"),
    [
        ("scans/", {}, "one str is not many sources; give a list of sources"),
        (b"GIF89a", {}, "one bytes is not many sources"),
        (io.BytesIO(b"GIF89a"), {}, "one BytesIO is not many sources"),
        ([], {"workers": 0}, "0 workers can do nothing"),
        ([], {"promise": "always"}, "no promise is called 'always'"),
        ([], {"effort": 9}, "effort 9 is not one of"),
    ],
)
def test_wrong_use_of_many_is_said_at_once(
    detector: Detector, sources: object, options: dict[str, object], message: str
) -> None:
    """And not once for each letter, line or picture."""
    with pytest.raises(UsageError, match=message):
        detector.detect_many(sources, **options)  # type: ignore[call-overload]


def test_threads_that_are_given_one_image_that_is_not_loaded_yet(
    detector: Detector, alone: dict[Path, Orientation]
) -> None:
    for name in ("page.jpg", "settings.png"):
        with Image.open(DEMO / name) as image:
            answers = [answer for _, answer in detector.detect_many([image] * 6, workers=6)]
        assert all(isinstance(answer, Orientation) for answer in answers), answers


def test_a_detector_is_not_sent_to_other_processes(detector: Detector) -> None:
    with pytest.raises(TypeError, match=r"stays in its process: call upright\.detect"):
        pickle.dumps(detector.detect)


def test_many_is_lazy_and_bounded(detector: Detector) -> None:
    taken = []

    def endless() -> object:
        while True:
            taken.append(1)
            yield DEMO / "cat.gif"

    answers = detector.detect_many(endless(), workers=2)  # type: ignore[arg-type]
    next(answers)
    assert 1 <= len(taken) <= 16


def test_an_open_picture_is_decided_as_its_file(detector: Detector) -> None:
    """What the service does: the picture is opened and the model is asked elsewhere."""
    asked = []

    def infer(pixels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        asked.append(len(pixels))
        return detector.infer(pixels)

    for path in sorted(DEMO.iterdir()):
        asked.clear()
        with open_picture(path) as picture:
            answer = detector.decide(picture, infer=infer)
        assert same(answer, detector.detect(path)) and sum(asked) == answer.views


def test_a_climb_may_be_ended_from_outside(detector: Detector) -> None:
    with open_picture(DEMO / "rocket.jpg") as picture:
        assert detector.decide(picture, promise="careful", may_go_on=lambda: False).views == 1


class Counting:
    """The real engine, which likes batches of eight; counts what it is asked for."""

    def __init__(self, engine: Engine) -> None:
        self.inner, self.batch_size, self.sizes = engine, 8, list[int]()
        self.name, self.device, self.closed = engine.name, engine.device, False

    def infer(self, pixels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        self.sizes.append(len(pixels))
        time.sleep(0.02)  # as if the batch cost what it costs elsewhere: views gather meanwhile
        return self.inner.infer(pixels)

    def close(self) -> None:
        self.closed = True


def test_threads_share_batches_of_an_engine_that_was_handed_in(
    detector: Detector, alone: dict[Path, Orientation]
) -> None:
    engine = Counting(detector.engine)
    paths = [*alone, *alone]
    with Detector(engine=engine) as batching:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(batching.detect, paths))
        many = [answer for _, answer in batching.detect_many(paths, workers=2)]
    assert not engine.closed, "it belongs to whoever opened it"
    assert max(engine.sizes) <= 8
    assert len(engine.sizes) < sum(engine.sizes) / 2, "threads that wait together are answered together"
    for path, answer, also in zip(paths, answers, many, strict=True):
        assert same(answer, alone[path])
        assert isinstance(also, Orientation) and same(also, answer)


def test_threads_share_one_detector(detector: Detector, alone: dict[Path, Orientation]) -> None:
    paths = [*alone] * 3
    with ThreadPoolExecutor(4) as pool:
        for path, answer in zip(paths, pool.map(detector.detect, paths), strict=True):
            assert same(answer, alone[path])


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_blank_picture_is_left_alone(detector: Detector, colour: int) -> None:
    orientation = detector.detect(np.full((400, 300, 3), colour, np.uint8))
    assert (orientation.turn, orientation.reason) == (None, Reason.BLANK)


def test_order_of_outputs_is_the_models_own(tmp_path: Path, detector: Detector) -> None:
    """A model whose facts name another order of turns gives other turns: the order is read, not assumed."""
    folder = Path(shutil.copytree(MODELS_FOLDER / DEFAULT_MODEL, tmp_path / "m"))
    facts = (folder / "model.json").read_text()
    known = json.loads(facts) | {"turns": [0, 270, 180, 90]}
    (folder / "model.json").write_text(json.dumps(known))
    with Detector(folder) as other:
        ours = detector.detect(DEMO / "page.jpg", effort=0, promise="best")
        theirs = other.detect(DEMO / "page.jpg", effort=0, promise="best")
    assert (ours.turn, theirs.turn) == (270, 90)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "steam"}, "no engine is called 'steam'"),
        ({"effort": 9}, "effort 9 is not one of 0, 1, 2, 3"),
        ({"promise": "always"}, "always"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Detector(**options)  # type: ignore[arg-type]


def test_function_detect() -> None:
    assert upright.detect(DEMO / "page.jpg", promise="best").turn == 270
    with pytest.raises(UprightError):
        upright.detect(DEMO / "none.jpg")


def test_budget_of_no_time_takes_one_look() -> None:
    with Detector(budget_ms=0, promise="careful") as hurried:
        assert all(hurried.detect(path).views == 1 for path in DEMO.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("longest_px", [1024, 1 << 20])
def test_decoding_more_does_not_change_the_turn(longest_px: int, detector: Detector) -> None:
    for name, turn in DEMO_TURNS.items():
        with open_picture(DEMO / name) as picture:
            pixels = squash(picture.image(longest_px), 224)
        assert detector.detect(pixels, promise="best", effort=1).turn == turn


def test_a_closed_detector_is_named() -> None:
    with Detector() as closed:
        assert closed.detect(DEMO / "page.jpg").turn is not None
    with pytest.raises(UsageError, match="this Detector is closed; make a new one"):
        closed.detect(DEMO / "page.jpg")
    with open_picture(DEMO / "page.jpg") as picture, pytest.raises(UsageError, match="this Detector is closed"):
        closed.decide(picture)


def test_what_is_no_source_is_named(detector: Detector) -> None:
    with pytest.raises(UsageError, match=r"^int is not a picture source; give a path"):
        detector.detect(3)  # type: ignore[arg-type]
