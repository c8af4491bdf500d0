"""Whether turned pixels are the original's, seen by two decoders; and their errors as this package's own."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .. import workers
from ..errors import TAG, BrokenPicture, NotLossless, TooLarge, UprightError
from ..formats import Window, format_in
from ..machine import libvips, opened_by_pillow
from ..turns import ExifOrientation, show_array, show_pillow

#: Compared at once.
_ROWS = 256


def opened(data: bytes) -> Any:
    """A picture as Pillow opens it. Raises what `decoding` knows."""
    from PIL import UnidentifiedImageError

    row = format_in(Window(data))
    try:
        return opened_by_pillow(io.BytesIO(data), row.name if row else "")
    except (SyntaxError, LookupError, TypeError, struct.error) as error:
        raise UnidentifiedImageError from error


@contextmanager
def decoding() -> Iterator[None]:
    """Turn what decoders and encoders raise into this package's errors."""
    try:
        yield
    except UprightError:
        raise
    except Exception as error:
        # No decoder promises a type. Pillow's bombs are known by name, so that a JPEG needs no Pillow.
        if isinstance(error, MemoryError) or type(error).__name__.startswith("DecompressionBomb"):
            cause, instead = "there is not enough memory to turn it", "correct it where there is more"
            if type(error) is not MemoryError:
                cause, instead = "Pillow reads no such picture of so many pixels", "convert it to another format first"
            elif workers.bounded():
                cause = "turning it needs more memory than the limit max_memory_mb"
                instead = "raise it with --max-memory-mb if you trust the file"
            raise TooLarge(cause, remedy=TAG.or_else(instead)) from None
        # libvips names the operation first, and its cause below where it has one.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [repr(error)]
        cause = next((line for line in lines if not line.startswith("unable to ")), "their encoder gives no reason")
        if type(error).__name__ == "UnidentifiedImageError":
            cause = "no decoder knows them"  # Pillow names an object in memory
        raise BrokenPicture(f"its pixels cannot be read or written ({cause})", remedy=TAG) from error


def prove(
    before: bytes, after: bytes, exif: ExifOrientation, *same: Callable[[bytes, bytes, ExifOrientation], bool]
) -> None:
    """Raise NotLossless unless the pixels of ``after`` are those of ``before`` as ``exif`` shows them."""
    if not all(equal(before, after, exif) for equal in same):
        raise NotLossless("the turned pixels are not the original's", remedy=TAG)


def same_picture(before: bytes, after: bytes, exif: ExifOrientation) -> bool:
    """By Pillow: mode, size, colours and profile."""
    with opened(before) as old:
        old.load()
        shown, icc = show_pillow(old, exif), old.info.get("icc_profile")
    del old  # its pixels need not be held beside the turned ones
    with opened(after) as new:
        new.load()
        if (shown.mode, shown.size, icc) != (new.mode, new.size, new.info.get("icc_profile")):
            return False
        strips = ((0, top, new.width, min(top + _ROWS, new.height)) for top in range(0, new.height, _ROWS))
        return all(_colours(shown.crop(strip)) == _colours(new.crop(strip)) for strip in strips)


def _colours(image: Any) -> bytes:
    if image.mode == "P":
        image = image.convert("RGBA")
    result: bytes = image.tobytes()
    return result


def same_samples(before: bytes, after: bytes, exif: ExifOrientation) -> bool:
    """By libvips, at full depth."""
    import numpy as np

    pyvips = libvips()
    # A stream is decoded once, anything else beside the copy that is asked for.
    old = pyvips.Image.new_from_buffer(before, "", fail_on="error", access="sequential")
    new = pyvips.Image.new_from_buffer(after, "", fail_on="error")
    if (old.format, old.bands) != (new.format, new.bands):
        return False
    shape = (old.height, old.width, old.bands)
    shown = show_array(np.asarray(old.numpy()).reshape(shape), exif)
    if shown.shape[:2] != (new.height, new.width):
        return False
    for top in range(0, new.height, _ROWS):
        rows = shown[top : top + _ROWS]
        if not np.array_equal(rows, np.asarray(new.crop(0, top, new.width, len(rows)).numpy()).reshape(rows.shape)):
            return False
    return True
