"""Pictures turned and encoded again, when that was asked for."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any

from .. import workers
from ..carriers import patch_exif_orientation, read_exif_orientation, with_pixels_moved, with_sides, xmp
from ..carriers.moved import Moved
from ..errors import TAG, TURN, NotLossless, Remedy, UprightError
from ..formats import FORMATS, Format, Span, Window, cost, format_in
from ..formats.bmp import has_profile
from ..formats.heif import pages_of
from ..formats.jpeg import segments
from ..formats.jpeg2000 import would_lose
from ..formats.tiff import ORIENTATION, XMP, directory
from ..limits import DEFAULT_LIMITS, Limits
from ..machine import opened_by_pillow
from ..turns import ExifOrientation, Turn, show_pillow
from . import jpeg, png, tiff
from .proof import decoding, opened
from .straighten import STRAIGHT, Straighten, straightened_pillow
from .tiff_tags import SAMPLES, check_movable, described_as

_ADOBE, _COMMENT = 0xEE, 0xFE
#: Tags of a TIFF that have no place in the EXIF block of another format, or have their own outside of it.
_ELSEWHERE = SAMPLES | {XMP, 34675}
_PNG_XMP = "XML:com.adobe.xmp"
#: What Pillow makes room for, or decodes, where it opens it.
_NOT_LAZY = ("AVIF", "HEIC", "ICO", "WEBP")
_OPAQUE, _WITHOUT_PALETTE = ("JPEG", "BMP", "PPM"), ("JPEG2000", "PPM")


def reencoded(
    data: bytes,
    exif: ExifOrientation,
    turn: Turn,
    form: str,
    page: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    how: Straighten = STRAIGHT,
) -> bytes:
    """A page of a picture as shown (``exif`` still to be applied), turned, straightened and written as ``form``.

    A JPEG keeps its own quality and all its segments, other pictures EXIF, XMP, ICC and resolution; JPEG and WebP of
    another format have quality 95. Raises NotLossless for what would be lost, BrokenPicture, TooLarge.
    """
    source, target, args = format_in(Window(data)), FORMATS.get(form), (data, exif, turn, form, page, limits, how)
    if source and source.extra:
        remedy = TAG if source.carriers else "use --sidecar, or convert it to PNG first"
        raise NotLossless(f"{source.name} pixels cannot be re-encoded", remedy=remedy)
    if not target or not target.written:
        raise NotLossless(f"pictures cannot be encoded as {form}", remedy="name a .jpg or .png target")
    if source and workers.THERE:
        window, container = Window(data), source.container
        if container is None or cost.has_to_be_apart(source, container.size_px(window, page)):
            found: bytes = workers.call(f"{__name__}:encoded_here", *args, limits=limits)
            return found
    return encoded_here(*args)


def encoded_here(
    data: bytes, exif: ExifOrientation, turn: Turn, form: str, page: int, limits: Limits, how: Straighten
) -> bytes:
    """The same in this process."""
    source, target = format_in(Window(data)), FORMATS.get(form)
    name, move = source.name if source else "", exif.then(turn)
    followed = page == 0 and source is not None and "exif" in source.carriers
    if followed:
        data = with_pixels_moved(data, move, smaller)
    with decoding():
        if how.tilt and name == form == "JPEG":
            jpeg.check_alone(data)
        check = partial(_check, limits, [row for row in (source, target) if row], how)
        if how.tilt and name == form in ("PNG", "TIFF") and _is_deep(data, name):
            assert source is not None and source.container is not None
            check(source.container.size_px(Window(data)), source.container.pixel_bytes(Window(data)))
            change = png.straightened if form == "PNG" else tiff.straightened
            return change(data, move, how)
        _check_kept(data, name)
        if name == "TIFF":
            check_movable(directory(Window(data), Span(0, len(data)), page), move, how.tilt)
        picture = _opened(data, source, page, check)
        shown, out = straightened_pillow(picture, move, how), io.BytesIO()
        if name == form == "JPEG":
            shown.save(out, form, **_as_it_was(picture, move))
            new = _with_segments(out.getvalue(), data)
            return with_sides(new, shown.size) if how.tilt else new
        if name == form == "TIFF":
            kept = tiff.options_of(picture, without=frozenset(SAMPLES))
            shown.save(out, form, **({"quality": 95} if kept.get("compression") == "jpeg" else {}), **kept)
            return described_as(out.getvalue(), data, move.swaps_sides, SAMPLES, page)
        _check_depth(data, name, form, picture.mode)
        options = _described(picture, name, form, move, followed)
        if name == form == "JPEG2000":
            # A codestream without boxes stays one.
            options |= {"no_jp2": data[:4] == b"\xff\x4f\xff\x51", "comment": picture.info.get("comment")}
        if form in ("JPEG", "WEBP"):
            options |= {"quality": 95, "subsampling": "4:4:4"}
        shown = _fitting(shown, form)
        shown.save(out, form, **{name: value for name, value in options.items() if value})
        return with_sides(out.getvalue(), shown.size) if how.tilt else out.getvalue()


def _described(picture: Any, source: str, form: str, move: ExifOrientation, followed: bool) -> dict[str, Any]:
    """Profile, EXIF, XMP and resolution, as far as the new format has a place for them.

    followed: the XMP says already what is so afterwards (`with_pixels_moved`).
    """
    info, options = picture.info, {"icc_profile": picture.info.get("icc_profile")}
    if exif_block := picture.getexif():
        exif_block[ORIENTATION] = 1
        for tag in _ELSEWHERE.intersection(exif_block):
            del exif_block[tag]
        options["exif"] = exif_block.tobytes()
    dpi = info.get("dpi")
    if dpi and (source != "TIFF" or 282 in picture.tag_v2):
        options["dpi"] = dpi[::-1] if move.swaps_sides else dpi
    if packet := info.get("xmp") or info.get(_PNG_XMP):
        packet = packet.encode() if isinstance(packet, str) else packet
        if not followed:
            upright = ExifOrientation.TOP_LEFT
            packet = xmp.rewritten(packet, Moved(upright, upright, move, size=picture.size))
        if form == "PNG":
            from PIL.PngImagePlugin import PngInfo

            options["pnginfo"] = texts = PngInfo()
            texts.add_itxt(_PNG_XMP, packet.decode("utf-8", "replace"))
        elif form == "TIFF":
            options["tiffinfo"] = {XMP: packet}
        else:
            options["xmp"] = packet
    return options


def _as_it_was(picture: Any, move: ExifOrientation) -> dict[str, Any]:
    """How a JPEG was compressed: its tables and the sampling of its colours."""
    from PIL.JpegImagePlugin import get_sampling

    sampling = get_sampling(picture)
    options: dict[str, Any] = {"qtables": picture.quantization, "progressive": "progression" in picture.info}
    if sampling >= 0 and picture.mode == "RGB":
        # Colours sampled half as often across would be so down, which the encoder does not do.
        options["subsampling"] = 0 if sampling == 1 and move.swaps_sides else sampling
    return options


def _with_segments(new: bytes, old: bytes) -> bytes:
    """A JPEG with the application segments and comments of another one."""
    window, source = Window(new), Window(old)
    kept = [
        old[segment.start : segment.end]
        for segment in segments(source)
        if (segment.marker in range(0xE0, 0xF0) and segment.marker != _ADOBE) or segment.marker == _COMMENT
    ]
    parts, position = [new[:2], *kept], 2
    for segment in segments(window):
        if segment.marker in range(0xE0, 0xF0) and segment.marker != _ADOBE:
            parts.append(new[position : segment.start])
            position = segment.end
    return b"".join([*parts, new[position:]])


def _check_kept(data: bytes, source: str) -> None:
    """Raise NotLossless where Pillow does not read all that a file says."""
    lost = would_lose(Window(data)) if source == "JPEG2000" else ""
    if source == "BMP" and has_profile(data):
        lost = "its colour profile"
    if lost:
        raise NotLossless(f"{lost} would be lost", remedy="use --sidecar")


def _check_depth(data: bytes, source: str, form: str, mode: str) -> None:
    if (
        form in ("PNG", "TIFF")
        and mode not in ("I;16", "I", "F")
        and source in ("PNG", "TIFF")
        and _is_deep(data, source)
    ):
        remedy = Remedy(f"{TURN}, which keeps its format", TURN.method)
        raise NotLossless("its 16 bits would become 8", remedy=remedy)


def _is_deep(data: bytes, form: str) -> bool:
    """Whether a PNG or TIFF has more than 8 bits."""
    window = Window(data)
    return window.at(24, 1) == b"\x10" if form == "PNG" else max(tiff.bits_of(window), default=8) > 8


def smaller(data: bytes, exif: ExifOrientation, most_bytes: int) -> bytes | None:
    """A JPEG as ``exif`` shows it, as good as fits into so many bytes."""
    try:
        with decoding(), opened_by_pillow(io.BytesIO(data), "JPEG") as picture:
            shown = show_pillow(picture, exif)
            for quality in (90, 80, 70, 50):
                out = io.BytesIO()
                shown.save(out, "JPEG", quality=quality)
                if out.tell() <= most_bytes:
                    return out.getvalue()
    except UprightError:
        pass
    return None


def _check(
    limits: Limits,
    rows: list[Format],
    how: Straighten,
    size: tuple[int, int],
    pixel_bytes: float = 4,
    samples: int = 0,
    clear: bool = False,
) -> None:
    copies = cost.straightened_bytes(size, pixel_bytes) if how.tilt else 0
    on_white = clear and rows[-1].name in _OPAQUE
    needed = cost.reencoded_bytes(rows, size, pixel_bytes, samples, on_white) + copies
    # It is looked at before and after; what is clear takes more then.
    seen = (cost.whole_bytes(row, size, 10 * clear) for row in rows)
    limits.check_memory(size, max(needed, *seen))


def _opened(data: bytes, row: Format | None, page: int, check: Callable[..., None]) -> Any:
    form, pixel_bytes = row.name if row else "", 4.0
    if row and row.container:
        window = Window(data)
        pixel_bytes = row.container.pixel_bytes(window, page)
        if form in _NOT_LAZY:
            check(row.container.size_px(window, page), pixel_bytes)
    if form == "HEIC":
        import pi_heif

        return pages_of(pi_heif.open_heif(io.BytesIO(data)))[page].to_pillow()
    if form == "TIFF" and read_exif_orientation(data, page=page).present:
        # Pillow turns a tagged TIFF while it loads.
        data = patch_exif_orientation(data, ExifOrientation.TOP_LEFT, page=page)
    picture = opened(data)
    if page:  # of a PSD the whole picture is no layer
        picture.seek(page)
    check(picture.size, pixel_bytes, len(picture.getbands()), bool(picture.has_transparency_data))
    if form != "AVIF":
        return picture
    # Pillow applies no box; the orientation that it gives may be that of EXIF or XMP, which say nothing here.
    return show_pillow(picture, read_exif_orientation(data, page=page).orientation)


def _fitting(image: Any, form: str) -> Any:
    """The picture in a mode that the format holds: over white where it holds no transparency."""
    clear = image.has_transparency_data
    if (form in _OPAQUE and clear) or (form == "JPEG" and image.mode not in ("L", "RGB", "CMYK")):
        return _on_white(image)
    if form in _WITHOUT_PALETTE and image.mode in ("P", "PA"):
        return image.convert("RGBA" if clear else "RGB")
    # Pillow writes a palette without what is clear in it, and grey without its alpha.
    return image.convert("RGBA") if clear and form in ("GIF", "TIFF") and image.mode in ("P", "PA", "LA") else image


def _on_white(image: Any) -> Any:
    from PIL import Image

    if image.mode in ("1", "I;16", "I", "F"):
        return image.convert("L") if image.mode == "1" else image.point(lambda v: v / 256).convert("L")
    layered = image.convert("RGBA")
    ground = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(ground, layered).convert("RGB")
