"""WebP: EXIF and XMP chunks of the extended (VP8X) form; a simple file is made extended before it gets one."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..errors import Damaged
from .container import Blocks, nothing_to_seal
from .edits import Edit, Span, Window

seal = nothing_to_seal
_MAX_CHUNKS = 1 << 16
_EXIF_FLAG, _ALPHA_FLAG = 0x08, 0x10


def chunks(window: Window) -> Iterator[tuple[bytes, int, int]]:
    """``(type, start of the chunk, length of its data)`` up to the end of the RIFF. Ends where the file does."""
    position, end = 12, min(window.size, 8 + int.from_bytes(window.at(4, 4), "little"))
    for _ in range(_MAX_CHUNKS):
        head = window.at(position, 8)
        if len(head) < 8 or position >= end:
            return
        length = int.from_bytes(head[4:], "little")
        yield head[:4], position, length
        position += 8 + length + length % 2


def find(window: Window, page: int = 0) -> Blocks:
    """The first EXIF and the first XMP chunk."""
    tiff = xmp = None
    for kind, start, length in chunks(window):
        body, end = start + 8, min(start + 8 + length, window.size)
        if kind == b"EXIF" and tiff is None:
            tiff = Span(body + 6 * (window.at(body, 6) == b"Exif\0\0"), end)
        elif kind == b"XMP " and xmp is None:
            xmp = Span(body, end)
    return Blocks(tiff, xmp)


def insert(window: Window, blocks: Blocks, block: bytes) -> list[Edit]:
    """A new EXIF chunk after the pixels and before XMP, the flag set, the RIFF grown."""
    found = list(chunks(window))
    if not found:
        raise Damaged("the WebP has no chunks")
    kind, start, _ = found[0]
    if kind == b"VP8X":
        flags = window.exactly(start + 8, 1)[0]
        edits = [window.edit(start + 8, bytes([flags | _EXIF_FLAG]))] if not flags & _EXIF_FLAG else []
    else:
        edits = [Edit(start, b"", _extended(window, kind, start))]
    last = found[-1][1] + 8 + found[-1][2]
    at = next((s for k, s, _ in found if k == b"XMP "), last + last % 2)
    if window.size < at:
        raise Damaged("the WebP is cut short")
    edits.append(Edit(at, b"", b"EXIF" + struct.pack("<I", len(block)) + block))
    return [*edits, _riff(window, edits)]


def enlarge(window: Window, blocks: Blocks, edits: list[Edit], addition: bytes) -> list[Edit]:
    """The EXIF chunk grows at its end."""
    assert blocks.tiff is not None
    for _, start, length in chunks(window):
        if start + 8 <= blocks.tiff.start and start + 8 + length == blocks.tiff.end:
            break
    else:
        raise Damaged("the EXIF chunk is cut short")
    grown = length + len(addition)
    pad = window.at(blocks.tiff.end, length % 2)
    edits = [
        *edits,
        window.edit(start + 4, struct.pack("<I", grown)),
        Edit(blocks.tiff.end, pad, addition + b"\0" * (grown % 2)),
    ]
    return [*edits, _riff(window, edits)]


def _riff(window: Window, edits: list[Edit]) -> Edit:
    size = int.from_bytes(window.exactly(4, 4), "little") + sum(len(e.new) - len(e.old) for e in edits)
    if not 0 < size < 1 << 32:
        raise Damaged("the WebP has no room for the tag")
    return window.edit(4, struct.pack("<I", size))


def _extended(window: Window, kind: bytes, start: int) -> bytes:
    """A VP8X chunk for a file that has only pixels."""
    head = window.exactly(start + 8, 10 if kind == b"VP8 " else 5)
    flags = _EXIF_FLAG
    if kind == b"VP8 " and head[3:6] == b"\x9d\x01\x2a":
        width, height = (v & 0x3FFF for v in struct.unpack_from("<HH", head, 6))
    elif kind == b"VP8L" and head[0] == 0x2F:
        bits = int.from_bytes(head[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags |= _ALPHA_FLAG * (bits >> 28 & 1)
    else:
        raise Damaged("the WebP begins with no known pixels")
    if not width or not height:
        raise Damaged("the WebP has no size")
    size: bytes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X" + struct.pack("<I", 10) + bytes([flags, 0, 0, 0]) + size
