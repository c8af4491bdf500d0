"""Untouched files of every format: turned in their own format, each is set right again, the pixels compared.

The pictures may not be copied into the repository, so this runs where they lie beside it.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from upright.correction import corrected_bytes
from upright.errors import NotLossless
from upright.formats import HEAD_BYTES, sniff
from upright.results import Method
from upright.turns import Turn

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "originals"
TABLE = FOLDER / "originals.csv"
NAMES = [row["file"] for row in csv.DictReader(TABLE.read_text().splitlines())] if TABLE.exists() else []
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not NAMES, reason=f"{TABLE} is not there")]
#: Pillow writes these as they were; quicker than its defaults.
OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 90},
    "PNG": {"compress_level": 1},
    "WEBP": {"lossless": True, "method": 0, "quality": 0},
}


def frames(data: bytes) -> Iterator[Image.Image]:
    """Every page, as shown."""
    with Image.open(io.BytesIO(data)) as image:
        for page in range(getattr(image, "n_frames", 1)):
            image.seek(page)
            yield ImageOps.exif_transpose(image)


def spoiled(data: bytes, turn: Turn) -> bytes:
    """The picture in its own format and mode so that ``turn`` makes it upright."""
    first, *rest = (
        page.transpose(getattr(Image.Transpose, f"ROTATE_{int(turn)}")) for page in frames(data)
    )  # Pillow turns counterclockwise
    form = sniff(data[:HEAD_BYTES])
    options = OPTIONS.get(form, {})
    if form == "TIFF":
        with Image.open(io.BytesIO(data)) as image:
            options = {"compression": image.info.get("compression")}
        rest and options.update(save_all=True, append_images=rest)
    if first.info.get("transparency") is not None:
        options = options | {"transparency": first.info["transparency"]}
    out = io.BytesIO()
    first.save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize("turn", list(Turn)[1:])
@pytest.mark.parametrize("name", NAMES)
def test_turned_originals_are_set_right(name: str, turn: Turn) -> None:
    original = (FOLDER / name).read_bytes()
    form = sniff(original[:HEAD_BYTES])
    source = data = spoiled(original, turn)
    for page in range(sum(1 for _ in frames(source))):
        data, done = corrected_bytes(data, turn, page=page)
        assert done.lossless and ("only page" in done.note) == ("multi" in name)
        assert done.method == (Method.TURN if form in ("GIF", "BMP") else Method.TAG)
    back = getattr(Image.Transpose, f"ROTATE_{360 - turn}")
    lossy = form == "JPEG" or "lossy" in name
    expected = (page.transpose(back) for page in frames(source)) if lossy else frames(original)
    for before, after in zip(expected, frames(data), strict=True):
        same(before, after)


@pytest.mark.parametrize("name", [name for name in NAMES if (FOLDER / name).stat().st_size < 150_000])
def test_pixels_of_originals_are_turned_without_loss(name: str) -> None:
    original = (FOLDER / name).read_bytes()
    form = sniff(original[:HEAD_BYTES])
    turn = Turn.HALF
    try:
        data, done = corrected_bytes(original, turn, Method.TURN, "refuse")
    except NotLossless:
        assert form in ("JPEG", "WEBP")
        data, done = corrected_bytes(original, turn, Method.TURN, "tag")
        assert done.method == Method.TAG
    expected = next(frames(original)).transpose(Image.Transpose.ROTATE_180)
    if form == "JPEG" and done.method == Method.TURN:  # test_lossless.py compares coefficients
        difference = np.abs(np.asarray(expected, np.int16) - np.asarray(next(frames(data)), np.int16))
        assert difference.mean() < 1.5
    else:
        same(expected, next(frames(data)))


def same(expected: Image.Image, found: Image.Image) -> None:
    assert (expected.mode, expected.size) == (found.mode, found.size)
    if expected.mode == "P" and expected.getpalette() != found.getpalette():
        expected, found = expected.convert("RGBA"), found.convert("RGBA")
    assert expected.tobytes() == found.tobytes()
