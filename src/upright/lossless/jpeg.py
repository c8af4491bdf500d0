"""JPEG pixels turned without loss: the blocks of coefficients change places, nothing is decoded.

Blocks at the right and bottom edges that are only partly picture cannot move to the left or top. ``edge`` says what
then: "refuse", or "trim" them off (the picture loses up to 15 rows or columns).
"""

from __future__ import annotations

from ..errors import TAG, NotLossless
from ..formats import Window
from ..formats.jpeg import Jpeg, segments, whole_end
from ..turns import ExifOrientation
from . import turbojpeg


def turned(data: bytes, exif: ExifOrientation, edge: str) -> bytes:
    """The JPEG whose stored pixels are what ``exif`` shows, proven equal in every coefficient. Raises NotLossless."""
    end = check_alone(data)
    result = turbojpeg.transform(data[:end], exif, turbojpeg.TRIM if edge == "trim" else turbojpeg.PERFECT)
    _prove(data[:end], result, exif, edge)
    return _with_header(result, data) + data[end:]


def _with_header(new: bytes, old: bytes) -> bytes:
    """A JPEG with the JFIF header of another one, of which libjpeg keeps all but the thumbnail."""
    first, second = (next(segments(Window(each)), None) for each in (new, old))
    if not (first and second and first.head[:5] == second.head[:5] == b"JFIF\0" and first.start == second.start == 2):
        return new
    return old[: second.end] + new[first.end :]


def check_alone(data: bytes) -> int:
    """Where a JPEG ends. Raises NotLossless where it is not whole, or not the only picture in its file."""
    window = Window(data)
    if (end := whole_end(window)) is None:
        raise NotLossless("the JPEG is cut short", remedy=TAG)
    if Jpeg().find(window).mpf is not None:
        raise NotLossless(
            "it holds several pictures (MPF), and turning one would break the index of the others", remedy=TAG
        )
    if data[end:].strip(b"\0"):
        raise NotLossless(f"{len(data) - end} bytes follow the picture (a motion photo or depth map?)", remedy=TAG)
    return end


def _prove(data: bytes, result: bytes, exif: ExifOrientation, edge: str) -> None:
    """Turned back, the coefficients must give the very bytes that the original's give, in one scan: that is soonest."""
    back = turbojpeg.transform(result, exif.inverse, turbojpeg.COPY_NONE, progressive=False)
    size = Jpeg().size_px(Window(back)) if edge == "trim" else None
    plain = turbojpeg.transform(data, ExifOrientation.TOP_LEFT, turbojpeg.COPY_NONE, size, progressive=False)
    if plain != back:
        raise NotLossless("the turned coefficients are not the original's", remedy=TAG)
