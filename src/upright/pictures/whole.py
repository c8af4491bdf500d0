"""Formats that have to be decoded whole: HEIC by pi-heif, and what only Pillow reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .arrays import cut
from .picture import DECODE_ERRORS, Box, Picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from ..turns import ExifOrientation
    from .limits import Limits
    from .picture import Bands
    from .source import OpenSource


def open_heif(
    source: OpenSource, limits: Limits, page: int, exif: ExifOrientation, bands: Bands | None
) -> WholePicture:
    """Open a picture of a HEIC file by pi-heif."""
    return WholePicture(source, limits, page, exif, _read_heif)


def open_pillow(
    source: OpenSource, limits: Limits, page: int, exif: ExifOrientation, bands: Bands | None
) -> WholePicture:
    """Open what Pillow alone reads."""
    return WholePicture(source, limits, page, exif, _read_pillow)


class WholePicture(Picture):
    """A picture that is decoded whole once it is asked for its pixels."""

    def __init__(
        self,
        source: OpenSource,
        limits: Limits,
        page: int,
        exif: ExifOrientation,
        read: Callable[[OpenSource, int], tuple[Any, int]],
    ) -> None:
        self.name, self.format = source.name, source.format
        try:
            self._image, pages = read(source, page)
        except DECODE_ERRORS as error:
            raise self._broken(error) from error
        limits.check_pages(page, pages, source.name)
        super().__init__(source, limits, self._image.size, page=page, pages=pages, exif=exif)
        limits.check_whole(*self._stored_size, source.name, source.format)

    def _decode(self, width_px: int, height_px: int) -> Image.Image:
        box = (0, 0, *self._stored_size)
        return self._decode_parts([box], width_px, height_px)[box]

    def _decode_parts(self, boxes: list[Box], width_px: int, height_px: int) -> dict[Box, Image.Image]:
        try:
            image = _decoded(self._image)
        except DECODE_ERRORS as error:
            raise self._broken(error) from error
        return {box: cut(image, box, width_px, height_px, self.warn) for box in boxes}


def _read_pillow(source: OpenSource, page: int) -> tuple[Any, int]:
    from PIL import Image

    Image.preinit()
    if source.format not in Image.OPEN:
        Image.init()
    # Not Image.open, which applies a process-wide limit of pixels that is not ours.
    source.file.seek(0)
    return Image.OPEN[source.format][0](source.file, ""), 1


def _read_heif(source: OpenSource, page: int) -> tuple[Any, int]:
    import pi_heif

    source.file.seek(0)
    heif = pi_heif.open_heif(source.file)
    return heif[page if 0 <= page < len(heif) else 0], len(heif)


def _decoded(image: Any) -> Image.Image:
    """A Pillow image with its pixels, of a Pillow or a pi-heif one."""
    if not hasattr(image, "to_pillow"):
        image.load()
        return image  # type: ignore[no-any-return]
    decoded: Image.Image = image.to_pillow()
    return decoded
