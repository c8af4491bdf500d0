"""PNG: EXIF in an eXIf chunk before or after the pixels, XMP in an iTXt chunk; a changed chunk gets a new checksum."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

from ..errors import Damaged
from .container import Blocks, Container, blocks_of, chunk_of
from .edits import MAX_BLOCK, Edit, Window

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Of a packet that is not compressed.
_XMP = b"XML:com.adobe.xmp\0\0"
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

    def pixel_bytes(self, window: Window, page: int = 0) -> float:
        """From depth and kind of colour; a palette is looked up."""
        depth, colour = window.exactly(24, 2)
        return {0: 1, 2: 3, 4: 2}.get(colour, 4) * max(1, depth // 8)

    def pages(self, window: Window) -> int:
        """As the chunk acTL says."""
        control = next((start for kind, start, _ in chunks(window) if kind == b"acTL"), None)
        return 1 if control is None else int.from_bytes(window.exactly(control + 8, 4), "big")

    def end(self, window: Window) -> int:
        """Behind IEND."""
        return max((start + 12 + length for _, start, length in chunks(window)), default=window.size)

    def find(self, window: Window, page: int = 0) -> Blocks:
        """The first eXIf chunk and the first XMP packet that is not compressed."""
        return blocks_of(window, chunks(window), b"eXIf", b"iTXt", _XMP)

    def insert(self, window: Window, blocks: Blocks, block: bytes) -> list[Edit]:
        """A new eXIf chunk before the pixels."""
        for kind, start, _ in chunks(window):
            if kind == b"IDAT":
                return [Edit(start, b"", chunk(b"eXIf", block))]
        raise Damaged("the PNG has no pixels")

    def enlarge(self, window: Window, blocks: Blocks, edits: list[Edit], addition: bytes) -> list[Edit]:
        """The eXIf chunk grows at its end."""
        assert blocks.tiff is not None
        start = chunk_of(chunks(window), blocks.tiff)
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
            start = chunk_of(chunks(window), span)
            if span.end - start > MAX_BLOCK:
                raise Damaged("a metadata chunk is over 1 MB")
            body = bytearray(window.exactly(start + 4, span.end - start - 4))
            for edit in sorted(inside, key=lambda e: -e.offset):
                at = edit.offset - start - 4
                body[at : at + len(edit.old)] = edit.new
            seals.append(window.edit(span.end, struct.pack(">I", zlib.crc32(body))))
        return seals
