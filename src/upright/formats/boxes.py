"""Boxes, of which HEIC, AVIF, JPEG 2000 and JPEG XL are made (ISO/IEC 14496-12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..errors import Damaged
from .edits import Edit, Span, Window

#: A grid of 512-pixel tiles for 8 gigapixels has this many properties at most.
_MAX_BOXES = 1 << 16


class Box(NamedTuple):
    """A box: its type, and where it starts, its body begins and it ends."""

    kind: bytes
    start: int
    body: int
    end: int


def boxes(window: Window, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes of a stretch of the file, one after the other. Ends quietly where they make no sense."""
    end = window.size if end is None else end
    for _ in range(_MAX_BOXES):
        head = window.at(start, min(16, end - start))
        size, body = int.from_bytes(head[:4], "big"), 8
        if size == 1 and len(head) == 16:
            size, body = int.from_bytes(head[8:], "big"), 16
        if len(head) < 8 or 0 < size < body:
            return
        yield Box(head[4:8], start, start + body, min(start + size, end) if size else end)
        if not size:
            return
        start += size


def exif_in(window: Window, span: Span) -> Span | None:
    """The EXIF block in these bytes, which begin with how far it is; ``None`` where that is outside of them."""
    start = span.start + 4 + int.from_bytes(window.exactly(span.start, 4), "big")
    return Span(start, span.end) if start < span.end else None


def enlarged(window: Window, start: int, by: int) -> list[Edit]:
    """The edit of the size that the box there has: none where it has none, and goes on to the end of the file."""
    size = int.from_bytes(window.exactly(start, 4), "big")
    if not by or not size:
        return []
    return [raised(window, start + 8, 8, by) if size == 1 else raised(window, start, 4, by)]


def raised(window: Window, at: int, width: int, by: int) -> Edit:
    """The edit that makes a number of so many bytes larger. Raises `Damaged` where it has no room."""
    new = int.from_bytes(window.exactly(at, width), "big") + by
    if new >= 1 << 8 * width:
        raise Damaged("its offsets have no room for more")
    return window.edit(at, new.to_bytes(width, "big"))
