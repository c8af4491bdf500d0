"""BMP: a header of one of two kinds, and rows of pixels."""

from __future__ import annotations

import struct

from .container import Container
from .edits import Window

#: The colour space of a header of version 5, whose letters stand in reverse: MBED or LINK, a profile in a file or here.
_PROFILES = (b"DEBM", b"KNIL")


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
