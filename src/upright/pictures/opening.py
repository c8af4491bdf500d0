"""A source opened by the function that its format's row names."""

from __future__ import annotations

from dataclasses import replace

from ..carriers import read_exif_orientation
from ..errors import UsageError
from ..formats import FORMATS, named
from .picture import Picture
from .source import Bands, OpenSource


def no_bands(bands: Bands | None, what: str, name: str) -> None:
    """Raise `UsageError` where bands were chosen."""
    if bands is not None:
        raise UsageError(f"bands of {what} cannot be chosen", source=name, remedy="leave bands out, or give a TIFF")


def opened_here(source: OpenSource) -> Picture:
    """The picture, decoded in this process. Raises what `open_picture` does."""
    row = FORMATS[source.format]
    if not row.bands:
        no_bands(source.bands, source.format, source.name)
    tag = read_exif_orientation(source.file, page=source.page)
    with source.decoding():
        picture: Picture = named(row.opener)(replace(source, exif=tag.to_apply))
    picture.warn(tag.warning)
    return picture
