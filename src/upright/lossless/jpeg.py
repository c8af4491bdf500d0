"""JPEG pixels turned without loss: the blocks of coefficients change places, nothing is decoded.

Blocks at the right and bottom edges that are only partly picture cannot move to the left or top. ``edge`` says what
then: "refuse", or "trim" them off (the picture loses up to 15 rows or columns).
"""

from __future__ import annotations

import re

from ..errors import NotLossless, TooLarge
from ..formats import Window
from ..formats import jpeg as container
from ..turns import ExifOrientation
from . import turbojpeg

_TAG = "use --method tag"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SOS, _EOI = 0xDA, 0xD9
#: Coefficients take about 6 bytes of memory a pixel, and the proof holds them twice.
_MAX_MEGAPIXELS = 500


def turned(data: bytes, exif: ExifOrientation, edge: str) -> bytes:
    """The JPEG whose stored pixels are what ``exif`` shows, proven equal in every coefficient. Raises NotLossless."""
    width, height = size_px(data)
    if width * height > _MAX_MEGAPIXELS * 1_000_000:
        raise TooLarge(f"it has over {_MAX_MEGAPIXELS} megapixels, too many to be turned in memory", remedy=_TAG)
    end = _end(data)
    if container.find(Window(data)).mpf is not None:
        raise NotLossless(
            "it holds several pictures (MPF), and turning one would break the index of the others", remedy=_TAG
        )
    if data[end:].strip(b"\0"):
        raise NotLossless(f"{len(data) - end} bytes follow the picture (a motion photo or depth map?)", remedy=_TAG)
    result = turbojpeg.transform(data[:end], exif, turbojpeg.TRIM if edge == "trim" else turbojpeg.PERFECT)
    _prove(data[:end], result, exif, edge)
    return result + data[end:]


def _prove(data: bytes, result: bytes, exif: ExifOrientation, edge: str) -> None:
    """Turned back, the coefficients must give the very bytes that the original's give."""
    inverse = exif if exif.mirrored else ExifOrientation.compose(False, exif.turn.inverse)
    back = turbojpeg.transform(result, inverse, turbojpeg.COPY_NONE)
    size = size_px(back) if edge == "trim" else None
    plain = turbojpeg.transform(data, ExifOrientation.TOP_LEFT, turbojpeg.COPY_NONE, size)
    if plain != back:
        raise NotLossless("the turned coefficients are not the original's", remedy=_TAG)


def size_px(data: bytes) -> tuple[int, int]:
    """Width and height of the stored picture, from its frame header; (0, 0) where there is none."""
    for segment in container.segments(Window(data)):
        if segment.marker in container.FRAMES:
            return int.from_bytes(segment.head[3:5], "big"), int.from_bytes(segment.head[1:3], "big")
    return 0, 0


def _end(data: bytes) -> int:
    """Where the first EOI ends; raises NotLossless where there is none."""
    position = next((s.end for s in container.segments(Window(data)) if s.marker == _SOS), len(data))
    while (found := _MARKER.search(data, position)) is not None:
        at = found.start()
        if data[at + 1] == _EOI:
            return at + 2
        position = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    raise NotLossless("the JPEG is cut short", remedy=_TAG)
