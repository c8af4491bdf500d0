"""Direction, proven against Pillow, numpy, libvips and the definition of the EXIF tag."""

import io

import numpy as np
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from upright.turns import VIPS_ANGLE, ExifOrientation, Turn, show_array, show_pillow, turn_array

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
turns, exifs = st.sampled_from(Turn), st.sampled_from(ExifOrientation)


def shown_by_pillow(pixels: np.ndarray, exif: int) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    tags = image.getexif()
    tags[0x0112] = int(exif)
    file = io.BytesIO()
    image.save(file, "PNG", exif=tags)
    return np.asarray(ImageOps.exif_transpose(Image.open(file)))


def test_right_is_clockwise() -> None:
    """The top row of a picture becomes its right column when it is turned clockwise."""
    turned = turn_array(PIXELS, Turn.RIGHT)
    np.testing.assert_array_equal(turned[:, -1], PIXELS[0])
    np.testing.assert_array_equal(turned[0, :], PIXELS[::-1, 0])


@pytest.mark.parametrize("turn", Turn)
def test_pillow_and_vips_agree(turn: Turn) -> None:
    ours = turn_array(PIXELS, turn)
    pillow = show_pillow(Image.fromarray(PIXELS), ExifOrientation.compose(False, turn))
    np.testing.assert_array_equal(ours, np.asarray(pillow))
    np.testing.assert_array_equal(ours, pyvips.Image.new_from_array(PIXELS).rot(VIPS_ANGLE[turn]).numpy())


@pytest.mark.parametrize("exif", ExifOrientation)
def test_shown_as_pillow_shows(exif: ExifOrientation) -> None:
    np.testing.assert_array_equal(show_array(PIXELS, exif), shown_by_pillow(PIXELS, exif))
    np.testing.assert_array_equal(show_array(PIXELS, exif), np.asarray(show_pillow(Image.fromarray(PIXELS), exif)))


@pytest.mark.parametrize("turn", Turn)
@pytest.mark.parametrize("exif", ExifOrientation)
def test_composition(exif: ExifOrientation, turn: Turn) -> None:
    """All 8 x 4: what the composed tag shows is what the first tag shows, turned."""
    np.testing.assert_array_equal(
        shown_by_pillow(PIXELS, exif.then(turn)), turn_array(shown_by_pillow(PIXELS, exif), turn)
    )


@given(turns, turns, turns)
def test_turns_are_a_group(a: Turn, b: Turn, c: Turn) -> None:
    assert a.then(b).then(c) == a.then(b.then(c))
    assert a.then(a.inverse) is Turn.NONE
    assert a.then(Turn.NONE) is a
    assert Turn.from_index(a.index) is a


@given(exifs, turns)
def test_exif_then_inverse_is_itself(exif: ExifOrientation, turn: Turn) -> None:
    assert exif.then(turn).then(turn.inverse) is exif
    assert ExifOrientation.compose(exif.mirrored, exif.turn) is exif
    assert exif.then(turn).swaps_sides == (exif.swaps_sides != turn.swaps_sides)
