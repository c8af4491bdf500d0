"""Pictures decoded in a process of their own, because they may take long: it can be killed, and yields to others.

Which these are follows from their format and size (`upright.formats.cost`); all others are decoded here, unless a
process was forked from one that used libvips.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import workers
from ..carriers import read_exif_orientation
from ..errors import BrokenPicture
from ..formats import FORMATS, named
from ..formats.cost import has_to_be_apart
from ..machine import lacks_libvips
from .picture import Box, Picture
from .source import OpenSource, no_bands, open_source
from .whole import open_instead

if TYPE_CHECKING:
    from PIL import Image

    from ..limits import Limits

    #: A Pillow image of mode RGB: size and bytes.
    Pixels = tuple[tuple[int, int], bytes]

#: In a worker: the picture that it decodes.
_here: list[Picture] = []


def opened(source: OpenSource) -> Picture:
    """The picture, decoded here or in a worker. Raises what `open_picture` does."""
    row = FORMATS[source.format]
    if not workers.THERE:
        return opened_here(source)
    if row.apart or lacks_libvips():
        return ApartPicture(source)
    picture = opened_here(source)
    frames = source.page + 1 if row.holds == "frames" else 1
    return ApartPicture(source) if has_to_be_apart(row, picture.stored_size, frames) else picture


def opened_here(source: OpenSource) -> Picture:
    """The picture, opened in this process by the function that its format's row names."""
    row = FORMATS[source.format]
    if not row.bands:
        no_bands(source.bands, source.format, source.name)
    tag = read_exif_orientation(source.file, page=source.page)
    with source.decoding():
        picture: Picture = named(row.opener)(replace(source, exif=tag.to_apply))
    picture.warn(tag.warning)
    return picture


def opened_alone(source: OpenSource, error: BrokenPicture) -> Picture:
    """What libvips cannot decode, looked at where no other picture is, and opened by Pillow where that helps.

    libvips keeps the errors of all threads in one place: what this one was told may be of another's picture.
    Raises what is wrong with this one.
    """
    if workers.THERE and not workers.bounded():
        return ApartPicture(source)
    return open_instead(source, error)


class ApartPicture(Picture):
    """A picture whose decoder is in a worker, which is killed when it takes longer than ``timeout_s``."""

    def __init__(self, source: OpenSource) -> None:
        self._worker = workers.take()
        self._source = source
        where = str(Path(source.path).absolute()) if source.path is not None else source.read_bytes()
        try:
            size, pages, exif, warnings = self._call("open_here", where, source.limits, source.page, source.bands)
            super().__init__(replace(source, exif=exif), size, pages)
        except BaseException:
            workers.give(self._worker)
            raise
        self._warnings += warnings

    def _call(self, function: str, *args: Any) -> Any:
        place, source = f"{__name__}:{function}", self._source
        return self._worker.call(place, *args, limits=source.limits, source=source.name, progress=self.progress)

    def _decode(self, width_px: int, height_px: int) -> Image.Image:
        pixels, warnings = self._call("decoded_here", width_px, height_px)
        return self._received(pixels, warnings)

    def squash(self, size: tuple[int, int]) -> Image.Image:
        """There, too: a page is drawn in twice the size, or more, and a view takes less to hand over."""
        pixels, warnings = self._call("squashed_here", size)
        return self._received(pixels, warnings)

    def _decode_parts(self, boxes: list[Box], width_px: int, height_px: int) -> dict[Box, Image.Image]:
        parts, warnings = self._call("parts_here", boxes, width_px, height_px)
        return {box: self._received(pixels, warnings) for box, pixels in parts.items()}

    def _received(self, pixels: Pixels, warnings: tuple[str, ...]) -> Image.Image:
        from PIL import Image

        for warning in warnings:
            self.warn(warning)
        return Image.frombytes("RGB", *pixels)

    def close(self) -> None:
        """Let go of the worker and of the file."""
        if self._worker.alive:
            with suppress(Exception):
                self._call("close_here")
            workers.give(self._worker)
        super().close()


def open_here(
    where: str | bytes, limits: Limits, page: int, bands: Any
) -> tuple[tuple[int, int], int, Any, tuple[str, ...]]:
    """In a worker: open a picture; its stored size, pages, EXIF orientation and warnings."""
    close_here()
    picture = opened_here(open_source(where, limits, page, bands))
    picture.progress = workers.tell
    _here.append(picture)
    return picture.stored_size, picture.pages, picture.exif, picture.warnings


def decoded_here(width_px: int, height_px: int) -> tuple[Pixels, tuple[str, ...]]:
    """In a worker: all of it, as `Picture.stored` gives it, and the warnings so far."""
    image = _here[0].stored(width_px, height_px)
    return (image.size, image.tobytes()), _here[0].warnings


def squashed_here(size: tuple[int, int]) -> tuple[Pixels, tuple[str, ...]]:
    """In a worker: all of it as shown, as `Picture.squash` gives it, and the warnings so far."""
    image = _here[0].squash(size)
    return (image.size, image.tobytes()), _here[0].warnings


def parts_here(boxes: list[Box], width_px: int, height_px: int) -> tuple[dict[Box, Pixels], tuple[str, ...]]:
    """In a worker: parts of it, as `Picture.stored_parts` gives them, and the warnings so far."""
    parts = _here[0].stored_parts(boxes, width_px, height_px)
    return {box: (image.size, image.tobytes()) for box, image in parts.items()}, _here[0].warnings


def close_here() -> None:
    """In a worker: let go of the picture."""
    while _here:
        _here.pop().close()
