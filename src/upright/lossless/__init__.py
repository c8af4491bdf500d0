"""Stored pixels turned without loss, and the proof that nothing was lost; and, when asked for, encoded anew."""

from __future__ import annotations

from importlib import import_module

from ..carriers import patch_exif_orientation, read_exif_orientation, sides_swapped
from ..errors import NotLossless
from ..formats import HEAD_BYTES, Window, format_of, sniff
from ..turns import ExifOrientation
from .proof import decoding
from .reencode import reencoded

__all__ = ["reencoded", "turned"]


def turned(data: bytes, exif: ExifOrientation, edge: str = "refuse") -> bytes:
    """The same picture with stored pixels as ``exif`` shows the old ones, and its tag, where it has one, set to 1.

    ``edge`` is "refuse" or "trim" (JPEG blocks that are not whole). The result has been decoded (JPEG: its
    coefficients have been turned back) and found equal. Raises NotLossless, BrokenPicture, TooLarge, or EngineError
    where libturbojpeg is missing.
    """
    row = format_of(sniff(data[:HEAD_BYTES]))
    if row is None or row.container is None or not row.turner:
        form = row.name if row else "this format"
        raise NotLossless(f"pixels of {form} cannot be turned without loss", remedy="use --method tag")
    tag = read_exif_orientation(data)
    plain = patch_exif_orientation(data, ExifOrientation.TOP_LEFT) if tag.present or tag.xmp else data
    plain = sides_swapped(plain) if exif.swaps_sides else plain
    pages = row.container.pages(Window(plain))
    if pages != 1:
        raise NotLossless(f"it has {pages} {row.holds or 'frames'}")
    module, function = row.turner.split(":")
    with decoding():
        result: bytes = getattr(import_module(module), function)(plain, exif, edge)
    return result
