"""HEIC and AVIF: the transformations ``irot`` and ``imir`` of the primary item, read only.

The standard (ISO/IEC 23008-12) makes these normative and an EXIF orientation beside them only information; libheif,
libvips and browsers apply the former and ignore the latter, so an EXIF block is not even looked for.
"""

from __future__ import annotations

from ..formats import Window
from ..formats.heif import properties
from ..turns import HEIF_IROT, ExifOrientation, Turn


def orientation(window: Window) -> ExifOrientation:
    """How stored pixels become shown pixels; TOP_LEFT where nothing says so or the boxes are damaged."""
    shown = ExifOrientation.TOP_LEFT
    for box in properties(window):
        value = window.at(box.body, min(1, box.end - box.body))
        if box.kind == b"irot" and value:
            shown = shown.then(HEIF_IROT[value[0] & 3])
        elif box.kind == b"imir" and value:
            # Axis 0 exchanges top and bottom, 1 left and right; a mirror reverses the turns made before it.
            half = Turn.NONE if value[0] & 1 else Turn.HALF
            shown = ExifOrientation.compose(not shown.mirrored, shown.turn.inverse.then(half))
    return shown
