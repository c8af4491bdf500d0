"""WebP: EXIF and XMP chunks of the extended (VP8X) form; a simple file is made extended before it gets one."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..errors import Damaged
from .container import Blocks, Container, blocks_of, chunk_of
from .edits import Edit, Window

_MAX_CHUNKS = 1 << 16
#: Chunks of one picture, of which there is one each.
_KNOWN = (b"VP8X", b"ICCP", b"ALPH", b"VP8 ", b"VP8L", b"EXIF", b"XMP ")
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


class Webp(Container):
    """WebP, of one picture or of frames (ANMF)."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """From the first chunk: the canvas of VP8X, or a picture's own header."""
        return _header(window)[1:]

    def pages(self, window: Window) -> int:
        """The chunks ANMF."""
        return max(1, sum(kind == b"ANMF" for kind, _, _ in chunks(window)))

    def end(self, window: Window) -> int:
        """Behind the last chunk."""
        ends = (start + 8 + length + length % 2 for _, start, length in chunks(window))
        return max(ends, default=window.size)

    def foreign(self, window: Window) -> str:
        """Chunks that are no part of one picture, and second ones."""
        rest = [kind for kind, _, _ in chunks(window)]
        for kind in _KNOWN:
            if kind in rest:
                rest.remove(kind)
        return f"its chunk {rest[0].decode('latin-1')!r}" if rest else ""

    def find(self, window: Window, page: int = 0) -> Blocks:
        """The first EXIF and the first XMP chunk."""
        return blocks_of(window, chunks(window), b"EXIF", b"XMP ")

    def insert(self, window: Window, blocks: Blocks, block: bytes) -> list[Edit]:
        """A new EXIF chunk after the pixels and before XMP, the flag set, the RIFF grown."""
        found, (flags, width, height) = list(chunks(window)), _header(window)
        if not found:
            raise Damaged("the WebP says that it is empty")
        if found[0][0] == b"VP8X":
            edits = [] if flags & _EXIF_FLAG else [window.edit(20, bytes([flags | _EXIF_FLAG]))]
        else:
            size: bytes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
            edits = [Edit(12, b"", b"VP8X\x0a\0\0\0" + bytes([flags | _EXIF_FLAG, 0, 0, 0]) + size)]
        last = found[-1][1] + 8 + found[-1][2]
        at = next((s for k, s, _ in found if k == b"XMP "), last + last % 2)
        if window.size < at:
            raise Damaged("the WebP is cut short")
        edits.append(Edit(at, b"", b"EXIF" + struct.pack("<I", len(block)) + block))
        return [*edits, _riff(window, edits)]

    def enlarge(self, window: Window, blocks: Blocks, edits: list[Edit], addition: bytes) -> list[Edit]:
        """The EXIF chunk grows at its end."""
        assert blocks.tiff is not None
        start = chunk_of(chunks(window), blocks.tiff)
        length = blocks.tiff.end - start - 8
        grown = length + len(addition)
        pad = window.at(blocks.tiff.end, length % 2)
        longer = window.edit(start + 4, struct.pack("<I", grown))
        edits = [*edits, longer, Edit(blocks.tiff.end, pad, addition + b"\0" * (grown % 2))]
        return [*edits, _riff(window, edits)]


def _riff(window: Window, edits: list[Edit]) -> Edit:
    size = int.from_bytes(window.exactly(4, 4), "little") + sum(len(e.new) - len(e.old) for e in edits)
    if not 0 < size < 1 << 32:
        raise Damaged("the WebP has no room for the tag")
    return window.edit(4, struct.pack("<I", size))


def _header(window: Window) -> tuple[int, int, int]:
    """The flags of VP8X that the first chunk has or would need, width and height."""
    kind, head = window.at(12, 4), window.exactly(20, 5)
    flags = 0
    if kind == b"VP8X":
        flags, width, height = head[0], *(1 + int.from_bytes(window.exactly(at, 3), "little") for at in (24, 27))
    elif kind == b"VP8 " and window.at(23, 3) == b"\x9d\x01\x2a":
        width, height = (v & 0x3FFF for v in struct.unpack("<HH", window.exactly(26, 4)))
    elif kind == b"VP8L" and head[0] == 0x2F:
        bits = int.from_bytes(head[1:], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags = _ALPHA_FLAG * (bits >> 28 & 1)
    else:
        raise Damaged("the WebP begins with no known pixels")
    if not width or not height:
        raise Damaged("the WebP has no size")
    return flags, width, height
