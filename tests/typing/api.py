"""What a type checker sees of the public interface. `make types` checks this file; nothing runs it.

Every `type: ignore` below is a mistake that has to be found: a needless one is an error of `mypy --strict`.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, assert_type

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from upright import (
    Correction,
    Detector,
    ExifOrientation,
    Limits,
    Method,
    Orientation,
    Promise,
    Reason,
    Scores,
    Turn,
    UprightError,
    correct,
    detect,
    open_picture,
    undo,
)


def sources(path: Path, data: bytes, file: BinaryIO) -> None:
    for source in (str(path), path, data, file, np.zeros((8, 8, 3), np.uint8), Image.new("RGB", (8, 8))):
        assert_type(detect(source), Orientation)
    detect(5)  # type: ignore[arg-type]


class OwnEngine:
    """What a runtime of somebody's own has to have."""

    name, device = "own", "CPU"
    batch_size = 1

    def infer(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.zeros((len(pixels), 4), np.float32)

    def close(self) -> None: ...


def detector(path: Path) -> None:
    with Detector(engine="openvino", promise="careful", effort=3, limits=Limits(max_memory_mb=64)) as opened:
        assert_type(opened, Detector)
        assert_type(opened.detect(path, promise=Promise.BEST), Orientation)
        assert_type(opened.detect(path, effort=0).step, str)
    Detector(engine=OwnEngine())
    Detector(engine=3)  # type: ignore[arg-type]
    Detector(flow="whole")  # type: ignore[call-arg]
    Detector(threads="two")  # type: ignore[arg-type]
    Detector(effrot=3)  # type: ignore[call-arg]


def answer(orientation: Orientation) -> Iterator[str]:
    assert_type(orientation.turn, Turn | None)
    assert_type(orientation.best, Turn)
    assert_type(orientation.confidence, float)
    assert_type(orientation.scores, Scores)
    assert_type(orientation.reason, Reason)
    assert_type(orientation.exif, ExifOrientation)
    assert_type(orientation.exif.then(Turn.RIGHT), ExifOrientation)
    orientation.confidence = 1.0  # type: ignore[misc]
    if orientation.turn is not None:
        yield f"{orientation.turn:d} degrees"
    orientation.turn + 1  # type: ignore[operator]


def many(paths: list[Path]) -> None:
    detect(paths[0], effrot=3)  # type: ignore[call-arg]
    Detector().detect_many([5])  # type: ignore[list-item, type-var, unused-ignore]
    with closing(Detector().detect_many(paths, workers=2, tilt=True)) as answers:
        assert_type(next(answers), tuple[Path, Orientation | UprightError])
    for source, found in Detector().detect_many(paths, workers=2):
        assert_type(source, Path)
        if isinstance(found, UprightError):
            assert_type(found.remedy.strip(), str)
        else:
            assert_type(found, Orientation)


def correction(path: Path, orientation: Orientation) -> None:
    done = correct(path, "upright.jpg", turn=orientation, method=Method.TURN)
    assert_type(done, Correction)
    assert_type(done.lossless, bool)
    assert_type(correct(path, in_place=True, journal="turned.jsonl", promise="careful"), Correction)
    correct(path, 5)  # type: ignore[arg-type]
    for each in undo("turned.jsonl"):
        assert_type(each.path, str)


def pictures(path: Path) -> None:
    with open_picture(path, page=1) as picture:
        assert_type(picture.width_px, int)
