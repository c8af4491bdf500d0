"""Pixels straightened by a small angle: resampled once, after the quarter turn, which moves them without loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from ..machine import libvips
from ..turns import ExifOrientation, Fill, show_array, show_pillow, straightened_size, tilt_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image


class Straighten(NamedTuple):
    """By how many degrees clockwise, and what becomes of the corners."""

    tilt: float = 0.0
    fill: Fill = "white"


STRAIGHT = Straighten()
#: Degrees; less than this is 4 pixels from one side of a page of 300 dpi to the other, and stays.
LEAST_TILT = 0.1
#: libvips' names of samples that are not 8 bits of a known number of bands, which says what is alpha and what white.
_SPACES = {("u1", 1): "b-w", ("u1", 2): "b-w", ("u1", 3): "srgb", ("u1", 4): "srgb"} | {
    ("u2", 1): "grey16", ("u2", 2): "grey16", ("u2", 3): "rgb16", ("u2", 4): "rgb16"
}  # fmt: skip


def straightened(image: Any, how: Straighten, white: float) -> Any:
    """A libvips image straightened; ``white`` is the value of every band of white."""
    pyvips = libvips()
    a, b, c, d = tilt_matrix(how.tilt)
    wanted = straightened_size((image.width, image.height), *how)
    # Cut, the outermost pixels would be mixed with what lies outside.
    width, height = (max(1, math.floor(side) - 2 if how.fill == "crop" else math.ceil(side - 0.01)) for side in wanted)
    if how.fill == "edge":
        across, down = (math.ceil(side * abs(a * b)) + 2 for side in (image.height, image.width))
        # libvips itself repeats an edge for no more than its interpolator wants.
        image = image.embed(across, down, image.width + 2 * across, image.height + 2 * down, extend="copy")
    x, y = (image.width - 1) / 2, (image.height - 1) / 2
    return image.affine(
        [a, b, c, d],
        interpolate=pyvips.Interpolate.new("bicubic"),
        oarea=[0, 0, width, height],
        odx=(width - 1) / 2 - (a * x + b * y),
        ody=(height - 1) / 2 - (c * x + d * y),
        background=[white] * image.bands,
    )


def straightened_array(samples: NDArray[Any], exif: ExifOrientation, how: Straighten) -> NDArray[Any]:
    """Stored samples ``[h, w, bands]``, of 8 or 16 bits, as the tag shows them, straightened."""
    import numpy as np

    shown = np.ascontiguousarray(show_array(samples, exif))
    kind, bands = shown.dtype.str[1:], shown.shape[2]
    image = libvips().Image.new_from_array(shown, interpretation=_SPACES.get((kind, bands), "multiband"))
    white = np.iinfo(shown.dtype).max if kind[0] == "u" else float(shown.max())
    found = straightened(image, how, white)
    return np.asarray(found.numpy()).reshape(found.height, found.width, bands)


def straightened_pillow(image: Image.Image, exif: ExifOrientation, how: Straighten) -> Image.Image:
    """The same of a Pillow picture: two tones stay two; of a palette the colours become RGB, or RGBA."""
    import numpy as np
    from PIL import Image as module

    if not how.tilt:
        return show_pillow(image, exif)
    mode = image.mode
    if mode in ("P", "PA"):
        image = image.convert("RGBA" if mode == "PA" or "transparency" in image.info else "RGB")
    elif mode == "1":
        image = image.convert("L")
    samples = np.asarray(image)
    samples = samples.astype(samples.dtype.newbyteorder("=")).reshape(*samples.shape[:2], -1)
    if image.mode == "CMYK":
        # Four inks: no ink is white, and none of them is alpha.
        inks = [straightened_array(255 - samples[:, :, [band]], exif, how) for band in range(4)]
        found = 255 - np.concatenate(inks, axis=2)
    else:
        found = straightened_array(samples, exif, how)
    kind = "I;16" if image.mode == "I;16B" else image.mode
    result = module.frombytes(kind, found.shape[1::-1], found.tobytes())
    return result.point(lambda value: 255 * (value > 127)).convert("1") if mode == "1" else result
