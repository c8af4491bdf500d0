"""TIFF: decoded, turned and written again in the same mode, depth and compression.

By Pillow, or, where Pillow does not keep the samples, as packed rows or by libvips.
"""

from __future__ import annotations

from typing import Any

from ..errors import NotLossless
from ..formats import Span, Window
from ..formats.tiff import BITS, COMPRESSION, EXTRA, FILL_ORDER, PHOTOMETRIC, PLANAR, directory
from ..machine import libvips
from ..turns import VIPS_ANGLE, ExifOrientation
from . import straighten, tiff_rows
from .pillow import info_of, rewritten
from .proof import opened, prove, same_picture, same_samples
from .straighten import STRAIGHT, Straighten
from .tiff_tags import OF_SAMPLES, OF_WRITER, SAMPLES, check_movable, check_same, described_as

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
#: Compressions of lines of two tones.
_FAX = (2, 3, 4)


def turned(data: bytes, exif: ExifOrientation, edge: str) -> bytes:
    """The TIFF whose stored pixels are what ``exif`` shows. Raises NotLossless."""
    window = Window(data)
    found = directory(window, Span(0, window.size))
    check_movable(found, exif)
    compression = found.number(window, COMPRESSION, 1)
    if compression not in _EXACT:
        raise NotLossless(
            f"its pixels are compressed with loss or in a way that cannot be written (TIFF {compression})"
        )
    name, proofs = _EXACT[compression], [same_samples]
    if _pillow_keeps(data):
        result, proofs = rewritten(data, exif, options_of), [same_samples, same_picture]
    elif compression not in _FAX and name and tiff_rows.can_turn(window, found):
        result = tiff_rows.turned(data, found, exif, name)
        proofs = [same_samples if _vips_reads(data) else tiff_rows.same_rows]
    else:
        result = _by_vips(data, exif, name)
    check_same(data, result, exif.swaps_sides, OF_SAMPLES)
    result = described_as(result, data, exif.swaps_sides, OF_WRITER | {COMPRESSION})
    check_same(data, result, exif.swaps_sides)
    prove(data, result, exif, *proofs)
    return result


def straightened(data: bytes, exif: ExifOrientation, how: Straighten) -> bytes:
    """The TIFF as ``exif`` shows it, resampled at its own depth. Raises NotLossless."""
    window = Window(data)
    found = directory(window, Span(0, window.size))
    check_movable(found, exif, how.tilt)
    compression = found.number(window, COMPRESSION, 1)
    result = _by_vips(data, exif, _EXACT.get(compression), how)
    return described_as(result, data, exif.swaps_sides, SAMPLES)


def bits_of(window: Window) -> tuple[int, ...]:
    """Bits of the samples of the first page."""
    return directory(window, Span(0, window.size)).numbers(window, BITS)


def _pillow_keeps(data: bytes) -> bool:
    """Whether Pillow reads this TIFF at its own depth, and writes it so."""
    from PIL import Image, UnidentifiedImageError

    if data.startswith(b"MM\0+"):  # Pillow takes it for damaged, and warns of it
        return False
    try:
        with opened(data) as picture:
            # Its plugin for TIFF has a limit of its own.
            if Image.MAX_IMAGE_PIXELS and picture.width * picture.height > 2 * Image.MAX_IMAGE_PIXELS:
                return False
            tags = picture.tag_v2
            if tags.get(COMPRESSION) in _FAX:
                return bool(picture.mode == "1")
            if (tags.get(FILL_ORDER, 1), tags.get(PLANAR, 1), tags.get(EXTRA, (2,))) != (1, 1, (2,)):
                return False
            kept = {"I;16": {16}, "1": {1}}.get(picture.mode, {8})
            return set(tags.get(BITS, (1,))) == kept
    except UnidentifiedImageError:
        return False


def _vips_reads(data: bytes) -> bool:
    """Whether libvips knows this kind of TIFF."""
    pyvips = libvips()
    try:
        pyvips.Image.new_from_buffer(data, "")
    except pyvips.Error:
        return False
    return True


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
    two_tones = image.bands == 1 and bits_of(Window(data)) == (1,) and not how.tilt
    depth = {"bitdepth": 1, "predictor": "none"} if two_tones else {}
    big = data[2:4] in (b"+\0", b"\0+")
    result: bytes = shown.tiffsave_buffer(compression=compression, bigtiff=big, **depth)
    return result


def options_of(picture: Any, without: frozenset[int] = frozenset()) -> dict[str, Any]:
    """How Pillow writes a TIFF again. Tags are not its work (`described_as`): it mistakes those of two numbers."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    kept, tags = ImageFileDirectory_v2(), picture.tag_v2
    if PHOTOMETRIC in tags and PHOTOMETRIC not in without:
        kept[PHOTOMETRIC] = tags[PHOTOMETRIC]
    big = bool(getattr(tags, "_bigtiff", False))
    return {"tiffinfo": kept, "big_tiff": big} | info_of(picture, ("compression",))
