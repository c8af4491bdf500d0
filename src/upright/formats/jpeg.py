"""JPEG: EXIF in the first APP1 segment of its kind, XMP in another.

A new segment goes after SOI and the APP0 segments, so before any APP2: the offsets of a multi-picture file are
counted from its own APP2 segment, which moves by as much as the pictures it points to. Growing an EXIF segment that
stands behind that APP2 would break them, and is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import Damaged
from .container import Blocks, nothing_to_seal
from .edits import Edit, Span, Window

seal = nothing_to_seal
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MAX_SEGMENTS = 4096
_MAX_GARBAGE = 1 << 16
_APP0, _APP1, _APP2, _SOS, _EOI = 0xE0, 0xE1, 0xE2, 0xDA, 0xD9
#: SOF0 to SOF15: the range without DHT, JPG and DAC.
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_BARE = {0x01, *range(0xD0, 0xD9)}


class Segment(NamedTuple):
    """A marker segment: ``start`` is its 0xFF, ``body`` follows the length, ``head`` begins the body."""

    marker: int
    start: int
    body: int
    end: int
    head: bytes


def segments(window: Window) -> Iterator[Segment]:
    """The segments between SOI and the first SOS (given too) or EOI. Ends quietly where the file does."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        head = window.at(position, 48)
        if len(head) < 2 or head[0] != 0xFF or head[1] in (0, 0xFF):
            moved = _next_marker(window, position)
            if moved is None:
                return
            position, head = moved, window.at(moved, 48)
        marker = head[1]
        if marker in _BARE:
            position += 2
            continue
        if marker == _EOI or len(head) < 4:
            return
        length = int.from_bytes(head[2:4], "big")
        if length < 2:
            return
        end = position + 2 + length
        yield Segment(marker, position, position + 4, min(end, window.size), head[4 : 2 + length])
        if marker == _SOS or end >= window.size:
            return
        position = end


def _next_marker(window: Window, position: int) -> int | None:
    """Where the next marker begins, over padding 0xFF and garbage as libjpeg skips them."""
    stretch = window.at(position, _MAX_GARBAGE)
    at = stretch.find(b"\xff")
    while 0 <= at < len(stretch) - 1:
        if 0 < stretch[at + 1] < 0xFF:
            return position + at
        at = stretch.find(b"\xff", at + 1)
    return None


def find(window: Window, page: int = 0) -> Blocks:
    """The first EXIF block, the first XMP packet, and where a multi-picture index begins."""
    tiff = xmp = mpf = None
    for segment in segments(window):
        if segment.marker == _APP1 and tiff is None and segment.head.startswith(b"Exif\0"):
            tiff = Span(segment.body + 6, segment.end)
        elif segment.marker == _APP1 and xmp is None and segment.head.startswith(_XMP):
            xmp = Span(segment.body + len(_XMP), segment.end)
        elif segment.marker == _APP2 and mpf is None and segment.head.startswith(b"MPF\0"):
            mpf = segment.start
    return Blocks(tiff, xmp, mpf)


def insert(window: Window, blocks: Blocks, block: bytes) -> list[Edit]:
    """A new APP1 segment after SOI and APP0."""
    position = 2
    for segment in segments(window):
        if segment.marker != _APP0:
            break
        position = segment.end
    if window.size < position + 2:
        raise Damaged("the JPEG is cut short")
    payload = b"Exif\0\0" + block
    return [Edit(position, b"", b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload)]


def swap_density(window: Window) -> list[Edit]:
    """The edits that exchange the horizontal and the vertical density of a JFIF header."""
    first = next(segments(window), None)
    if first is None or first.marker != _APP0 or not first.head.startswith(b"JFIF\0") or len(first.head) < 12:
        return []
    x, y = first.head[8:10], first.head[10:12]
    return [Edit(first.body + 8, x + y, y + x)] if x != y else []


def enlarge(window: Window, blocks: Blocks, edits: list[Edit], addition: bytes) -> list[Edit]:
    """The EXIF segment grows at its end."""
    assert blocks.tiff is not None
    length_at = blocks.tiff.start - 8
    length = int.from_bytes(window.exactly(length_at, 2), "big")
    if length_at + length != blocks.tiff.end:
        raise Damaged("the EXIF segment is cut short")
    if length + len(addition) > 0xFFFF:
        raise Damaged("the EXIF segment has no room for the tag")
    if blocks.mpf is not None and blocks.mpf < blocks.tiff.start:
        raise Damaged("a multi-picture index stands before the EXIF segment")
    return [
        *edits,
        window.edit(length_at, struct.pack(">H", length + len(addition))),
        Edit(blocks.tiff.end, b"", addition),
    ]
