"""Pictures that have to be decoded whole: HEIC by pi-heif, what only Pillow reads, and pixels that are in memory."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import forks
from ..carriers import jxl
from ..errors import BrokenPicture, Damaged, UsageError
from ..extras import need
from ..formats import FORMATS, Window
from ..formats.heif import pages_of
from ..formats.jxl import Jxl
from ..formats.tiff import ORIENTATION, TILE_HEIGHT, TILE_WIDTH, Tiff
from ..machine import opened_by_pillow
from ..turns import ExifOrientation, show_pillow
from .colour import to_8_bits, to_srgb
from .picture import Box, Picture, reduced
from .source import Bands, OpenSource

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from ..limits import Limits

#: Means of whole pixels are taken, which only these modes allow.
_REDUCIBLE = ("L", "RGB", "CMYK")
#: What Pillow holds for a pixel of up to four samples: as they are read, turned, and shown.
_INSTEAD_BYTES = 16


class WholePicture(Picture):
    """A picture whose pixels ``load`` gives, once they are asked for."""

    def __init__(
        self, source: OpenSource, size: tuple[int, int], load: Callable[[], Image.Image], pages: int = 1
    ) -> None:
        super().__init__(source, size, pages)
        self._load = load

    def _decode_parts(self, boxes: list[Box], width_px: int, height_px: int) -> dict[Box, Image.Image]:
        image = self._load()
        return {box: self._cut(image, box, width_px, height_px) for box in boxes}

    def _cut(self, image: Image.Image, box: Box, width_px: int, height_px: int) -> Image.Image:
        """A part as RGB, shrunk to at least twice the size where that saves work."""
        part = image if box == (0, 0, *image.size) else image.crop(box)
        factor = min(part.width // width_px, part.height // height_px) // 2
        if part.mode in _REDUCIBLE and "transparency" not in image.info:
            part = reduced(part, factor)
        part.info = image.info
        return to_srgb(part, image.info.get("icc_profile"), self.warn)


def open_pillow(source: OpenSource) -> Picture:
    """Open what Pillow alone reads."""
    if container := FORMATS[source.format].container:
        # Pillow decodes an ICO while it opens it.
        try:
            source.check_whole(container.size_px(Window(source.file)))
        except Damaged as error:
            raise source.broken(error.cause) from error
    image = opened_by_pillow(source.file, source.format)
    position = source.file.tell()
    source.check_pages(1)
    # Transparency is laid on a ground, beside the picture and what it is without; two tones become three.
    source.check_whole(image.size, 10 if image.has_transparency_data else 5 if image.mode == "1" else 4)

    def load() -> Image.Image:
        source.file.seek(position)  # a DDS is read on from where it was opened, whatever was looked at since
        return _loaded(image)

    return WholePicture(source, image.size, load)


def open_instead(source: OpenSource, error: BrokenPicture) -> Picture:
    """Open with Pillow what libvips cannot decode: TIFF with JPEG as before 1995, with 12 bits or with tiles of planes
    apart, PNG with an odd palette. It is decoded at once. Raises ``error``, which is libvips', where Pillow cannot, and
    where it says that the bytes are damaged.
    """
    if source.bands is not None or not error.unknown_kind:
        raise error
    try:
        image = opened_by_pillow(source.file, source.format)
        image.seek(source.page)
        tiff = source.format == "TIFF"
        orientation = image.getexif().get(ORIENTATION, 1) if tiff else 1
        pages = Tiff().pages(Window(source.file)) if tiff else getattr(image, "n_frames", 1)
    except Exception:
        raise error from None
    source.check_pages(pages)
    tile = getattr(image, "tag_v2", {})
    pixels = max(image.width * image.height, tile.get(TILE_WIDTH, 0) * tile.get(TILE_HEIGHT, 0))
    source.limits.check_memory(image.size, pixels * _INSTEAD_BYTES, source.name)
    try:
        image.load()
    except Exception:
        raise error from None
    # Pillow turns a TIFF while it loads it.
    stored = show_pillow(image, ExifOrientation(orientation).inverse) if orientation in range(1, 9) else image
    stored.info = image.info
    return WholePicture(source, stored.size, lambda: stored, pages)


def open_heif(source: OpenSource) -> Picture:
    """Open a picture of a HEIC file."""
    import pi_heif

    source.file.seek(0)
    file = pi_heif.open_heif(source.file)
    source.check_pages(len(file))
    image = pages_of(file)[source.page]
    source.check_whole(image.size, len(image.mode))
    return WholePicture(source, image.size, image.to_pillow, len(file))


def open_jxl(source: OpenSource) -> Picture:
    """Open a JPEG XL. Its decoder shows it as its header says; of one made from a JPEG it gives that JPEG's pixels."""
    need("pillow_jxl", "jxl", source=source.name)
    source.check_pages(1)
    source.check_whole(Jxl().size_px(Window(source.file)))  # the decoder opens a file by decoding it
    try:
        image = opened_by_pillow(source.file, source.format)
    except RuntimeError as error:  # which advises to build libjxl in another way
        raise source.broken("libjxl cannot decode it") from error
    shown = jxl.orientation(Window(source.file)) if image.jpeg else ExifOrientation.TOP_LEFT
    return WholePicture(replace(source, exif=shown), image.size, lambda: _loaded(image))


def open_image(image: Image.Image, limits: Limits, page: int) -> Picture:
    """A Pillow image of any mode, shown as its EXIF tag says. It stays the caller's: neither closed nor changed."""
    if page:
        raise UsageError("an open Pillow image is one page", remedy="seek() it before")
    name = str(getattr(image, "filename", "") or "<image>")
    source = _in_memory(name, image.format or "ARRAY", limits)
    with source.decoding(), _turn_of(image):
        # Pillow turns a TIFF while it loads, and the tag is gone then; to find that of a PNG it loads it.
        raw = 1 if image.format == "TIFF" else image.getexif().get(ORIENTATION, 1)
    exif = ExifOrientation(raw) if raw in range(1, 9) else ExifOrientation.TOP_LEFT
    return WholePicture(replace(source, exif=exif), image.size, lambda: _loaded(image))


def open_array(array: NDArray[Any], limits: Limits, bands: Bands | None = None) -> Picture:
    """An array ``[h, w]`` or ``[h, w, 1 to 4]`` (grey, grey and alpha, RGB, RGBA) of numbers or truth values.

    With ``bands`` an array ``[h, w, n]`` of any depth, of which these three, counted from 1, are shown.
    """
    import numpy as np
    from PIL import Image

    source = _in_memory("<array>", "ARRAY", limits)
    if bands is not None and array.ndim in (2, 3):
        stack = array if array.ndim == 3 else array[:, :, None]
        replace(source, bands=bands).check_bands(stack.shape[2])
        array = stack[:, :, [band - 1 for band in bands]]
    fits = array.ndim == 2 or (array.ndim == 3 and 1 <= array.shape[2] <= 4)
    if not fits or array.dtype.kind not in "buif" or not array.size:
        raise UsageError(
            f"an array of {array.dtype} {list(array.shape)} is not a picture", remedy="give [h, w] or [h, w, 1 to 4]"
        )
    values = array * np.uint8(255) if array.dtype.kind == "b" else to_8_bits(array)
    values = values[:, :, 0] if values.ndim == 3 and values.shape[2] == 1 else values
    image = Image.fromarray(np.ascontiguousarray(values))
    return WholePicture(source, image.size, lambda: image)


def _in_memory(name: str, form: str, limits: Limits) -> OpenSource:
    return OpenSource(name, None, io.BytesIO(), form, limits, in_memory=True)


#: Pillow reads the file of an image when it is first asked for pixels: threads that were given the same one take turns.
_TURNS = tuple(forks.Lock() for _ in range(64))


def _turn_of(image: Image.Image) -> forks.Lock:
    return _TURNS[id(image) // 64 % len(_TURNS)]


def _loaded(image: Image.Image) -> Image.Image:
    with _turn_of(image):
        image.load()
    return image
