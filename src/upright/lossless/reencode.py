"""Pictures turned and encoded again, when that was asked for."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any

from .. import workers
from ..carriers import patch_exif_orientation, read_exif_orientation
from ..errors import CorrectionError, UprightError
from ..formats import Format, Window, cost, format_in, format_of
from ..limits import Limits
from ..turns import ExifOrientation, Turn, show_pillow
from .proof import decoding
from .tiff import SAMPLES

_NO_LIMITS = Limits()


def reencoded(
    data: bytes, exif: ExifOrientation, turn: Turn, form: str, page: int = 0, limits: Limits = _NO_LIMITS
) -> bytes:
    """A page of a picture as shown (``exif`` still to be applied), turned and written as ``form``; EXIF and ICC stay.

    JPEG and WebP are compressed with quality 95. Raises BrokenPicture, TooLarge, CorrectionError.
    """
    source, target = format_in(Window(data)), format_of(form)
    if source and source.extra:
        remedy = "use --method tag" if source.carriers else "convert it to PNG first"
        raise CorrectionError(f"{source.name} pixels cannot be re-encoded", remedy=remedy)
    if not target or not target.written:
        raise CorrectionError(f"pictures cannot be encoded as {form}", remedy="name a .jpg or .png target")
    if source and workers.THERE:
        window, container = Window(data), source.container
        if container is None or cost.has_to_be_apart(source, container.size_px(window, page)):
            found: bytes = workers.call(f"{__name__}:encoded_here", data, exif, turn, form, page, limits, limits=limits)
            return found
    return encoded_here(data, exif, turn, form, page, limits)


def encoded_here(data: bytes, exif: ExifOrientation, turn: Turn, form: str, page: int, limits: Limits) -> bytes:
    """The same in this process."""
    source, target = format_in(Window(data)), format_of(form)
    with decoding():
        picture = _opened(data, source, page, partial(_check, limits, [row for row in (source, target) if row]))
        shown = show_pillow(picture, exif.then(turn))
        options: dict[str, Any] = {"icc_profile": picture.info.get("icc_profile")}
        if exif_block := picture.getexif():
            exif_block[0x0112] = 1
            for tag in SAMPLES.intersection(exif_block):
                del exif_block[tag]
            options["exif"] = exif_block.tobytes()
        if form in ("JPEG", "WEBP"):
            options |= {"quality": 95, "subsampling": "4:4:4"}
        if form == "JPEG" and shown.mode not in ("L", "RGB", "CMYK"):
            shown = _on_white(shown)
        out = io.BytesIO()
        shown.save(out, form, **{name: value for name, value in options.items() if value})
        return out.getvalue()


def smaller(data: bytes, exif: ExifOrientation, most_bytes: int) -> bytes | None:
    """A JPEG as ``exif`` shows it, as good as fits into so many bytes."""
    from PIL import Image

    try:
        with decoding(), Image.open(io.BytesIO(data), formats=["JPEG"]) as picture:
            shown = show_pillow(picture, exif)
            for quality in (90, 80, 70, 50):
                out = io.BytesIO()
                shown.save(out, "JPEG", quality=quality)
                if out.tell() <= most_bytes:
                    return out.getvalue()
    except UprightError:
        pass
    return None


def _check(limits: Limits, rows: list[Format], size: tuple[int, int], pixel_bytes: float = 4) -> None:
    limits.check_memory(size, cost.reencoded_bytes(rows, size, pixel_bytes))


def _opened(data: bytes, row: Format | None, page: int, check: Callable[..., None]) -> Any:
    from PIL import Image, ImageOps

    form = row.name if row else ""
    if row and row.container:
        window = Window(data)
        check(row.container.size_px(window, page), row.container.pixel_bytes(window, page))
    if form == "HEIC":
        import pi_heif

        return pi_heif.open_heif(io.BytesIO(data)).to_pillow()
    if form == "TIFF" and read_exif_orientation(data, page=page).present:
        # Pillow turns a tagged TIFF while it loads.
        data = patch_exif_orientation(data, ExifOrientation.TOP_LEFT, page=page)
    picture = Image.open(io.BytesIO(data))
    picture.seek(page)
    check(picture.size)
    # Of AVIF Pillow gives the boxes as an EXIF orientation, which no decoder has applied.
    return ImageOps.exif_transpose(picture) if form == "AVIF" else picture


def _on_white(image: Any) -> Any:
    from PIL import Image

    if image.mode in ("1", "I;16", "I", "F"):
        return image.convert("L") if image.mode == "1" else image.point(lambda v: v / 256).convert("L")
    layered = image.convert("RGBA")
    ground = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(ground, layered).convert("RGB")
