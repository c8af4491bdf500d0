"""The detector on real pictures: right, the same however it is driven, safe between threads."""

import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import upright
from upright import Detector, Orientation, Promise, Turn, UprightError
from upright.errors import SourceMissing, UsageError
from upright.model import DEFAULT_MODEL, MODELS_FOLDER
from upright.pictures import open_picture
from upright.results import Reason
from upright.turns import turn_array

from .conftest import DEMO, demo_turns

DEMO_TURNS = demo_turns()


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
    return (a.turn, a.best, a.flow, a.views, a.source) == (b.turn, b.best, b.flow, b.views, b.source) and np.allclose(
        a.scores.values, b.scores.values, atol=1e-4
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_many_together_as_one_by_one(detector: Detector, workers: int, tmp_path: Path) -> None:
    missing = tmp_path / "nothing.jpg"
    sources = [*sorted(DEMO.iterdir()), missing, *sorted(DEMO.iterdir())]
    many = list(detector.detect_many(sources, workers=workers))
    assert [source for source, _ in many] == sources
    for source, answer in many:
        if source == missing:
            assert isinstance(answer, SourceMissing)
        else:
            assert isinstance(answer, Orientation)
            assert same(answer, detector.detect(source))


def test_many_is_lazy_and_bounded(detector: Detector) -> None:
    taken = []

    def endless() -> object:
        while True:
            taken.append(1)
            yield DEMO / "cat.gif"

    answers = detector.detect_many(endless(), workers=2)  # type: ignore[arg-type]
    next(answers)
    assert 1 <= len(taken) <= 16


def test_driven_from_outside_as_by_the_detector(detector: Detector) -> None:
    """What the service does: render and infer elsewhere."""
    for path in sorted(DEMO.iterdir()):
        with open_picture(path) as picture:
            flow = detector.start(picture)
            try:
                views = next(flow)
                while True:
                    views = flow.send(detector.infer(detector.render(picture, views)))
            except StopIteration as stop:
                assert same(stop.value, detector.detect(path))


def test_threads_share_one_detector(detector: Detector) -> None:
    paths = sorted(DEMO.iterdir()) * 3
    alone = {path: detector.detect(path) for path in set(paths)}
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
        ours = detector.detect(DEMO / "page.jpg", flow="whole", promise="best")
        theirs = other.detect(DEMO / "page.jpg", flow="whole", promise="best")
    assert (ours.turn, theirs.turn) == (270, 90)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flow": "magic"}, "no flow is called 'magic'"),
        ({"engine": "steam"}, "no engine is called 'steam'"),
        ({"effort": 9}, "effort 9"),
        ({"policy": "lavish"}, "no policy is called 'lavish'"),
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


@pytest.mark.parametrize("policy", ["seed", "full"])
def test_policies_agree_on_the_turn(policy: str, detector: Detector) -> None:
    with Detector(policy=policy) as other:  # type: ignore[arg-type]
        for name, turn in DEMO_TURNS.items():
            assert other.detect(DEMO / name, promise="best").turn == turn
