"""Untouched files of every format and oddity, each turned four ways in its own format: decided, and set right.

Which of them the model gets wrong when it must answer is written down in ``testdata/known_failures/originals.txt``,
one ``file turned`` a line: the list may only shrink. *spoilt* after it: at the default promise, too.
"""

import csv
from pathlib import Path

import numpy as np
import pytest

from upright import Detector, Turn
from upright.correction import corrected_bytes
from upright.pictures import open_picture

from .conftest import ORIGINALS, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not ORIGINALS.exists(), reason=f"{ORIGINALS} is not there")]
KNOWN_FAILURES = set((ROOT / "testdata" / "known_failures" / "originals.txt").read_text().splitlines())


def names() -> list[str]:
    table = ORIGINALS / "originals.csv"
    return [row["file"] for row in csv.DictReader(table.read_text().splitlines())] if table.exists() else []


def shown(source: Path | bytes) -> np.ndarray:
    with open_picture(source) as picture:
        return np.asarray(picture.image((picture.width_px, picture.height_px))).copy()


@pytest.mark.parametrize("name", names())
def test_original_is_set_right_however_it_lies(detector: Detector, name: str) -> None:
    original = ORIGINALS / name
    upright_pixels = shown(original) if original.stat().st_size < 500_000 else None
    for turned in Turn:
        data, _ = corrected_bytes(original, turned)
        balanced = detector.detect(data)
        answer, known = balanced.best, f"{name} {int(turned)}"
        if balanced.turn not in (None, turned.inverse):
            assert f"{known} spoilt" in KNOWN_FAILURES, balanced
            continue
        if answer != turned.inverse:
            assert known in KNOWN_FAILURES, balanced
            continue
        if upright_pixels is not None:
            restored, correction = corrected_bytes(data, answer)
            assert correction.lossless
            np.testing.assert_array_equal(shown(restored), upright_pixels)
