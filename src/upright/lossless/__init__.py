"""Stored pixels turned without loss, and the proof that nothing was lost; and, when asked for, encoded again."""

from __future__ import annotations

from ..carriers import patch_exif_orientation, read_exif_orientation, sides_swapped
from ..errors import NotLossless, TooLarge
from ..formats import Window, format_in, named
from ..turns import ExifOrientation
from .proof import TAG, decoding
from .reencode import reencoded

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
    tag = read_exif_orientation(data)
    plain = patch_exif_orientation(data, ExifOrientation.TOP_LEFT) if tag.present or tag.xmp else data
    plain = sides_swapped(plain) if exif.swaps_sides else plain
    window = Window(plain)
    if (pages := container.pages(window)) != 1:
        raise NotLossless(f"it has {pages} {row.holds or 'frames'}")
    width, height = container.size_px(window)
    if width * height > _MOST_PIXELS.get(row.name, _MOST_DECODED_PIXELS):
        raise TooLarge("it has too many pixels to be turned in memory", remedy=TAG)
    with decoding():
        result: bytes = named(row.turner)(plain, exif, edge)
    return result
