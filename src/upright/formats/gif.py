"""GIF: a screen and the pictures drawn on it, one after the other."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .container import Container
from .edits import Window

#: Application extensions that say how often an animation is played, which the encoder writes by itself.
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_CONTROL, _COMMENT, _APPLICATION = 0xF9, 0xFE, 0xFF


class Gif(Container):
    """GIF of one picture or of frames."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """Of the screen."""
        width, height = struct.unpack("<HH", window.exactly(6, 4))
        return width, height

    def pages(self, window: Window) -> int:
        """The picture blocks, as many as there are before the trailer or the end of the file."""
        return max(1, sum(kind == b"\x2c" for kind, _, _ in _blocks(window)))

    def end(self, window: Window) -> int:
        """Behind the trailer, or the last block where that is missing."""
        end = max((end for _, _, end in _blocks(window)), default=window.size)
        return end + (window.at(end, 1) == b"\x3b")

    def foreign(self, window: Window) -> str:
        """Extensions that are none of GIF89a, and text that is drawn on the picture."""
        labels = (window.at(start + 1, 1) for kind, start, _ in _blocks(window) if kind == b"\x21")
        rest = [label for label in labels if label and label[0] not in (_CONTROL, _COMMENT, _APPLICATION)]
        return f"its extension 0x{rest[0].hex()}" if rest else ""


def described_as(data: bytes, other: bytes, swapped: bool) -> bytes:
    """``data`` with what ``other`` says beside its pixels: comments, XMP, ICC, and a pixel's shape, ``swapped`` or not.

    Encoders leave them out, or make one of several comments. They are extensions, which go before the first block.
    """
    window, source = Window(data), Window(other)
    blocks = (other[start:end] for kind, start, end in _blocks(source) if kind == b"\x21")
    said = [block for block in blocks if block[1] in (_COMMENT, _APPLICATION)]
    wide = other[12]  # (n + 15) / 64 is how wide a pixel is to its height, unless n is 0
    if wide and swapped:
        wide = min(255, max(1, round(64 * 64 / (wide + 15)) - 15))
    place = 13 + _colours_bytes(window, 10)
    kept = b"".join(each for each in said if each[3:14] not in _LOOPS)
    return max(data[:6], other[:6]) + data[6:12] + bytes([wide]) + data[13:place] + kept + data[place:]


def _blocks(window: Window) -> Iterator[tuple[bytes, int, int]]:
    """The kind of each block of a picture or extension, and where it starts and ends."""
    position = 13 + _colours_bytes(window, 10)
    while (kind := window.at(position, 1)) in (b"\x21", b"\x2c"):
        start = position
        position += 2 if kind == b"\x21" else 11 + _colours_bytes(window, position + 9)
        while size := window.at(position, 1):
            position += 1 + size[0]
            if not size[0]:
                break
        yield kind, start, position


def _colours_bytes(window: Window, flags_at: int) -> int:
    """How long the table of colours is that these flags announce."""
    flags = window.at(flags_at, 1)
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0
