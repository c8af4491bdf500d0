"""Small pictures outside of the EXIF block: Photoshop's, and those in a JPEG's own header (JFIF, JFXX).

They lie as the stored pixels do and move along with them; one that cannot is emptied.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..formats import Blocks, Edit, Span, Window
from ..turns import ExifOrientation, show_array
from .moved import Moved

#: Image resources (Adobe Photoshop File Formats): who signs them, and the two that are thumbnails.
_SIGNED, _THUMBNAILS = (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"), (1033, 1036)
#: Before the pixels: format (1: JPEG), width, height, bytes of a line, of all, of the JPEG, bits, planes.
_HEAD = struct.Struct(">6I2H")
#: What a JFXX segment holds, and what is between its width and height and its pixels.
_JPEG, _PALETTE, _RGB = 0x10, 0x11, 0x13
_COLOURS = {_PALETTE: (768, 1), _RGB: (0, 3)}


def follow(window: Window, blocks: Blocks, moved: Moved) -> list[Edit]:
    """The edits of those that there are, where pixels move."""
    if moved.pixels == ExifOrientation.TOP_LEFT:
        return []
    edits = [edit for span in _resources(window, blocks) for edit in _photoshop(window, span, moved)]
    return edits + [edit for span in blocks.jfif for edit in _jfif(window, span, moved)]


def present(window: Window, blocks: Blocks) -> int:
    """How many there are that could be emptied."""
    coded = [Span(span.start + 6, span.end) for span in blocks.jfif if _coded(window, span)]
    return sum(any(window.at(span.start, 8)) for span in [*_resources(window, blocks), *coded])


def _resources(window: Window, blocks: Blocks) -> Iterator[Span]:
    """The data of Photoshop's thumbnails."""
    for span in blocks.resources:
        at = span.start
        while at + 12 <= span.end and window.at(at, 4) in _SIGNED:
            number, name = struct.unpack(">HB", window.at(at + 4, 3))
            start = at + 6 + (name + 2) // 2 * 2 + 4
            size = int.from_bytes(window.at(start - 4, 4), "big")
            if start + size > span.end:
                break
            if number in _THUMBNAILS and size > _HEAD.size:
                yield Span(start, start + size)
            at = start + size + size % 2


def _photoshop(window: Window, span: Span, moved: Moved) -> Iterator[Edit]:
    form, width, height, _, _, _, bits, planes = _HEAD.unpack(window.at(span.start, _HEAD.size))
    old = window.at(span.start, span.end - span.start)
    pixels = old[_HEAD.size :]
    new = moved.thumbnail(pixels, moved.pixels, len(pixels)) if moved.thumbnail and form == 1 else None
    if new is None:
        yield Edit(span.start, old, bytes(len(old)))
        return
    if moved.pixels.swaps_sides:
        width, height = height, width
    line = (width * bits + 31) // 32 * 4
    head = _HEAD.pack(form, width, height, line, line * height * planes, len(new), bits, planes)
    yield Edit(span.start, old, head + new.ljust(len(pixels), b"\0"))


def _coded(window: Window, span: Span) -> bool:
    return window.at(span.start, 6) == b"JFXX\0%c" % _JPEG


def _jfif(window: Window, span: Span, moved: Moved) -> Iterator[Edit]:
    """An APP0 segment: a picture of RGB behind the density, or one of three kinds in an extension."""
    head = window.at(span.start, 6)
    if _coded(window, span):
        old = window.at(span.start + 6, span.end - span.start - 6)
        new = moved.thumbnail(old, moved.pixels, len(old)) if moved.thumbnail else None
        yield Edit(span.start + 6, old, (new or b"").ljust(len(old), b"\0"))
        return
    kind, at = (_RGB, 12) if head.startswith(b"JFIF\0") else (head[5] if head.startswith(b"JFXX\0") else 0, 6)
    between, channels = _COLOURS.get(kind, (0, 0))
    width, height = window.at(span.start + at, 2).ljust(2, b"\0")
    start, size = span.start + at + 2 + between, width * height * channels
    if size and start + size <= span.end:
        import numpy as np

        old = window.at(start, size)
        shown = show_array(np.frombuffer(old, np.uint8).reshape(height, width, channels), moved.pixels)
        yield Edit(start, old, shown.tobytes())
        if moved.pixels.swaps_sides:
            yield window.edit(span.start + at, bytes((height, width)))
