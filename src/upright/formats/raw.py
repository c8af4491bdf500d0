"""Raw photographs (CR2, CR3, NEF, ARW, DNG, ORF, RW2, RAF, PEF): where their previews are, and how they are shown.

Nothing of them is ever written. A preview is any JPEG in the file whose header can be read: makers put them into a
dozen places, and all of them are whole JPEG files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from ..errors import Damaged
from .container import Container
from .edits import Span, Window
from .jpeg import Jpeg, read_header
from .tiff import ORIENTATION, directory_at

#: The beginning of a JPEG: its first segment is one of those that writers begin with.
_START = re.compile(rb"\xff\xd8\xff[\xdb\xc0-\xc4\xe0-\xef\xfe]")
_CHUNK, _MOST_HEADER = 1 << 22, 1 << 18
#: Raw files of 150 megapixels have 300 MB. A hostile one may be all beginnings; each that is tried costs 9 ms at most.
_MOST_BYTES, _MOST_TRIED, _MOST_FOUND = 1 << 30, 200, 64
#: Where the EXIF of a CR3 is, and the end of the boxes that hold it.
_CMT1, _CR3_HEAD = b"CMT1", 1 << 16


class Preview(NamedTuple):
    """A JPEG in a file."""

    start: int
    width: int
    height: int


def previews(window: Window) -> list[Preview]:
    """All previews that libjpeg can decode, the largest first."""
    found = []
    for start in islice(_starts(window), _MOST_TRIED):
        part = Window(window.at(start, _MOST_HEADER))
        try:
            frame = read_header(part, _MOST_HEADER).frame
        except Damaged:
            continue
        # The raw data of many are a JPEG of 12 or 14 bits, or a lossless one (SOF3).
        if frame.precision == 8 and frame.marker in (0xC0, 0xC1, 0xC2) and frame.width and frame.height:
            found.append(Preview(start, frame.width, frame.height))
        if len(found) == _MOST_FOUND:
            break
    return sorted(found, key=lambda each: -each.width * each.height)


def _starts(window: Window) -> Iterator[int]:
    for position in range(0, min(window.size, _MOST_BYTES), _CHUNK):
        stretch = window.at(position, _CHUNK + 3)
        yield from (position + match.start() for match in _START.finditer(stretch) if match.start() < _CHUNK)


def exif_of(window: Window) -> tuple[Window, Span] | None:
    """The window and the span of the TIFF structure that describes the picture."""
    head = window.at(0, 16)
    if head[:2] in (b"II", b"MM"):
        return window, Span(0, window.size)
    if head.startswith(b"FUJIFILM"):
        start = int.from_bytes(window.at(84, 4), "big")
        part = Window(window.at(start, _MOST_HEADER))
        span = Jpeg().find(part).tiff
        return (part, span) if span else None
    boxes = window.at(0, _CR3_HEAD)
    at = boxes.find(_CMT1)
    return (window, Span(at + 4, at - 4 + int.from_bytes(boxes[at - 4 : at], "big"))) if at >= 4 else None


class Raw(Container):
    """A raw photograph, as its largest preview shows it."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """Of the largest preview."""
        found = previews(window)
        return (found[0].width, found[0].height) if found else (0, 0)

    def orientation(self, window: Window) -> int:
        """The number of the tag in its first directory, 1 where there is none. Raises `Damaged`."""
        if (found := exif_of(window)) is None:
            return 1
        block, span = found
        order = "<" if block.at(span.start, 2) == b"II" else ">"
        # Olympus and Panasonic have numbers of their own where TIFF has 42.
        first = directory_at(block, span, order, False, span.start + 4)
        return first.number(block, ORIENTATION, 1)
