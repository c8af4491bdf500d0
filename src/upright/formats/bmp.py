"""BMP: a header of one of two kinds, and rows of pixels."""

from __future__ import annotations

import struct

from .container import Container
from .edits import Window

#: The colour space of a header of version 5, whose letters stand in reverse: MBED or LINK, a profile in a file or here.
_PROFILES = (b"DEBM", b"KNIL")
#: Bytes of the older kind of header.
_OLD = 12
#: Compressions in which rows have no fixed length: RLE8, RLE4, JPEG, PNG.
_COMPRESSED = (1, 2, 4, 5)


def has_profile(data: bytes) -> bool:
    """Whether a BMP has a colour profile, which Pillow neither reads nor writes."""
    return data[14:18] == b"\x7c\0\0\0" and data[70:74] in _PROFILES


class Bmp(Container):
    """BMP, one picture."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """From the header; a negative height says that the first row comes first."""
        old = window.exactly(14, 4) == b"\x0c\0\0\0"
        width, height = struct.unpack("<HH" if old else "<ii", window.exactly(18, 4 if old else 8))
        return width, abs(height)

    def end(self, window: Window) -> int:
        """Behind the rows; the file's end where they are compressed and have no length, or a profile follows."""
        start, _, bits, packed, length, _ = _header(window)
        if has_profile(window.at(0, 74)) or (packed in _COMPRESSED and not length):
            return window.size
        width, height = self.size_px(window)
        return start + (length if packed in _COMPRESSED else height * ((width * bits + 31) // 32 * 4))

    def foreign(self, window: Window) -> str:
        """Bytes between colours and pixels."""
        start, header, bits, packed, _, used = _header(window)
        colours = min(used, 256) or (1 << bits if bits <= 8 else 0)
        masks = {3: 12, 6: 16}.get(packed, 0) if header == 40 else 0
        gap = 14 + header + masks + colours * (3 if header == _OLD else 4)
        return "what lies before its pixels" if window.at(gap, start - gap).strip(b"\0") else ""


def _header(window: Window) -> tuple[int, int, int, int, int, int]:
    """Where pixels start, size of the header, bits of a pixel, compression, bytes of pixels, number of colours."""
    start, header = struct.unpack("<II", window.exactly(10, 8))
    if header == _OLD:
        return start, header, int.from_bytes(window.exactly(24, 2), "little"), 0, 0, 0
    bits, packed, length = struct.unpack("<HII", window.exactly(28, 10))
    return start, header, bits, packed, length, int.from_bytes(window.at(46, 4), "little")
