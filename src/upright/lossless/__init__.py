"""Stored pixels turned without loss, and the proof that nothing was lost."""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..carriers import patch_exif_orientation, read_exif_orientation, sides_swapped
from ..errors import BrokenPicture, NotLossless, TooLarge
from ..formats import HEAD_BYTES, format_of, sniff
from ..turns import ExifOrientation, Turn, show_array, show_pillow
from . import jpeg, pixels, png

__all__ = ["reencoded", "turned"]

_TAG = "use --method tag"


def turned(data: bytes, form: str, exif: ExifOrientation, edge: str = "refuse") -> bytes:
    """The same picture with stored pixels as ``exif`` shows the old ones, and its tag, where it has one, set to 1.

    ``form`` is a format that has a turner, ``edge`` "refuse" or "trim" (JPEG blocks that are not whole). The result has
    been decoded (JPEG: its coefficients have been turned back) and found equal. Raises NotLossless, BrokenPicture,
    TooLarge, or EngineError where libturbojpeg is missing.
    """
    row = format_of(sniff(data[:HEAD_BYTES]))
    if row is None or not row.turner or row.name != form:
        raise NotLossless(f"pixels of {form or 'this format'} cannot be turned without loss", remedy=_TAG)
    tag = read_exif_orientation(data)
    plain = patch_exif_orientation(data, ExifOrientation.TOP_LEFT) if tag.present or tag.xmp else data
    if exif.swaps_sides and form in ("JPEG", "PNG", "WEBP"):
        plain = sides_swapped(plain)
    if form == "JPEG":
        return jpeg.turned(plain, exif, edge)
    with _decoding():
        _check_size(plain, form)
        result = png.turned(plain, exif) if form == "PNG" else pixels.turned(plain, form, exif)
        _prove(plain, result, form, exif)
    return result


def reencoded(data: bytes, exif: ExifOrientation, turn: Turn, form: str, page: int = 0) -> bytes:
    """A page of a picture as shown (``exif`` still to be applied), turned and written as ``form``; EXIF and ICC stay.

    JPEG and WebP are compressed with quality 95. Raises BrokenPicture, TooLarge, NotLossless.
    """
    with _decoding():
        return _encoded(data, exif.then(turn), form, page)


@contextmanager
def _decoding() -> Iterator[None]:
    """Turns what decoders and encoders raise into this package's errors."""
    import pyvips
    from PIL import Image

    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooLarge("it has too many pixels to be turned in memory", remedy=_TAG) from None
    except MemoryError:
        raise TooLarge("there is not enough memory to turn its pixels", remedy=_TAG) from None
    except (
        pyvips.Error,
        OSError,
        ValueError,
        SyntaxError,
        LookupError,
        ArithmeticError,
        TypeError,
        zlib.error,
    ) as error:
        cause = str(error).strip().splitlines()
        raise BrokenPicture(
            f"its pixels cannot be read or written ({cause[0] if cause else error!r})", remedy=_TAG
        ) from None


def _check_size(data: bytes, form: str) -> None:
    """Pillow guards what it reads; libvips does not."""
    if form in ("PNG", "TIFF"):
        import pyvips
        from PIL import Image

        image = pyvips.Image.new_from_buffer(data, "")
        if image.width * image.height > 2 * (Image.MAX_IMAGE_PIXELS or sys.maxsize):
            raise Image.DecompressionBombError


def _encoded(data: bytes, exif: ExifOrientation, form: str, page: int) -> bytes:
    from PIL import Image

    if sniff(data[:HEAD_BYTES]) == "HEIC":
        import pi_heif

        picture: Image.Image = pi_heif.open_heif(io.BytesIO(data)).to_pillow()
    else:
        plain = data
        if sniff(data[:HEAD_BYTES]) == "TIFF" and read_exif_orientation(data, page=page).present:
            # Pillow turns a tagged TIFF while it loads.
            plain = patch_exif_orientation(data, ExifOrientation.TOP_LEFT, page=page)
        picture = Image.open(io.BytesIO(plain))
        picture.seek(page)
    shown = show_pillow(picture, exif)
    options: dict[str, Any] = {"icc_profile": picture.info.get("icc_profile")}
    if exif_block := picture.getexif():
        exif_block[0x0112] = 1
        for tag in pixels.SAMPLES.intersection(exif_block):
            del exif_block[tag]
        options["exif"] = exif_block.tobytes()
    if form in ("JPEG", "WEBP"):
        options["quality"] = 95
        options["subsampling"] = "4:4:4"
    if form == "JPEG" and shown.mode not in ("L", "RGB", "CMYK"):
        shown = _on_white(shown)
    out = io.BytesIO()
    shown.save(out, form, **{name: value for name, value in options.items() if value})
    return out.getvalue()


def _on_white(image: Any) -> Any:
    from PIL import Image

    if image.mode in ("1", "I;16", "I", "F"):
        return image.convert("L") if image.mode == "1" else image.point(lambda v: v / 256).convert("L")
    layered = image.convert("RGBA")
    ground = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(ground, layered).convert("RGB")


def _prove(before: bytes, after: bytes, form: str, exif: ExifOrientation) -> None:
    decoders = [_same_samples] if form in ("PNG", "TIFF", "WEBP") else []
    if form != "TIFF" or pixels.pillow_keeps(before):
        decoders.append(_same_picture)
    if not all(same(before, after, exif) for same in decoders):
        raise NotLossless("the turned pixels are not the original's", remedy=_TAG)


def _same_picture(before: bytes, after: bytes, exif: ExifOrientation) -> bool:
    from PIL import Image

    with Image.open(io.BytesIO(before)) as old, Image.open(io.BytesIO(after)) as new:
        shown = show_pillow(old, exif)
        new.load()
        same = (shown.mode, shown.size) == (new.mode, new.size) and _colours(shown) == _colours(new)
        return same and old.info.get("icc_profile") == new.info.get("icc_profile")


def _colours(image: Any) -> bytes:
    if image.mode == "P":
        image = image.convert("RGBA")
    result: bytes = image.tobytes()
    return result


def _same_samples(before: bytes, after: bytes, exif: ExifOrientation) -> bool:
    """The same by another decoder, at full depth."""
    import numpy as np
    import pyvips

    old, new = (pyvips.Image.new_from_buffer(data, "", fail_on="error") for data in (before, after))
    if (old.format, old.bands) != (new.format, new.bands):
        return False
    shape = (old.height, old.width, old.bands)
    shown = show_array(np.asarray(old.numpy()).reshape(shape), exif)
    return bool(np.array_equal(shown, np.asarray(new.numpy()).reshape(shown.shape)))
