"""JPEG XL (ISO/IEC 18181): a bare codestream, or one in boxes; of its header the size alone."""

from __future__ import annotations

from ..errors import Damaged
from .container import Container
from .edits import Window
from .heif import boxes

_BARE = b"\xff\x0a"
#: Widths over heights that a header names by number, from 1.
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_SIZE_BITS = (9, 13, 18, 30)


class Jxl(Container):
    """JPEG XL, one picture."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """From the codestream's header (18181-1, D.2), as stored. Raises `Damaged`."""
        start = 0
        if window.at(0, 2) != _BARE:
            box = next((box for box in boxes(window) if box.kind in (b"jxlc", b"jxlp")), None)
            if box is None:
                raise Damaged("it has no codestream", remedy="copy it again from its origin")
            start = box.body + 4 * (box.kind == b"jxlp")
        head = window.exactly(start, 12)
        if not head.startswith(_BARE):
            raise Damaged("its codestream has no header", remedy="copy it again from its origin")
        bits = _Bits(int.from_bytes(head[2:], "little"))
        small = bits.take(1)
        height = 8 * (bits.take(5) + 1) if small else bits.take(_SIZE_BITS[bits.take(2)]) + 1
        if ratio := bits.take(3):
            across, down = _RATIOS[ratio - 1]
            return height * across // down, height
        return (8 * (bits.take(5) + 1) if small else bits.take(_SIZE_BITS[bits.take(2)]) + 1), height


class _Bits:
    """Bits of a number, the lowest first."""

    def __init__(self, value: int) -> None:
        self._value = value

    def take(self, count: int) -> int:
        found = self._value & ((1 << count) - 1)
        self._value >>= count
        return found
