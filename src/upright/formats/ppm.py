"""PPM, PGM and PBM: words of a header, between them white space and comments."""

from __future__ import annotations

import re

from ..errors import Damaged
from .container import Container
from .edits import Window

#: Decoders read a header byte by byte: 50 MB of comments took 13 s.
_MOST_HEADER_BYTES = 1 << 16
_HEADER = re.compile(rb"P[1-6](?>(?:\s|#[^\n\r]*[\n\r])+)(\d{1,9})(?>(?:\s|#[^\n\r]*[\n\r])+)(\d{1,9})(?=\s|#)")


class Ppm(Container):
    """A picture of one, two or three kinds of samples."""

    def size_px(self, window: Window, page: int = 0) -> tuple[int, int]:
        """The two first numbers."""
        found = _HEADER.match(window.at(0, _MOST_HEADER_BYTES))
        if found is None:
            raise Damaged("its header has no size")
        return int(found[1]), int(found[2])
