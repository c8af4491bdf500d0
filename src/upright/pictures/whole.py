"""Formats that have to be decoded whole: HEIC by pi-heif, and what only Pillow reads."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .arrays import cut
from .picture import DECODE_ERRORS, Box, Picture

if TYPE_CHECKING:
    from PIL import Image

    from ..turns import ExifOrientation
    from .limits import Limits
    from .source import OpenSource

#: Where Pillow reads a format. Not Image.open, which applies a process-wide limit of pixels that is not ours.
_PLUGINS = {
    "BMP": ("BmpImagePlugin", "BmpImageFile"),
    "JPEG2000": ("Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "PSD": ("PsdImagePlugin", "PsdImageFile"),
    "QOI": ("QoiImagePlugin", "QoiImageFile"),
    "ICO": ("IcoImagePlugin", "IcoImageFile"),
    "DDS": ("DdsImagePlugin", "DdsImageFile"),
    "PCX": ("PcxImagePlugin", "PcxImageFile"),
    "PPM": ("PpmImagePlugin", "PpmImageFile"),
}


class WholePicture(Picture):
    """A picture that is decoded whole once it is asked for its pixels."""

    def __init__(self, source: OpenSource, limits: Limits, page: int, exif: ExifOrientation) -> None:
        self.name, self.format = source.name, source.format
        try:
            self._image, pages = _open_heif(source, page) if source.format == "HEIC" else _open_pillow(source, page)
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


def _open_pillow(source: OpenSource, page: int) -> tuple[Any, int]:
    module, name = _PLUGINS[source.format]
    source.file.seek(0)
    image = getattr(import_module(f"PIL.{module}"), name)(source.file)
    return image, 1


def _open_heif(source: OpenSource, page: int) -> tuple[Any, int]:
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
