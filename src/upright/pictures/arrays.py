"""Pixels that are in memory already: numpy arrays and Pillow images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..turns import ExifOrientation
from .colour import to_8_bits, to_srgb
from .picture import DECODE_ERRORS, Bands, Box, Picture, check_bands

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL import Image

    from .limits import Limits

#: `Image.reduce` takes means of whole pixels, which only these modes allow.
_REDUCIBLE = ("L", "RGB", "CMYK")


class PillowPicture(Picture):
    """A Pillow image of any mode, shown as its EXIF tag says. It stays the caller's: neither closed nor changed."""

    def __init__(self, image: Image.Image, limits: Limits, page: int) -> None:
        if page:
            raise UsageError("an open Pillow image is one page", remedy="seek() it before")
        raw = image.getexif().get(0x0112, 1)
        exif = ExifOrientation(raw) if raw in range(1, 9) else ExifOrientation.TOP_LEFT
        super().__init__(None, limits, image.size, exif=exif, name=str(getattr(image, "filename", "") or "<image>"))
        self.format = image.format or "ARRAY"
        self._image = image

    def _decode(self, width_px: int, height_px: int) -> Image.Image:
        box = (0, 0, *self._stored_size)
        return self._decode_parts([box], width_px, height_px)[box]

    def _decode_parts(self, boxes: list[Box], width_px: int, height_px: int) -> dict[Box, Image.Image]:
        try:
            self._image.load()
        except DECODE_ERRORS as error:
            raise self._broken(error) from error
        return {box: cut(self._image, box, width_px, height_px, self.warn) for box in boxes}


def open_array(array: NDArray[Any], limits: Limits, bands: Bands | None = None) -> PillowPicture:
    """An array ``[h, w]`` or ``[h, w, 1 to 4]`` (grey, grey and alpha, RGB, RGBA) of numbers or truth values.

    With ``bands`` an array ``[h, w, n]`` of any depth, of which these three, counted from 1, are shown.
    """
    import numpy as np
    from PIL import Image

    if bands is not None and array.ndim in (2, 3):
        stack = array if array.ndim == 3 else array[:, :, None]
        check_bands(bands, stack.shape[2], "<array>")
        array = stack[:, :, [band - 1 for band in bands]]
    fits = array.ndim == 2 or (array.ndim == 3 and 1 <= array.shape[2] <= 4)
    if not fits or array.dtype.kind not in "buif" or not array.size:
        raise UsageError(
            f"an array of {array.dtype} {list(array.shape)} is not a picture", remedy="give [h, w] or [h, w, 1 to 4]"
        )
    values = array * np.uint8(255) if array.dtype.kind == "b" else to_8_bits(array)
    values = values[:, :, 0] if values.ndim == 3 and values.shape[2] == 1 else values
    picture = PillowPicture(Image.fromarray(np.ascontiguousarray(values)), limits, 0)
    picture.name, picture.format = "<array>", "ARRAY"
    return picture


def cut(image: Image.Image, box: Box, width_px: int, height_px: int, warn: Callable[[str], None]) -> Image.Image:
    """A part of a decoded image as RGB, shrunk to at least twice the size where that saves work."""
    part = image if box == (0, 0, *image.size) else image.crop(box)
    factor = min(part.width // width_px, part.height // height_px) // 2
    if factor > 1 and part.mode in _REDUCIBLE and "transparency" not in image.info:
        part = part.reduce(factor)
    part.info = image.info
    return to_srgb(part, image.info.get("icc_profile"), warn)
