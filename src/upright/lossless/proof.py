"""Whether turned pixels are the original's, seen by two decoders; and their errors as this package's own."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import BrokenPicture, NotLossless, TooLarge, UprightError
from ..machine import libvips
from ..turns import ExifOrientation, show_array, show_pillow

TAG = "use --method tag"
#: Compared at once.
_ROWS = 256


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
            raise TooLarge("it has too many pixels to be turned in memory", remedy=TAG) from None
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
    from PIL import Image

    with Image.open(io.BytesIO(before)) as old:
        old.load()
        shown, icc = show_pillow(old, exif), old.info.get("icc_profile")
    del old  # its pixels need not be held beside the turned ones
    with Image.open(io.BytesIO(after)) as new:
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
    old, new = (pyvips.Image.new_from_buffer(data, "", fail_on="error") for data in (before, after))
    if (old.format, old.bands) != (new.format, new.bands):
        return False
    shape = (old.height, old.width, old.bands)
    shown = show_array(np.asarray(old.numpy()).reshape(shape), exif)
    return bool(np.array_equal(shown, np.asarray(new.numpy()).reshape(shown.shape)))
