"""Direction: the only module that knows which way anything turns.

A *turn* is the clockwise turn in degrees that makes a picture upright. An *EXIF orientation* (1 to 8, EXIF 2.32
section 4.6.4 A) says how stored pixels become shown pixels: mirrored left-right or not, then turned clockwise.

Every tool has its own idea of direction: Pillow's ``ROTATE_90`` and ``numpy.rot90`` turn counterclockwise, libvips'
``d90`` and libjpeg-turbo's ``ROT90`` clockwise. The tables below translate; no other module may.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from decimal import Decimal

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

Number = TypeVar("Number", int, "Decimal")

#: What is where the straightened picture leaves corners: "white", its own "edge", or nothing, since they are cut off.
Fill: TypeAlias = Literal["crop", "white", "edge"]


class Turn(IntEnum):
    """A clockwise quarter turn, in degrees."""

    NONE = 0
    RIGHT = 90
    HALF = 180
    LEFT = 270

    @classmethod
    def from_index(cls, index: int) -> Turn:
        """The turn of the model's output number ``index`` (0 to 3)."""
        return cls(index * 90)

    @property
    def index(self) -> int:
        """Position among the model's four outputs."""
        return self.value // 90

    def then(self, after: Turn) -> Turn:
        """This turn followed by another."""
        return Turn((self.value + after.value) % 360)

    @property
    def inverse(self) -> Turn:
        """The turn that takes this one back."""
        return Turn(-self.value % 360)

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places."""
        return self in (Turn.RIGHT, Turn.LEFT)


class ExifOrientation(IntEnum):
    """The EXIF tag 0x0112, named by where the stored first row and first column are shown."""

    TOP_LEFT = 1
    TOP_RIGHT = 2
    BOTTOM_RIGHT = 3
    BOTTOM_LEFT = 4
    LEFT_TOP = 5
    RIGHT_TOP = 6
    RIGHT_BOTTOM = 7
    LEFT_BOTTOM = 8

    @classmethod
    def compose(cls, mirrored: bool, turn: Turn) -> ExifOrientation:
        """The orientation that mirrors left-right (or not) and then turns clockwise."""
        return _BY_PARTS[mirrored, turn]

    @property
    def mirrored(self) -> bool:
        """Whether stored pixels are mirrored left-right before they are turned."""
        return _PARTS[self][0]

    @property
    def turn(self) -> Turn:
        """The clockwise turn, after any mirroring, from stored to shown pixels."""
        return _PARTS[self][1]

    @property
    def swaps_sides(self) -> bool:
        """Whether the shown picture is as wide as the stored one is high."""
        return self.turn.swaps_sides

    def then(self, turn: Turn) -> ExifOrientation:
        """The orientation that shows the picture as this one does and then turns what is shown."""
        return ExifOrientation.compose(self.mirrored, self.turn.then(turn))

    @property
    def inverse(self) -> ExifOrientation:
        """The orientation that shows what this one shows as it is stored."""
        return self if self.mirrored else ExifOrientation.compose(False, self.turn.inverse)

    def mirror(self) -> ExifOrientation:
        """The orientation that exchanges left and right of what this one shows."""
        return ExifOrientation.compose(not self.mirrored, self.turn.inverse)


_PARTS = {
    ExifOrientation.TOP_LEFT: (False, Turn.NONE),
    ExifOrientation.TOP_RIGHT: (True, Turn.NONE),
    ExifOrientation.BOTTOM_RIGHT: (False, Turn.HALF),
    ExifOrientation.BOTTOM_LEFT: (True, Turn.HALF),
    ExifOrientation.LEFT_TOP: (True, Turn.LEFT),
    ExifOrientation.RIGHT_TOP: (False, Turn.RIGHT),
    ExifOrientation.RIGHT_BOTTOM: (True, Turn.RIGHT),
    ExifOrientation.LEFT_BOTTOM: (False, Turn.LEFT),
}
_BY_PARTS = {parts: exif for exif, parts in _PARTS.items()}

#: libjpeg-turbo's ``TJXOP`` numbers (turbojpeg.h): the operation that makes stored pixels what the tag shows.
TURBOJPEG_OPERATION = dict(zip(ExifOrientation, (0, 1, 6, 2, 3, 5, 4, 7), strict=True))

#: Pillow's ``Image.Transpose`` numbers for the same; ``None`` leaves the picture as it is.
_PILLOW_TRANSPOSE = dict(zip(ExifOrientation, (None, 0, 3, 1, 5, 4, 6, 2), strict=True))

#: Clockwise turns of HEIF's ``irot`` (ISO/IEC 23008-12, 6.5.10), which counts counterclockwise quarter turns.
HEIF_IROT = (Turn.NONE, Turn.LEFT, Turn.HALF, Turn.RIGHT)

#: The angle that OCRmyPDF's ``OrientationConfidence`` wants. Its documentation says clockwise; its code turns the page
#: counterclockwise by it (tests/integrations/test_ocrmypdf.py asks it).
OCRMYPDF_ANGLE = {turn: int(turn.inverse) for turn in Turn}

#: libvips' ``VipsAngle`` names; libvips turns clockwise.
VIPS_ANGLE = {Turn.NONE: "d0", Turn.RIGHT: "d90", Turn.HALF: "d180", Turn.LEFT: "d270"}


def tilt_matrix(tilt: float) -> tuple[float, float, float, float]:
    """Where so many degrees clockwise take a point whose y counts down: ``a b c d`` of (a x + b y, c x + d y)."""
    sin, cos = math.sin(math.radians(tilt)), math.cos(math.radians(tilt))
    return cos, -sin, sin, cos


def pdf_tilt_matrix(tilt: float) -> tuple[float, float, float, float]:
    """The same for a PDF, whose y counts up and whose ``a b c d`` are those of (a x + c y, b x + d y)."""
    return tilt_matrix(tilt)


def ocrmypdf_deskew(tilt: float) -> float:
    """What OCRmyPDF wants of ``get_deskew``: degrees counterclockwise (tests/integrations/test_ocrmypdf.py asks it)."""
    return -tilt


def straightened_size(size: tuple[float, float], tilt: float, fill: Fill) -> tuple[float, float]:
    """Width and height of a picture of this size, straightened: all of it, or the most of it without corners."""
    width, height = size
    sin, cos = abs(math.sin(math.radians(tilt))), abs(math.cos(math.radians(tilt)))
    if fill != "crop":
        return width * cos + height * sin, width * sin + height * cos
    longer, shorter = max(size), min(size)
    if shorter <= 2 * sin * cos * longer:
        # Two corners lie on the longer sides, the others between the shorter ones.
        half = shorter / 2
        return (half / sin, half / cos) if width >= height else (half / cos, half / sin)
    twice = cos * cos - sin * sin
    return (width * cos - height * sin) / twice, (height * cos - width * sin) / twice


def show_point(x: Number, y: Number, exif: ExifOrientation, sides: tuple[int, int] = (1, 1)) -> tuple[Number, Number]:
    """A place on the stored picture where the tag shows it, in shares of width and height, or of these ``sides``."""
    across, down = sides
    x = across - x if exif.mirrored else x
    for _ in range(exif.turn.index):
        x, y, across, down = down - y, x, down, across
    return x, y


def show_box(
    box: tuple[Number, Number, Number, Number], exif: ExifOrientation, sides: tuple[int, int] = (1, 1)
) -> tuple[Number, Number, Number, Number]:
    """A box (left, top, right, bottom) of the stored picture where the tag shows it, as `show_point` counts."""
    (x, y), (x_end, y_end) = show_point(*box[:2], exif, sides), show_point(*box[2:], exif, sides)
    return min(x, x_end), min(y, y_end), max(x, x_end), max(y, y_end)


def turn_array(pixels: NDArray[np.uint8], turn: Turn) -> NDArray[np.uint8]:
    """Turn pixels ``[h, w, ...]`` clockwise; a view of the same memory."""
    import numpy as np

    return np.rot90(pixels, -turn.index)


def show_array(pixels: NDArray[np.uint8], exif: ExifOrientation) -> NDArray[np.uint8]:
    """Stored pixels ``[h, w, ...]`` as the tag shows them; a view of the same memory."""
    return turn_array(pixels[:, ::-1] if exif.mirrored else pixels, exif.turn)


def show_pillow(image: Image.Image, exif: ExifOrientation) -> Image.Image:
    """A Pillow picture of stored pixels as the tag shows it; the picture itself where nothing changes."""
    from PIL import Image as module

    transpose = _PILLOW_TRANSPOSE[exif]
    return image if transpose is None else image.transpose(module.Transpose(transpose))
