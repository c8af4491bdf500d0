"""A picture in: any source, opened lazily, its pixels shrunk while they are decoded."""

from __future__ import annotations

import sys
from typing import Any

from ..limits import DEFAULT_LIMITS, Limits
from .apart import opened
from .picture import Box, Picture, squash
from .source import Bands, Source, no_bands, open_source, reading
from .whole import open_array, open_image

__all__ = ["Bands", "Box", "Limits", "Picture", "Source", "open_picture", "squash"]


def open_picture(
    source: Source, *, page: int = 0, limits: Limits = DEFAULT_LIMITS, bands: Bands | None = None
) -> Picture:
    """Open a picture. Its content decides its format, not its name.

    Args:
        source: a path, bytes, a binary stream, an array ``[h, w]`` or ``[h, w, 1 to 4]``, or a Pillow image.
        page: of a file with several pages or frames, counted from 0.
        limits: resource limits.
        bands: which three, counted from 1, are shown as red, green and blue; of TIFF, PNG, WebP, GIF, AVIF and
            arrays ``[h, w, n]`` of any depth. ``None``: the first three, or the one that there is.

    Raises:
        SourceMissing, NotAPicture, BrokenPicture, TooLarge: see `upright.errors`.
        UsageError: there is no such page or band, or the source is of no type that can be a picture.
    """
    in_memory = _in_memory(source, page, limits, bands)
    if in_memory is not None:
        return in_memory
    source_file = open_source(source, limits, page, bands)
    try:
        with reading(source_file.name):
            return opened(source_file)
    except BaseException:
        source_file.file.close()
        raise


def _in_memory(source: Any, page: int, limits: Limits, bands: Bands | None) -> Picture | None:
    """An array or a Pillow image; neither library is imported to find out that it is neither."""
    # Another thread may be importing them right now: a module without the class yet has made no source.
    array = getattr(sys.modules.get("numpy"), "ndarray", None)
    image = getattr(sys.modules.get("PIL.Image"), "Image", None)
    if array is not None and isinstance(source, array):
        return open_array(source, limits, bands)
    if image is not None and isinstance(source, image):
        no_bands(bands, "a Pillow image", "<image>")
        return open_image(source, limits, page)
    return None
