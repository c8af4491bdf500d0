"""ICO: pictures in several sizes, each a PNG or a BMP without its first header."""

from __future__ import annotations

import struct

from .container import Container
from .edits import Window
from .png import SIGNATURE, Png

_MOST_PICTURES = 256


class Ico(Container):
    """ICO. Decoders open the largest picture by its entry, and take its size from its own header."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """The largest width and height that a header in the file claims."""
        count = min(int.from_bytes(window.exactly(4, 2), "little"), _MOST_PICTURES)
        places = (struct.unpack("<I", window.exactly(6 + 16 * n + 12, 4))[0] for n in range(count))
        sizes = [_size(window, place) for place in places]
        return max((w for w, _ in sizes), default=0), max((h for _, h in sizes), default=0)


def _size(window: Window, place: int) -> tuple[int, int]:
    head = window.at(place, 24)
    if head.startswith(SIGNATURE):
        return Png().size_px(Window(head))
    width, height = struct.unpack_from("<ii", head, 4) if len(head) >= 12 else (0, 0)
    return abs(width), abs(height)
