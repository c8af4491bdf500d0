"""JPEG XL: the orientation in its codestream's header.

The standard (ISO/IEC 18181-2, 9.5) has decoders apply it and ignore an EXIF orientation beside it. No pixel is touched.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import Damaged, NotLossless
from ..formats import Edit, Window
from ..formats.jxl import header, oriented
from ..turns import ExifOrientation


def orientation(window: Window, page: int = 0) -> ExifOrientation:
    """How stored pixels become shown pixels; TOP_LEFT where the header is damaged."""
    try:
        return ExifOrientation(header(window).orientation)
    except Damaged:
        return ExifOrientation.TOP_LEFT


def edits(window: Window, wanted: Mapping[int, ExifOrientation]) -> list[Edit]:
    """The edits that show the picture so. Raises `NotLossless`."""
    try:
        return oriented(window, wanted[0])
    except Damaged as error:
        raise NotLossless(f"its header cannot be changed: {error.cause}", remedy="use --sidecar") from error
