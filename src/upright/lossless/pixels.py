"""TIFF, BMP, GIF and lossless WebP: decoded, turned and written again in the same mode, depth and compression."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from ..errors import NotLossless
from ..formats import Span, Window
from ..formats import tiff as structure
from ..formats import webp as riff
from ..turns import VIPS_ANGLE, ExifOrientation, show_pillow

if TYPE_CHECKING:
    from PIL import Image

_SUB_IFDS, _COMPRESSION, _BITS = 0x014A, 0x0103, 0x0102
_EXIF_IFDS = {0x8769, 0x8825}
#: TIFF compression numbers that keep every sample, by libvips' name (None: Pillow alone writes it).
_TIFF_EXACT = {
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
#: Tags that say how samples lay in the old file, or that its writer fills in by itself.
LAYOUT = {254, 256, 257, 266, 273, 278, 279, 282, 283, 284, 292, 293, 317, 322, 323, 324, 325, 339, 34675}
#: Tags that must not go into another file because they tell of samples.
SAMPLES = (LAYOUT - {282, 283}) | {258, 259, 262, 277, 320, 338, 347, 512, 513, 514, 530, 532, 700}


def turned(data: bytes, form: str, exif: ExifOrientation) -> bytes:
    """The file whose stored pixels are what ``exif`` shows. Raises NotLossless."""
    from PIL import Image

    if form == "WEBP":
        kinds = {kind for kind, _, _ in riff.chunks(Window(data))}
        if b"VP8L" not in kinds:
            raise NotLossless("it is animated" if b"ANMF" in kinds else "its pixels are compressed with loss")
    name = _tiff_compression(data) if form == "TIFF" else None
    if form == "TIFF" and not pillow_keeps(data):
        result = _by_vips(data, exif, name)
        _check_tags(data, result)
        return result
    with Image.open(io.BytesIO(data)) as picture:
        _check_frames(getattr(picture, "n_frames", 1))
        shown = show_pillow(picture, exif)
        out = io.BytesIO()
        shown.save(out, picture.format, **_options(picture, exif))
    if form == "TIFF":
        _check_tags(data, out.getvalue())
    return out.getvalue()


def pillow_keeps(data: bytes) -> bool:
    """Whether Pillow reads this TIFF at its own depth."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.mode == "I;16" or set(picture.tag_v2.get(_BITS, (1,))) <= {1, 8} or picture.mode == "P"  # type: ignore[attr-defined]
    except UnidentifiedImageError:
        return False


def _check_tags(before: bytes, after: bytes) -> None:
    old, new = (structure.directory(Window(data), Span(0, len(data))).tags() for data in (before, after))
    lost = old - new - LAYOUT - {structure.ORIENTATION}
    if lost:
        raise NotLossless(f"its tags {', '.join(map(hex, sorted(lost)))} cannot be written again")


def _check_frames(number: int) -> None:
    if number != 1:
        raise NotLossless(f"it has {number} pages or frames")


def _tiff_compression(data: bytes) -> str | None:
    """libvips' name for the compression; refuses what loses samples and what holds more than one picture."""
    window = Window(data)
    found = structure.directory(window, Span(0, window.size))
    if found.find(_SUB_IFDS) is not None:
        raise NotLossless("it holds sub-pictures (a raw photograph or a pyramid?)")
    at = found.find(_COMPRESSION)
    value = found.entries[found.value_at(at) :][:2] if at is not None else b""
    number = int.from_bytes(value, "little" if found.order == "<" else "big") or 1
    if number not in _TIFF_EXACT:
        raise NotLossless(f"its pixels are compressed with loss or in a way that cannot be written (TIFF {number})")
    return _TIFF_EXACT[number]


def _by_vips(data: bytes, exif: ExifOrientation, compression: str | None) -> bytes:
    import pyvips

    image = pyvips.Image.new_from_buffer(data, "", fail_on="error")
    _check_frames(image.get("n-pages") if image.get_typeof("n-pages") else 1)
    if compression is None:
        raise NotLossless("it cannot be written again in the same compression")
    shown = (image.fliphor() if exif.mirrored else image).rot(VIPS_ANGLE[exif.turn])
    if exif.swaps_sides:
        shown = shown.copy(xres=image.yres, yres=image.xres)
    result: bytes = shown.tiffsave_buffer(compression=compression, bigtiff=data[2:4] in (b"+\0", b"\0+"))
    return result


def _options(picture: Image.Image, exif: ExifOrientation) -> dict[str, Any]:
    """What the picture's own format calls for so that nothing is lost in writing."""
    info = picture.info
    dpi = info.get("dpi")
    options: dict[str, Any] = {}
    if dpi:
        options["dpi"] = dpi[::-1] if exif.swaps_sides else dpi
    kept = {
        "TIFF": ("icc_profile", "compression"),
        "WEBP": ("icc_profile", "exif", "xmp"),
        "GIF": ("transparency", "comment", "background", "duration", "loop", "version"),
    }.get(picture.format or "", ())
    options |= {name: info[name] for name in kept if info.get(name) is not None}
    if picture.format == "WEBP":
        options |= {"lossless": True, "exact": True}
    elif picture.format == "GIF":
        options |= {"optimize": False}
    elif picture.format == "TIFF":
        tags = picture.tag_v2  # type: ignore[attr-defined]
        options |= {"tiffinfo": _told(picture), "big_tiff": bool(getattr(tags, "_bigtiff", False))}
    return options


def _told(picture: Any) -> Any:
    """The tags that do not tell of samples, sub-directories included, each in its own type."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    kept, tags = ImageFileDirectory_v2(), picture.tag_v2
    for tag in tags:
        if tag in _EXIF_IFDS:
            kept[tag] = picture.getexif().get_ifd(tag)
        elif tag not in LAYOUT:
            kept[tag] = tags[tag]
            kept.tagtype[tag] = tags.tagtype[tag]
    return kept
