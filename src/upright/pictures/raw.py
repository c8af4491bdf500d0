"""Raw photographs, shown as their largest preview; how they lie is in their own EXIF, or in a sidecar."""

from __future__ import annotations

import io
from dataclasses import replace

from ..carriers import sidecar
from ..formats import Window
from ..formats.raw import previews
from .jpeg import open_jpeg
from .picture import Picture
from .source import OpenSource

#: A preview is read at most this far; those of 100-megapixel cameras have 12 MB.
_MOST_BYTES = 64 << 20


def open_raw(source: OpenSource) -> Picture:
    """Open the largest preview."""
    source.check_pages(1)
    window = Window(source.file)
    found = previews(window)
    if not found:
        raise source.broken("it has no preview that can be decoded")
    beside = sidecar.existing(source.path) if source.path else None
    shown = (sidecar.read(beside) if beside else None) or source.exif
    data = window.at(found[0].start, _MOST_BYTES)
    source.file.close()
    return open_jpeg(replace(source, file=io.BytesIO(data), exif=shown))
