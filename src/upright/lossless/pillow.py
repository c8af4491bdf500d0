"""BMP, GIF and lossless WebP: decoded, turned and written again by Pillow in the same mode and compression."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import NotLossless
from ..formats import Window
from ..formats.webp import chunks
from ..turns import ExifOrientation, show_pillow
from .proof import prove, same_picture, same_samples

if TYPE_CHECKING:
    from PIL import Image


def rewritten(data: bytes, exif: ExifOrientation, options: Callable[[Image.Image], dict[str, Any]]) -> bytes:
    """The file turned, with what ``options`` makes of the opened picture so that nothing is lost in writing."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        frames = getattr(picture, "n_frames", 1)
        if frames != 1:
            raise NotLossless(f"it has {frames} frames")
        shown, out, dpi = show_pillow(picture, exif), io.BytesIO(), picture.info.get("dpi")
        density = {"dpi": dpi[::-1] if exif.swaps_sides else dpi} if dpi else {}
        shown.save(out, picture.format, **density, **options(picture))
    return out.getvalue()


def turned_bmp(data: bytes, exif: ExifOrientation, edge: str) -> bytes:
    """A BMP of any mode that Pillow writes."""
    result = rewritten(data, exif, lambda picture: {})
    prove(data, result, exif, same_picture)
    return result


def turned_gif(data: bytes, exif: ExifOrientation, edge: str) -> bytes:
    """A GIF of one picture with its palette as it is."""
    kept = ("transparency", "comment", "background", "duration", "loop", "version")
    result = rewritten(data, exif, lambda picture: {"optimize": False} | told(picture, kept))
    prove(data, result, exif, same_picture)
    return result


def turned_webp(data: bytes, exif: ExifOrientation, edge: str) -> bytes:
    """A WebP without loss."""
    if all(kind != b"VP8L" for kind, _, _ in chunks(Window(data))):
        raise NotLossless("its pixels are compressed with loss")
    kept = ("icc_profile", "exif", "xmp")
    result = rewritten(data, exif, lambda picture: {"lossless": True, "exact": True} | told(picture, kept))
    prove(data, result, exif, same_samples, same_picture)
    return result


def told(picture: Image.Image, names: tuple[str, ...]) -> dict[str, Any]:
    """Those facts of these names that the picture has."""
    return {name: picture.info[name] for name in names if picture.info.get(name) is not None}
