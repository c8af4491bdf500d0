"""BMP, GIF and lossless WebP: decoded, turned and written again by Pillow in the same mode and compression."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import NotLossless
from ..formats import Window, bmp, gif
from ..formats.webp import chunks
from ..turns import ExifOrientation, show_pillow
from .proof import opened, prove, same_picture, same_samples

if TYPE_CHECKING:
    from PIL import Image

#: How each format is written so that nothing is lost, and which of the opened picture's facts are handed on.
_WRITTEN: dict[str | None, tuple[dict[str, Any], tuple[str, ...]]] = {
    "BMP": ({}, ()),
    "GIF": ({"optimize": False, "comment": b""}, ("transparency", "background", "duration", "loop", "version")),
    "WEBP": ({"lossless": True, "exact": True}, ("icc_profile", "exif", "xmp")),
}


def turned(data: bytes, exif: ExifOrientation, edge: str) -> bytes:
    """The file whose stored pixels are what ``exif`` shows. Raises NotLossless."""
    webp = data[:4] == b"RIFF"
    if webp and all(kind != b"VP8L" for kind, _, _ in chunks(Window(data))):
        raise NotLossless("its pixels are compressed with loss")
    if data[:2] == b"BM" and bmp.has_profile(data):
        raise NotLossless("its colour profile would be lost", remedy="use --sidecar")
    result = rewritten(data, exif, _options)
    if data[:3] == b"GIF":
        result = gif.described_as(result, data, exif.swaps_sides)
    prove(data, result, exif, *[same_samples] * webp, same_picture)
    return result


def rewritten(data: bytes, exif: ExifOrientation, options: Callable[[Image.Image], dict[str, Any]]) -> bytes:
    """The file turned by Pillow and written with what ``options`` makes of the opened picture."""
    with opened(data) as picture:
        frames = getattr(picture, "n_frames", 1)
        if frames != 1:
            raise NotLossless(f"it has {frames} frames")
        shown, out, dpi = show_pillow(picture, exif), io.BytesIO(), picture.info.get("dpi")
        # Of a TIFF without a resolution Pillow says 1 dpi; its own tags are in its options.
        density = {"dpi": dpi[::-1] if exif.swaps_sides else dpi} if dpi and picture.format != "TIFF" else {}
        shown.save(out, picture.format, **density, **options(picture))
    return out.getvalue()


def info_of(picture: Image.Image, names: tuple[str, ...]) -> dict[str, Any]:
    """Those facts of these names that the picture has."""
    return {name: picture.info[name] for name in names if picture.info.get(name) is not None}


def _options(picture: Image.Image) -> dict[str, Any]:
    options, kept = _WRITTEN[picture.format]
    return options | info_of(picture, kept)
