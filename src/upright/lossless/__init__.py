"""Stored pixels turned without loss, and the proof that nothing was lost; and, when asked for, encoded again."""

from __future__ import annotations

from ..carriers import with_pixels_moved, with_sides
from ..errors import TAG, Damaged, NotLossless, UprightError
from ..formats import Container, Window, cost, format_in, named
from ..formats.jpeg import Jpeg, whole_end
from ..limits import DEFAULT_LIMITS, Limits
from ..turns import ExifOrientation
from . import turbojpeg
from .proof import decoding
from .reencode import reencoded, smaller
from .straighten import LEAST_TILT, Straighten

__all__ = ["LEAST_TILT", "Straighten", "parted", "reencoded", "turned"]

#: Pixels. Cameras write 160 x 120; a header in 64 kB can claim four gigapixels.
_MOST_OF_THUMBNAIL = 4_000_000
#: What programs and servers leave behind the end of a file: zeros, and the end of a line.
_PADDING = b"\0\r\n"


def turned(data: bytes, exif: ExifOrientation, edge: str = "refuse", limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The same picture with stored pixels as ``exif`` shows the old ones, and its tag, where it has one, set to 1.

    ``edge`` is "refuse" or "trim" (JPEG blocks that are not whole). The result has been decoded (JPEG: its
    coefficients have been turned back) and found equal. Raises NotLossless, BrokenPicture, TooLarge, or EngineError
    where libturbojpeg is missing.
    """
    row = format_in(Window(data))
    container = row.container if row and row.turner else None
    if row is None or container is None:
        form = row.name if row else "this format"
        raise NotLossless(f"pixels of {form} cannot be turned without loss", remedy=TAG)
    try:
        plain = with_pixels_moved(data, exif, _thumbnail)
    except Damaged as error:
        raise NotLossless(error.cause, remedy=TAG) from error
    window = Window(plain)
    if (pages := container.pages(window)) != 1:
        raise NotLossless(f"it has {pages} {row.holds or 'frames'}")
    size, pixel_bytes = container.size_px(window), container.pixel_bytes(window)
    if cost.is_cut_short(row, size, window.size):
        raise NotLossless(f"the {row.name} is cut short", remedy=TAG)
    rest = _rest(container, window, TAG if row.carriers else "use --sidecar")
    limits.check_memory(size, cost.turned_bytes(row, size, pixel_bytes), instead=TAG)
    with decoding():
        result: bytes = named(row.turner)(plain, exif, edge)
    if edge == "trim" and row.name == "JPEG":
        result = with_sides(result, container.size_px(Window(result)))
    return result + rest


def parted(window: Window) -> tuple[bytes, bytes, str]:
    """A picture, the bytes that follow it, and what in it is lost where it is encoded again ("": nothing known)."""
    row, end, foreign = format_in(window), window.size, ""
    try:
        if row and row.name == "JPEG":
            end = whole_end(window) or end
        elif row and row.container:
            end, foreign = min(row.container.end(window), end), row.container.foreign(window)
    except Damaged:
        pass
    return window.at(0, end), window.at(end, window.size), foreign


def _rest(container: Container, window: Window, remedy: str) -> bytes:
    """Padding behind the structure, which is kept. Raises NotLossless for all that a file written anew would lack."""
    try:
        end, foreign = container.end(window), container.foreign(window)
    except Damaged as error:
        raise NotLossless(error.cause, remedy=remedy) from error
    rest = window.at(end, window.size)
    if rest.strip(_PADDING):
        raise NotLossless(f"{len(rest)} bytes follow the picture", remedy=remedy)
    if foreign:
        raise NotLossless(f"{foreign} would be lost", remedy=remedy)
    return rest


def _thumbnail(data: bytes, exif: ExifOrientation, most_bytes: int) -> bytes | None:
    """A thumbnail turned without loss, or compressed again where its sides are not whole blocks."""
    try:
        width, height = Jpeg().size_px(Window(data))
        if width * height > _MOST_OF_THUMBNAIL:
            return None
        found = turbojpeg.transform(data, exif, turbojpeg.PERFECT | turbojpeg.COPY_NONE)
        if len(found) <= most_bytes:
            return found
    except Damaged:
        return None
    except UprightError:
        pass
    return smaller(data, exif, most_bytes)
