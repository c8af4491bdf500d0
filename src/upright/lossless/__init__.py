"""Stored pixels turned without loss, and the proof that nothing was lost; and, when asked for, encoded again."""

from __future__ import annotations

from ..carriers import with_pixels_moved
from ..errors import Damaged, NotLossless, TooLarge, UprightError
from ..formats import Window, format_in, named
from ..turns import ExifOrientation
from . import turbojpeg
from .proof import TAG, decoding
from .reencode import reencoded, smaller

__all__ = ["reencoded", "turned"]

#: Coefficients take about 6 bytes of memory a pixel, and the proof holds them twice.
_MOST_PIXELS = {"JPEG": 500_000_000}
#: What Pillow refuses to open; libvips, which reads what Pillow cannot, has no such guard.
_MOST_DECODED_PIXELS = 2 * 89_478_485


def turned(data: bytes, exif: ExifOrientation, edge: str = "refuse") -> bytes:
    """The same picture with stored pixels as ``exif`` shows the old ones, and its tag, where it has one, set to 1.

    ``edge`` is "refuse" or "trim" (JPEG blocks that are not whole). The result has been decoded (JPEG: its
    coefficients have been turned back) and found equal. Raises NotLossless, BrokenPicture, TooLarge, or EngineError
    where libturbojpeg is missing.
    """
    row = format_in(Window(data))
    container = row.container if row and row.turner else None
    if row is None or container is None:
        form = row.name if row else "this format"
        raise NotLossless(f"pixels of {form} cannot be turned without loss", remedy=TAG)
    try:
        plain = with_pixels_moved(data, exif, _thumbnail)
    except Damaged as error:
        raise NotLossless(error.cause, remedy=TAG) from error
    window = Window(plain)
    if (pages := container.pages(window)) != 1:
        raise NotLossless(f"it has {pages} {row.holds or 'frames'}")
    width, height = container.size_px(window)
    if width * height > _MOST_PIXELS.get(row.name, _MOST_DECODED_PIXELS):
        raise TooLarge("it has too many pixels to be turned in memory", remedy=TAG)
    with decoding():
        result: bytes = named(row.turner)(plain, exif, edge)
    return result


def _thumbnail(data: bytes, exif: ExifOrientation, most_bytes: int) -> bytes | None:
    """A thumbnail turned without loss, or compressed again where its sides are not whole blocks."""
    try:
        found = turbojpeg.transform(data, exif, turbojpeg.PERFECT | turbojpeg.COPY_NONE)
        if len(found) <= most_bytes:
            return found
    except UprightError:
        pass
    return smaller(data, exif, most_bytes)
