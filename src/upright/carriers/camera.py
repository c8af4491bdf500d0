"""Which device took a picture, and when, by its EXIF."""

from __future__ import annotations

from datetime import datetime
from typing import BinaryIO, NamedTuple

from ..errors import Damaged
from ..formats import Window, format_in
from ..formats.tiff import EXIF, Directory, directory

_MAKE, _MODEL, _TAKEN = 0x010F, 0x0110, 0x9003
#: The longest text that is read; EXIF has none of a camera that is longer.
_MOST_BYTES = 256


class Taken(NamedTuple):
    """Maker and model as they are written, and the time in the camera's own zone."""

    device: str
    when: datetime


def read_taken(file: BinaryIO) -> Taken | None:
    """Device and time of a picture; ``None`` where its metadata do not have both, or are damaged."""
    window = Window(file)
    row = format_in(window)
    if row is None or row.container is None:
        return None
    try:
        span = row.container.find(window).tiff
        if span is None:
            return None
        first = directory(window, span)
        if (entry := first.find(EXIF)) is None:
            return None
        taken = _text(window, first.inner(window, span, entry), _TAKEN)
        when = datetime.strptime(taken, "%Y:%m:%d %H:%M:%S")
    except (Damaged, ValueError):
        return None
    device = f"{_text(window, first, _MAKE)} {_text(window, first, _MODEL)}".strip()
    return Taken(device, when) if device else None


def _text(window: Window, found: Directory, tag: int) -> str:
    field = found.find(tag)
    if field is None or field.kind != 2 or field.number > _MOST_BYTES:
        return ""
    return window.at(field.value.start, field.number).split(b"\0")[0].decode("ascii", "replace").strip()
