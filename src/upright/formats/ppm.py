"""PPM, PGM and PBM: words of a header, between them white space and comments."""

from __future__ import annotations

import re

from ..errors import Damaged
from .container import Container
from .edits import Window

#: Decoders read a header byte by byte: 50 MB of comments took 13 s.
_MOST_HEADER_BYTES = 1 << 16
#: Samples of a pixel, where they are no numbers in words.
_SAMPLES = {b"P4": 1, b"P5": 1, b"P6": 3}
_HEADER = re.compile(rb"P[1-6](?>(?:\s|#[^\n\r]*[\n\r])+)(\d{1,9})(?>(?:\s|#[^\n\r]*[\n\r])+)(\d{1,9})(?=\s|#)")

_HIGHEST = re.compile(rb"(?>(?:\s|#[^\n\r]*[\n\r])+)(\d{1,5})(?=\s)")


class Ppm(Container):
    """A picture of one, two or three kinds of samples."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """The two first numbers."""
        found = _HEADER.match(window.at(0, _MOST_HEADER_BYTES))
        if found is None:
            raise Damaged("its header has no size")
        return int(found[1]), int(found[2])

    def end(self, window: Window) -> int:
        """Behind the samples; the file's end where they are words."""
        head = window.at(0, _MOST_HEADER_BYTES)
        found, samples = _HEADER.match(head), _SAMPLES.get(head[:2])
        if found is None or samples is None:
            return window.size
        width, height = int(found[1]), int(found[2])
        if head[:2] == b"P4":
            return found.end() + 1 + (width + 7) // 8 * height
        highest = _HIGHEST.match(head, found.end())
        if highest is None:
            return window.size
        return highest.end() + 1 + width * height * samples * (1 + (int(highest[1]) > 255))
