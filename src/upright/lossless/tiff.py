"""TIFF: decoded, turned and written again in the same mode, depth and compression.

By Pillow, or by libvips where Pillow does not keep the depth.
"""

from __future__ import annotations

import io
import struct
from functools import partial
from typing import Any

from ..errors import NotLossless
from ..formats import Span, Window
from ..formats.tiff import Directory, directory
from ..machine import libvips
from ..turns import VIPS_ANGLE, ExifOrientation
from . import straighten
from .pillow import info_of, rewritten
from .proof import prove, same_picture, same_samples
from .straighten import STRAIGHT, Straighten

_SUB_IFDS, _COMPRESSION, _BITS = 0x014A, 0x0103, 0x0102
_EXIF_IFDS = {0x8769, 0x8825}
#: TIFF compression numbers that keep every sample, by libvips' name (None: Pillow alone writes it).
_EXACT = {
    1: "none",
    2: None,
    3: None,
    4: "ccittfax4",
    5: "lzw",
    8: "deflate",
    32946: "deflate",
    32773: "packbits",
    50000: "zstd",
}
#: Resolution across and down, each with the other one's tag.
_RESOLUTIONS = {282: 283, 283: 282}
#: Tags that say how samples lay in the old file, or that its writer fills in by itself.
LAYOUT = {254, 256, 257, 266, 273, 278, 279, 282, 283, 284, 292, 293, 317, 322, 323, 324, 325, 339, 34675}
#: Tags that describe samples, so that they must not go into another file.
SAMPLES = (LAYOUT - {282, 283}) | {258, 259, 262, 277, 320, 338, 347, 512, 513, 514, 530, 532, 700}


def turned(data: bytes, exif: ExifOrientation, edge: str) -> bytes:
    """The TIFF whose stored pixels are what ``exif`` shows. Raises NotLossless."""
    window = Window(data)
    found = directory(window, Span(0, window.size))
    if found.find(_SUB_IFDS) is not None:
        raise NotLossless("it holds sub-pictures (a raw photograph or a pyramid?)")
    compression = next(iter(found.numbers(window, _COMPRESSION)), 1)
    if compression not in _EXACT:
        raise NotLossless(
            f"its pixels are compressed with loss or in a way that cannot be written (TIFF {compression})"
        )
    if _pillow_keeps(data):
        options = partial(options_of, swapped=exif.swaps_sides)
        result, proofs = rewritten(data, exif, options), [same_samples, same_picture]
    else:
        result, proofs = _by_vips(data, exif, _EXACT[compression]), [same_samples]
    _check_tags(found, result)
    prove(data, result, exif, *proofs)
    return result


def straightened(data: bytes, exif: ExifOrientation, how: Straighten) -> bytes:
    """The TIFF as ``exif`` shows it, resampled at its own depth. Raises NotLossless."""
    window = Window(data)
    found = directory(window, Span(0, window.size))
    compression = next(iter(found.numbers(window, _COMPRESSION)), 1)
    result = _by_vips(data, exif, _EXACT.get(compression), how)
    _check_tags(found, result)
    return result


def _check_tags(found: Directory, result: bytes) -> None:
    lost = found.tags() - directory(Window(result), Span(0, len(result))).tags() - LAYOUT - {0x0112}
    if lost:
        raise NotLossless(f"its tags {', '.join(map(hex, sorted(lost)))} cannot be written again")


def bits_of(window: Window) -> tuple[int, ...]:
    """Bits of the samples of the first page."""
    return directory(window, Span(0, window.size)).numbers(window, _BITS)


def _pillow_keeps(data: bytes) -> bool:
    """Whether Pillow reads this TIFF at its own depth."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.mode == "I;16" or set(picture.tag_v2.get(_BITS, (1,))) <= {1, 8} or picture.mode == "P"  # type: ignore[attr-defined]
    except UnidentifiedImageError:
        return False


def _by_vips(data: bytes, exif: ExifOrientation, compression: str | None, how: Straighten = STRAIGHT) -> bytes:
    pyvips = libvips()
    image = pyvips.Image.new_from_buffer(data, "", fail_on="error")
    if compression is None:
        raise NotLossless("it cannot be written again in the same compression")
    shown = (image.fliphor() if exif.mirrored else image).rot(VIPS_ANGLE[exif.turn])
    if exif.swaps_sides:
        shown = shown.copy(xres=image.yres, yres=image.xres)
    if how.tilt:
        shown = straighten.straightened(shown, how, {"uchar": 255.0, "ushort": 65535.0}.get(image.format, image.max()))
    result: bytes = shown.tiffsave_buffer(compression=compression, bigtiff=data[2:4] in (b"+\0", b"\0+"))
    before, after = (directory(Window(each), Span(0, len(each))) for each in (data, result))
    return result if before.find(282) is not None else _without_resolution(result, after)


def _without_resolution(data: bytes, found: Directory) -> bytes:
    """The TIFF with a new directory that lacks a resolution: libvips makes one up, of 25 dpi."""
    size, entries = found.entry_size, b""
    for at in range(0, len(found.entries), size):
        if int.from_bytes(found.entries[at : at + 2], "little" if found.order == "<" else "big") not in (282, 283, 296):
            entries += found.entries[at : at + size]
    place = len(data) + len(data) % 2
    count = struct.pack(found.order + ("Q" if found.big else "H"), len(entries) // size)
    data = data.ljust(place, b"\0") + count + entries + bytes(8 if found.big else 4)
    pointer = struct.pack(found.offset_code, place)
    return data[: found.pointer] + pointer + data[found.pointer + len(pointer) :]


def options_of(picture: Any, swapped: bool, without: frozenset[int] = frozenset()) -> dict[str, Any]:
    """How a TIFF is written again: with the tags that do not say how samples lie, sub-directories included.

    ``swapped`` exchanges the resolutions across and down, which have the unit of the old file.
    """
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    kept, tags = ImageFileDirectory_v2(), picture.tag_v2
    for tag in tags:
        if tag in without:
            continue
        if tag in _EXIF_IFDS:
            kept[tag] = picture.getexif().get_ifd(tag)
        elif tag not in LAYOUT or tag in _RESOLUTIONS:
            to = _RESOLUTIONS.get(tag, tag) if swapped else tag
            kept[to] = tags[tag]
            kept.tagtype[to] = tags.tagtype[tag]
    big = bool(getattr(tags, "_bigtiff", False))
    return {"tiffinfo": kept, "big_tiff": big} | info_of(picture, ("icc_profile", "compression"))
