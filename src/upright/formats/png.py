"""PNG: EXIF in an eXIf chunk before or after the pixels, XMP in an iTXt chunk; a chunk that changes is sealed anew."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

from ..errors import Damaged
from .container import Blocks, Container
from .edits import MAX_BLOCK, Edit, Span, Window

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP = b"XML:com.adobe.xmp\0"
_MAX_CHUNKS = 1 << 16


def chunks(window: Window) -> Iterator[tuple[bytes, int, int]]:
    """``(type, start of the chunk, length of its data)``, up to IEND. Ends quietly where the file does."""
    position = len(SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        head = window.at(position, 8)
        if len(head) < 8:
            return
        length = int.from_bytes(head[:4], "big")
        yield head[4:], position, length
        if head[4:] == b"IEND" or length > 0x7FFF_FFFF:
            return
        position += 12 + length


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk with its length and check sum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


class Png(Container):
    """PNG; an animated one (APNG) has frames."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """From the chunk IHDR, which comes first."""
        width, height = struct.unpack(">II", window.exactly(16, 8))
        return width, height

    def pages(self, window: Window) -> int:
        """As the chunk acTL says."""
        control = next((start for kind, start, _ in chunks(window) if kind == b"acTL"), None)
        return 1 if control is None else int.from_bytes(window.exactly(control + 8, 4), "big")

    def find(self, window: Window, page: int = 0) -> Blocks:
        """The first eXIf chunk and the first XMP packet that is not compressed."""
        tiff = xmp = None
        for kind, start, length in chunks(window):
            body, end = start + 8, min(start + 8 + length, window.size)
            if kind == b"eXIf" and tiff is None:
                # Some writers put the JPEG prefix in front.
                tiff = Span(body + 6 * (window.at(body, 6) == b"Exif\0\0"), end)
            elif kind == b"iTXt" and xmp is None and window.at(body, len(_XMP) + 1) == _XMP + b"\0":
                xmp = Span(body + len(_XMP), end)
        return Blocks(tiff, xmp)

    def insert(self, window: Window, blocks: Blocks, block: bytes) -> list[Edit]:
        """A new eXIf chunk before the pixels."""
        for kind, start, _ in chunks(window):
            if kind == b"IDAT":
                return [Edit(start, b"", chunk(b"eXIf", block))]
        raise Damaged("the PNG has no pixels")

    def enlarge(self, window: Window, blocks: Blocks, edits: list[Edit], addition: bytes) -> list[Edit]:
        """The eXIf chunk grows at its end."""
        assert blocks.tiff is not None
        start = _chunk_of(window, blocks.tiff)
        length = int.from_bytes(window.exactly(start, 4), "big")
        grown = window.edit(start, struct.pack(">I", length + len(addition)))
        return [*edits, grown, Edit(blocks.tiff.end, b"", addition)]

    def seal(self, window: Window, blocks: Blocks, edits: Sequence[Edit]) -> list[Edit]:
        """The check sums of the chunks that the edits change."""
        seals = []
        for span in filter(None, (blocks.tiff, blocks.xmp)):
            inside = [edit for edit in edits if span.start <= edit.offset <= span.end]
            if not inside:
                continue
            start = _chunk_of(window, span)
            if span.end - start > MAX_BLOCK:
                raise Damaged("a metadata chunk is over 1 MB")
            body = bytearray(window.exactly(start + 4, span.end - start - 4))
            for edit in sorted(inside, key=lambda e: -e.offset):
                at = edit.offset - start - 4
                body[at : at + len(edit.old)] = edit.new
            seals.append(window.edit(span.end, struct.pack(">I", zlib.crc32(body))))
        return seals


def _chunk_of(window: Window, span: Span) -> int:
    for _, start, length in chunks(window):
        if start + 8 <= span.start and span.end == start + 8 + length:
            return start
    raise Damaged("a metadata chunk is cut short")
