"""GIF: a screen and the pictures drawn on it, one after the other."""

from __future__ import annotations

import struct

from .container import Container
from .edits import Window


class Gif(Container):
    """GIF of one picture or of frames."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """Of the screen."""
        width, height = struct.unpack("<HH", window.exactly(6, 4))
        return width, height

    def pages(self, window: Window) -> int:
        """The picture blocks, as many as there are before the trailer or the end of the file."""
        position, found = 13 + _colours_bytes(window, 10), 0
        while (kind := window.at(position, 1)) in (b"\x21", b"\x2c"):
            if kind == b"\x21":
                position += 2
            else:
                found += 1
                position += 11 + _colours_bytes(window, position + 9)
            while size := window.at(position, 1):
                position += 1 + size[0]
                if not size[0]:
                    break
        return max(1, found)


def _colours_bytes(window: Window, flags_at: int) -> int:
    """How long the table of colours is that these flags announce."""
    flags = window.at(flags_at, 1)
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0
